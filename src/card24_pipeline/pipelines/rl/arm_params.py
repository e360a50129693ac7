"""Parameters of one arm of reinforcement learning: where its runs start, and what keeps them near."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from card24_pipeline.training.rl_settings import KlSettings

_ROLE = re.compile(r"max_ood|end|rung_[1-9][0-9]*")


class ArmParams(BaseModel):
    """Runs from the SFT checkpoints of these roles (``all``: of every selected one), with one KL penalty."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    roles: Literal["all"] | list[str]
    kl: KlSettings

    @field_validator("roles", mode="plain")
    @classmethod
    def check_roles(cls, value: Any) -> Literal["all"] | list[str]:
        """Check the whole of ``roles`` at once: one error in plain words instead of one for each kind of value.

        Raises:
            ValueError: If it is neither ``all`` nor a list of roles.
        """
        if value == "all":
            return "all"
        if not isinstance(value, list) or not value or not all(_is_role(role) for role in value):
            raise ValueError("expected 'all' or a list of the roles 'max_ood', 'end' and 'rung_<n>'")
        return list(value)


def _is_role(value: Any) -> bool:
    return isinstance(value, str) and _ROLE.fullmatch(value) is not None
