"""A language model as a policy with a value function."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from card24_pipeline.models.shared_prompt import can_share, read_states

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from card24_pipeline.training.rollout_batch import RolloutBatch


@dataclass(frozen=True)
class TokenEvaluation:
    """What policy and critic say of the N sampled tokens of a micro-batch of E episodes.

    Attributes:
        log_distribution: (N, vocabulary), in nats: the policy's distribution that each token was drawn from.
        log_probabilities: (N,), of the tokens that were drawn.
        values: (N,), of the state before each token.
    """

    log_distribution: torch.Tensor
    log_probabilities: torch.Tensor
    values: torch.Tensor

    @property
    def entropies(self) -> torch.Tensor:
        """(N,), of the policy's distribution at each token, in nats."""
        return -(self.log_distribution.exp() * self.log_distribution).sum(-1)


class PolicyWithValue:
    """A causal language model whose tokens are actions, and a value of each state.

    The value head is a linear map of the last hidden state, of the policy itself (``"head"``) or of a copy of its
    body that is trained apart (``"separate"``). It starts at zero.
    """

    def __init__(self, model: PreTrainedModel, *, critic: Literal["head", "separate"], temperature: float) -> None:
        """Take the model, which is used and trained in place, and the temperature that its answers are sampled at."""
        import torch

        self.model = model
        self.temperature = temperature
        self.critic = copy.deepcopy(model.base_model) if critic == "separate" else None
        self._shares = can_share(model.base_model)
        weight = model.get_output_embeddings().weight
        self.value_head = torch.nn.Linear(weight.shape[1], 1, dtype=weight.dtype, device=weight.device)
        torch.nn.init.zeros_(self.value_head.weight)
        torch.nn.init.zeros_(self.value_head.bias)

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Yield everything that is trained, in a fixed order; tied weights appear once."""
        modules = {"model": self.model, "critic": self.critic, "value_head": self.value_head}
        for prefix, module in modules.items():
            if module is not None:
                yield from module.named_parameters(prefix=prefix)

    def evaluate(self, batch: RolloutBatch) -> TokenEvaluation:
        """Evaluate every sampled token by one forward pass, log-probabilities in float32 or better."""
        asked = batch.input_ids, batch.sampled
        picked = read_states(self.model.base_model, *asked, shares=self._shares)
        states = picked if self.critic is None else read_states(self.critic, *asked, shares=self._shares)
        log_distribution = _log_distribution(self.model, picked, self.temperature)
        drawn = batch.input_ids[batch.sampled][:, None]
        return TokenEvaluation(
            log_distribution=log_distribution,
            log_probabilities=log_distribution.gather(1, drawn)[:, 0],
            values=self.value_head(states)[:, 0],
        )

    def evaluate_other(self, model: PreTrainedModel, batch: RolloutBatch) -> torch.Tensor:
        """Return the log-distribution, (N, vocabulary) in nats, that another model has at each sampled token.

        It is one of the policy's architecture that is not trained.
        """
        import torch

        with torch.no_grad():
            states = read_states(model.base_model, batch.input_ids, batch.sampled, shares=self._shares)
            return _log_distribution(model, states, self.temperature)

    def look_ahead(self, batch: RolloutBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the values (N,) before each sampled token, and those (E,) after each episode's last token."""
        import torch

        with torch.no_grad():
            body = self.model.base_model if self.critic is None else self.critic
            values = self.value_head(body(input_ids=batch.input_ids, use_cache=False).last_hidden_state)[..., 0]
        return values[:, :-1][batch.sampled[:, 1:]], values.gather(1, (batch.lengths - 1)[:, None])[:, 0]


def token_kl(policy: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return KL(policy ‖ other) at each token, (N,) in nats, exact over the vocabulary, from log-distributions."""
    return (policy.exp() * (policy - other)).sum(-1)


def _log_distribution(model: PreTrainedModel, states: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the tempered log-distribution, (N, vocabulary) in nats, that follows each state."""
    import torch

    logits = model.get_output_embeddings()(states)
    return (logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature).log_softmax(-1)
