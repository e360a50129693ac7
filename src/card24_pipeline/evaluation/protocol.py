"""The revision protocol: what a conversation about one hand says after a failed try, as token ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from card24_pipeline.game.prompts import PromptLayout
from card24_pipeline.game.verdicts import Verdict, feedback

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PLACE_OF_ANSWER = "\u241f"  # a character that no template writes


class RevisionProtocol:
    """Asks for another try, so that a conversation only ever grows: nothing already said is tokenized again.

    In the published layout the verifier's sentence (arXiv 2501.17161) is the next turn of the tokenizer's chat
    template, or a line of its own where there is none. A compact prompt has no words for reasons: there the prompt
    itself comes again, which is asked only after a failure.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, layout: PromptLayout) -> None:
        """Take the tokenizer, which must have an end token, and the layout of the prompts."""
        self._tokenizer = tokenizer
        self._layout = PromptLayout(layout)

    def open(self, prompt: str) -> list[int]:
        """Return the prompt as token ids, exactly as it is asked in training and scoring."""
        return list(self._tokenizer(prompt, add_special_tokens=False)["input_ids"])

    def ask_again(self, prompt: str, verdict: Verdict, *, cut: bool) -> list[int]:
        """Return what stands between a failed answer and the next one, as token ids.

        An answer that was cut by its length limit is ended here, as the model did not. ``prompt`` is the one that
        opened the conversation.
        """
        if self._layout is PromptLayout.compact:
            text = prompt
        elif self._tokenizer.chat_template is None:
            text = f"\n{feedback(verdict)}\n"
        else:
            text = self._render_turn(feedback(verdict))
        end = [self._tokenizer.eos_token_id] if cut else []
        return end + self.open(text)

    def _render_turn(self, message: str) -> str:
        """Render what a chat template writes between an answer's end token and the next answer."""
        talk = [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": _PLACE_OF_ANSWER},
            {"role": "user", "content": message},
        ]
        text = self._tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        after = str(text).rpartition(_PLACE_OF_ANSWER)[2]
        return re.sub(rf"^\s*{re.escape(self._tokenizer.eos_token)}", "", after)  # some write a space before the end
