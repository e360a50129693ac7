"""From hands to scored checkpoints on a model of a few thousand weights, node by node as the graph runs them."""

import pandas as pd
import pytest
from click import ClickException

from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.evaluation.scoring import ScoringParams
from card24_pipeline.models.from_scratch import ArchitectureParams
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.pipelines.base_model.obtain_base_model import (
    FolderParams,
    FromScratchParams,
    SourceParams,
    obtain_base_model,
)
from card24_pipeline.pipelines.base_model.score_base_model import score_base_model
from card24_pipeline.pipelines.sft.score_sft import score_sft
from card24_pipeline.pipelines.sft.train_sft import SftParams, train_sft
from card24_pipeline.training.language_modelling import ScheduleParams

SCHEDULE = ScheduleParams(
    steps=4,
    batch_size=8,
    micro_batch_size=8,
    learning_rate=0.01,
    learning_rate_shape="constant",
    warmup_steps=1,
    weight_decay=0.0,
    adam_beta2=0.99,
    max_gradient_norm=1.0,
    resume_every_steps=2,
    log_every_steps=1,
)
SETTINGS = ScoringParams(max_new_tokens=4, batch_size=64, divergence_examples=6, confidence=0.95)
SIZE = ArchitectureParams(hidden_size=16, intermediate_size=32, layers=2, attention_heads=2, max_tokens=64)


@pytest.fixture(scope="module")
def scratch():
    return SourceParams(FromScratchParams(kind="from_scratch", architecture=SIZE, schedule=SCHEDULE))


@pytest.fixture(scope="module")
def few_hands(eval_hands):
    return eval_hands.groupby("split", sort=False).head(400).iloc[::40].reset_index(drop=True)


@pytest.fixture(scope="module")
def base(pretraining_examples, sft_examples, eval_hands, scratch, tmp_path_factory):
    return obtain_base_model(
        pretraining_examples, sft_examples, eval_hands, scratch, 1, "cpu", tmp_path_factory.mktemp("base")
    )


@pytest.fixture(scope="module")
def tuned(base, sft_examples, tmp_path_factory):
    params = SftParams(checkpoint_steps=[1, 2], schedule=SCHEDULE)
    return train_sft(base[0], sft_examples, params, {"hot": {}}, "hot", 0, "cpu", tmp_path_factory.mktemp("sft"))


@pytest.fixture(scope="module")
def base_scored(base, few_hands, prompt):
    return score_base_model(base[0], few_hands, prompt, SETTINGS, "cpu")


@pytest.fixture(scope="module")
def tuned_scored(tuned, base, few_hands, sft_examples, prompt):
    return score_sft(tuned[0], base[0], few_hands, sft_examples, prompt, SETTINGS, "cpu")


class TestBase:
    def test_base_is_a_whole_checkpoint_that_knows_every_word(self, base, eval_hands, sft_examples):
        folder, history, timings = base
        assert "model.safetensors" in check_manifest(folder)
        model, tokenizer = load_checkpoint(folder)
        assert model.config.hidden_size == SIZE.hidden_size
        for texts in (eval_hands["prompt"], sft_examples["answer"]):
            ids = [index for row in tokenizer(texts.tolist())["input_ids"] for index in row]
            assert tokenizer.unk_token_id not in ids
        assert history["step"].tolist() == [1, 2, 3, 4]
        assert set(timings) == {"wall_seconds", "tokens_per_second"}

    def test_folder_is_copied_with_its_weights(self, base, pretraining_examples, sft_examples, eval_hands, tmp_path):
        source = SourceParams(FolderParams(kind="folder", path=str(base[0])))
        folder, history, _ = obtain_base_model(
            pretraining_examples, sft_examples, eval_hands, source, "none", "cpu", tmp_path
        )
        assert folder != base[0]
        digests = [check_manifest(found)["model.safetensors"] for found in (folder, base[0])]
        assert digests[0] == digests[1]
        assert history.empty
        assert "step" in history.columns

    def test_folder_whose_tokenizer_lacks_a_token_is_named(
        self, make_model, tokenizer, pretraining_examples, sft_examples, eval_hands, tmp_path
    ):
        save_checkpoint(make_model(), tokenizer, tmp_path / "poor")
        source = SourceParams(FolderParams(kind="folder", path=str(tmp_path / "poor")))
        with pytest.raises(CheckpointError, match=rf"{tmp_path / 'poor'} lacks \d+ needed tokens"):
            obtain_base_model(
                pretraining_examples, sft_examples, eval_hands, source, "none", "cpu", tmp_path / "progress"
            )

    def test_another_seed_has_other_weights(
        self, base, pretraining_examples, sft_examples, eval_hands, scratch, tmp_path
    ):
        texts = (pretraining_examples, sft_examples, eval_hands)
        digests = [check_manifest(base[0])["model.safetensors"]]
        for name, seed in (("same", 1), ("other", 2)):
            folder, *_ = obtain_base_model(*texts, scratch, seed, "cpu", tmp_path / name)
            digests.append(check_manifest(folder)["model.safetensors"])
        assert digests[1] == digests[0] != digests[2]

    def test_a_base_that_seeds_share_is_given(self, pretraining_examples, sft_examples, eval_hands, scratch, tmp_path):
        with pytest.raises(ClickException, match="a from_scratch base is each seed's own"):
            obtain_base_model(pretraining_examples, sft_examples, eval_hands, scratch, "none", "cpu", tmp_path)

    def test_base_is_scored_on_every_hand(self, base_scored, few_hands):
        scores, hands, _ = base_scored
        assert hands[["split", "hand"]].equals(few_hands[["split", "hand"]])
        assert scores.query("base_met_multiset == 'all'")["hands"].sum() == len(few_hands)


class TestSft:
    def test_chosen_steps_and_the_last_are_kept(self, tuned, base):
        folder, history, _ = tuned
        assert {path.name for path in folder.glob("step_*")} == {"step_1", "step_2", "step_4"}
        digests = check_manifest(folder)
        weights = {digests[f"step_{step}/model.safetensors"] for step in (1, 2, 4)}
        assert len(weights | {check_manifest(base[0])["model.safetensors"]}) >= 3
        assert history["step"].tolist() == [1, 2, 3, 4]

    def test_example_that_the_base_cannot_read_is_refused(self, base, sft_examples, tmp_path):
        unread = pd.concat([sft_examples, pd.DataFrame([{"multiset": "", "prompt": "cards Joker :", "answer": "24"}])])
        params = SftParams(checkpoint_steps=[1], schedule=SCHEDULE)
        with pytest.raises(CheckpointError, match=rf"{base[0]} lacks 1 needed tokens, such as 'Joker'"):
            train_sft(base[0], unread, params, {"hot": {}}, "hot", 0, "cpu", tmp_path)

    def test_checkpoint_beyond_the_run_is_refused_before_training(self, base, sft_examples, tmp_path):
        params = SftParams(checkpoint_steps=[1], schedule=SCHEDULE)
        arms = {"long": {"settings": {"checkpoint_steps": [1, 9]}}}
        with pytest.raises(ValueError, match=r"checkpoint_steps: expected steps up to schedule.steps \(4\)"):
            train_sft(base[0], sft_examples, params, arms, "long", 0, "cpu", tmp_path)

    def test_other_arms_are_not_looked_at(self, base, sft_examples, tmp_path):
        params = SftParams(checkpoint_steps=[1, 2], schedule=SCHEDULE)
        arms = {"main": None, "hot": None}
        with pytest.raises(ValueError, match="no arm 'cool': expected one of main, hot"):
            train_sft(base[0], sft_examples, params, arms, "cool", 0, "cpu", tmp_path)
        arms["cool"] = {"settings": {"checkpoint_steps": [1], "schedule": {"steps": 1}}}
        folder, _, _ = train_sft(base[0], sft_examples, params, arms, "cool", 0, "cpu", tmp_path)
        assert {path.name for path in folder.glob("step_*")} == {"step_1"}

    def test_every_step_is_scored_and_diverges_from_the_base(self, tuned_scored, few_hands):
        scores, hands, _ = tuned_scored
        assert hands.groupby("step").size().to_dict() == dict.fromkeys((1, 2, 4), len(few_hands))
        divergence = scores.groupby("step")["forward_kl_nats"].first()
        assert divergence[4] > divergence[2] > 0
        assert divergence[1] >= 0
