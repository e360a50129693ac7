"""Proximal policy optimisation of a language model on the card game, from rollout to gradient step.

An update reads top to bottom in ``PpoTrainer.update``: play hands, estimate advantages from what was seen in play, and
take clipped gradient steps over minibatches of episodes. Everything random in an update depends on the run's seed and
the update's number alone, so a run can go on from any update.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from card24_pipeline.evaluation.costs import count_forward_flops, count_training_flops
from card24_pipeline.training.ordering import order_examples
from card24_pipeline.training.policy import PolicyWithValue, TokenEvaluation, token_kl
from card24_pipeline.training.ppo_losses import (
    Prepared,
    StepMetrics,
    explained_variance,
    normalise_advantages,
    prepare_batch,
    token_losses,
    weigh_losses,
)
from card24_pipeline.training.ppo_state import load_state, save_state
from card24_pipeline.training.rl_run import RlError, RlRun, RlSetup, add_to_history
from card24_pipeline.training.rollout_batch import RolloutBatch, collate_episodes
from card24_pipeline.training.rollouts import Episode, check_hands, describe_episodes, play_episodes

if TYPE_CHECKING:
    import torch


_DRIFT_TOLERANCE = 1e-3  # nats at temperature 1; float32 alone makes some 1e-6


def train(setup: RlSetup, progress: Path) -> RlRun:
    """Train by PPO (arXiv 1707.06347), see ``Trainer``; the state stays in place until the caller has the result."""
    from tqdm import tqdm

    trainer, settings = PpoTrainer(setup), setup.settings
    state = progress / "state"
    history = load_state(state, trainer.policy, trainer.optimiser)
    resumed_at = len(history)
    started = time.perf_counter()
    with tqdm(total=settings.updates, initial=resumed_at, desc="PPO", unit="update", mininterval=2.0) as bar:
        for number in range(resumed_at + 1, settings.updates + 1):
            try:
                figures = trainer.update(number)
            except RlError as error:
                kept = number - 1 - (number - 1) % settings.resume_every_updates
                where = str(state / f"after_{kept}") if kept else "the checkpoint that the run started from"
                raise RlError(f"update {number}: {error}; the last good state is {where}") from error
            add_to_history(history, figures)
            bar.set_postfix(reward=f"{figures['reward']:.2f}", success=f"{figures['success']:.0%}", refresh=False)
            bar.update()
            if number % settings.resume_every_updates == 0 and number < settings.updates:
                save_state(state, trainer.policy, trainer.optimiser, history)
    seconds = time.perf_counter() - started
    hands = (settings.updates - resumed_at) * settings.rollouts.hands_per_update
    return RlRun(history, {"wall_seconds": seconds, "hands_per_second": hands / seconds, **trainer.seconds})


class PpoTrainer:
    """Policy, critic and optimiser of one run."""

    def __init__(self, setup: RlSetup) -> None:
        """Set up a run; see ``Trainer`` for errors."""
        import torch

        settings, model = setup.settings, setup.model
        rollouts, chosen = settings.rollouts, settings.optimiser
        check_hands(model, setup.tokenizer, setup.task, rollouts)
        self.policy = PolicyWithValue(model.eval(), critic=settings.ppo.critic, temperature=rollouts.temperature)
        trunk = [each for name, each in self.policy.named_parameters() if not name.startswith("value_head.")]
        groups = [
            {"params": trunk, "peak": chosen.learning_rate},
            {"params": self.policy.value_head.parameters(), "peak": settings.ppo.value_head_learning_rate},
        ]
        self.optimiser = torch.optim.AdamW(
            groups, betas=(0.9, chosen.adam_beta2), weight_decay=chosen.weight_decay, fused=True
        )
        self.seconds = {"rollout_seconds": 0.0, "evaluation_seconds": 0.0, "optimisation_seconds": 0.0}
        self._setup, self._settings = setup, settings
        self._start = copy.deepcopy(model)
        self._anchor = setup.anchor if setup.kl.coefficient else None
        sizes = {"steps": settings.updates, "batch_size": rollouts.hands_per_update}
        self._order = order_examples([1] * len(setup.task.hands), **sizes, seed=setup.seed)

    def update(self, number: int) -> dict[str, float]:
        """Run update ``number``, counted from 1, and return its figures, see ``HISTORY_COLUMNS``.

        Raises:
            RlError: If a figure is not finite; the error names the hand.
        """
        import torch

        setup, settings = self._setup, self._settings
        generator = _seed_generator(setup.seed, number)
        clock = time.perf_counter()
        size = settings.rollouts.hands_per_update
        hands = [setup.task.hands[index] for index in self._order[(number - 1) * size : number * size]]
        episodes = play_episodes(
            self.policy.model,
            setup.tokenizer,
            setup.task,
            hands,
            settings.rollouts,
            generator=generator,
            value_head=self.policy.value_head if self.policy.critic is None else None,
        )
        clock = self._clock("rollout_seconds", clock)
        minibatches, figures = self._prepare(episodes)
        clock = self._clock("evaluation_seconds", clock)
        share = settings.optimiser.share(number, updates=settings.updates)
        for group in self.optimiser.param_groups:
            group["lr"] = share * group["peak"]
        metrics = StepMetrics()
        count = len(minibatches)
        for epoch in range(settings.ppo.epochs):
            # Hands come shuffled, so the first epoch takes them as they are.
            for index in torch.randperm(count, generator=generator).tolist() if epoch else range(count):
                first = epoch == index == 0
                figures |= self._step(minibatches[index], metrics, is_first=first)
        self._clock("optimisation_seconds", clock)
        rate, flops = share * settings.optimiser.learning_rate, self._count_flops(episodes)
        figures |= describe_episodes(episodes) | metrics.summarise()
        return figures | {"update": number, "learning_rate": rate, "flops": flops}

    def _prepare(self, episodes: Sequence[Episode]) -> tuple[list[list[Prepared]], dict[str, float]]:
        """Lay the episodes out in minibatches of micro-batches, and estimate their advantages.

        Log-probabilities and values are the sampler's. Only what it did not see is read: the values of a critic of its
        own, and what follows a truncated episode.
        """
        import torch

        ppo, weight = self._settings.ppo, self.policy.value_head.weight
        batches = [
            collate_episodes(episodes[start : start + ppo.micro_batch_size], device=weight.device, dtype=weight.dtype)
            for start in range(0, len(episodes), ppo.micro_batch_size)
        ]
        prepared = []
        for batch in batches:
            values, last_values = batch.sampler_values, None
            if values is None or batch.truncated.any():
                values, last_values = self.policy.look_ahead(batch)
            prepared.append(prepare_batch(batch, values, last_values, ppo))
            _check_finite(prepared[-1].advantages, batch, "advantage")
        figures = {
            "explained_variance": explained_variance(
                torch.cat([each.returns for each in prepared]), torch.cat([each.old_values for each in prepared])
            ),
        }
        per_minibatch = ppo.minibatch_size // ppo.micro_batch_size
        normalised = normalise_advantages(prepared)
        return [normalised[at : at + per_minibatch] for at in range(0, len(normalised), per_minibatch)], figures

    def _step(self, minibatch: list[Prepared], metrics: StepMetrics, *, is_first: bool) -> dict[str, float]:
        """Take one gradient step, accumulated over the minibatch's micro-batches.

        At the update's first step the policy is still the one that sampled. Its log-probabilities of this very pass
        take the place of the sampler's, so that the ratio is exactly 1 until that step; figures of how far they and
        the start of the run are apart are returned.
        """
        import torch

        tokens = sum(each.batch.tokens for each in minibatch)
        self.optimiser.zero_grad()
        figures: dict[str, float] = {}
        for place, fixed in enumerate(minibatch):
            batch = fixed.batch
            seen = self.policy.evaluate(batch)
            if is_first:
                fixed = minibatch[place] = replace(fixed, old_log_probabilities=seen.log_probabilities.detach())
                self._compare(seen, batch, figures)
            anchor = None
            if self._anchor is not None:
                anchor = self.policy.evaluate_other(self._anchor, batch)
            losses = token_losses(seen, fixed, self._settings.ppo, anchor=anchor)
            total = weigh_losses(losses, self._settings.ppo, self._setup.kl)
            _check_finite(total, batch, "loss")
            (total.sum() / tokens).backward()
            metrics.add(losses)
        parameters = [parameter for _, parameter in self.policy.named_parameters()]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self._settings.optimiser.max_gradient_norm)
        if not norm.isfinite():
            first = minibatch[0].batch.name_hand(0)
            raise RlError(f"the gradient's norm is {float(norm)} on the minibatch that begins with {first}")
        metrics.gradient_norms.append(float(norm))
        self.optimiser.step()
        return figures

    def _compare(self, seen: TokenEvaluation, batch: RolloutBatch, figures: dict[str, float]) -> None:
        """Add how far a micro-batch's log-probabilities are from the sampler's, and from the start the first's are.

        Later minibatches are compared with what the sampler saw, and by their turn the policy has moved; so the first
        vouches for all. RlError if the two are further apart than rounding takes them.
        """
        apart = (seen.log_probabilities.detach() - batch.sampler_log_probabilities).abs()
        drift = float(apart.max())
        figures["sampler_drift_nats"] = max(figures.get("sampler_drift_nats", 0.0), drift)
        # The temperature divides a logit's rounding, too. Half precision is too coarse to tell.
        if apart.dtype.itemsize >= 4 and drift * self.policy.temperature > _DRIFT_TOLERANCE:
            raise RlError(
                f"training finds {drift:.2g} nats between its log-probability of a token and the sampler's, rounding "
                f"explains {_DRIFT_TOLERANCE / self.policy.temperature:g}, in {batch.name_hand(int(apart.argmax()))}"
            )
        if "kl_start_nats" not in figures:  # a sample is enough to say how far the policy has moved
            start = self.policy.evaluate_other(self._start, batch)
            figures["kl_start_nats"] = float(token_kl(seen.log_distribution.detach(), start).mean())

    def _clock(self, part: str, since: float) -> float:
        now = time.perf_counter()
        self.seconds[part] += now - since
        return now

    def _count_flops(self, episodes: Sequence[Episode]) -> int:
        """Count one update's operations: sampling, what the sampler did not see, and every pass of training.

        Every conversation is counted whole; what rows share at their start is read less often than that.
        """
        model, ppo = self.policy.model, self._settings.ppo
        read = [length for episode in episodes for length in episode.turn_lengths()]
        whole = [len(episode.ids) for episode in episodes]
        bodies = 1 if self.policy.critic is None else 2
        unseen = 0
        for start in range(0, len(episodes), ppo.micro_batch_size):
            batch = episodes[start : start + ppo.micro_batch_size]
            if self.policy.critic is not None or any(episode.truncated for episode in batch):
                unseen += count_forward_flops(model, [len(episode.ids) for episode in batch])
        anchored = 0 if self._anchor is None else ppo.epochs
        return (
            count_forward_flops(model, read)
            + unseen
            + bodies * ppo.epochs * count_training_flops(model, whole)
            + anchored * count_forward_flops(model, whole)
            + count_forward_flops(model, whole[: ppo.micro_batch_size])
        )


def _seed_generator(seed: int, number: int) -> torch.Generator:
    """Return the source of chance of one update of one run."""
    import torch

    mixed = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def _check_finite(values: torch.Tensor, batch: RolloutBatch, what: str) -> None:
    """Check that the figure of every sampled token is finite; RlError names the hand of one that is not."""
    sound = values.isfinite()
    if not sound.all():
        token = int((~sound).nonzero()[0])
        raise RlError(f"the {what} of {batch.name_hand(token)} is {values[token].item()}")
