"""Scoring a checkpoint on every hand: one row per hand, then one row per split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field, PositiveInt

from card24_pipeline.evaluation.costs import count_forward_flops
from card24_pipeline.evaluation.generation import Generation, generate_answers
from card24_pipeline.evaluation.statistics import wilson_interval
from card24_pipeline.game.answers import grade_answer, parse_answer
from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class ScoringParams(Params):
    """How a checkpoint answers the evaluation hands, and the level of the intervals beside the scores."""

    max_new_tokens: PositiveInt
    batch_size: PositiveInt
    divergence_examples: PositiveInt
    confidence: float = Field(gt=0, lt=1)


def score_hands(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    eval_hands: pd.DataFrame,
    scoring: ScoringParams,
    prompt: PromptParams,
    *,
    label: str,
) -> pd.DataFrame:
    """Answer and grade every evaluation hand once, greedily.

    Args:
        model: The checkpoint, in evaluation mode.
        tokenizer: Its tokenizer.
        eval_hands: Columns ``split, hand, multiset, cards, values, target, base_met_multiset, prompt``.
        scoring: Generation limits.
        prompt: Layout and style that the prompts were rendered in.
        label: Name of the checkpoint on the progress bar.

    Returns:
        One row per hand, in the order of ``eval_hands``: its identity; ``answer``; ``outcome``; ``passed`` (the
        formula is correct for the hand); ``numbers_correct`` (every card was read right); ``formula_correct``
        (the formula is correct for the numbers that the answer itself states); ``malformed`` (why the answer could
        not be read, or an empty string); ``prompt_tokens``; ``answer_tokens``; ``cut``; ``generation_flops``.
    """
    limits = {"max_new_tokens": scoring.max_new_tokens, "batch_size": scoring.batch_size}
    answers = generate_answers(model, tokenizer, list(eval_hands["prompt"]), **limits, description=label)
    graded = [
        _grade(answer, tuple(map(int, values)), int(target), prompt)
        for answer, values, target in zip(answers, eval_hands["values"], eval_hands["target"], strict=True)
    ]
    lengths = [answer.prompt_tokens + answer.answer_tokens for answer in answers]
    rows = pd.DataFrame(graded, index=eval_hands.index)
    rows["generation_flops"] = [count_forward_flops(model, [length]) for length in lengths]
    identity = eval_hands[["split", "hand", "multiset", "cards", "base_met_multiset"]]
    return pd.concat([identity, rows], axis=1)


def _grade(answer: Generation, values: tuple[int, ...], target: int, prompt: PromptParams) -> dict[str, object]:
    """Grade one answer against the hand, and against the numbers it states itself."""

    def judge(numbers: tuple[int, ...]) -> Outcome:
        return grade_answer(answer.text, numbers, target, **prompt.wording).outcome

    parsed = parse_answer(answer.text, **prompt.wording)
    outcome, stated = judge(values), parsed.numbers or ()
    could_be_a_hand = len(stated) == len(values) and all(number > 0 for number in stated)
    return {
        "answer": answer.text,
        "outcome": outcome.value,
        "passed": outcome is Outcome.correct,
        "numbers_correct": stated == values,
        "formula_correct": could_be_a_hand and judge(stated) is Outcome.correct,
        "malformed": parsed.malformed or "",
        "prompt_tokens": answer.prompt_tokens,
        "answer_tokens": answer.answer_tokens,
        "cut": answer.cut,
    }


def summarise_scores(hands: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Summarise one checkpoint's hands: one row per split, and per split and whether the base met the multiset.

    Args:
        hands: Output of :func:`score_hands`.
        confidence: Level of the Wilson interval, whose trials are multisets and not hands.

    Returns:
        Columns ``split``, ``base_met_multiset`` ("all", "met" or "never_met"), ``hands``, ``multisets``,
        ``pass_at_1`` with ``_low`` and ``_high``, ``card_to_number_accuracy``, ``formula_accuracy``, a
        ``share_<outcome>`` for every outcome, ``malformed_share``, ``cut_share``, ``mean_answer_tokens``,
        ``generated_tokens`` and ``generation_flops``.
    """
    met = hands["base_met_multiset"]
    groups = {"all": hands, "met": hands[met], "never_met": hands[~met]}
    rows = [
        {"split": split, "base_met_multiset": name, **_summarise_group(chosen, confidence)}
        for name, group in groups.items()
        for split, chosen in group.groupby("split", sort=True)
    ]
    return pd.DataFrame(rows)


def _summarise_group(hands: pd.DataFrame, confidence: float) -> dict[str, float | int]:
    """Average one group of hands."""
    by_multiset = hands.groupby("multiset")["passed"].mean()
    interval = wilson_interval(float(by_multiset.sum()), len(by_multiset), confidence=confidence)
    shares = {f"share_{kind.value}": float((hands["outcome"] == kind.value).mean()) for kind in Outcome}
    return {
        "hands": len(hands),
        "multisets": len(by_multiset),
        "pass_at_1": float(hands["passed"].mean()),
        "pass_at_1_low": interval.low,
        "pass_at_1_high": interval.high,
        "card_to_number_accuracy": float(hands["numbers_correct"].mean()),
        "formula_accuracy": float(hands["formula_correct"].mean()),
        **shares,
        "malformed_share": float((hands["malformed"] != "").mean()),
        "cut_share": float(hands["cut"].mean()),
        "mean_answer_tokens": float(hands["answer_tokens"].mean()),
        "generated_tokens": int(hands["answer_tokens"].sum()),
        "generation_flops": int(hands["generation_flops"].sum()),
    }
