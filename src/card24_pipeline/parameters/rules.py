"""The rules of the game as parameters; every pipeline that deals or asks hands reads them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveInt

from card24_pipeline.game.cards import FaceRule


class FaceRuleParams(BaseModel):
    """What jack, queen and king count as."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    jack: PositiveInt
    queen: PositiveInt
    king: PositiveInt

    def to_rule(self) -> FaceRule:
        """Return the rule as the game knows it."""
        return FaceRule(jack=self.jack, queen=self.queen, king=self.king)


class RulesParams(BaseModel):
    """The game that is played: its target and the rules of tuning (``id``) and of the shifted test (``ood``)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    target: PositiveInt
    id: FaceRuleParams
    ood: FaceRuleParams
