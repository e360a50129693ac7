"""Choosing an edit's knob by the user's own questions."""

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from card24_pipeline.checkpoints.opening import open_checkpoint, resolve_checkpoint
from card24_pipeline.checkpoints.reader import count_bytes
from card24_pipeline.edits.applying import write_edited
from card24_pipeline.edits.edit import Edit
from card24_pipeline.evaluation.generation import generate_answers
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.tools.recover import check_disk

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """A prompt and the answer that counts."""

    prompt: str
    expected: str


@dataclass(frozen=True)
class ProbeSettings:
    """How the questions are put and judged.

    Attributes:
        match: ``exact`` (but for white space around) or ``contains``.
        max_new_tokens: Limit of an answer, in tokens.
        batch_size: Questions answered side by side.
    """

    match: Literal["exact", "contains"]
    max_new_tokens: int
    batch_size: int


def read_questions(file: Path) -> list[Question]:
    """Read questions from JSON lines with the keys ``prompt`` and ``expected``.

    Raises:
        ValueError: Naming file and line, if a line is anything else or there is none.
    """
    if not file.is_file():
        raise ValueError(f"{file} is missing: expected a file of JSON lines with prompt and expected")
    questions = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            prompt, expected = row["prompt"], row["expected"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f'{file}:{number}: expected {{"prompt": …, "expected": …}}') from error
        if not (isinstance(prompt, str) and isinstance(expected, str) and prompt and expected.strip()):
            raise ValueError(f"{file}:{number}: prompt and expected must be texts with something in them")
        questions.append(Question(prompt, expected))
    if not questions:
        raise ValueError(f"{file} holds no questions")
    return questions


def score_questions(folder: Path, questions: Sequence[Question], settings: ProbeSettings, *, label: str) -> float:
    """Return the share of questions that a checkpoint answers as expected, greedily and once."""
    model, tokenizer = load_checkpoint(folder)
    answers = generate_answers(
        model,
        tokenizer,
        [question.prompt for question in questions],
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        description=label,
    )
    pairs = [(answer.text.strip(), one.expected.strip()) for answer, one in zip(answers, questions, strict=True)]
    return sum(text == wanted if settings.match == "exact" else wanted in text for text, wanted in pairs) / len(pairs)


def choose_knob(
    donor: Path | str,
    target: Path | str,
    edit: Edit,
    knobs: Sequence[float],
    questions: Sequence[Question],
    settings: ProbeSettings,
    *,
    scratch: Path,
) -> tuple[Edit, dict[str, float]]:
    """Score donor, target and the edit at every knob, and return the best edit.

    All variants are written in one pass over the tensors, to a temporary folder below ``scratch``, whose disk must
    have room for a checkpoint for each knob.

    Returns:
        The edit with the knob that scored best, the smallest of equals, and all scores by name.
    """
    pair = {"donor": resolve_checkpoint(donor), "target": resolve_checkpoint(target)}
    edits = [replace(edit, knob=knob) for knob in sorted(set(knobs))]
    scores = {name: score_questions(folder, questions, settings, label=name) for name, folder in pair.items()}
    with TemporaryDirectory(prefix=".probe-", dir=scratch) as temporary:
        folders = {Path(temporary) / f"variant_{number}": one for number, one in enumerate(edits)}
        with ExitStack() as stack:
            opened = {name: stack.enter_context(open_checkpoint(folder)) for name, folder in pair.items()}
            check_disk(Path(temporary), len(edits) * count_bytes(opened["target"]))
            write_edited({edit.donor: opened["donor"]}, opened["target"], folders)
        found = {one: score_questions(folder, questions, settings, label=one.name) for folder, one in folders.items()}
    best = max(edits, key=found.__getitem__)  # the first of equals, and knobs ascend
    scores |= {one.name: score for one, score in found.items()}
    for name, score in scores.items():
        logger.info("Probe: %5.1f %%  %s", 100 * score, name)
    return best, scores
