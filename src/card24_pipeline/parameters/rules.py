"""The rules of the game as parameters; every pipeline that deals or asks hands reads them."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt

from card24_pipeline.game.cards import FaceRule
from card24_pipeline.parameters.base import Params


class FaceRuleParams(Params):
    """What jack, queen and king count as."""

    jack: PositiveInt
    queen: PositiveInt
    king: PositiveInt

    def to_rule(self) -> FaceRule:
        """Return the rule as the game knows it."""
        return FaceRule(self.jack, self.queen, self.king)


class OodRuleParams(FaceRuleParams):
    """A rule of the shifted test; without a target of its own it has the game's."""

    target: PositiveInt | None = None


def _check_rule_name(name: str) -> str:
    if not re.fullmatch(r"(?!id|sft$|published)[A-Za-z0-9_]+(?<!_select)", name):
        raise ValueError(
            "expected a name of letters, digits and '_' that is not 'sft', does not begin with 'id' or 'published' "
            "and does not end with '_select': splits are named after it"
        )
    return name


class RulesParams(Params):
    """The game that is played: its target, the rule of tuning (``id``) and those of the shifted test (``ood``).

    Rule ``NAME`` makes the splits ``NAME_select``, ``NAME`` and ``published_NAME``. The first one is the one that
    claims are about.
    """

    target: PositiveInt
    id: FaceRuleParams
    ood: dict[Annotated[str, AfterValidator(_check_rule_name)], OodRuleParams] = Field(min_length=1)

    def target_of(self, name: str) -> int:
        """Return the target of an OOD rule."""
        return self.ood[name].target or self.target

    def list_rules(self) -> list[FaceRule]:
        """Return every rule, that of tuning first."""
        return [self.id.to_rule(), *(rule.to_rule() for rule in self.ood.values())]
