"""TRL's ``SFTTrainer`` without what answers to short prompts need not pay for. Imports torch: import it in functions.

A micro-batch's common start is read once, the head sees only states before a label, and training states are whole or
absent. The gradient is that of ``SFTTrainer``; rounding differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from trl import SFTTrainer

from card24_pipeline.models.shared_prompt import can_share, read_states
from card24_pipeline.models.tokenized import IGNORED_LABEL, TokenizedExample
from card24_pipeline.training.trainer_states import WholeStates

Batch = dict[str, torch.Tensor]


class AnswerTrainer(WholeStates, SFTTrainer):
    """Trains on answers; models that the short way would not suit are trained as ``SFTTrainer`` does."""

    def __init__(self, examples: ShownExamples, **kwargs: Any) -> None:
        """Take examples in the order in which they are shown, and what ``SFTTrainer`` takes."""
        # It asks for an Arrow table, whose rows would become tensors anew at every step.
        table = Dataset.from_list([{name: ids.tolist() for name, ids in examples[0].items()}])
        super().__init__(train_dataset=table, data_collator=self._collate, **kwargs)
        self.train_dataset = examples
        self._is_plain = has_plain_head(self.model) and self.accelerator.num_processes == 1
        self._shares = self._is_plain and can_share(self.model.base_model)

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the cross-entropy summed over the labels and divided by the optimiser batch's count of them."""
        if return_outputs or not self._is_plain:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        input_ids, labels = inputs["input_ids"], inputs["labels"]
        wanted = labels != IGNORED_LABEL
        states = read_states(model.base_model, input_ids, wanted, shares=self._shares)
        log_distribution = model.get_output_embeddings()(states).log_softmax(-1)
        targets = labels[wanted]
        self._keep_metrics(log_distribution.detach(), targets)
        loss = torch.nn.functional.nll_loss(log_distribution, targets, reduction="sum")
        return loss / (len(targets) if num_items_in_batch is None else num_items_in_batch)

    def _keep_metrics(self, log_distribution: torch.Tensor, targets: torch.Tensor) -> None:
        """Keep what ``SFTTrainer.log`` averages over the micro-batches since it logged last."""
        entropy = -(log_distribution.exp() * log_distribution).sum() / len(targets)
        accuracy = (log_distribution.argmax(-1) == targets).float().mean()
        for name, value in (("entropy", entropy), ("mean_token_accuracy", accuracy)):
            self._metrics["train"][name].append(value.item())

    def _collate(self, examples: Sequence[Batch]) -> Batch:
        """Fill a micro-batch up on the right."""
        rows, labels = ([example[name] for example in examples] for name in ("input_ids", "labels"))
        lengths = torch.tensor([len(row) for row in rows])
        input_ids = pad_sequence(rows, batch_first=True, padding_value=self.processing_class.pad_token_id)
        return {
            "input_ids": input_ids,
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED_LABEL),
            "attention_mask": (torch.arange(input_ids.shape[1]) < lengths[:, None]).long(),
        }

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write none: a training state has no reader."""


class ShownExamples:
    """The examples that are shown, in this order; each becomes tensors when it is asked for, so none lies in memory."""

    def __init__(self, examples: Sequence[TokenizedExample], order: Sequence[int]) -> None:
        """Take all examples, and which of them each position of the run shows."""
        self._examples, self._order = examples, order

    def __len__(self) -> int:
        """Count the positions."""
        return len(self._order)

    def __getitem__(self, position: int) -> Batch:
        """Return the example shown there, int64."""
        return {name: torch.tensor(ids) for name, ids in self._examples[self._order[position]].items()}


def has_plain_head(model: Any) -> bool:
    """Say whether a model's logits are its output embedding of its body's last hidden states, and its loss no more.

    Found out on a few tokens, since architectures scale or cap logits under many names; routers have a loss of their
    own.
    """
    if hasattr(model.config.get_text_config(), "output_router_logits"):
        return False
    tokens = torch.arange(4, device=model.device)[None]
    training = model.training
    with torch.inference_mode():
        model.eval()
        logits = model(input_ids=tokens, use_cache=False).logits
        ours = model.get_output_embeddings()(model.base_model(input_ids=tokens, use_cache=False).last_hidden_state)
    model.train(training)
    return bool(torch.allclose(ours, logits, rtol=1e-4, atol=1e-5))
