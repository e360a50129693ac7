"""Episodes of the card game, sampled from a policy: batched, with a key-value cache, and temperature only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from card24_pipeline.evaluation.protocol import RevisionProtocol
from card24_pipeline.game.prompts import PromptLayout
from card24_pipeline.game.verdicts import Outcome, Verdict
from card24_pipeline.training.rl_params import RolloutParams
from card24_pipeline.training.rl_run import CardTask, Hand
from card24_pipeline.training.sampler import AnswerSampler, SampledAnswer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass
class Episode:
    """One hand as it was played, turn by turn.

    Attributes:
        ids: The conversation as token ids. It ends with the last sampled token, except in a truncated episode,
            where it goes on to the question that was not answered any more.
        turns: For each token of ``ids`` the number of the turn that sampled it, or -1 where nothing was sampled.
        sampler_log_probabilities: In nats, of each sampled token.
        rewards: One a turn, as outcomes.
        cut_answers: Answers that were cut by their length limit.
        truncated: Whether the update's budget of turns ended the episode, which is then no end of the game.
        sampler_values: Of the state before each sampled token; empty where no value head looked on.
    """

    hand: Hand
    ids: list[int]
    turns: list[int]
    sampler_log_probabilities: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    cut_answers: int = 0
    truncated: bool = False
    sampler_values: list[float] = field(default_factory=list)

    @property
    def solved(self) -> bool:
        """Whether the last try was correct."""
        return self.outcomes[-1] is Outcome.correct

    @property
    def sampled_tokens(self) -> int:
        """How many tokens the policy sampled."""
        return sum(turn >= 0 for turn in self.turns)

    def turn_lengths(self) -> list[int]:
        """Return how many tokens the conversation had by the end of each turn."""
        return list({turn: place for place, turn in enumerate(self.turns, start=1) if turn >= 0}.values())

    def add_turn(self, answer: SampledAnswer, text: str, task: CardTask) -> Verdict:
        """Append an answer of the policy, whose text the task judges and rewards; RlError as ``CardTask.judge``."""
        verdict, reward = task.judge(text, self.hand)
        self.turns += [len(self.rewards)] * len(answer.ids)
        self.ids += answer.ids
        self.sampler_log_probabilities += answer.log_probabilities
        self.sampler_values += answer.values
        self.cut_answers += answer.cut
        self.rewards.append(reward)
        self.outcomes.append(verdict.outcome)
        return verdict


def describe_episodes(episodes: Sequence[Episode]) -> dict[str, float]:
    """Average what was played: reward, success and turns an episode, outcomes and lengths a turn."""
    outcomes = [outcome for episode in episodes for outcome in episode.outcomes]
    tokens = sum(episode.sampled_tokens for episode in episodes)
    return {
        "reward": sum(sum(episode.rewards) for episode in episodes) / len(episodes),
        "success": sum(episode.solved for episode in episodes) / len(episodes),
        **{f"share_{kind.value}": outcomes.count(kind) / len(outcomes) for kind in Outcome},
        "turns": len(outcomes) / len(episodes),
        "answer_tokens": tokens / len(outcomes),
        "cut_share": sum(episode.cut_answers for episode in episodes) / len(outcomes),
        "hands": len(episodes),
        "rollout_tokens": tokens,
    }


def play_episodes(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: CardTask,
    hands: Sequence[Hand],
    settings: RolloutParams,
    *,
    generator: torch.Generator,
    value_head: torch.nn.Linear | None = None,
) -> list[Episode]:
    """Play hands by the revision protocol (arXiv 2501.17161): up to ``max_tries`` answers, each judged and rewarded.

    An answer that the length limit cut is judged as it stands and ends its turn. A solved hand and a hand out of
    tries have ended. Only when ``max_turns_per_update`` turns are spent are the hands still in play truncated.

    Args:
        model: The policy, in evaluation mode.
        task: Judges the answers; its own hands are not looked at.
        hands: What is played, one episode each, in this order.
        generator: Source of chance, on the CPU; equal states give equal episodes.
        value_head: Gives each state's value from its last hidden state; None where values are not asked for.

    Raises:
        ValueError: If there are no hands, or a question and its answer could outgrow the model's context.
        RlError: If a logit or reward is not finite; the error names the hand.
    """
    if not hands:
        raise ValueError("there are no hands to play: the batch is empty")
    protocol = RevisionProtocol(tokenizer, task.layout)
    episodes = [Episode(hand, ids := protocol.open(hand.prompt), [-1] * len(ids)) for hand in hands]
    in_play = list(episodes)
    turns_left = settings.max_turns_per_update
    for tries in range(1, settings.max_tries + 1):
        if turns_left is not None:
            for episode in in_play[turns_left:]:
                episode.truncated = True
            in_play = in_play[:turns_left]
            turns_left -= len(in_play)
        if not in_play:
            break
        answers = sample_answers(model, tokenizer, in_play, settings, generator=generator, value_head=value_head)
        failed = []
        for episode, answer in zip(in_play, answers, strict=True):
            verdict = episode.add_turn(answer, tokenizer.decode(answer.ids, skip_special_tokens=True), task)
            if not verdict.is_correct and tries < settings.max_tries:
                asked = protocol.ask_again(episode.hand.prompt, verdict, cut=answer.cut)
                episode.ids += asked
                episode.turns += [-1] * len(asked)
                failed.append(episode)
        in_play = failed
    return episodes


def sample_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    episodes: Sequence[Episode],
    settings: RolloutParams,
    *,
    generator: torch.Generator,
    value_head: torch.nn.Linear | None = None,
) -> list[SampledAnswer]:
    """Sample one answer to each conversation, those of like length side by side.

    Tokens are drawn from ``softmax(logits / temperature)`` and nothing else: the ratios of PPO are only right for the
    distribution that was sampled from. Errors as ``play_episodes``.
    """
    lengths = [len(episode.ids) for episode in episodes]
    _check_context(model, [episode.hand for episode in episodes], lengths, settings.max_new_tokens)
    order = sorted(range(len(episodes)), key=lengths.__getitem__)
    sampler = AnswerSampler(model, tokenizer, settings, generator=generator, value_head=value_head)
    answers: dict[int, SampledAnswer] = {}
    for start in range(0, len(order), settings.batch_size):
        chosen = order[start : start + settings.batch_size]
        batch = [episodes[index] for index in chosen]
        said = sampler.sample([episode.ids for episode in batch], [episode.hand for episode in batch])
        answers |= zip(chosen, said, strict=True)
    return [answers[index] for index in range(len(episodes))]


def check_hands(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: CardTask, settings: RolloutParams
) -> list[list[int]]:
    """Check before a run that its longest conversations fit into the model's context, and return the prompts' ids.

    What a failed try adds is known beforehand in the compact layout only; in the published one the first answer is
    checked, and every later one when it comes.

    Raises:
        ValueError: If there are no hands, or one does not fit; the error names it.
    """
    if not task.hands:
        raise ValueError("there are no hands to train on")
    ids: list[list[int]] = tokenizer([hand.prompt for hand in task.hands], add_special_tokens=False)["input_ids"]
    retries = settings.max_tries - 1 if PromptLayout(task.layout) is PromptLayout.compact else 0
    before = [len(prompt) + retries * (settings.max_new_tokens + 1 + len(prompt)) for prompt in ids]
    _check_context(model, task.hands, before, settings.max_new_tokens)
    return ids


def _check_context(model: PreTrainedModel, hands: Sequence[Hand], tokens: Sequence[int], max_new_tokens: int) -> None:
    """Check that each hand's tokens before its last answer, and that answer, fit into the model's context."""
    context = int(model.config.max_position_embeddings)
    longest = max(range(len(hands)), key=lambda index: tokens[index])
    if tokens[longest] + max_new_tokens > context:
        raise ValueError(
            f"{hands[longest]}: {tokens[longest]} tokens before the answer and "
            f"{max_new_tokens} new ones exceed the model's context of {context}"
        )
