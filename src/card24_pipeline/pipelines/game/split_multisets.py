"""Share the solvable value multisets out between the splits."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pandas as pd

from card24_pipeline.game.hands import HAND_SIZE
from card24_pipeline.game.solver import is_solvable
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.game.split_params import SplitParams


def split_multisets(rules: RulesParams, params: SplitParams) -> pd.DataFrame:
    """Give every solvable multiset exactly one split, so that nothing held out is ever trained on.

    ``id`` multisets are those that can be dealt under the ID rule; ``ood`` ones are dealt under the OOD rule and need
    a value that only a face card of it has. Within each split a fraction is also set aside as never met by the base.

    Args:
        rules: Target and face rules.
        params: Fractions and the seed of the draw.

    Returns:
        One row per multiset, sorted: ``multiset`` (such as ``"3-3-8-8"``), ``values`` (four integers), ``split``
        (``sft``, ``id_heldout``, ``ood_select`` or ``ood``) and ``base_met_multiset``.

    Raises:
        ValueError: If a rule leaves no solvable hands for the target.
    """
    id_values = {*range(1, 11), rules.id.jack, rules.id.queen, rules.id.king}
    ood_values = {*range(1, 11), rules.ood.jack, rules.ood.queen, rules.ood.king}
    ood_faces = ood_values - id_values
    if not ood_faces:
        raise ValueError("game.rules.ood: expected a face card that counts as no value of an ID hand")
    hands = itertools.combinations_with_replacement(sorted(id_values | ood_faces), HAND_SIZE)
    solvable = [values for values in hands if is_solvable(values, rules.target)]
    id_multisets = [values for values in solvable if id_values.issuperset(values)]
    ood_multisets = [values for values in solvable if ood_values >= set(values) and not ood_faces.isdisjoint(values)]
    for name, found in (("id", id_multisets), ("ood", ood_multisets)):
        if not found:
            raise ValueError(f"game.rules.{name}: no hand makes {rules.target} under this rule")
    generator = random.Random(params.seed)
    heldout, sft = _draw(id_multisets, params.id_heldout_fraction, generator)
    select, ood = _draw(ood_multisets, params.ood_select_fraction, generator)
    rows = [
        {
            "multiset": "-".join(map(str, values)),
            "values": list(values),
            "split": split,
            "base_met_multiset": met,
        }
        for split, chosen in (("sft", sft), ("id_heldout", heldout), ("ood_select", select), ("ood", ood))
        for met, part in zip((False, True), _draw(chosen, params.never_met_fraction, generator), strict=True)
        for values in part
    ]
    return pd.DataFrame(rows).sort_values("values", ignore_index=True)


def _draw(
    multisets: Sequence[tuple[int, ...]], fraction: float, generator: random.Random
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Draw a fraction of the multisets at random; return the drawn ones and the rest."""
    shuffled = list(multisets)
    generator.shuffle(shuffled)
    count = round(fraction * len(shuffled))
    return shuffled[:count], shuffled[count:]
