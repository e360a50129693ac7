"""The order in which a training run shows its examples."""

from collections.abc import Sequence

import numpy as np


def order_examples(lengths: Sequence[int], *, steps: int, batch_size: int, seed: int) -> list[int]:
    """Choose which of ``lengths`` each of ``steps × batch_size`` positions of a run shows, batch by batch.

    Epochs are seeded permutations, one after another, cut into optimiser batches. *Within* a batch, examples are
    sorted by length, so that its micro-batches need next to no padding; which examples share a batch, and hence
    the gradient, does not depend on length.
    """
    generator = np.random.default_rng(seed)
    needed = steps * batch_size
    epochs = -(-needed // len(lengths))
    order = np.concatenate([generator.permutation(len(lengths)) for _ in range(epochs)])[:needed]
    batches = order.reshape(steps, batch_size)
    by_length = np.argsort(np.asarray(lengths)[batches], axis=1, kind="stable")
    indices: list[int] = np.take_along_axis(batches, by_length, axis=1).ravel().tolist()
    return indices
