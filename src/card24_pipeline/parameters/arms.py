"""Arms: mappings of named blocks, of which a run reads its own."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from card24_pipeline.parameters.base import Params

Arm = TypeVar("Arm", bound=Params)


def check_arm_name(name: str) -> str:
    """Return the name of an arm; ValueError if it is not sound: ``all`` stands for every arm."""
    if not re.fullmatch(r"[A-Za-z0-9_]+", name) or name == "all":
        raise ValueError("expected a name of letters, digits and '_', and not 'all'")
    return name


ArmName = Annotated[str, AfterValidator(check_arm_name)]


def read_arm(arms: Mapping[str, Any], name: str, kind: type[Arm]) -> Arm:
    """Return one arm's block, checked, of blocks as the parameter file holds them; the others are not looked at.

    Raises:
        ValueError: If there is no such arm, or its block is not sound.
    """
    if name not in arms:
        raise ValueError(f"no arm '{name}': expected one of {', '.join(arms)}")
    return kind.model_validate(arms[name])
