import copy
from types import SimpleNamespace

import pytest
import torch

from card24_pipeline.checkpoints.manifest import check_manifest
from card24_pipeline.evaluation.costs import count_training_flops
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.shared_prompt import can_share
from card24_pipeline.models.tokenized import IGNORED_LABEL, tokenize_examples
from card24_pipeline.training import language_modelling
from card24_pipeline.training.language_modelling import HISTORY_COLUMNS, ScheduleParams, train_language_model

SCHEDULE = ScheduleParams(
    steps=6,
    batch_size=4,
    micro_batch_size=4,
    learning_rate=0.01,
    learning_rate_shape="constant",
    warmup_steps=2,
    weight_decay=0.0,
    adam_beta2=0.99,
    max_gradient_norm=1.0,
    resume_every_steps=2,
    log_every_steps=1,
)


@pytest.fixture
def train(make_model, tokenizer, examples, tmp_path):
    """Train a fresh tiny model; return it with the run."""

    def run(name="run", seed=0, save_steps=None, model=None, **changes):
        schedule = SCHEDULE.model_copy(update=changes)
        model = (model or make_model()).train()
        done = train_language_model(
            model,
            tokenizer,
            examples,
            schedule,
            save_steps=save_steps or [schedule.steps],
            seed=seed,
            progress=tmp_path / name,
        )
        return model, done

    return run


def largest_difference(one, two):
    return max(float((p - q).detach().abs().max()) for p, q in zip(one.parameters(), two.parameters(), strict=True))


def answer_loss(model, examples):
    """Mean cross-entropy a token over all answers, example by example, without padding."""
    losses = []
    for example in examples:
        logits = model(torch.tensor([example["input_ids"]])).logits[0, :-1].double()
        labels = torch.tensor(example["labels"][1:])
        losses.append(torch.nn.functional.cross_entropy(logits, labels, reduction="none")[labels != IGNORED_LABEL])
    return torch.cat(losses).mean()


class TestLearning:
    def test_a_few_examples_are_learnt_by_heart(self, train, examples):
        model, run = train(steps=30, learning_rate=0.04, log_every_steps=3, batch_size=12, micro_batch_size=12)
        losses = [row["loss"] for row in run.history]
        assert losses[0] > 3.0
        assert losses[-1] < 0.5
        assert run.history[-1]["token_accuracy"] > 0.8
        assert float(answer_loss(model.eval(), examples).detach()) == pytest.approx(losses[-1], abs=0.2)

    def test_first_loss_is_the_mean_over_answer_tokens_only(self, train, make_model, examples):
        _, run = train(steps=1, batch_size=12, micro_batch_size=12)
        assert run.history[0]["loss"] == pytest.approx(float(answer_loss(make_model(), examples).detach()), rel=1e-4)

    def test_one_step_is_the_step_of_adamw_on_that_loss(self, train, make_model, examples):
        model, _ = train(steps=1, batch_size=12, micro_batch_size=12, warmup_steps=0)
        reference = make_model().train()
        optimizer = torch.optim.AdamW(reference.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.0)
        answer_loss(reference, examples).backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        before = copy.deepcopy(reference)
        optimizer.step()
        assert largest_difference(before, reference) > 0.009
        # Adam's first step is ±lr wherever |gradient| is well above its epsilon, and rounding decides elsewhere.
        for one, two in zip(model.parameters(), reference.parameters(), strict=True):
            assert float(((one - two).abs() < 1e-5).double().mean()) > 0.99

    def test_accumulated_micro_batches_equal_one_batch(self, train):
        (whole, one), (parts, two) = (train(f"micro_{size}", steps=4, micro_batch_size=size) for size in (4, 2))
        assert largest_difference(whole, parts) < 1e-6
        assert [row["loss"] for row in one.history] == pytest.approx([row["loss"] for row in two.history], rel=1e-5)
        assert one.tokens == two.tokens

    def test_seed_orders_the_examples(self, train):
        (first, _), (same, _), (other, _) = (train(f"run_{i}", seed=seed, steps=3) for i, seed in enumerate((1, 1, 2)))
        assert largest_difference(first, same) == 0.0
        assert largest_difference(first, other) > 1e-4

    def test_learning_rate_warms_up_and_follows_its_shape(self, train):
        _, constant = train("constant")
        _, cosine = train("cosine", learning_rate_shape="cosine")
        assert [row["learning_rate"] for row in constant.history] == pytest.approx([0, 0.005, *[0.01] * 4])
        rates = [row["learning_rate"] for row in cosine.history]
        assert rates[:3] == pytest.approx([0, 0.005, 0.01])
        assert rates[2:] == sorted(rates[2:], reverse=True)
        assert rates[-1] < 0.003

    def test_an_annealed_rate_falls_to_zero_over_the_last_fifth(self, train):
        _, run = train(steps=20, learning_rate_shape="annealed", warmup_steps=4)
        expected = [0, 0.0025, 0.005, 0.0075, *[0.01] * 13, 0.0075, 0.005, 0.0025]
        assert [row["learning_rate"] for row in run.history] == pytest.approx(expected)

    def test_history_has_a_row_each_log_step_and_no_clock(self, train):
        _, run = train(log_every_steps=2)
        assert [row["step"] for row in run.history] == [2, 4, 6]
        assert all(tuple(row) == HISTORY_COLUMNS for row in run.history)

    def test_costs_grow_with_the_examples_shown(self, train, examples):
        model, run = train(steps=2, batch_size=12, micro_batch_size=12)
        an_epoch = count_training_flops(model, [len(example["input_ids"]) for example in examples])
        assert [row["training_flops"] for row in run.history] == [an_epoch, 2 * an_epoch]

    def test_tokens_are_those_of_the_batches_without_padding(self, train, examples):
        _, run = train(steps=2, batch_size=12, micro_batch_size=12)
        assert run.tokens == 2 * sum(len(example["input_ids"]) for example in examples)
        assert run.history[-1]["trained_tokens"] == run.tokens
        assert run.timings()["tokens_per_second"] == pytest.approx(run.tokens / run.wall_seconds)


class TestShortWay:
    """Beside TRL's own trainer, on the same examples in the same order."""

    @pytest.fixture
    def losses(self, make_model, tokenizer, examples, tmp_path, monkeypatch):
        """Return loss, metrics and gradients of one micro-batch, computed the short way and TRL's."""

        def compute(model, rows):
            from card24_pipeline.training.answer_trainer import ShownExamples

            trainer = language_modelling._build_trainer(
                model, tokenizer, rows, range(len(rows)), SCHEDULE, seed=0, state=tmp_path / "state"
            )
            found = []
            for is_plain in (trainer._is_plain, False):
                trainer._is_plain = is_plain
                model.zero_grad()
                shown = ShownExamples(rows, range(len(rows)))
                loss = trainer.compute_loss(trainer.model, trainer._collate([*shown]))
                loss.backward()
                metrics = {name: trainer._metrics["train"][name][-1] for name in ("entropy", "mean_token_accuracy")}
                found.append((float(loss.detach()), metrics, [each.grad.clone() for each in model.parameters()]))
            return found

        return compute

    @pytest.fixture
    def rows(self, tokenizer):
        """Six examples of four lengths with eight tokens in common."""
        prompts = [f"target 24 cards : 7 5 A J {'3 ' * (index % 4)}:" for index in range(6)]
        answers = [f"numbers {index} steps {index} + 1 = {index + 1}" for index in range(6)]
        return tokenize_examples(tokenizer, prompts, answers, max_tokens=48)

    @pytest.mark.parametrize("common", [True, False])
    @pytest.mark.usefixtures("double_norms")
    def test_gradients_are_those_of_the_plain_way(self, losses, make_model, rows, examples, common):
        model = make_model(seed=3, scale=3.0).double().train()
        (loss, metrics, gradients), (plain_loss, plain_metrics, plain) = losses(model, rows if common else examples)
        assert loss == pytest.approx(plain_loss, rel=1e-6)  # TRL sums in float32
        assert metrics == pytest.approx(plain_metrics, rel=1e-5)
        assert max(float(each.abs().max()) for each in plain) > 0.01
        for one, two in zip(gradients, plain, strict=True):
            assert float((one - two).abs().max()) < 1e-6

    def test_in_float32_too(self, losses, make_model, rows):
        (loss, _, gradients), (plain_loss, _, plain) = losses(make_model(seed=3, scale=3.0).train(), rows)
        assert loss == pytest.approx(plain_loss, rel=1e-6)
        for one, two in zip(gradients, plain, strict=True):
            assert float((one - two).abs().max()) < 1e-6

    def test_dropout_is_drawn_for_each_row(self, make_model):
        model = make_model()
        assert can_share(model.base_model)
        model.config.attention_dropout = 0.1
        assert not can_share(model.base_model)

    def test_a_head_that_scales_is_left_to_trl(self, make_model, monkeypatch):
        from card24_pipeline.training.answer_trainer import has_plain_head

        model = make_model()
        assert has_plain_head(model)
        head, forward = model.lm_head, model.forward
        monkeypatch.setattr(model, "forward", lambda **kwargs: replace_logits(forward(**kwargs)))
        assert not has_plain_head(model)
        assert model.lm_head is head


def replace_logits(output):
    output.logits = 30 * torch.tanh(output.logits / 30) + 0.1
    return output


class TestCheckpoints:
    def test_a_folder_stands_at_each_step_asked_for_and_the_state_goes(self, train, tmp_path):
        model, _ = train(save_steps=[1, 4, 6])
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["step_1", "step_4", "step_6"]
        assert "model.safetensors" in check_manifest(tmp_path / "run/step_1")
        last, _ = load_checkpoint(tmp_path / "run/step_6")
        first, _ = load_checkpoint(tmp_path / "run/step_1")
        assert largest_difference(last, model) == 0.0
        assert largest_difference(first, model) > 1e-4

    @pytest.mark.parametrize("save_steps", [[0], [7], [-1, 6], [2, 6, 9]])
    def test_steps_outside_the_run_are_refused(self, train, save_steps):
        with pytest.raises(ValueError, match=r"do not lie within 1…6"):
            train(save_steps=save_steps)

    def test_no_step_at_all_is_refused(self, make_model, tokenizer, examples, tmp_path):
        with pytest.raises(ValueError, match="do not lie within"):
            train_language_model(
                make_model(), tokenizer, examples, SCHEDULE, save_steps=[], seed=0, progress=tmp_path / "run"
            )


class TestInterruption:
    def interrupt_at(self, step, monkeypatch):
        def save(model, tokenizer, folder):
            if folder.name == f"step_{step}":
                raise KeyboardInterrupt
            return language_modelling_save(model, tokenizer, folder)

        language_modelling_save = language_modelling.save_checkpoint
        monkeypatch.setattr(language_modelling, "save_checkpoint", save)

    def test_resumed_run_ends_with_the_same_bytes_and_history(self, train, tmp_path, monkeypatch):
        settings = {"save_steps": [1, 3, 5, 6], "micro_batch_size": 2, "log_every_steps": 2, "resume_every_steps": 2}
        _, unbroken = train("unbroken", **settings)
        with monkeypatch.context() as patch:
            self.interrupt_at(5, patch)
            with pytest.raises(KeyboardInterrupt):
                train("broken", **settings)
        assert {path.name for path in (tmp_path / "broken").iterdir()} == {"step_1", "step_3", "state"}
        _, resumed = train("broken", **settings)
        assert resumed.history == unbroken.history
        for step in (1, 3, 5, 6):
            files = [tmp_path / run / f"step_{step}/model.safetensors" for run in ("unbroken", "broken")]
            assert files[0].read_bytes() == files[1].read_bytes(), step

    def test_resuming_starts_at_the_saved_step(self, train, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            self.interrupt_at(5, patch)
            with pytest.raises(KeyboardInterrupt):
                train(save_steps=[5, 6])
        (state,) = (tmp_path / "run/state").glob("checkpoint-*")
        assert state.name == "checkpoint-4"
        seen = []
        monkeypatch.setattr(
            language_modelling, "save_checkpoint", lambda model, tokenizer, folder: seen.append(folder.name)
        )
        _, run = train(save_steps=[1, 2, 3, 4, 5, 6])
        assert seen == ["step_5", "step_6"]
        # Throughput counts what this process trained, not what an earlier one did.
        assert run.tokens == run.history[5]["trained_tokens"] - run.history[3]["trained_tokens"]

    def test_run_that_died_after_its_last_step_takes_no_further_one(self, train, tmp_path, monkeypatch):
        def crash(*args, **kwargs):
            raise KeyboardInterrupt

        settings = {"steps": 2, "save_steps": [2]}
        with monkeypatch.context() as patch:
            patch.setattr(language_modelling, "shutil", SimpleNamespace(rmtree=crash))
            with pytest.raises(KeyboardInterrupt):
                train(**settings)
        assert (tmp_path / "run/state/checkpoint-2").is_dir()
        model, run = train(**settings)
        saved, _ = load_checkpoint(tmp_path / "run/step_2")
        assert largest_difference(model, saved) == 0.0
        assert [row["step"] for row in run.history] == [1, 2]
        assert run.tokens == 0


class TestNumbersThatAreNotFinite:
    @pytest.mark.parametrize("log_every", [1, 2])
    def test_loss_stops_the_run_and_names_the_step(self, train, make_model, log_every):
        model = make_model()
        with torch.no_grad():
            model.lm_head.weight[3, 3] = float("nan")
        with pytest.raises(FloatingPointError, match=f"loss is nan at step {log_every}$"):
            train(model=model, log_every_steps=log_every)
