"""Settings, hands and judges of reinforcement-learning runs small enough for tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from card24_pipeline.game.verdicts import Outcome, Verdict
from card24_pipeline.training.rl_params import KlParams, RewardParams, RlParams
from card24_pipeline.training.rl_run import CardTask, Hand

SETTINGS = {
    "updates": 4,
    "resume_every_updates": 2,
    "rollouts": {
        "hands_per_update": 8,
        "max_tries": 1,
        "max_turns_per_update": None,
        "temperature": 1.0,
        "max_new_tokens": 6,
        "batch_size": 8,
    },
    "rewards": {
        "correct": 5.0,
        "legal_prefix": 1.0,
        "wrong_value": -1.0,
        "wrong_numbers": -2.0,
        "illegal": -3.0,
        "no_formula": -3.0,
    },
    "optimiser": {
        "learning_rate": 0.01,
        "learning_rate_shape": "constant",
        "warmup_updates": 0,
        "adam_beta2": 0.99,
        "weight_decay": 0.0,
        "max_gradient_norm": 1.0,
    },
    "ppo": {
        "gamma_token": 1.0,
        "lambda_token": 0.9,
        "gamma_turn": 0.9,
        "lambda_turn": 0.8,
        "clip_range": 0.2,
        "value_clip_range": 0.5,
        "value_coefficient": 0.1,
        "value_head_learning_rate": 0.02,
        "entropy_coefficient": 0.01,
        "epochs": 2,
        "minibatch_size": 4,
        "micro_batch_size": 2,
        "critic": "head",
    },
    "group": {"answers_per_hand": 4, "clip_range": 0.2, "epochs": 1, "micro_batch_size": 4},
}
CARDS = (
    "7 5",
    "J Q K",
    "3 3 8 8",
    "A 2",
    "9 4 4 10 6",
    "Q 1 2",
    "8 8",
    "5 5 5 1",
    "K K 2 2",
    "6 4",
    "10 J 3",
    "2 12 7 1 4 9",
)


@dataclass(frozen=True)
class JudgedTask(CardTask):
    """A task with a judge of its own."""

    rule: Callable[[str, Hand], tuple[Verdict, float]]

    def judge(self, answer, hand):
        return self.rule(answer, hand)


@pytest.fixture(scope="session")
def make_settings():
    """Make the settings of a run; a mapping changes the named keys of its section."""

    def make(**changes):
        merged = {
            name: value | changes.get(name, {}) if isinstance(value, Mapping) else changes.get(name, value)
            for name, value in SETTINGS.items()
        }
        return RlParams.model_validate(merged)

    return make


@pytest.fixture(scope="session")
def no_kl():
    return KlParams(anchor="none", coefficient=0.0)


@pytest.fixture(scope="session")
def hands():
    """Twelve hands whose prompts have 4 to 8 words, in no order of length."""
    return [Hand(identity, cards, f"cards {cards} :", (3, 8), 24) for identity, cards in enumerate(CARDS)]


@pytest.fixture(scope="session")
def make_task(hands):
    """Make a task, of the twelve hands and the published rewards unless told otherwise."""

    def make(rule=None, *, hands=hands, layout="compact", rewards=None):
        facts = {
            "hands": hands,
            "layout": layout,
            "style": "steps",
            "rewards": rewards or RewardParams(**SETTINGS["rewards"]),
        }
        return CardTask(**facts) if rule is None else JudgedTask(**facts, rule=rule)

    return make


@pytest.fixture(scope="session")
def judge_by():
    """Turn a function of answer and hand, which returns whether the hand is solved and a reward, into a judge."""

    def make(decide):
        def rule(answer, hand):
            solved, reward = decide(answer, hand)
            return Verdict(Outcome.correct if solved else Outcome.wrong_value, "a test says so"), reward

        return rule

    return make


@pytest.fixture(scope="session")
def solve_at(judge_by):
    """Make a judge that calls each hand solved at its n-th try; the n-th try is worth n, a quarter more if solved."""

    def make(tries):
        made = dict.fromkeys(tries, 0)

        def decide(answer, hand):
            made[hand.identity] += 1
            solved = made[hand.identity] == tries[hand.identity]
            return solved, made[hand.identity] + 0.25 * solved

        return judge_by(decide)

    return make
