"""What a verifier can say of an answer, and how a player is told."""

from dataclasses import dataclass
from enum import StrEnum

MAX_QUOTED_CHARS = 40


class Outcome(StrEnum):
    """The six things an answer can be, best first."""

    correct = "correct"
    legal_prefix = "legal_prefix"
    wrong_value = "wrong_value"
    wrong_numbers = "wrong_numbers"
    illegal = "illegal"
    no_formula = "no_formula"


@dataclass(frozen=True)
class Verdict:
    """An outcome, and the reason as a clause for people: lower case, no full stop."""

    outcome: Outcome
    message: str

    @property
    def is_correct(self) -> bool:
        """Whether the answer solves the hand."""
        return self.outcome is Outcome.correct


def feedback(verdict: Verdict) -> str:
    """Return the sentence that the revision protocol appends to the conversation after a try."""
    if verdict.is_correct:
        return f"You solved this trial: {verdict.message}."
    return f"You failed this trial because {verdict.message}. Please try again with the same cards."


def quote_briefly(text: str) -> str:
    """Quote a text of any size and content in a few ASCII characters."""
    if len(text) <= MAX_QUOTED_CHARS:
        return ascii(text)
    return f"{text[:MAX_QUOTED_CHARS]!a}…"
