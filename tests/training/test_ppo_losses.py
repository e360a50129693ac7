import copy
import math
from dataclasses import replace

import pytest
import torch

from card24_pipeline.training import ppo
from card24_pipeline.training.policy import TokenEvaluation
from card24_pipeline.training.ppo import PpoTrainer
from card24_pipeline.training.ppo_losses import (
    Prepared,
    normalise_advantages,
    prepare_batch,
    token_losses,
    weigh_losses,
)
from card24_pipeline.training.rl_params import KlParams
from card24_pipeline.training.rl_run import Hand, RlSetup
from card24_pipeline.training.rollout_batch import collate_episodes
from card24_pipeline.training.rollouts import Episode


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def prepared_with(advantages):
    advantages = tensor(*advantages)
    zeros = torch.zeros_like(advantages)
    return Prepared(None, zeros, zeros, advantages, zeros)


class TestPreparing:
    @pytest.fixture
    def batch(self):
        """Two tokens then one more turn; the same, truncated; and one token alone."""
        hand = Hand(0, "7", "cards 7 :", (7,), 24)
        turns = [-1, 0, 0, -1, 1]
        return collate_episodes(
            [
                Episode(hand, [3] * 5, turns, [-1.0] * 3, [1.0, 2.0]),
                Episode(hand, [3] * 6, [*turns, -1], [-1.0] * 3, [1.0, 2.0], truncated=True),
                Episode(hand, [3] * 2, [-1, 0], [-1.0], [4.0]),
            ]
        )

    @pytest.fixture
    def seen(self):
        return tensor(0.5, 1.5, -1.0, 0.5, 1.5, -1.0, 3.0), tensor(100.0, 8.0, 100.0)

    def test_only_a_truncated_episode_is_worth_something_after_its_end(self, make_settings, batch, seen):
        discounts = {"gamma_token": 1.0, "lambda_token": 1.0, "gamma_turn": 0.5, "lambda_turn": 0.0}
        found = prepare_batch(batch, *seen, make_settings(ppo=discounts).ppo)
        own, token = 1.0 + 0.5 * -1.0, [0.5, 1.5]
        first = [own - token[0], own - token[1], 2.0 + 1.0]
        second = [*first[:2], 2.0 + 0.5 * 8.0 + 1.0]
        assert found.advantages.tolist() == pytest.approx([*first, *second, 4.0 - 3.0])

    def test_returns_are_advantages_and_values_and_the_rest_is_kept(self, make_settings, batch, seen):
        found = prepare_batch(batch, *seen, make_settings().ppo)
        assert torch.equal(found.returns, found.advantages + seen[0])
        assert found.old_values is seen[0]
        assert found.old_log_probabilities.tolist() == batch.sampler_log_probabilities.tolist() == [-1.0] * 7
        assert found.batch is batch


class TestNormalisation:
    def test_all_tokens_of_an_update_are_one_population(self):
        parts = [prepared_with([1.0, 2.0, 6.0]), prepared_with([-4.0])]
        found = normalise_advantages(parts)
        everything = [1.0, 2.0, 6.0, -4.0]
        mean = sum(everything) / 4
        deviation = math.sqrt(sum((each - mean) ** 2 for each in everything) / 4)
        expected = [(each - mean) / deviation for each in everything]
        assert torch.cat([each.advantages for each in found]).tolist() == pytest.approx(expected, rel=1e-7)
        assert [len(each.advantages) for each in found] == [3, 1]

    def test_padding_has_no_part_in_it(self, make_settings):
        """One long and three short answers: zeros in the padding would pull the mean of tens far down."""
        hand = Hand(0, "7", "cards 7 :", (7,), 24)
        episodes = [Episode(hand, [3] * (n + 1), [-1] + [0] * n, [-1.0] * n, [10.0 + n]) for n in (9, 1, 1, 2)]
        batch = collate_episodes(episodes)
        assert (~batch.valid).sum() > batch.valid.sum()
        seen = torch.zeros(13), torch.full((4,), 99.0)
        discounts = {"gamma_token": 1.0, "lambda_token": 1.0}
        (found,) = normalise_advantages([prepare_batch(batch, *seen, make_settings(ppo=discounts).ppo)])
        raw = torch.tensor([19.0] * 9 + [11.0, 11.0, 12.0, 12.0])
        expected = (raw - raw.mean()) / raw.std(correction=0)
        assert found.advantages.tolist() == pytest.approx(expected.tolist(), rel=1e-5)

    @pytest.mark.parametrize("reward", [-3.0, -3.3, -0.1, 0.7])
    def test_equal_advantages_teach_nothing(self, reward):
        """Their mean is rounded, and what is left of them must not be scaled up to the size of a signal."""
        alike = torch.full((100,), reward)
        (found,) = normalise_advantages([Prepared(None, alike, alike, alike, alike)])
        assert float(found.advantages.abs().max()) < 0.01


class TestTokenLosses:
    def losses(self, make_settings, *, ratio=1.0, advantage=1.0, value=0.0, old_value=0.0, returns=0.0):
        settings = make_settings(ppo={"clip_range": 0.2, "value_clip_range": 0.5}).ppo
        distribution = tensor(0.5, 0.25, 0.25).log()[None]
        seen = TokenEvaluation(distribution, tensor(-1.0 + math.log(ratio)), tensor(value))
        fixed = Prepared(None, tensor(-1.0), tensor(old_value), tensor(advantage), tensor(returns))
        return token_losses(seen, fixed, settings, anchor=tensor(0.125, 0.375, 0.5).log()[None])

    @pytest.mark.parametrize(
        ("ratio", "advantage", "loss", "clipped"),
        [
            (1.1, 2.0, -2.2, False),
            (1.5, 2.0, -2.4, True),
            (0.5, 2.0, -1.0, True),
            (0.9, -2.0, 1.8, False),
            (0.5, -2.0, 1.6, True),
            (1.5, -2.0, 3.0, True),
        ],
    )
    def test_surrogate_is_clipped_where_that_makes_it_worse(self, make_settings, ratio, advantage, loss, clipped):
        found = self.losses(make_settings, ratio=ratio, advantage=advantage)
        assert float(found.policy) == pytest.approx(loss)
        assert bool(found.clipped) is clipped
        assert float(found.ratio) == pytest.approx(ratio)

    @pytest.mark.parametrize(
        ("value", "returns", "loss"),
        [
            (1.25, 2.0, 0.5 * 0.75**2),  # within reach of the old value, 1
            (2.0, 2.0, 0.5 * 0.5**2),  # ran ahead: judged by 1.5
            (2.0, 1.0, 0.5 * 1.0**2),  # ran the wrong way: judged by 2
            (0.0, 0.0, 0.5 * 0.5**2),
        ],
    )
    def test_value_loss_is_half_the_larger_square(self, make_settings, value, returns, loss):
        found = self.losses(make_settings, value=value, old_value=1.0, returns=returns)
        assert float(found.value) == pytest.approx(loss)

    def test_entropy_and_divergence_in_nats(self, make_settings):
        found = self.losses(make_settings)
        assert float(found.entropy) == pytest.approx(1.5 * math.log(2))
        # Of the policy from the anchor, not the other way round.
        expected = 0.5 * math.log(4) + 0.25 * math.log(2 / 3) + 0.25 * math.log(1 / 2)
        assert float(found.anchor_kl) == pytest.approx(expected)

    def test_their_weights_and_signs(self, make_settings):
        found = self.losses(make_settings, value=1.0)
        settings = make_settings(ppo={"value_coefficient": 0.3, "entropy_coefficient": 0.02}).ppo
        total = weigh_losses(found, settings, KlParams(anchor="base", coefficient=0.7))
        expected = found.policy + 0.3 * found.value - 0.02 * found.entropy + 0.7 * found.anchor_kl
        assert float(total) == pytest.approx(float(expected), rel=1e-12)


class SlowPpo:
    """The whole loss of one update, one episode and one token at a time, unpadded, from plain formulas."""

    def __init__(self, settings, kl, anchor):
        self.ppo, self.kl, self.anchor = settings.ppo, kl, anchor
        self.temperature = settings.rollouts.temperature
        self.cases = set()

    def read(self, policy, ids):
        """Return tempered log-distributions and values at every place of one conversation."""
        inputs = torch.tensor([ids])
        logits = policy.model(input_ids=inputs, use_cache=False).logits[0]
        body = policy.critic or policy.model.model
        states = body(input_ids=inputs, use_cache=False).last_hidden_state[0]
        weight, bias = policy.value_head.weight[0], policy.value_head.bias[0]
        return self.temper(logits), [(state * weight).sum() + bias for state in states]

    def temper(self, logits):
        tempered = [row / self.temperature for row in logits]
        return [row - row.exp().sum().log() for row in tempered]

    def look_back(self, policy, episode):
        """Return what is fixed of each sampled token: place, log-probability, value, advantage."""
        with torch.no_grad():
            distributions, values = self.read(policy, episode.ids)
        places = [place for place, turn in enumerate(episode.turns) if turn >= 0]
        turns = [episode.turns[place] for place in places]
        old = [float(values[place - 1]) for place in places]
        after = [*old[1:], float(values[len(episode.ids) - 1]) if episode.truncated else 0.0]
        tokens = []
        for start in range(len(places)):
            advantage, weight = 0.0, 1.0
            for step in range(start, len(places)):
                last = step + 1 == len(places) or turns[step + 1] != turns[step]
                gamma, trace = (
                    (self.ppo.gamma_turn, self.ppo.lambda_turn)
                    if last
                    else (self.ppo.gamma_token, self.ppo.lambda_token)
                )
                reward = episode.rewards[turns[step]] if last else 0.0
                advantage += weight * (reward + gamma * after[step] - old[step])
                weight *= gamma * trace
            place = places[start]
            score = float(distributions[place - 1][episode.ids[place]])
            tokens.append({"place": place, "score": score, "value": old[start], "advantage": advantage})
        return tokens

    def clip(self, x, low, high):
        return x if low <= x.item() <= high else x.new_tensor(min(max(x.item(), low), high))

    def token_loss(self, fixed, advantage, distribution, token, value, anchor):
        ratio = (distribution[token] - fixed["score"]).exp()
        epsilon, reach = self.ppo.clip_range, self.ppo.value_clip_range
        plain, clipped = ratio * advantage, self.clip(ratio, 1 - epsilon, 1 + epsilon) * advantage
        side = "above" if ratio > 1 + epsilon else "below" if ratio < 1 - epsilon else "within"
        self.cases.add(("ratio", side, advantage > 0))
        surrogate = plain if plain <= clipped else clipped
        target = fixed["advantage"] + fixed["value"]
        near = fixed["value"] + self.clip(value - fixed["value"], -reach, reach)
        errors = (value - target) ** 2, (near - target) ** 2
        self.cases.add(("value", "clipped" if errors[1] > errors[0] else "same" if errors[1] == errors[0] else "plain"))
        square = errors[0] if errors[0] >= errors[1] else errors[1]
        entropy = -sum(log.exp() * log for log in distribution)
        divergence = sum(log.exp() * (log - other) for log, other in zip(distribution, anchor, strict=True))
        return (
            -surrogate
            + self.ppo.value_coefficient * 0.5 * square
            - self.ppo.entropy_coefficient * entropy
            + self.kl.coefficient * divergence
        )

    def loss(self, before, now, episodes):
        """Return the mean over all tokens; ``before`` and ``now`` are the policy then and now."""
        fixed = [self.look_back(before, episode) for episode in episodes]
        raw = [token["advantage"] for tokens in fixed for token in tokens]
        mean = math.fsum(raw) / len(raw)
        deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in raw) / len(raw) + 1e-8)
        total = 0.0
        for episode, tokens in zip(episodes, fixed, strict=True):
            distributions, values = self.read(now, episode.ids)
            with torch.no_grad():
                inputs = torch.tensor([episode.ids])
                anchored = self.temper(self.anchor(input_ids=inputs, use_cache=False).logits[0])
            for token in tokens:
                place = token["place"]
                total = total + self.token_loss(
                    token,
                    (token["advantage"] - mean) / deviation,
                    distributions[place - 1],
                    episode.ids[place],
                    values[place - 1],
                    anchored[place - 1],
                )
        return total / len(raw)


@pytest.mark.usefixtures("double_norms")
class TestGradients:
    """Of the second epoch of an update, when the policy is no longer what it was."""

    @pytest.fixture
    def settings(self, make_settings):
        def make(critic, micro_batch_size):
            return make_settings(
                rollouts={"temperature": 1.3, "max_tries": 3, "max_turns_per_update": 15, "max_new_tokens": 5},
                optimiser={"learning_rate": 0.01, "max_gradient_norm": 1e9},
                ppo={
                    "gamma_token": 0.98,
                    "lambda_token": 0.9,
                    "gamma_turn": 0.8,
                    "lambda_turn": 0.7,
                    "clip_range": 0.05,
                    "value_clip_range": 0.05,
                    "value_coefficient": 0.3,
                    "entropy_coefficient": 0.2,
                    "epochs": 2,
                    "minibatch_size": 8,
                    "micro_batch_size": micro_batch_size,
                    "critic": critic,
                },
            )

        return make

    @pytest.fixture
    def update(self, make_model, tokenizer, make_task, hands, solve_at, monkeypatch):
        """Run one update of two steps; return its episodes, the policy before and between, and the last gradients."""

        def run(settings, kl, anchor, *, alike):
            played_hands = [replace(hand, prompt="cards 7 5 :") for hand in hands[:8]] if alike else hands[:8]
            task = make_task(solve_at({0: 1, 1: 2, 2: 9, 3: 3, 4: 9, 5: 1, 6: 9, 7: 9}), hands=played_hands)
            model = make_model(seed=4, scale=2.0).double()
            trainer = PpoTrainer(RlSetup(model, tokenizer, task, settings, kl, anchor, 1))
            torch.manual_seed(0)
            for parameter in trainer.policy.value_head.parameters():
                torch.nn.init.normal_(parameter)
            played, policies, gradients = [], [copy.deepcopy(trainer.policy)], {}
            play, step = ppo.play_episodes, trainer.optimiser.step

            def keep_episodes(*args, **kwargs):
                played.extend(play(*args, **kwargs))
                return played

            def keep_policy():
                policies.append(copy.deepcopy(trainer.policy))
                gradients.update({name: each.grad.clone() for name, each in trainer.policy.named_parameters()})
                step()

            monkeypatch.setattr(ppo, "play_episodes", keep_episodes)
            monkeypatch.setattr(trainer.optimiser, "step", keep_policy)
            trainer.update(1)
            before, _, now = policies
            return played, before, now, gradients

        return run

    @pytest.mark.parametrize(
        ("critic", "micro_batch_size", "alike"),
        [("head", 8, False), ("head", 2, False), ("head", 1, False), ("separate", 4, False), ("separate", 8, True)],
    )
    def test_equal_a_plain_reference(self, settings, update, make_model, critic, micro_batch_size, alike):
        settings, kl = settings(critic, micro_batch_size), KlParams(anchor="base", coefficient=0.4)
        anchor = make_model(seed=5, scale=4.0).double()
        episodes, before, now, gradients = update(settings, kl, anchor, alike=alike)
        assert {episode.truncated for episode in episodes} == {True, False}
        assert {len(episode.rewards) for episode in episodes} == {1, 2, 3}
        reference = SlowPpo(settings, kl, anchor)
        reference.loss(before, now, episodes).backward()
        sides = {("ratio", side, good) for side in ("above", "below", "within") for good in (True, False)}
        assert reference.cases >= sides | {("value", "plain"), ("value", "clipped")}
        for name, parameter in now.named_parameters():
            error = float((gradients[name] - parameter.grad).abs().max())
            assert error < 1e-9 * float(parameter.grad.abs().max()), name
        assert all(parameter.grad is None for parameter in anchor.parameters())
