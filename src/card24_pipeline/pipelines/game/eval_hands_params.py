"""Parameters of the evaluation hands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt


class OrdersParams(BaseModel):
    """Into how many seeded orders each multiset of a split is dealt."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id_seen: PositiveInt
    id_heldout: PositiveInt
    ood_select: PositiveInt
    ood: PositiveInt


class EvalHandsParams(BaseModel):
    """The evaluation hands."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seed: NonNegativeInt
    orders: OrdersParams
    published_hands: PositiveInt
