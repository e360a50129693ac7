"""Card ranks, and the rules that say what a face card counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from card24_pipeline.game.errors import GameError

RANKS: tuple[str, ...] = ("A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K")
FACES: tuple[str, ...] = ("J", "Q", "K")
MAX_FACE_VALUE = 99


@dataclass(frozen=True)
class FaceRule:
    """What jack, queen and king count; an ace counts 1, any other card its number.

    Raises:
        GameError: a value is no integer from 1 to 99.
    """

    jack: int
    queen: int
    king: int

    def __post_init__(self) -> None:
        """Reject values that no card could have."""
        for name, value in vars(self).items():
            if type(value) is not int or not 1 <= value <= MAX_FACE_VALUE:
                raise GameError(f"{name} is {value!r}; expected an integer from 1 to {MAX_FACE_VALUE}")

    def value(self, rank: str) -> int:
        """Return the number that a rank counts.

        Raises:
            GameError: the rank is none of RANKS.
        """
        if rank not in RANKS:
            raise GameError(f"unknown rank {rank!r}; expected one of {', '.join(RANKS)}")
        faces = {"A": 1, "J": self.jack, "Q": self.queen, "K": self.king}
        return faces[rank] if rank in faces else int(rank)

    def values(self, ranks: Sequence[str]) -> tuple[int, ...]:
        """Return the number of each rank, in the order given; GameError as `value`."""
        return tuple(map(self.value, ranks))

    def ranks_for(self, value: int) -> tuple[str, ...]:
        """Return every rank that counts `value`, in deck order; none gives an empty tuple."""
        return tuple(rank for rank in RANKS if self.value(rank) == value)
