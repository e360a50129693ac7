import random

import pytest
import torch

from card24_pipeline.training.ppo_losses import estimate_advantages

ROWS = 24


def draw_episode(rng):
    """Draw 1 to 4 turns of 1 to 5 tokens with their values and rewards; some were truncated, so that V goes on."""
    lengths = [rng.randint(1, 5) for _ in range(rng.randint(1, 4))]
    return {
        "lengths": lengths,
        "rewards": [rng.uniform(-3, 5) for _ in lengths],
        "values": [rng.gauss(0, 2) for _ in range(sum(lengths))],
        "bootstrap": rng.choice([0.0, rng.gauss(0, 2)]),
    }


def lay_out(episodes, *, width=None, fill=0.0):
    """Arrange episodes as the arguments of ``estimate_advantages``; ``fill`` stands where there is no token."""
    width = width or max(sum(each["lengths"]) for each in episodes)
    rewards, values = (torch.full((len(episodes), width), fill, dtype=torch.float64) for _ in range(2))
    sampled, ends = (torch.zeros((len(episodes), width), dtype=torch.bool) for _ in range(2))
    for row, each in enumerate(episodes):
        total = sum(each["lengths"])
        last = [sum(each["lengths"][: turn + 1]) - 1 for turn in range(len(each["lengths"]))]
        sampled[row, :total] = True
        rewards[row, :total] = 0
        values[row, :total] = torch.tensor(each["values"], dtype=torch.float64)
        for place, reward in zip(last, each["rewards"], strict=True):
            ends[row, place], rewards[row, place] = True, reward
    bootstrap = torch.tensor([each["bootstrap"] for each in episodes], dtype=torch.float64)
    return {"rewards": rewards, "values": values, "bootstrap": bootstrap, "sampled": sampled, "ends_turn": ends}


def double_sum(episode, ppo):
    """A_t as the sum over k ≥ t of δ_k times the product of γ_j λ_j over j from t to k − 1, term by term."""
    gammas, lambdas, rewards = [], [], []
    for length, reward in zip(episode["lengths"], episode["rewards"], strict=True):
        gammas += [ppo.gamma_token] * (length - 1) + [ppo.gamma_turn]
        lambdas += [ppo.lambda_token] * (length - 1) + [ppo.lambda_turn]
        rewards += [0.0] * (length - 1) + [reward]
    after = [*episode["values"][1:], episode["bootstrap"]]
    advantages = []
    for start in range(len(rewards)):
        total = 0.0
        for step in range(start, len(rewards)):
            weight = 1.0
            for between in range(start, step):
                weight *= gammas[between] * lambdas[between]
            total += weight * (rewards[step] + gammas[step] * after[step] - episode["values"][step])
        advantages.append(total)
    return advantages


@pytest.fixture
def episodes():
    rng = random.Random(0)
    return [draw_episode(rng) for _ in range(ROWS)]


@pytest.fixture
def discounts(make_settings):
    def make(gamma_token=0.97, lambda_token=0.9, gamma_turn=0.8, lambda_turn=0.6):
        names = {"gamma_token": gamma_token, "lambda_token": lambda_token}
        return make_settings(ppo=names | {"gamma_turn": gamma_turn, "lambda_turn": lambda_turn}).ppo

    return make


class TestDefinition:
    @pytest.mark.parametrize(
        "four", [(0.97, 0.9, 0.8, 0.6), (1.0, 1.0, 1.0, 1.0), (1.0, 0.0, 0.5, 1.0), (0.0, 0.5, 0.9, 0.9)]
    )
    def test_equals_the_double_sum(self, episodes, discounts, four):
        ppo = discounts(*four)
        assert {len(each["lengths"]) for each in episodes} == {1, 2, 3, 4}
        assert {each["bootstrap"] == 0 for each in episodes} == {True, False}
        found = estimate_advantages(**lay_out(episodes), settings=ppo)
        assert found.dtype == torch.float64
        for row, each in enumerate(episodes):
            expected = double_sum(each, ppo)
            assert found[row, : len(expected)].tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)

    def test_one_undiscounted_turn_is_return_minus_value(self, discounts):
        ppo = discounts(gamma_token=1.0, lambda_token=1.0)
        episode = {"lengths": [4], "rewards": [5.0], "values": [0.5, -1.0, 2.0, 3.0], "bootstrap": 0.0}
        assert estimate_advantages(**lay_out([episode]), settings=ppo).tolist() == [[4.5, 6.0, 3.0, 2.0]]

    def test_without_credit_across_turns_each_is_judged_by_its_own_reward(self, discounts):
        ppo = discounts(gamma_token=1.0, lambda_token=1.0, gamma_turn=0.0)
        episode = {"lengths": [2, 1], "rewards": [1.0, 8.0], "values": [0.0, 0.25, 3.0], "bootstrap": 9.0}
        assert estimate_advantages(**lay_out([episode]), settings=ppo).tolist() == [[1.0, 0.75, 5.0]]

    def test_a_truncated_episode_goes_on_with_the_value_of_its_next_state(self, discounts):
        ppo = discounts(gamma_turn=0.5)
        episode = {"lengths": [1], "rewards": [1.0], "values": [3.0], "bootstrap": 8.0}
        assert estimate_advantages(**lay_out([episode]), settings=ppo).tolist() == [[1.0 + 0.5 * 8.0 - 3.0]]

    def test_arguments_are_left_as_they_were(self, episodes, discounts):
        arguments, before = lay_out(episodes), lay_out(episodes)
        estimate_advantages(**arguments, settings=discounts())
        assert all(torch.equal(arguments[name], before[name]) for name in before)


class TestBoundaries:
    @pytest.mark.parametrize("poison", [1e9, float("nan"), float("inf")])
    @pytest.mark.parametrize("row", [0, 11, ROWS - 1])
    def test_nothing_crosses_from_one_episode_to_another(self, episodes, discounts, poison, row):
        clean = estimate_advantages(**lay_out(episodes), settings=discounts())
        arguments = lay_out(episodes)
        for name in ("rewards", "values", "bootstrap"):
            arguments[name][row] = poison
        poisoned = estimate_advantages(**arguments, settings=discounts())
        others = [other for other in range(ROWS) if other != row]
        assert torch.equal(poisoned[others], clean[others])
        assert not torch.equal(poisoned[row], clean[row])

    @pytest.mark.parametrize("fill", [1e9, float("nan")])
    def test_padding_never_leaks_and_stays_zero(self, episodes, discounts, fill):
        clean = estimate_advantages(**lay_out(episodes), settings=discounts())
        arguments = lay_out(episodes, width=clean.shape[1] + 3, fill=fill)
        found = estimate_advantages(**arguments, settings=discounts())
        assert torch.equal(found[:, : clean.shape[1]], clean)
        assert (found[~arguments["sampled"]] == 0).all()

    def test_an_episode_alone_has_the_same_advantages(self, episodes, discounts):
        together = estimate_advantages(**lay_out(episodes), settings=discounts())
        for row, each in enumerate(episodes):
            (alone,) = estimate_advantages(**lay_out([each]), settings=discounts())
            assert torch.equal(together[row, : len(alone)], alone)
