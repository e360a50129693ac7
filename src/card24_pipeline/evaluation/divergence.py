"""How far a tuned model has moved from its base, as a divergence of their next-token distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from card24_pipeline.evaluation.shared_attention import knows_attention, read_beginning, share_attention
from card24_pipeline.models.shared_prompt import count_shared
from card24_pipeline.models.tokenized import IGNORED_LABEL, TokenizedExample

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# The base's logits are kept for the next model up to this size, enough for small vocabularies; else computed anew.
KEPT_BYTES = 2**28


class ForwardDivergence:
    """The mean forward KL divergence from a base on the answers of the new task, in nats a token.

    ``KL(base ‖ tuned) = Σ_v p_base(v) · (log p_base(v) − log p_tuned(v))``, exact over the vocabulary, averaged
    over the answer tokens of teacher-forced ``examples`` of the tuned task (the quantity that RL's Razor,
    arXiv 2509.04259, relates to forgetting). Both models have one vocabulary and are on the same device.
    """

    def __init__(self, base: PreTrainedModel, examples: Sequence[TokenizedExample], *, batch_size: int) -> None:
        """Take the base and the examples, which are batched by length."""
        ordered = sorted(examples, key=lambda example: len(example["input_ids"]))
        self._base = base
        self._batches = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
        self._kept: dict[int, torch.Tensor] = {}

    def measure(self, tuned: PreTrainedModel) -> float:
        """Return the divergence of one model; the base reads the examples for the first one only."""
        import torch

        total, tokens = 0.0, 0
        with torch.inference_mode():
            for number, batch in enumerate(self._batches):
                logits = self._kept[number] if number in self._kept else self._read_base(number)
                base_log, tuned_log = (
                    _to_double(one).log_softmax(-1) for one in (logits, _read_answer_logits(tuned, batch))
                )
                total += float((base_log.exp() * (base_log - tuned_log)).sum())
                tokens += len(base_log)
        return total / tokens

    def _read_base(self, number: int) -> torch.Tensor:
        logits = _read_answer_logits(self._base, self._batches[number])
        if sum(kept.nbytes for kept in self._kept.values()) + logits.nbytes <= KEPT_BYTES:
            self._kept[number] = logits
        return logits


def _read_answer_logits(model: PreTrainedModel, examples: Sequence[TokenizedExample]) -> torch.Tensor:
    """Return the logits before every answer token of some examples, tokens × vocabulary.

    Where the model's attention is known, what all prompts begin with is read once.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    shares = knows_attention(model)
    prompts = [
        example["input_ids"][: sum(label == IGNORED_LABEL for label in example["labels"])] for example in examples
    ]
    shared = count_shared(prompts, before=min(map(len, prompts))) if shares else 0
    rows, labels = (
        [torch.tensor(example[name][shared:], device=model.device) for example in examples]
        for name in ("input_ids", "labels")
    )
    input_ids, mask = pad_sequence(rows, batch_first=True), pad_sequence([torch.ones_like(row) for row in rows], True)
    answered = pad_sequence(labels, batch_first=True, padding_value=IGNORED_LABEL)[:, 1:] != IGNORED_LABEL
    first = int(answered.any(dim=0).nonzero()[0])  # the head is spared what comes before
    call = {"input_ids": input_ids, "attention_mask": mask, "logits_to_keep": input_ids.shape[1] - first}
    if shares:
        positions = torch.arange(shared, shared + input_ids.shape[1], device=model.device)[None]
        with share_attention(model):
            beginning = read_beginning(model, examples[0]["input_ids"][:shared])
            logits = model(**call, position_ids=positions, use_cache=False, beginning=beginning).logits
    else:
        logits = model(**call).logits
    return logits[:, :-1][answered[:, first:]]


def _to_double(logits: torch.Tensor) -> torch.Tensor:
    """Return logits in float64, which Apple's devices do not have."""
    return (logits.cpu() if logits.device.type == "mps" else logits).double()
