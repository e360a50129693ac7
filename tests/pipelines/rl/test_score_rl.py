import pytest

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.evaluation.scoring import ScoringParams
from card24_pipeline.pipelines.rl.score_rl import score_rl
from card24_pipeline.pipelines.sft.score_sft import score_sft

SETTINGS = ScoringParams(max_new_tokens=4, batch_size=64, divergence_examples=6, confidence=0.95)
STARTS = (2, 12)


@pytest.fixture(scope="module")
def few_hands(eval_hands):
    return eval_hands.groupby("split", sort=False).head(200).iloc[::40].reset_index(drop=True)


@pytest.fixture(scope="module")
def scored(save_model, base_model, few_hands, sft_examples, prompt, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rl")
    for start in STARTS:
        save_model(folder / f"from_step_{start}", start)
    write_manifest(folder)
    return score_rl(folder, base_model, few_hands, sft_examples, prompt, SETTINGS, "cpu")


def test_every_checkpoint_is_scored_on_every_hand(scored, few_hands):
    scores, hands, timings = scored
    assert scores.columns[0] == hands.columns[0] == "from_step"
    assert hands.groupby("from_step").size().to_dict() == dict.fromkeys(STARTS, len(few_hands))
    whole = scores[scores["base_met_multiset"] == "all"]
    assert whole.groupby("from_step")["hands"].sum().to_dict() == dict.fromkeys(STARTS, len(few_hands))
    assert set(timings) == {"wall_seconds", "hands_per_second"}


def test_scores_are_those_of_the_same_weights_after_fine_tuning(
    scored, sft_checkpoints, base_model, few_hands, sft_examples, prompt
):
    tuned = score_sft(sft_checkpoints, base_model, few_hands, sft_examples, prompt, SETTINGS, "cpu")
    for ours, theirs in zip(scored[:2], tuned[:2], strict=True):
        same = theirs[theirs["step"].isin(STARTS)].rename(columns={"step": "from_step"}).reset_index(drop=True)
        assert ours.equals(same)
    assert (scored[0]["forward_kl_nats"] > 0).all()
