"""PPO as a whole. ``ppo_trajectory.json`` is written anew, on purpose only, by

CARD24_WRITE_TRAJECTORY=1 python -m pytest tests/training/test_ppo.py -k trajectory
"""

import copy
import itertools
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from card24_pipeline.training import ppo
from card24_pipeline.training.ppo import PpoTrainer
from card24_pipeline.training.rl_params import KlParams
from card24_pipeline.training.rl_run import HISTORY_COLUMNS, Hand, RlError, RlSetup
from card24_pipeline.training.rollouts import play_episodes

TRAJECTORY = Path(__file__).with_name("ppo_trajectory.json")
TWO_TRIES = {"max_tries": 2, "max_turns_per_update": 12}
ONE_STEP = {"epochs": 1, "minibatch_size": 8, "micro_batch_size": 8}


@pytest.fixture(scope="module")
def counting(make_task, judge_by):
    """A task that a model without any skill sees all sides of: every number said pays, and three solve the hand."""

    def decide(answer, hand):
        numbers = sum(word.isdigit() for word in answer.split())
        return numbers >= 3, numbers - 1.5

    return make_task(judge_by(decide))


@pytest.fixture
def train(make_model, tokenizer, counting, make_settings, no_kl, tmp_path):
    """Train a tiny model; return it with the run."""

    def run(task=None, *, model=None, name="run", seed=0, kl=no_kl, anchor=None, **changes):
        model = model or make_model()
        setup = RlSetup(model, tokenizer, task or counting, make_settings(**changes), kl, anchor, seed)
        return model, ppo.train(setup, tmp_path / name)

    return run


@pytest.fixture
def make_trainer(make_model, tokenizer, counting, make_settings, no_kl):
    def make(task=None, *, model=None, kl=no_kl, anchor=None, **changes):
        settings = make_settings(**changes)
        return PpoTrainer(RlSetup(model or make_model(), tokenizer, task or counting, settings, kl, anchor, 0))

    return make


@pytest.fixture
def long_hand():
    return Hand(77, "K K K", "cards " + "K " * 43, (1,), 24)


def largest_difference(one, two):
    return max(float((p - q).detach().abs().max()) for p, q in zip(one.parameters(), two.parameters(), strict=True))


class TestRatio:
    @pytest.mark.parametrize(("critic", "micro_batch_size"), [("head", 4), ("head", 2), ("head", 1), ("separate", 2)])
    def test_is_exactly_one_on_the_first_minibatch_of_every_update(self, train, monkeypatch, critic, micro_batch_size):
        compute, seen = ppo.token_losses, []

        def keep(*args, **kwargs):
            losses = compute(*args, **kwargs)
            seen.append((losses.ratio.detach(), losses.clipped))
            return losses

        monkeypatch.setattr(ppo, "token_losses", keep)
        train(updates=3, rollouts=TWO_TRIES, ppo={"critic": critic, "micro_batch_size": micro_batch_size})
        micro = 4 // micro_batch_size
        per_update = 2 * 2 * micro
        assert len(seen) == 3 * per_update
        for update in range(3):
            steps = seen[update * per_update : (update + 1) * per_update]
            for ratio, clipped in steps[:micro]:
                assert (ratio == 1.0).all()
                assert not clipped.any()
            assert all((ratio != 1.0).any() for ratio, _ in steps[micro:])

    def test_so_nothing_is_clipped_where_there_is_one_step(self, train):
        _, run = train(updates=3, ppo=ONE_STEP)
        for row in run.history:
            assert row["clip_fraction"] == row["kl_old_nats"] == 0.0
            assert row["ratio_min"] == row["ratio_max"] == 1.0

    def test_more_steps_move_it(self, train):
        _, run = train(updates=1, optimiser={"learning_rate": 0.03})
        (row,) = run.history
        assert row["ratio_min"] < 0.8 < 1.2 < row["ratio_max"]
        assert 0 < row["clip_fraction"] < 1
        assert row["kl_old_nats"] > 1e-3


class TestDrift:
    def shift(self, monkeypatch, by):
        """Let the sampler's log-probability of the third episode's first token be off by some nats."""

        def play(*args, **kwargs):
            episodes = play_episodes(*args, **kwargs)
            episodes[2].sampler_log_probabilities[0] += by
            return episodes

        monkeypatch.setattr(ppo, "play_episodes", play)

    def test_a_sampler_that_sees_other_chances_than_training_ends_the_run(self, train, monkeypatch):
        self.shift(monkeypatch, 0.01)
        match = (
            r"^update 1: training finds 0\.01 nats .* rounding explains 0\.001, in hand \d+ \(.*\); the last good state"
        )
        with pytest.raises(RlError, match=match):
            train()

    def test_rounding_does_not(self, train, monkeypatch):
        self.shift(monkeypatch, 5e-4)
        _, run = train(updates=1)
        assert run.history[0]["sampler_drift_nats"] == pytest.approx(5e-4, rel=0.01)


@pytest.mark.usefixtures("double_norms")
class TestAccumulation:
    def test_micro_batches_of_any_size_make_the_same_steps(self, train, make_model, monkeypatch):
        played = []

        def play(*args, **kwargs):
            episodes = play_episodes(*args, **kwargs)
            played.append([episode.sampled_tokens for episode in episodes])
            return episodes

        monkeypatch.setattr(ppo, "play_episodes", play)
        models, histories = [], []
        for size in (4, 2, 1):
            model, run = train(
                model=make_model().double(), name=f"micro_{size}", rollouts=TWO_TRIES, ppo={"micro_batch_size": size}
            )
            models.append(model)
            histories.append(run.history)
        assert any(sum(tokens[:2]) != sum(tokens[2:4]) for tokens in played)
        assert largest_difference(models[0], make_model().double()) > 0.01
        for model, history in zip(models[1:], histories[1:], strict=True):
            assert largest_difference(models[0], model) < 1e-6
            for name in ("policy_loss", "value_loss", "gradient_norm", "ratio_max", "explained_variance"):
                expected = [row[name] for row in histories[0]]
                assert [row[name] for row in history] == pytest.approx(expected, rel=1e-6, abs=1e-9), name

    def test_every_token_of_a_minibatch_weighs_the_same(self, make_trainer, make_model, monkeypatch):
        """The gradient of unequal halves is that of the whole, not the mean of the halves' means."""
        gradients = []
        for size in (8, 4):
            trainer = make_trainer(model=make_model().double(), ppo=ONE_STEP | {"micro_batch_size": size})
            trainer.update(1)
            gradients.append(torch.cat([each.grad.flatten() for _, each in trainer.policy.named_parameters()]))
        assert float(gradients[0].abs().max()) > 1e-3
        assert float((gradients[0] - gradients[1]).abs().max()) < 1e-12


class TestSettings:
    def test_hands_are_shown_in_seeded_rounds(self, train, make_task, judge_by):
        def shown(seed):
            hands = []

            def decide(answer, hand):
                hands.append(hand.identity)
                return False, 0.0

            train(make_task(judge_by(decide)), name=f"seed_{seed}_{len(hands)}", seed=seed, updates=3)
            return hands

        hands = shown(0)
        assert sorted(hands[:12]) == sorted(hands[12:]) == list(range(12))
        assert hands[:12] != hands[12:]
        assert shown(1) != hands

    def test_every_update_has_chance_of_its_own(self, train, make_task, judge_by, hands):
        heard = []

        def decide(answer, hand):
            heard.append(answer)
            return False, 0.0

        train(make_task(judge_by(decide), hands=hands[:1]), updates=2, optimiser={"learning_rate": 1e-12})
        assert set(heard[:8]).isdisjoint(heard[8:])

    @pytest.mark.parametrize("critic", ["head", "separate"])
    def test_value_head_has_a_learning_rate_of_its_own_and_both_warm_up(self, make_trainer, critic):
        trainer = make_trainer(
            ppo=ONE_STEP | {"critic": critic, "value_head_learning_rate": 0.05}, optimiser={"warmup_updates": 2}
        )
        before = copy.deepcopy(dict(trainer.policy.named_parameters()))
        figures = trainer.update(1)
        assert figures["learning_rate"] == pytest.approx(0.005)
        # Adam's first step is ±lr wherever |gradient| is well above its epsilon.
        steps = {name: (each - before[name]).detach().abs() for name, each in trainer.policy.named_parameters()}
        for name, step in steps.items():
            # The head starts at zero, so that nothing reaches a critic's body in the first step.
            rate = {"value_head": 0.025, "model": 0.005, "critic": 0.0}[name.split(".")[0]]
            assert float(step.max()) == pytest.approx(rate, rel=1e-3), name

    def test_gradients_are_clipped_by_their_norm(self, make_trainer):
        trainer = make_trainer(ppo=ONE_STEP, optimiser={"max_gradient_norm": 0.01})
        figures = trainer.update(1)
        clipped = torch.cat([each.grad.flatten() for _, each in trainer.policy.named_parameters()]).norm()
        assert figures["gradient_norm"] > 0.1
        assert float(clipped) == pytest.approx(0.01, rel=1e-3)

    def test_weight_decay_and_second_moment_are_adams(self, make_trainer):
        trainer = make_trainer(optimiser={"weight_decay": 0.3, "adam_beta2": 0.9})
        for group in trainer.optimiser.param_groups:
            assert group["weight_decay"] == 0.3
            assert group["betas"] == (0.9, 0.9)


class TestHistory:
    def test_a_row_each_update_with_every_column(self, train):
        _, run = train(rollouts=TWO_TRIES)
        assert [row["update"] for row in run.history] == [1, 2, 3, 4]
        assert all(set(row) == set(HISTORY_COLUMNS) for row in run.history)

    def test_counts_run_on_and_the_rest_is_of_one_update(self, train, make_task, solve_at, hands):
        tries = {0: 1, 1: 2, 2: 9, 3: 9, 4: 1, 5: 2, 6: 9, 7: 9}
        task = make_task(solve_at(tries), hands=hands[:8])
        _, run = train(task, updates=1, rollouts={"max_tries": 2})
        (row,) = run.history
        assert row["reward"] == (2 * 1.25 + 2 * 3.25 + 4 * 3) / 8
        assert row["success"] == 0.5
        assert row["turns"] == (2 * 1 + 6 * 2) / 8
        assert row["share_correct"] == 4 / 14
        assert row["share_wrong_value"] == 10 / 14
        assert row["hands"] == 8
        _, run = train(name="longer", updates=3)
        assert [row["hands"] for row in run.history] == [8, 16, 24]
        for name in ("rollout_tokens", "flops"):
            counts = [0, *(row[name] for row in run.history)]
            assert all(one < two for one, two in itertools.pairwise(counts)), name
        spoken = [row["answer_tokens"] * 8 for row in run.history]
        assert run.history[-1]["rollout_tokens"] == pytest.approx(sum(spoken))

    def test_policy_starts_where_it_starts_and_leaves_from_there(self, train):
        _, run = train(model=None, optimiser={"learning_rate": 0.03})
        divergences = [row["kl_start_nats"] for row in run.history]
        assert divergences[0] == 0.0
        assert divergences[-1] > 1e-3
        assert all(row["sampler_drift_nats"] < 1e-5 for row in run.history)

    def test_first_figures_are_those_of_the_start(self, train, make_model, tokenizer):
        """At a value of zero and one step: the losses of normalised advantages, and even chances for all words."""
        _, run = train(updates=1, ppo=ONE_STEP)
        (row,) = run.history
        assert row["policy_loss"] == pytest.approx(0.0, abs=1e-6)
        assert row["entropy_nats"] == pytest.approx(math.log(len(tokenizer)), abs=0.01)
        assert row["explained_variance"] == pytest.approx(0.0, abs=1e-6)
        assert row["value_loss"] > 0.1

    def test_a_second_network_and_an_anchor_cost_more(self, train, make_model):
        costs = [
            train(name=name, updates=1, kl=kl, anchor=anchor, ppo={"critic": critic})[1].history[0]["flops"]
            for name, critic, kl, anchor in (
                ("plain", "head", KlParams(anchor="none", coefficient=0.0), None),
                ("anchored", "head", KlParams(anchor="base", coefficient=0.1), make_model(seed=1)),
                ("separate", "separate", KlParams(anchor="none", coefficient=0.0), None),
            )
        ]
        assert costs[0] < costs[1] < costs[2]

    def test_timings_are_of_this_process(self, train):
        _, run = train(updates=1)
        parts = ("rollout_seconds", "evaluation_seconds", "optimisation_seconds")
        assert set(run.timings) == {"wall_seconds", "hands_per_second", *parts}
        assert 0 < sum(run.timings[part] for part in parts) <= run.timings["wall_seconds"]


class TestLearning:
    """Two toy games with known best policies."""

    def test_a_bandit_is_solved(self, train, make_task, judge_by, tokenizer):
        hand = Hand(0, "7", "cards 7 :", (7,), 24)
        task = make_task(judge_by(lambda answer, hand: (answer == "5", float(answer == "5"))), hands=[hand])
        prompt, arm = torch.tensor([tokenizer(hand.prompt)["input_ids"]]), tokenizer("5")["input_ids"][0]

        def chance(model):
            with torch.inference_mode():
                return float(model(prompt).logits[0, -1].softmax(-1)[arm])

        model, run = train(
            task,
            updates=25,
            rollouts={"hands_per_update": 64, "max_new_tokens": 1, "batch_size": 64},
            optimiser={"learning_rate": 0.02},
            ppo={"minibatch_size": 16, "micro_batch_size": 16, "entropy_coefficient": 0.0},
        )
        assert run.history[0]["success"] < 0.1
        assert chance(model) > 0.95

    @pytest.fixture
    def chain(self, make_task, judge_by):
        """Three turns; a number is patient, a word greedy.

        A word in the first turn pays 0.3 and ends the hand; in the second it pays 0.3. A number pays nothing in
        either. The third turn pays 1 for a number if the second was one. So three numbers earn 1, and who looks at
        one turn alone takes 0.3 at once.
        """
        number = 32
        hands = [Hand(identity, "7", "cards 7 :", (7,), 24) for identity in range(number)]
        said = [[] for _ in hands]

        def decide(answer, hand):
            patient = said[hand.identity]
            patient.append(answer.isdigit())
            turn = len(patient)
            solved = turn == 1 and not patient[0]
            paid = float(patient[1] and patient[2]) if turn == 3 else 0.3 * (not patient[-1])
            if solved or turn == 3:
                patient.clear()
            return solved, paid

        return make_task(judge_by(decide), hands=hands)

    @pytest.mark.parametrize(("gamma_turn", "earned", "turns"), [(1.0, 1.0, 3), (0.0, 0.3, 1)])
    def test_credit_reaches_earlier_turns_as_far_as_the_discount_lets_it(
        self, train, chain, tokenizer, gamma_turn, earned, turns
    ):
        size = len(chain.hands)
        rollouts = {"hands_per_update": size, "max_tries": 3, "max_new_tokens": 1, "batch_size": size}
        sizes = {"epochs": 4, "minibatch_size": size, "micro_batch_size": size}
        _, run = train(
            chain,
            updates=30,
            rollouts=rollouts,
            ppo=sizes | {"gamma_turn": gamma_turn, "lambda_turn": 0.95, "value_coefficient": 0.5},
        )
        assert 0.1 < run.history[0]["reward"] < 0.6
        last = run.history[-5:]
        assert sum(row["reward"] for row in last) / 5 == pytest.approx(earned, abs=0.03)
        assert sum(row["turns"] for row in last) / 5 == pytest.approx(turns, abs=0.2)


class TestAnchor:
    def test_without_rewards_the_policy_moves_to_the_anchor(self, train, make_model, make_task, judge_by):
        nothing = make_task(judge_by(lambda answer, hand: (False, 0.0)))
        anchor = make_model(seed=1, scale=12.0)
        before = copy.deepcopy(anchor)
        _, run = train(
            nothing,
            model=make_model(seed=0, scale=12.0),
            kl=KlParams(anchor="base", coefficient=10.0),
            anchor=anchor,
            updates=20,
            rollouts={"max_new_tokens": 3},
            optimiser={"learning_rate": 0.02},
            ppo={"entropy_coefficient": 0.0, "epochs": 4, "minibatch_size": 8, "micro_batch_size": 8},
        )
        divergences = [row["kl_anchor_nats"] for row in run.history]
        assert divergences[0] > 0.3
        assert divergences[-1] < 0.4 * divergences[0]
        assert run.history[-1]["kl_start_nats"] > 0.1
        assert largest_difference(anchor, before) == 0.0

    def test_a_policy_at_its_anchor_is_not_pulled(self, train, make_model, make_task, judge_by):
        nothing = make_task(judge_by(lambda answer, hand: (False, 0.0)))
        _, run = train(
            nothing,
            kl=KlParams(anchor="start", coefficient=10.0),
            anchor=make_model(),
            updates=1,
            ppo={"entropy_coefficient": 0.0} | ONE_STEP,
        )
        assert run.history[0]["kl_anchor_nats"] == pytest.approx(0.0, abs=1e-7)
        assert run.history[0]["gradient_norm"] < 1e-5

    def test_a_penalty_needs_its_model(self, train):
        with pytest.raises(ValueError, match="a KL penalty toward 'base' needs that model"):
            train(kl=KlParams(anchor="base", coefficient=1.0))


class TestRefusals:
    def test_no_hands(self, train, make_task):
        with pytest.raises(ValueError, match="there are no hands to train on"):
            train(make_task(hands=[]))

    def test_a_hand_that_does_not_fit(self, train, make_task, hands, long_hand):
        with pytest.raises(ValueError, match=r"hand 77 \(K K K\): 44 tokens before the answer and 6 new ones .* 48"):
            train(make_task(hands=[*hands, long_hand]))


class TestFiguresThatAreNotFinite:
    START = "the last good state is the checkpoint that the run started from"

    def forget(self, weight, word, tokenizer):
        """Let a weight have no number for a word."""
        (token,) = tokenizer(word)["input_ids"]
        with torch.no_grad():
            weight[token] = float("nan")
        return token

    @pytest.fixture
    def first_hand(self, monkeypatch):
        """Return how an error is to name the first hand whose conversation has a token."""
        played = []

        def play(*args, **kwargs):
            played[:] = play_episodes(*args, **kwargs)
            return played

        def find(token):
            place = next(place for place, episode in enumerate(played) if token in episode.ids)
            assert place > 1  # in another micro-batch than the first
            return f"hand {played[place].hand.identity} ({played[place].hand.cards})"

        monkeypatch.setattr(ppo, "play_episodes", play)
        return find

    def test_weights(self, train, make_model, tokenizer):
        model = make_model()
        self.forget(model.lm_head.weight, "7", tokenizer)
        with pytest.raises(RlError, match=rf"^update 1: the policy's logits .* hand \d+ \(.*\); {self.START}$"):
            train(model=model)

    def test_a_reward_names_its_hand_and_the_last_good_state(self, train, make_task, judge_by, hands, tmp_path):
        """The eight hands of update 4 are judged after 24 others."""
        judged = []

        def decide(answer, hand):
            judged.append(hand)
            return False, float("nan") if len(judged) == 27 else 1.0

        state = tmp_path / "run/state/after_2"
        with pytest.raises(RlError) as caught:
            train(make_task(judge_by(decide)), updates=6)
        hand = judged[26]
        assert f"update 4: the advantage of hand {hand.identity} ({hand.cards}) is nan" in str(caught.value)
        assert str(caught.value).endswith(f"; the last good state is {state}")
        assert len(json.loads((state / "history.json").read_text())) == 2

    def test_a_value_names_its_hand(self, make_trainer, tokenizer, first_hand):
        trainer = make_trainer(ppo={"critic": "separate"}, rollouts={"hands_per_update": 12, "max_new_tokens": 1})
        token = self.forget(trainer.policy.critic.embed_tokens.weight, "K", tokenizer)
        with pytest.raises(RlError) as caught:
            trainer.update(1)
        assert str(caught.value) == f"the advantage of {first_hand(token)} is nan"

    def test_an_anchor_names_its_hand(self, train, make_model, tokenizer, first_hand):
        anchor = make_model(seed=1)
        token = self.forget(anchor.model.embed_tokens.weight, "J", tokenizer)
        with pytest.raises(RlError) as caught:
            train(
                kl=KlParams(anchor="base", coefficient=1.0),
                anchor=anchor,
                rollouts={"hands_per_update": 12, "max_new_tokens": 1},
            )
        assert str(caught.value) == f"update 1: the loss of {first_hand(token)} is nan; {self.START}"

    def test_a_gradient_names_the_first_hand_and_changes_nothing(self, make_trainer, make_model):
        trainer = make_trainer()
        model = trainer.policy.model
        model.lm_head.weight.register_hook(lambda gradient: gradient * float("inf"))
        with pytest.raises(RlError, match=r"the gradient's norm is (nan|inf) on the minibatch .* hand \d+ \(.*\)$"):
            trainer.update(1)
        assert largest_difference(model, make_model()) == 0.0


class TestTrajectory:
    """Three updates, held in a file: whoever changes the algorithm sees it here."""

    CARDS = ("7 5", "J Q K", "3 3 8 8", "A 2")
    FIGURES = (
        *("update", "reward", "success", "turns", "answer_tokens", "policy_loss", "value_loss", "entropy_nats"),
        *("kl_old_nats", "kl_start_nats", "kl_anchor_nats", "clip_fraction", "ratio_min", "ratio_max"),
        *("explained_variance", "gradient_norm", "learning_rate"),
    )

    @pytest.fixture
    def rows(self, train, make_model, counting):
        hands = [Hand(number, cards, f"cards {cards} :", (3, 8), 24) for number, cards in enumerate(self.CARDS)]
        _, run = train(
            replace(counting, hands=hands),
            model=make_model(seed=7, scale=2.0),
            kl=KlParams(anchor="base", coefficient=0.2),
            anchor=make_model(seed=8, scale=2.0),
            updates=3,
            rollouts={"max_tries": 2, "max_turns_per_update": 12, "temperature": 0.9},
            optimiser={"learning_rate": 0.003, "learning_rate_shape": "linear"},
        )
        return [{name: row[name] for name in self.FIGURES} for row in run.history]

    def test_trajectory_is_the_one_on_file(self, rows):
        if os.environ.get("CARD24_WRITE_TRAJECTORY"):
            TRAJECTORY.write_text(json.dumps(rows, indent=1) + "\n")
        expected = json.loads(TRAJECTORY.read_text())
        assert len(rows) == len(expected) == 3
        for found, row in zip(rows, expected, strict=True):
            assert found == pytest.approx(row, rel=1e-5, abs=1e-5)
