"""One tensor in several checkpoints, read and decomposed no more often than needed."""

from collections.abc import Callable
from functools import cache

from torch import Tensor

from card24_pipeline.spectral.decomposition import Factors, decompose


class MatrixHistory:
    """One tensor by the names of checkpoints; each is read, and decomposed, once and when first asked for.

    Attributes:
        name: The tensor's name.
        tensor: Returns the tensor of a checkpoint in its own dtype.
        factors: Returns the factors of a checkpoint's matrix.
    """

    def __init__(self, name: str, read: Callable[[str], Tensor]) -> None:
        """Take the tensor's name, and what reads the tensor of a checkpoint."""
        tensor: Callable[[str], Tensor] = cache(read)
        factors: Callable[[str], Factors] = cache(lambda checkpoint: decompose(tensor(checkpoint)))
        self.name, self.tensor, self.factors = name, tensor, factors
