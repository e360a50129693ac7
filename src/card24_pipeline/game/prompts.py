"""What a model reads and what it should write.

Two layouts: `published`, instructions in prose with a JSON answer (the fields of arXiv 2501.17161, the
wording ours), and `compact`, words separated by single spaces, for a word-level tokenizer. Two ways to
answer: one formula, or step by step.

A compact answer is `render_numbers(values)` and then `render_solution(text, style)`. So the bare puzzle is
the first as prompt with the second as continuation, and mere translation of cards into numbers is the whole
prompt with the first as continuation.
"""

import json
from collections.abc import Sequence
from enum import StrEnum

from card24_pipeline.game.cards import FaceRule
from card24_pipeline.game.errors import GameError
from card24_pipeline.game.expressions import tokenize


class PromptLayout(StrEnum):
    """How prompt and answer are written."""

    published = "published"
    compact = "compact"


class AnswerStyle(StrEnum):
    """How a solution is told."""

    formula = "formula"
    steps = "steps"


_PUBLISHED_PROMPT = """\
You are a skilled player of the {target}-point card game.
You see {count} cards. Each card counts a number: 'A' counts 1, number cards count what they show, \
'J' counts {rule.jack}, 'Q' counts {rule.queen} and 'K' counts {rule.king}.
Your goal is {goal} that makes {target}. Use the number of each card exactly once, and only the \
operations '+', '-', '*' and '/'{extra}.
Answer with one JSON object and nothing else:
{{"cards": [the cards as shown], "number": [the number of each card], "{style}": "{example}"}}

Cards: {cards}
"""

# The goal, what may be used beside the four operations, and the beginning of an example.
_WORDING = {
    AnswerStyle.formula: ("a formula", " and parentheses", "...="),
    AnswerStyle.steps: ("a series of steps, each joining two numbers into one,", "", "a + b = c , ... = "),
}


def render_prompt(
    ranks: Sequence[str], rule: FaceRule, target: int = 24, *, layout: PromptLayout, style: AnswerStyle
) -> str:
    """Return the prompt for a hand as dealt: prose, or `J 11 Q 12 K 13 target 24 cards 7 J 5 A :`.

    A compact prompt does not depend on the style of the answer.

    Raises:
        GameError: an unknown rank.
    """
    rule.values(ranks)
    if PromptLayout(layout) is PromptLayout.compact:
        return f"J {rule.jack} Q {rule.queen} K {rule.king} target {target} cards {' '.join(ranks)} :"
    style = AnswerStyle(style)
    goal, extra, example = _WORDING[style]
    return _PUBLISHED_PROMPT.format(
        target=target,
        count=len(ranks),
        rule=rule,
        goal=goal,
        extra=extra,
        style=style.value,
        cards=list(ranks),
        example=f"{example}{target}",
    )


def render_answer(
    values: Sequence[int],
    solution_text: str,
    ranks: Sequence[str],
    *,
    layout: PromptLayout,
    style: AnswerStyle,
    target: int = 24,
) -> str:
    """Return the answer that a model should give: JSON, or `numbers 7 11 5 1 formula ( 11 - 7 ) * ( 5 + 1 )`.

    `solution_text` is a formula of `solve` or steps of `format_steps`; a published formula ends with the target.

    Raises:
        GameError: values and ranks differ in number.
    """
    if len(values) != len(ranks):
        raise GameError(f"{len(values)} values for {len(ranks)} ranks; expected one value for each rank")
    if PromptLayout(layout) is PromptLayout.compact:
        return f"{render_numbers(values)} {render_solution(solution_text, style)}"
    style = AnswerStyle(style)
    told = f"{solution_text}={target}" if style is AnswerStyle.formula else solution_text
    return json.dumps({"cards": list(ranks), "number": list(values), style.value: told})


def render_numbers(values: Sequence[int]) -> str:
    """Return the first half of a compact answer, such as `numbers 7 11 5 1`."""
    return " ".join(("numbers", *map(str, values)))


def render_solution(solution_text: str, style: AnswerStyle) -> str:
    """Return the second half of a compact answer, such as `formula ( 11 - 7 ) * ( 5 + 1 )`."""
    if AnswerStyle(style) is AnswerStyle.steps:
        return f"steps {solution_text}"
    return " ".join(("formula", *(token.text for token in tokenize(solution_text))))
