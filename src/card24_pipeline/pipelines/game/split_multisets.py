"""Share the solvable value multisets out between the splits."""

import itertools
import random
from collections.abc import Iterator, Sequence

import pandas as pd
from pydantic import Field, NonNegativeInt

from card24_pipeline.game.cards import FACES, RANKS, FaceRule
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

    Args:
        rules: Targets and face rules.
        params: Fractions and the seed of the draws.

    Returns:
        One row per split and multiset, sorted by values: ``multiset`` (such as ``"3-3-8-8"``), ``values`` (four
        integers), ``split`` (``sft``, ``id_heldout``, and ``NAME_select`` and ``NAME`` of each OOD rule) and
        ``base_met_multiset``.

    Raises:
        ValueError: If a rule leaves no solvable hands for its target.
    """
    generator = random.Random(params.seed)
    heldout, sft = _draw(_list_id_multisets(rules), params.id_heldout_fraction, generator)
    splits = {"sft": sft, "id_heldout": heldout}
    first, *further = rules.ood
    splits |= _split_rule(first, _list_ood_multisets(rules, first, first=True), params, generator)
    met: dict[Multiset, bool] = {}
    rows = list(_describe(splits, met, rules.target, params, generator))
    for name in further:
        own = random.Random(f"{params.seed} {name}")
        splits = _split_rule(name, _list_ood_multisets(rules, name, first=False), params, own)
        rows += _describe(splits, met, rules.target, params, own)
    return pd.DataFrame(rows).sort_values("values", ignore_index=True, kind="stable")


def _list_id_multisets(rules: RulesParams) -> list[Multiset]:
    return _list_solvable("id", _list_values(rules.id.to_rule()), rules.target)


def _list_ood_multisets(rules: RulesParams, name: str, *, first: bool) -> list[Multiset]:
    """List the solvable multisets of an OOD rule that have a value of one of its face cards."""
    rule = rules.ood[name].to_rule()
    faces = {rule.value(rank) for rank in FACES}
    if first:
        faces -= _list_values(rules.id.to_rule())
        if not faces:
            raise ValueError(f"game.rules.ood.{name}: expected a face card that counts as no value of an ID hand")
    return _list_solvable(f"ood.{name}", _list_values(rule), rules.target_of(name), faces)


def _list_values(rule: FaceRule) -> set[int]:
    return {rule.value(rank) for rank in RANKS}


def _list_solvable(rule: str, values: set[int], target: int, some_of: set[int] | None = None) -> list[Multiset]:
    """List the multisets of these values that make the target, sorted; with at least one of ``some_of``."""
    hands = itertools.combinations_with_replacement(sorted(values), HAND_SIZE)
    wanted = (hand for hand in hands if some_of is None or not some_of.isdisjoint(hand))
    found = [hand for hand in wanted if is_solvable(hand, target)]
    if not found:
        raise ValueError(f"game.rules.{rule}: no hand makes {target} under this rule")
    return found


def _split_rule(
    name: str, multisets: list[Multiset], params: SplitParams, generator: random.Random
) -> dict[str, list[Multiset]]:
    select, rest = _draw(multisets, params.ood_select_fraction, generator)
    return {f"{name}_select": select, name: rest}


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
