"""The order in which a training run shows its examples."""

from collections.abc import Sequence

import numpy as np


def order_examples(lengths: Sequence[int], *, steps: int, batch_size: int, seed: int) -> list[int]:
    """Choose which example each position of a training run shows, batch by batch.

    Epochs are seeded permutations, one after another, cut into optimiser batches. *Within* a batch, examples are
    sorted by length, so that its micro-batches need next to no padding; which examples share a batch, and hence
    the gradient, does not depend on length.

    Args:
        lengths: Tokens of each example.
        steps: Optimiser steps.
        batch_size: Examples a step.
        seed: Seed of the permutations.

    Returns:
        ``steps × batch_size`` indices into ``lengths``.
    """
    generator = np.random.default_rng(seed)
    needed = steps * batch_size
    epochs = -(-needed // len(lengths))
    order = np.concatenate([generator.permutation(len(lengths)) for _ in range(epochs)])[:needed]
    tokens = np.asarray(lengths)
    batches = order.reshape(steps, batch_size)
    by_length = np.argsort(tokens[batches], axis=1, kind="stable")
    return [int(index) for index in np.take_along_axis(batches, by_length, axis=1).ravel()]
