"""How a hand is asked, as parameters; every pipeline that asks or grades reads them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from card24_pipeline.game.prompts import AnswerStyle, PromptLayout


class PromptParams(BaseModel):
    """How a hand is asked and how it is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: PromptLayout
    style: AnswerStyle
