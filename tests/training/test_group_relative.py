import copy
import json
import math
import random
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers.processors import TemplateProcessing
from trl.trainer import base_trainer

from card24_pipeline.evaluation.costs import count_forward_flops
from card24_pipeline.game.answers import grade_answer
from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.training import group_relative, grpo, rloo
from card24_pipeline.training.answer_recorder import AnswerRecorder
from card24_pipeline.training.rl_params import KlParams
from card24_pipeline.training.rl_run import HISTORY_COLUMNS, Hand, RlError, RlSetup

TRAINERS = {"grpo": grpo.train, "rloo": rloo.train}
ALGORITHMS = tuple(TRAINERS)
UNKNOWN = {
    "value_loss",
    "kl_old_nats",
    "kl_start_nats",
    "kl_anchor_nats",
    "ratio_min",
    "ratio_max",
    "explained_variance",
    "sampler_drift_nats",
}
START = KlParams(anchor="start", coefficient=0.3)
MAX_OOD = KlParams(anchor="max_ood", coefficient=0.3)


def reward_by_words(answer, hand):
    """A reward that tells answers and hands apart."""
    return False, len(set(answer.split())) + 0.1 * hand.identity


@pytest.fixture
def train(make_model, tokenizer, make_task, make_settings, no_kl, judge_by, tmp_path):
    """Train a fresh tiny model; return it with the run."""

    def run(algorithm="grpo", *, name="run", model=None, task=None, kl=no_kl, anchor=None, seed=0, **changes):
        model = model or make_model()
        settings = make_settings(**{"updates": 2, **changes})
        task = task or make_task(judge_by(reward_by_words))
        setup = RlSetup(model, tokenizer, task, settings, kl, anchor, seed)
        return model, TRAINERS[algorithm](setup, tmp_path / name)

    return run


@pytest.fixture
def sampled(monkeypatch):
    """Collect what TRL hands to the recorder: a list of updates, each of (text, tokens, index of the hand)."""
    updates = []
    grade = AnswerRecorder.grade

    def listen(self, completions, completion_ids, hand, **others):
        updates.append(list(zip(completions, completion_ids, hand, strict=True)))
        return grade(self, completions=completions, completion_ids=completion_ids, hand=hand, **others)

    monkeypatch.setattr(AnswerRecorder, "grade", listen)
    return updates


@pytest.fixture
def build(train, monkeypatch):
    """Set a run up, down to the call that would start it, and return TRL's trainer."""

    def setup(*args, **kwargs):
        held = []
        with monkeypatch.context() as patch:
            patch.setattr(group_relative, "_train", lambda trainer, *_, **__: held.append(trainer))
            train(*args, **kwargs)
        return held[0]

    return setup


def largest_difference(one, two):
    return max(float((p - q).detach().abs().max()) for p, q in zip(one.parameters(), two.parameters(), strict=True))


def answer_log_probabilities(model, prompt, answer, temperature):
    """One sequence alone, without padding or cache."""
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1] / temperature
    return logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None])[:, 0]


class TestRun:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_history_has_a_row_each_update(self, train, make_model, algorithm, tmp_path):
        model, run = train(algorithm, group={"epochs": 2, "micro_batch_size": 2})
        assert [row["update"] for row in run.history] == [1, 2]
        for row in run.history:
            assert tuple(row) == HISTORY_COLUMNS
            assert {name for name, value in row.items() if math.isnan(value)} == UNKNOWN
            assert row["turns"] == 1.0
            assert row["share_wrong_value"] == 1.0
            assert 3.0 < row["entropy_nats"] < math.log(50)
            assert row["gradient_norm"] > 0.0
        assert [row["hands"] for row in run.history] == [8, 16]
        assert largest_difference(model, make_model()) > 0.01
        assert run.timings["hands_per_second"] == pytest.approx(16 / run.timings["wall_seconds"])
        assert list((tmp_path / "run").iterdir()) == []

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_answers_that_earn_more_become_likelier(self, train, make_task, judge_by, algorithm):
        def decide(answer, hand):
            share = answer.split().count("7") / 6
            return share > 0.5, share

        _, run = train(
            algorithm,
            task=make_task(judge_by(decide)),
            updates=16,
            resume_every_updates=99,
            rollouts={"hands_per_update": 32},
            group={"answers_per_hand": 8, "micro_batch_size": 32},
            optimiser={"learning_rate": 0.03},
        )
        assert run.history[0]["reward"] < 0.1
        assert run.history[-1]["reward"] > 0.6
        assert run.history[-1]["success"] > 0.6

    def test_learning_rate_is_a_function_of_the_update(self, train, make_settings):
        changes = {"optimiser": {"learning_rate_shape": "linear", "warmup_updates": 2}, "group": {"epochs": 2}}
        _, run = train(updates=4, **changes)
        chosen = make_settings(**changes).optimiser
        expected = [0.01 * chosen.share(number, updates=4) for number in (1, 2, 3, 4)]
        assert [row["learning_rate"] for row in run.history] == pytest.approx(expected)

    def test_model_is_a_plain_one_again(self, train, make_model):
        model = make_model()
        train(model=model, updates=1)
        assert not model.training
        assert "forward" not in vars(model)
        assert model(input_ids=torch.tensor([[1, 2]])).logits.shape == (1, 2, model.vocab_size)

    def test_global_chance_is_left_as_it_was(self, train, make_model):
        model = make_model()
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        expected = float(torch.rand(1)), np.random.rand(), random.random()
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        train(model=model, updates=1)
        assert (float(torch.rand(1)), np.random.rand(), random.random()) == expected

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_nothing_asks_the_network(self, train, make_model, monkeypatch, algorithm):
        def refuse(*args, **kwargs):
            raise AssertionError("a call to the network")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(base_trainer, "send_telemetry", refuse)
        model = make_model()
        model.config._name_or_path = "someone/some-model"
        train(algorithm, model=model, kl=START, anchor=make_model(), resume_every_updates=1)


class TestHands:
    def test_each_is_answered_by_a_group_and_none_comes_back_before_all_were_dealt(self, train, sampled):
        train(updates=6, group={"answers_per_hand": 4}, resume_every_updates=99)
        dealt = [index for update in sampled for _, _, index in update]
        groups = [dealt[start : start + 4] for start in range(0, len(dealt), 4)]
        assert all(len(set(group)) == 1 for group in groups)
        first = [group[0] for group in groups]
        assert sorted(first) == list(range(12))
        assert first != sorted(first)

    def test_every_epoch_trains_on_the_same_answers(self, train, sampled):
        train(group={"epochs": 3})
        assert [len(update) for update in sampled] == [8, 8]

    def test_judge_gets_the_answer_and_its_own_hand(self, train, sampled, make_task, judge_by, tokenizer, hands):
        heard = []

        def decide(answer, hand):
            heard.append((answer, hand))
            return hand.identity % 2 == 0, float(hand.identity)

        _, run = train(task=make_task(judge_by(decide)), updates=3)
        assert len(heard) == 24
        for (text, ids, index), (answer, hand) in zip(
            [each for update in sampled for each in update], heard, strict=True
        ):
            assert hand is hands[index]
            assert answer == text == tokenizer.decode(ids, skip_special_tokens=True)
        for row, start in zip(run.history, (0, 8, 16), strict=True):
            identities = [hand.identity for _, hand in heard[start : start + 8]]
            assert row["reward"] == pytest.approx(sum(identities) / 8)
            assert row["success"] == row["share_correct"] == sum(each % 2 == 0 for each in identities) / 8

    def test_real_judge_grades_answers_as_they_stand(self, train, sampled, make_task, make_model, tokenizer):
        task = make_task()
        end = tokenizer.eos_token_id
        _, run = train(task=task, model=make_model(seed=3, scale=6.0), updates=3, rollouts={"max_new_tokens": 10})
        cut, outcomes = set(), set()
        for row, update in zip(run.history, sampled, strict=True):
            verdicts = [grade_answer(text, (3, 8), 24, layout="compact", style="steps") for text, _, _ in update]
            assert row["reward"] == pytest.approx(sum(map(task.rewards.reward, verdicts)) / 8)
            for kind in Outcome:
                assert row[f"share_{kind.value}"] == sum(verdict.outcome is kind for verdict in verdicts) / 8
            ended = [ids[-1] == end for _, ids, _ in update]
            assert not any(end in ids[:-1] for _, ids, _ in update)
            assert all(ends or len(ids) == 10 for ends, (_, ids, _) in zip(ended, update, strict=True))
            assert row["cut_share"] == 1 - sum(ended) / 8
            assert row["answer_tokens"] == sum(len(ids) for _, ids, _ in update) / 8
            cut.update(ended)
            outcomes.update(verdict.outcome for verdict in verdicts)
        assert cut == {True, False}
        assert len(outcomes) > 1

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_prompts_are_read_as_scoring_reads_them(self, build, tokenizer, hands, algorithm):
        trainer = build(algorithm)
        greeting = copy.deepcopy(tokenizer)
        greeting.backend_tokenizer.post_processor = TemplateProcessing(single="<end> $A", special_tokens=[("<end>", 1)])
        trainer.processing_class = greeting
        prompts = [hand.prompt for hand in hands]
        expected = greeting(prompts, add_special_tokens=False)["input_ids"]
        assert greeting(prompts)["input_ids"] != expected
        assert trainer._tokenize_prompts(prompts) == (expected, None, {})

    def test_trainer_computes_where_the_model_is(self, build):
        assert build().args.use_cpu is True

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_answers_are_drawn_from_the_tempered_distribution_and_nothing_else(self, build, algorithm):
        drawn = build(algorithm, rollouts={"temperature": 0.7, "max_new_tokens": 5}).generation_config
        assert (drawn.do_sample, drawn.temperature, drawn.max_new_tokens) == (True, 0.7, 5)
        assert (drawn.top_k, drawn.top_p, drawn.min_p, drawn.repetition_penalty) == (0, 1.0, None, 1.0)


class TestGradient:
    @pytest.mark.parametrize("kl", [None, MAX_OOD], ids=["free", "anchored"])
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_first_gradient_is_that_of_the_published_loss(
        self, train, sampled, make_model, tokenizer, hands, no_kl, algorithm, kl
    ):
        """Sequences of mixed length, one at a time and unpadded; the old policy is the policy itself."""
        anchor = make_model(seed=4, scale=4.0)
        settings = {"updates": 1, "group": {"micro_batch_size": 2}, "rollouts": {"temperature": 0.7}}
        _, run = train(algorithm, model=make_model(seed=3, scale=3.0), kl=kl or no_kl, anchor=anchor, **settings)
        policy, weight = make_model(seed=3, scale=3.0), 0.3 if kl else 0.0
        (update,) = sampled
        prompts = [tokenizer(hands[index].prompt)["input_ids"] for _, _, index in update]
        pairs = [(prompt, ids) for prompt, (_, ids, _) in zip(prompts, update, strict=True)]
        new = [answer_log_probabilities(policy, *pair, 0.7) for pair in pairs]
        with torch.no_grad():
            reference = [answer_log_probabilities(anchor, *pair, 0.7) for pair in pairs]
        rewards = torch.tensor([reward_by_words(text, hands[index])[1] for text, _, index in update])
        tokens = sum(len(ids) for _, ids, _ in update)
        assert len({len(prompt) for prompt in prompts}) > 1
        if algorithm == "grpo":
            grouped = rewards.view(2, 4)
            advantages = ((grouped - grouped.mean(1, keepdim=True)) / (rewards.std() + 1e-4)).flatten()
            kls = [(theirs - ours).exp() - (theirs - ours) - 1 for ours, theirs in zip(new, reference, strict=True)]
            ratios = [(ours - ours.detach()).exp() for ours in new]
            parts = [
                ratio * (weight * kl_token - gain)
                for ratio, kl_token, gain in zip(ratios, kls, advantages, strict=True)
            ]
            loss = torch.cat(parts).sum() / tokens
        else:
            kls = [ours.detach() - theirs for ours, theirs in zip(new, reference, strict=True)]
            grouped = (rewards - weight * torch.stack([each.sum() for each in kls])).view(2, 4)
            advantages = (grouped - (grouped.sum(1, keepdim=True) - grouped) / 3).flatten()
            loss = -sum(gain * ours.sum() for gain, ours in zip(advantages, new, strict=True)) / 8
        loss.backward()
        norm = torch.cat([parameter.grad.flatten() for parameter in policy.parameters()]).norm()
        (row,) = run.history
        assert row["gradient_norm"] == pytest.approx(float(norm), rel=1e-3)
        assert math.isnan(row["kl_anchor_nats"]) is (kl is None)
        if kl:  # GRPO's is a mean over the means of micro-batches
            mean = float(torch.cat(kls).detach().mean())
            assert row["kl_anchor_nats"] == pytest.approx(mean, rel=1e-3 if algorithm == "rloo" else 0.2)

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_reference_has_the_weights_of_the_anchor_and_not_of_the_start(self, build, make_model, algorithm):
        anchor, start = make_model(seed=4), make_model()
        start.config._name_or_path = "/nowhere"
        trainer = build(algorithm, model=start, kl=MAX_OOD, anchor=anchor)
        assert trainer.beta == 0.3
        assert largest_difference(trainer.ref_model, anchor) == 0.0
        assert largest_difference(trainer.ref_model, start) > 0.01
        assert not trainer.ref_model.training

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_anchor_is_left_as_it_was(self, train, make_model, algorithm):
        anchor = make_model(seed=4)
        before = set(vars(anchor))
        train(algorithm, kl=MAX_OOD, anchor=anchor)
        assert largest_difference(anchor, make_model(seed=4)) == 0.0
        assert set(vars(anchor)) == before

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_without_an_anchor_there_is_no_reference(self, build, make_model, no_kl, algorithm):
        trainer = build(algorithm, kl=no_kl, anchor=make_model(seed=4))
        assert trainer.beta == 0.0
        assert trainer.ref_model is None

    def test_kl_from_the_start_is_known_where_the_start_is_the_anchor(self, train, make_model):
        _, run = train(kl=START, anchor=make_model(), updates=3)
        kl = [row["kl_start_nats"] for row in run.history]
        assert kl == [row["kl_anchor_nats"] for row in run.history]
        assert kl[0] == pytest.approx(0.0, abs=1e-6)
        assert kl[2] > 1e-4


class TestCosts:
    @pytest.mark.parametrize(
        ("algorithm", "epochs", "anchored", "passes"),
        [
            ("grpo", 1, False, 1 + 3),
            ("grpo", 1, True, 1 + 1 + 3),
            ("grpo", 2, False, 1 + 1 + 6),
            ("rloo", 1, False, 1 + 1 + 3),
            ("rloo", 2, True, 1 + 1 + 1 + 6),
        ],
    )
    def test_they_are_those_of_the_passes_that_trl_makes(
        self, train, sampled, make_model, tokenizer, hands, no_kl, algorithm, epochs, anchored, passes
    ):
        seen = {"forward": 0}
        model, anchor = make_model(), make_model(seed=4)
        for each in (model, anchor):  # sequences read by the body, sampling aside: that reads with a cache
            each.model.register_forward_hook(
                lambda module, args, kwargs, output: seen.update(
                    forward=seen["forward"] + (not kwargs.get("use_cache")) * len(kwargs["input_ids"])
                ),
                with_kwargs=True,
            )
        kl = START if anchored else no_kl
        _, run = train(algorithm, model=model, kl=kl, anchor=anchor, group={"epochs": epochs})
        lengths = [
            [len(tokenizer(hands[index].prompt)["input_ids"]) + len(ids) for _, ids, index in update]
            for update in sampled
        ]
        each = [passes * count_forward_flops(make_model(), update) for update in lengths]
        assert [row["flops"] for row in run.history] == [each[0], each[0] + each[1]]
        tokens = [sum(len(ids) for _, ids, _ in update) for update in sampled]
        assert [row["rollout_tokens"] for row in run.history] == [tokens[0], tokens[0] + tokens[1]]
        assert seen["forward"] == 2 * 8 * (passes - 1 - 2 * epochs)


class TestChance:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_seed_decides_everything(self, train, algorithm):
        torch.manual_seed(1)
        first, one = train(algorithm, name="first", seed=1)
        torch.manual_seed(2)
        same, two = train(algorithm, name="same", seed=1)
        other, _ = train(algorithm, name="other", seed=2)
        assert largest_difference(first, same) == 0.0
        assert json.dumps(one.history) == json.dumps(two.history)
        assert largest_difference(first, other) > 1e-3


class TestInterruption:
    def interrupt(self, make_task, judge_by, *, answer):
        """A task whose judge is killed over this answer of the run."""
        graded = []

        def decide(text, hand):
            graded.append(text)
            if len(graded) == answer:
                raise KeyboardInterrupt
            return reward_by_words(text, hand)

        return make_task(judge_by(decide))

    @pytest.mark.parametrize(("algorithm", "epochs"), [("grpo", 2), ("rloo", 1)])
    def test_resumed_run_ends_with_the_same_weights_and_history(
        self, train, make_task, judge_by, make_model, sampled, tmp_path, algorithm, epochs
    ):
        settings = {"updates": 5, "resume_every_updates": 2, "kl": MAX_OOD, "anchor": make_model(seed=4)}
        settings |= {"group": {"epochs": epochs, "micro_batch_size": 2}, "optimiser": {"learning_rate_shape": "cosine"}}
        unbroken, whole = train(algorithm, name="unbroken", **settings)
        with pytest.raises(KeyboardInterrupt):
            train(algorithm, task=self.interrupt(make_task, judge_by, answer=8 * 3 + 3), **settings)
        rows = tmp_path / "run/state/updates.json"
        assert {path.name for path in rows.parent.iterdir()} == {f"checkpoint-{2 * epochs}", rows.name}
        # As if the run had been killed between the rows of a later update and its state: they are played again.
        rows.write_text(json.dumps([*json.loads(rows.read_text()), {"reward": 99.0}]))
        sampled.clear()
        model, resumed = train(algorithm, **settings)
        assert len(sampled) == 3
        assert largest_difference(unbroken, model) == 0.0
        assert json.dumps(resumed.history) == json.dumps(whole.history)
        assert resumed.timings["hands_per_second"] == pytest.approx(24 / resumed.timings["wall_seconds"])

    def test_run_that_died_after_its_last_update_plays_no_further_one(self, train, sampled, tmp_path, monkeypatch):
        def crash(*args, **kwargs):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(group_relative, "shutil", SimpleNamespace(rmtree=crash))
            with pytest.raises(KeyboardInterrupt):
                train()
        assert (tmp_path / "run/state/checkpoint-2").is_dir()
        model, run = train()
        fresh, whole = train(name="whole")
        assert len(sampled) == 4
        assert largest_difference(model, fresh) == 0.0
        assert json.dumps(run.history) == json.dumps(whole.history)
        assert run.timings["hands_per_second"] == 0.0


class TestNumbersThatAreNotFinite:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_logits_stop_the_run(self, train, make_model, algorithm):
        model = make_model()
        with torch.no_grad():
            model.lm_head.weight[3, 3] = float("nan")
        match = r"^update 1: the policy's logits are not finite; .* is the checkpoint that the run started from$"
        with pytest.raises(RlError, match=match):
            train(algorithm, model=model)

    @pytest.mark.parametrize(("algorithm", "figure"), [("grpo", "loss"), ("rloo", "kl")])
    def test_so_does_a_kl(self, train, make_model, algorithm, figure):
        anchor = make_model()
        with torch.no_grad():
            anchor.lm_head.weight[3, 3] = float("inf")
        with pytest.raises(RlError, match=rf"^update 1: {figure} is nan; the last good state is the checkpoint"):
            train(algorithm, kl=MAX_OOD, anchor=anchor, group={"epochs": 2})

    def test_so_does_a_reward_and_the_last_good_state_is_named(self, train, make_task, judge_by, tmp_path):
        graded = []

        def decide(answer, hand):
            graded.append(answer)
            if len(graded) > 24:
                raise RlError(f"the reward of hand {hand.identity} is nan")
            return reward_by_words(answer, hand)

        match = rf"^update 4: the reward of hand \d+ is nan; the last good state is {tmp_path}/run/state/checkpoint-4$"
        with pytest.raises(RlError, match=match):
            train(task=make_task(judge_by(decide)), updates=4, group={"epochs": 2})

    def test_other_errors_stay_what_they_are(self, train, make_task, judge_by):
        def decide(answer, hand):
            raise RuntimeError("the judge is ill")

        with pytest.raises(RuntimeError, match="the judge is ill"):
            train(task=make_task(judge_by(decide)))


class TestRefusals:
    def test_no_hands(self, train, make_task):
        with pytest.raises(ValueError, match="there are no hands"):
            train(task=make_task(hands=[]))

    def test_a_hand_that_does_not_fit_into_the_context(self, train, make_task, hands, tmp_path):
        long = Hand(77, "K K K", "cards " + "K " * 43, (1,), 24)
        with pytest.raises(ValueError, match=r"hand 77 \(K K K\): 44 tokens before the answer and 6 new ones .* 48"):
            train(task=make_task(hands=[*hands, long]))
        assert not (tmp_path / "run").exists()

    def test_an_anchor_that_is_missing(self, train):
        with pytest.raises(ValueError, match="a KL penalty toward 'max_ood' needs that model"):
            train(kl=MAX_OOD)
