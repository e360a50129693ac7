"""How far a tuned model has moved from its base, as a divergence of their next-token distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from card24_pipeline.models.tokenized import IGNORED_LABEL, TokenizedExample

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def mean_forward_kl(
    base: PreTrainedModel, tuned: PreTrainedModel, examples: Sequence[TokenizedExample], *, batch_size: int
) -> float:
    """Return the mean forward KL divergence from the base on the answers of the new task, in nats a token.

    ``KL(base ‖ tuned) = Σ_v p_base(v) · (log p_base(v) − log p_tuned(v))``, exact over the vocabulary, averaged
    over the answer tokens of teacher-forced ``examples`` of the tuned task (the quantity that RL's Razor,
    arXiv 2509.04259, relates to forgetting). Both models have one vocabulary and are on the same device.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    device = base.device
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(examples), batch_size):
            batch = examples[start : start + batch_size]
            rows = [torch.tensor(example["input_ids"], device=device) for example in batch]
            labels = [torch.tensor(example["labels"], device=device) for example in batch]
            input_ids = pad_sequence(rows, batch_first=True)
            answered = pad_sequence(labels, batch_first=True, padding_value=IGNORED_LABEL)[:, 1:] != IGNORED_LABEL
            mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
            base_log, tuned_log = (
                _to_double(model(input_ids=input_ids, attention_mask=mask).logits[:, :-1][answered]).log_softmax(-1)
                for model in (base, tuned)
            )
            total += float((base_log.exp() * (base_log - tuned_log)).sum())
            tokens += int(answered.sum())
    return total / tokens


def _to_double(logits: torch.Tensor) -> torch.Tensor:
    """Return logits in float64, which Apple's devices do not have."""
    return (logits.cpu() if logits.device.type == "mps" else logits).double()
