"""Share the solvable value multisets out between the splits."""

import itertools
import random
from collections.abc import Iterator, Sequence

import pandas as pd
from pydantic import Field, NonNegativeInt

from card24_pipeline.game.cards import FACES, RANKS
from card24_pipeline.game.hands import HAND_SIZE
from card24_pipeline.game.solver import is_solvable
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.rules import RulesParams

Multiset = tuple[int, ...]


class SplitParams(Params):
    """How the solvable multisets are shared out between the splits."""

    seed: NonNegativeInt
    id_heldout_fraction: float = Field(gt=0, lt=1)
    ood_select_fraction: float = Field(gt=0, lt=1)
    never_met_fraction: float = Field(gt=0, lt=1)


def split_multisets(rules: RulesParams, params: SplitParams) -> pd.DataFrame:
    """Share out the solvable multisets, so that nothing held out is ever trained on.

    ``id`` multisets are those that can be dealt under the ID rule; those of the first OOD rule are dealt under it and
    need a value that only a face card of it has. So each of these has exactly one split. A further rule takes every
    multiset that can be dealt under it with a face card; there may be ID ones among them, which the cards alone tell
    apart. It draws from a source of its own, so that the splits of the others stay as they are.

    Within each split a fraction is also set aside as never met by the base. A multiset keeps what an earlier split
    said of it; one that cannot make the game's own target is never met, since the base is taught no other.

    Returns:
        One row per split and multiset, sorted by values: ``multiset`` (such as ``"3-3-8-8"``), ``values`` (four
        integers), ``split`` (``sft``, ``id_heldout``, and ``NAME_select`` and ``NAME`` of each OOD rule) and
        ``base_met_multiset``.

    Raises:
        ValueError: If a rule leaves no solvable hands for its target.
    """
    generator = random.Random(params.seed)
    heldout, sft = _draw(_list_multisets(rules), params.id_heldout_fraction, generator)
    splits = {"sft": sft, "id_heldout": heldout}
    met: dict[Multiset, bool] = {}
    rows: list[dict[str, object]] = []
    for number, name in enumerate(rules.ood):
        if number:
            splits, generator = {}, random.Random(f"{params.seed} {name}")
        select, rest = _draw(_list_multisets(rules, name), params.ood_select_fraction, generator)
        splits |= {f"{name}_select": select, name: rest}
        rows += _describe(splits, met, rules.target, params, generator)
    return pd.DataFrame(rows).sort_values("values", ignore_index=True, kind="stable")


def _list_multisets(rules: RulesParams, name: str | None = None) -> list[Multiset]:
    """List the solvable multisets of the ID rule, or of an OOD rule those with a value of one of its face cards."""
    id_values = set(rules.id.to_rule().values(RANKS))
    if name is None:
        return _list_solvable("id", id_values, rules.target, id_values)
    rule = rules.ood[name].to_rule()
    faces = set(rule.values(FACES))
    if name == next(iter(rules.ood)):
        faces -= id_values
        if not faces:
            raise ValueError(f"game.rules.ood.{name}: expected a face card that counts as no value of an ID hand")
    return _list_solvable(f"ood.{name}", set(rule.values(RANKS)), rules.target_of(name), faces)


def _list_solvable(rule: str, values: set[int], target: int, some_of: set[int]) -> list[Multiset]:
    """List the multisets of these values that make the target, sorted; with at least one of ``some_of``."""
    hands = itertools.combinations_with_replacement(sorted(values), HAND_SIZE)
    found = [hand for hand in hands if not some_of.isdisjoint(hand) and is_solvable(hand, target)]
    if not found:
        raise ValueError(f"game.rules.{rule}: no hand makes {target} under this rule")
    return found


def _describe(
    splits: dict[str, list[Multiset]],
    met: dict[Multiset, bool],
    target: int,
    params: SplitParams,
    generator: random.Random,
) -> Iterator[dict[str, object]]:
    """Yield the rows of splits; ``met`` says what is known of a multiset already, and learns of the others."""
    for split, chosen in splits.items():
        drawable = [values for values in chosen if values not in met and is_solvable(values, target)]
        never_met, others = _draw(drawable, params.never_met_fraction, generator)
        met |= dict.fromkeys(never_met, False) | dict.fromkeys(others, True)
        for values in chosen:
            yield {
                "multiset": "-".join(map(str, values)),
                "values": list(values),
                "split": split,
                "base_met_multiset": met.setdefault(values, False),
            }


def _draw(
    multisets: Sequence[Multiset], fraction: float, generator: random.Random
) -> tuple[list[Multiset], list[Multiset]]:
    """Draw a fraction of the multisets at random; return the drawn ones and the rest."""
    shuffled = list(multisets)
    generator.shuffle(shuffled)
    count = round(fraction * len(shuffled))
    return shuffled[:count], shuffled[count:]
