"""Find the answer in what a model wrote, and grade it; no text makes either raise."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.game.steps import verify_steps
from card24_pipeline.game.verdicts import Outcome, Verdict
from card24_pipeline.game.verifier import verify

MAX_ANSWER_CHARS = 8192
"""Only so much of a text, from its start, is looked at."""

MAX_JSON_OBJECTS = 32
"""Only so many places where a JSON object might begin are tried."""

_MAX_NUMBER_DIGITS = 9
_DECODER = json.JSONDecoder(strict=False)  # a line break within a string is the model's style, not a fault
_OBJECT_START = re.compile(r'\{(?=\s*")')


@dataclass(frozen=True)
class Answer:
    """What was found in a text.

    `formula` is the formula or the steps, as far as they go; None where there are none. `malformed` says
    how the text departs from the layout, None if it does not; a malformed answer may hold a right formula.
    """

    cards: tuple[str, ...] | None
    numbers: tuple[int, ...] | None
    formula: str | None
    malformed: str | None


def parse_answer(text: str | None, *, layout: PromptLayout, style: AnswerStyle) -> Answer:
    """Find the first complete answer in the first MAX_ANSWER_CHARS characters of a text.

    published: the first JSON object that has the style's field ("formula" or "steps"); failing that, one
    that is cut off by the end of the text, with its field as far as it goes.
    compact: the first line with the word "formula" (or "steps"); what follows on that line is the
    solution, and the numbers are what stands between the word "numbers" and it. Without such a line, the
    numbers are those of a first line that holds nothing else.
    """
    window = (text or "")[:MAX_ANSWER_CHARS]
    if not window.strip():
        return Answer(None, None, None, "the answer is empty")
    field = AnswerStyle(style).value
    return (_parse_words if PromptLayout(layout) is PromptLayout.compact else _parse_json)(window, field)


def grade_answer(
    text: str | None, values: Sequence[int], target: int = 24, *, layout: PromptLayout, style: AnswerStyle
) -> Verdict:
    """Judge the answer in a text: its formula or steps alone count, not the cards and numbers it repeats.

    Raises:
        GameError: a hand or target that `solve` rejects too; never for a text.
    """
    answer = parse_answer(text, layout=layout, style=style)
    judge = verify_steps if AnswerStyle(style) is AnswerStyle.steps else verify
    verdict = judge(answer.formula, values, target)
    if verdict.outcome is Outcome.no_formula and answer.malformed is not None:
        return Verdict(Outcome.no_formula, f"{verdict.message}: {answer.malformed}")
    return verdict


def _parse_json(window: str, field: str) -> Answer:
    cut_off_at: int | None = None
    for start in (match.start() for match in islice(_OBJECT_START.finditer(window), MAX_JSON_OBJECTS)):
        try:
            content, _ = _DECODER.raw_decode(window, start)
        except json.JSONDecodeError as error:
            # The object fails because the text ends, and not because of what stands in it.
            is_cut_off = error.msg.startswith("Unterminated string") or error.pos >= len(window.rstrip())
            if cut_off_at is None and is_cut_off:
                cut_off_at = start
        except (ValueError, RecursionError):
            continue  # an endless number, or nesting beyond the decoder
        else:
            if field in content:
                return _read_object(content, field)
    if cut_off_at is None:
        return Answer(None, None, None, f'no JSON object with the field "{field}" was found')
    return Answer(None, None, _read_cut_off(window[cut_off_at:], field), "the JSON object is cut off")


def _read_object(content: dict[str, Any], field: str) -> Answer:
    cards, numbers = _read_list(content.get("cards"), str), _read_list(content.get("number"), int)
    formula = content[field] if isinstance(content[field], str) else None
    needed = {
        '"cards" is not a list of strings': cards,
        '"number" is not a list of whole numbers': numbers,
        f'"{field}" is not a string': formula,
    }
    malformed = "; ".join(fault for fault, found in needed.items() if found is None) or None
    return Answer(cards, numbers, formula, malformed)


def _read_list(value: Any, kind: type) -> tuple[Any, ...] | None:
    is_sound = isinstance(value, list) and all(type(item) is kind for item in value)
    return tuple(value) if is_sound else None


def _read_cut_off(text: str, field: str) -> str | None:
    """Return a string field of a JSON object that stops, as far as it goes."""
    match = re.search(rf'"{field}"\s*:\s*"((?:[^"\\]|\\.)*)', text, re.DOTALL)
    if match is None:
        return None
    try:
        return str(_DECODER.decode(f'"{match.group(1)}"'))
    except ValueError:
        return match.group(1)


def _parse_words(window: str, field: str) -> Answer:
    lines = window.strip().split("\n")
    line = next((line for line in lines if field in line.split()), None)
    if line is None:
        # The cards may still have been read: then the numbers count although no solution follows.
        return Answer(None, _read_numbers(lines[0].split()), None, f"no line has the word {field!r}")
    words = line.split()
    place = words.index(field)
    numbers = _read_numbers(words[:place])
    malformed = None if numbers is not None else f"{field!r} does not follow 'numbers' and whole numbers"
    return Answer(None, numbers, " ".join(words[place + 1 :]) or None, malformed)


def _read_numbers(words: list[str]) -> tuple[int, ...] | None:
    """Return what follows the word "numbers" if that is whole numbers and nothing else."""
    if words[:1] != ["numbers"]:
        return None
    if not all(len(word) <= _MAX_NUMBER_DIGITS and word.isascii() and word.isdigit() for word in words[1:]):
        return None
    return tuple(map(int, words[1:]))
