import pytest
import torch

from card24_pipeline.evaluation import decoding
from card24_pipeline.evaluation.protocol import RevisionProtocol
from card24_pipeline.game.answers import grade_answer
from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.training.rl_params import RewardParams, RolloutParams
from card24_pipeline.training.rl_run import Hand, RlError
from card24_pipeline.training.rollouts import play_episodes


@pytest.fixture(scope="module")
def model(make_model):
    """A model with clear preferences."""
    return make_model(seed=2, scale=12.0)


@pytest.fixture
def play(model, tokenizer, make_task, make_settings):
    """Play a task's hands from a seed."""

    def run(task=None, *, model=model, seed=0, **changes):
        task = task or make_task()
        settings = RolloutParams.model_validate(make_settings().rollouts.model_dump() | changes)
        generator = torch.Generator().manual_seed(seed)
        return play_episodes(model, tokenizer, task, task.hands, settings, generator=generator)

    return run


def plain_log_distribution(model, ids, temperature):
    """One whole sequence, alone, without a cache; row t is the distribution after the first t + 1 tokens."""
    with torch.inference_mode():
        return (model(input_ids=torch.tensor([ids]), use_cache=False).logits[0] / temperature).log_softmax(-1)


def plain_argmax(model, tokenizer, prompt, max_new_tokens):
    ids, new = tokenizer(prompt)["input_ids"], []
    while len(new) < max_new_tokens and tokenizer.eos_token_id not in new:
        new.append(int(plain_log_distribution(model, ids + new, 1.0)[-1].argmax()))
    return new


def sampled_ids(episode, turn):
    return [token for token, said in zip(episode.ids, episode.turns, strict=True) if said == turn]


class TestSampling:
    @pytest.mark.parametrize("temperature", [0.7, 1.0, 1.5])
    def test_log_probabilities_equal_a_plain_forward_pass(self, make_model, play, temperature):
        model = make_model(seed=3, scale=3.0)
        episodes = play(model=model, temperature=temperature, max_tries=2, batch_size=5)
        assert len({len(episode.ids) for episode in episodes}) > 4
        for episode in episodes:
            expected = plain_log_distribution(model, episode.ids, temperature)
            places = [place for place, turn in enumerate(episode.turns) if turn >= 0]
            scores = [float(expected[place - 1, episode.ids[place]]) for place in places]
            assert min(scores) < -1.0
            assert episode.sampler_log_probabilities == pytest.approx(scores, abs=1e-5)

    def test_tokens_are_drawn_from_the_tempered_distribution_and_nothing_else(self, make_model, play, make_task, hands):
        model, count = make_model(seed=3, scale=3.0), 4000
        task = make_task(hands=[hands[0]] * count)
        episodes = play(task, model=model, temperature=0.5, max_new_tokens=1, batch_size=count)
        found = torch.bincount(torch.tensor([episode.ids[-1] for episode in episodes]), minlength=model.vocab_size)
        prompt = [token for token, turn in zip(episodes[0].ids, episodes[0].turns, strict=True) if turn < 0]
        expected = count * plain_log_distribution(model, prompt, 0.5)[-1].exp()
        chi_square = float(((found - expected).square() / expected).sum())
        freedom = model.vocab_size - 1
        assert expected.max() > 4 * expected.median()
        assert chi_square < freedom + 4 * (2 * freedom) ** 0.5

    def test_same_seed_gives_the_same_episodes_whatever_the_global_chance(self, play):
        torch.manual_seed(1)
        first = play(max_tries=2)
        torch.manual_seed(2)
        assert play(max_tries=2) == first
        assert play(max_tries=2, seed=1) != first

    def test_model_keeps_no_trace(self, make_model, play):
        model = make_model(seed=3)
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        play(model=model)
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())


class TestBatches:
    @pytest.mark.parametrize("batch_size", [1, 5, 100])
    def test_at_low_temperature_answers_are_plain_argmax_in_any_batch(
        self, model, tokenizer, make_task, play, batch_size
    ):
        task = make_task()
        lengths = {len(hand.prompt.split()) for hand in task.hands}
        assert len(lengths) > 4
        episodes = play(task, temperature=1e-5, batch_size=batch_size)
        answers = [sampled_ids(episode, 0) for episode in episodes]
        assert len({tuple(answer) for answer in answers}) > 4
        for hand, episode, answer in zip(task.hands, episodes, answers, strict=True):
            assert episode.hand is hand
            assert answer == plain_argmax(model, tokenizer, hand.prompt, 6)

    def test_later_tries_go_on_from_the_whole_conversation(self, model, tokenizer, make_task, play):
        episodes = play(make_task(), temperature=1e-5, max_tries=2, batch_size=5)
        for episode in episodes:
            start = episode.turns.index(1)
            answer = sampled_ids(episode, 1)
            for place, token in enumerate(answer, start=start):
                assert int(plain_log_distribution(model, episode.ids[:place], 1.0)[-1].argmax()) == token

    def test_positions_count_from_each_first_token(self, make_model, play, monkeypatch):
        """Rotary embeddings would not tell; learnt ones would."""
        model, seen = make_model(), []
        body = model.base_model
        forward = body.forward

        def spy(*args, position_ids, attention_mask, **kwargs):
            seen.append((position_ids, attention_mask))
            return forward(*args, position_ids=position_ids, attention_mask=attention_mask, **kwargs)

        monkeypatch.setattr(body, "forward", spy)
        monkeypatch.setattr(decoding, "knows_attention", lambda model: False)  # so that no row leaves
        play(model=model, batch_size=100)
        asked, mask = seen[0]
        assert (mask == 0).any()
        assert all((positions >= 0).all() for positions, _ in seen)
        for row, real in zip(asked, mask, strict=True):
            assert row[real.bool()].tolist() == list(range(int(real.sum())))
        for step, (positions, _) in enumerate(seen[1:]):
            assert positions[:, 0].tolist() == (mask.sum(1) + step).tolist()

    def test_an_empty_batch_is_refused(self, play, make_task):
        with pytest.raises(ValueError, match="no hands to play: the batch is empty"):
            play(make_task(hands=[]))


class TestLengthLimit:
    @pytest.fixture
    def played(self, make_model, play, make_task, judge_by):
        """Twelve episodes of two failed tries, of even chances for every token, with the texts that were judged."""
        heard = {}

        def decide(answer, hand):
            heard.setdefault(hand.identity, []).append(answer)
            return False, float(len(answer))

        return play(make_task(judge_by(decide)), model=make_model(), max_tries=2, max_new_tokens=10), heard

    def test_answer_ends_with_its_end_token_or_was_cut(self, played, tokenizer):
        episodes, _ = played
        kinds = set()
        for episode in episodes:
            answers = [sampled_ids(episode, turn) for turn in (0, 1)]
            ended = [answer[-1] == tokenizer.eos_token_id for answer in answers]
            assert not any(tokenizer.eos_token_id in answer[:-1] for answer in answers)
            assert all(end or len(answer) == 10 for end, answer in zip(ended, answers, strict=True))
            assert episode.cut_answers == 2 - sum(ended)
            kinds.update(ended)
        assert kinds == {True, False}

    def test_both_are_graded_as_they_stand(self, played, tokenizer):
        episodes, heard = played
        for episode in episodes:
            texts = heard[episode.hand.identity]
            assert texts == [tokenizer.decode(sampled_ids(episode, turn), skip_special_tokens=True) for turn in (0, 1)]
            assert episode.rewards == [len(text) for text in texts]

    def test_both_end_the_turn_and_the_next_question_follows_an_end_token(self, played, tokenizer):
        episodes, _ = played
        for episode in episodes:
            prompt = tokenizer(episode.hand.prompt)["input_ids"]
            start = episode.turns.index(1)
            assert episode.ids[start - len(prompt) - 1 : start] == [tokenizer.eos_token_id, *prompt]

    def test_real_judge_gives_verdict_and_reward_of_what_was_said(self, play, tokenizer, make_task):
        task = make_task(rewards=make_task().rewards.model_copy(update={"no_formula": -7.5}))
        for episode in play(task, max_tries=2):
            for turn in (0, 1):
                answer = tokenizer.decode(sampled_ids(episode, turn), skip_special_tokens=True)
                verdict = grade_answer(answer, (3, 8), 24, layout="compact", style="steps")
                assert episode.outcomes[turn] is verdict.outcome
                assert episode.rewards[turn] == task.rewards.reward(verdict)

    def test_a_correct_answer_is_recognised(self, play, make_task, monkeypatch, tokenizer):
        from card24_pipeline.training import rollouts

        ids = tokenizer("numbers 3 8 steps 3 * 8 = 24 <end>")["input_ids"]
        answer = rollouts.SampledAnswer(ids, [-1.0] * len(ids), cut=False)
        monkeypatch.setattr(rollouts, "sample_answers", lambda model, tokenizer, episodes, *_, **__: [answer])
        (episode,) = play(make_task(hands=[make_task().hands[0]]), max_tries=2)
        assert episode.solved
        assert episode.outcomes == [Outcome.correct]
        assert episode.rewards == [5.0]


class TestTries:
    def test_solved_hands_end_and_the_others_have_all_their_tries(self, play, make_task, solve_at, hands):
        solved_at = {0: 1, 1: 2, 2: 3, 3: 4}
        episodes = play(make_task(solve_at(solved_at), hands=hands[:4]), max_tries=3, max_new_tokens=3)
        assert [episode.rewards for episode in episodes] == [[1.25], [1, 2.25], [1, 2, 3.25], [1, 2, 3]]
        assert [episode.solved for episode in episodes] == [True, True, True, False]
        assert [len(episode.outcomes) for episode in episodes] == [1, 2, 3, 3]
        assert not any(episode.truncated for episode in episodes)

    @pytest.mark.parametrize(("layout", "tries"), [("compact", 3), ("published", 2)])
    def test_conversation_is_prompt_answer_question_answer(
        self, play, make_task, tokenizer, hands, judge_by, layout, tries
    ):
        never = judge_by(lambda answer, hand: (False, 0.0))
        verdict, _ = never("", hands[0])
        protocol = RevisionProtocol(tokenizer, layout)
        for episode in play(make_task(never, hands=hands[:5], layout=layout), max_tries=tries, max_new_tokens=4):
            ids = protocol.open(episode.hand.prompt)
            turns = [-1] * len(ids)
            for turn in range(tries):
                answer = sampled_ids(episode, turn)
                ids, turns = ids + answer, turns + [turn] * len(answer)
                if turn + 1 < tries:
                    cut = answer[-1] != tokenizer.eos_token_id
                    asked = protocol.ask_again(episode.hand.prompt, verdict, cut=cut)
                    ids, turns = ids + asked, turns + [-1] * len(asked)
            assert episode.ids == ids
            assert episode.turns == turns
            assert episode.sampled_tokens == sum(turn >= 0 for turn in turns)
            lengths = [max(place for place, at in enumerate(turns) if at == turn) + 1 for turn in range(tries)]
            assert episode.turn_lengths() == lengths
            assert lengths[-1] == len(ids)

    def test_prompts_of_a_task_are_not_touched(self, play, make_task):
        task = make_task()
        prompts = [hand.prompt for hand in task.hands]
        play(task, max_tries=2)
        assert [hand.prompt for hand in task.hands] == prompts


class TestBudget:
    def play_with(self, budget, play, make_task, solve_at, hands):
        task = make_task(solve_at({0: 9, 1: 1, 2: 2, 3: 9, 4: 9, 5: 9}), hands=hands[:6])
        return play(task, max_tries=3, max_new_tokens=3, max_turns_per_update=budget, hands_per_update=6)

    @pytest.mark.parametrize(
        ("budget", "turns", "truncated"),
        [
            (6, [1, 1, 1, 1, 1, 1], {0, 2, 3, 4, 5}),
            (9, [2, 1, 2, 2, 1, 1], {0, 3, 4, 5}),
            (11, [2, 1, 2, 2, 2, 2], {0, 3, 4, 5}),
            (13, [3, 1, 2, 3, 2, 2], {4, 5}),
            (15, [3, 1, 2, 3, 3, 3], set()),
            (99, [3, 1, 2, 3, 3, 3], set()),
        ],
    )
    def test_it_truncates_exactly_the_hands_beyond_it(
        self, play, make_task, solve_at, hands, tokenizer, budget, turns, truncated
    ):
        episodes = self.play_with(budget, play, make_task, solve_at, hands)
        assert [len(episode.rewards) for episode in episodes] == turns
        assert sum(turns) <= budget
        assert {episode.hand.identity for episode in episodes if episode.truncated} == truncated
        for episode in episodes:
            # A truncated conversation stops where the next answer would begin, every other one with its last answer.
            asked = tokenizer(episode.hand.prompt)["input_ids"]
            assert (episode.turns[-1] < 0) is episode.truncated
            assert not episode.truncated or episode.ids[-len(asked) :] == asked

    def test_a_budget_that_suffices_changes_nothing(self, play, make_task, solve_at, hands):
        without = self.play_with(None, play, make_task, solve_at, hands)
        assert self.play_with(15, play, make_task, solve_at, hands) == without


class TestErrors:
    def test_a_prompt_that_leaves_no_room_is_refused_and_names_the_hand(self, play, make_task, hands):
        long = Hand(77, "K K K", "cards " + "K " * 43, (1,), 24)
        with pytest.raises(ValueError, match=r"hand 77 \(K K K\): 44 tokens before the answer and 5 new ones .* 48"):
            play(make_task(hands=[*hands[:3], long]), max_new_tokens=5)
        assert len(play(make_task(hands=[*hands[:3], long]), max_new_tokens=4)) == 4

    def test_so_is_a_conversation_that_grew(self, make_model, play, make_task):
        long = Hand(77, "K K K", "cards " + "K " * 20, (1,), 24)
        with pytest.raises(ValueError, match=r"hand 77 \(K K K\): .* exceed the model's context of 48"):
            play(make_task(hands=[long]), model=make_model(), max_new_tokens=6, max_tries=2)

    def test_logits_that_are_not_finite_name_the_hand(self, make_model, play, tokenizer):
        model = make_model()
        with torch.no_grad():
            model.model.embed_tokens.weight[tokenizer("Q")["input_ids"][0]] = float("nan")
        with pytest.raises(RlError, match=r"logits are not finite while it answers hand (1 \(J Q K\)|5 \(Q 1 2\))$"):
            play(model=model, batch_size=1, max_new_tokens=1)

    def test_so_does_a_row_that_has_already_ended(self, make_model, play, make_task, tokenizer, hands):
        model = make_model()
        end = tokenizer.eos_token_id
        with torch.no_grad():
            model.model.embed_tokens.weight[end] = float("nan")
        with pytest.raises(RlError, match="logits are not finite while it answers hand"):
            play(make_task(hands=hands * 4), model=model, batch_size=48, max_new_tokens=20)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_reward_that_is_not_finite_names_the_hand(self, play, make_task, hands, value):
        class Broken(RewardParams):
            def reward(self, verdict):
                return value

        with pytest.raises(RlError, match=rf"the reward of hand 4 \(9 4 4 10 6\) is {value}"):
            play(make_task(hands=hands[4:5], rewards=Broken(**make_task().rewards.model_dump())))
