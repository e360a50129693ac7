"""How a hand is asked, as parameters; every pipeline that asks or grades reads them."""

from typing import Annotated, TypedDict

from pydantic import Field

from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.parameters.base import Params


class Wording(TypedDict):
    """Layout and style as arguments of the game's functions."""

    layout: PromptLayout
    style: AnswerStyle


class PromptParams(Params):
    """How a hand is asked and how it is answered; a file names both as text."""

    layout: Annotated[PromptLayout, Field(strict=False)]
    style: Annotated[AnswerStyle, Field(strict=False)]

    @property
    def wording(self) -> Wording:
        """Both, for ``render_prompt`` and its like."""
        return {"layout": self.layout, "style": self.style}
