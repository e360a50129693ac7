"""What one block or one folder of configuration adds: an arm, a rule of the game, a scale of one's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import yaml

from benchmarks.study_clone import Reproduction, StudyClone, name_stage

OVERLAY = "conf/smoke/parameters.yml"
FREE = {"anchor": "none", "coefficient": 0.0}
ARM = {"sft_arm": "hot", "algorithm": "ppo", "roles": ["end"], "kl": FREE, "settings": {"updates": 2}}
OF_THE_ARM = {f"{node}-short@{seed}" for node in ("train_rl", "score_rl", "measure_rl_spectra") for seed in (0, 1)}
FAN_IN = {"estimate_quantities", "show_study", "publish_study"}  # of the findings, what reads every arm itself
METHOD = "src/card24_pipeline/edits/methods/uv_own.py"


def list_changed(clone: StudyClone) -> set[str]:
    """List the stages that DVC would run."""
    status = json.loads(clone.run("dvc", "status", "--json", *clone.stage_files).stdout)
    return set(map(name_stage, status))


@pytest.fixture(scope="class")
def restored(clone: StudyClone) -> Iterator[StudyClone]:
    """The clone, whose files and data are brought back at the end of the class."""
    clone.commit()
    yield clone
    clone.restore()


@pytest.fixture
def synced(clone: StudyClone) -> Iterator[Callable[[Callable[[dict[str, Any]], object]], dict[str, Any]]]:
    """Change the smoke scale's parameters and sync; gives the stages, and leaves neither behind."""
    text = (clone.root / OVERLAY).read_text(encoding="utf-8")

    def change(make: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        parameters = yaml.safe_load(text)
        make(parameters)
        (clone.root / OVERLAY).write_text(yaml.safe_dump(parameters, sort_keys=False), encoding="utf-8")
        clone.run("kedro", "dvc", "sync", "--env=smoke")
        return clone.read_stages()

    with clone.edit({name: (clone.root / name).read_text(encoding="utf-8") for name in (OVERLAY, *clone.stage_files)}):
        yield change


class TestArm:
    @pytest.fixture
    def added(self, clone: StudyClone, synced) -> tuple[dict[str, Any], dict[str, Any]]:
        """The stages before and after one block more."""
        return clone.read_stages(), synced(lambda parameters: parameters["rl_arms"].update(short=ARM))

    def test_adds_its_own_stages_and_only_those_are_new(self, clone: StudyClone, added) -> None:
        before, after = added
        assert after.keys() - before.keys() == OF_THE_ARM
        assert {name for name, stage in before.items() if after[name] != stage} == FAN_IN
        assert list_changed(clone) == OF_THE_ARM | FAN_IN

    def test_reads_its_own_block_and_algorithm(self, clone: StudyClone, synced) -> None:
        plain = clone.read_stages()["train_rl-plain@1"]
        stages = synced(lambda parameters: parameters["rl_arms"].update(short=ARM | {"algorithm": "grpo"}))
        stage = stages["train_rl-short@1"]
        read = [key for keys in stage["params"] for key in next(iter(keys.values()))]
        assert [key for key in read if key.startswith("rl_arms")] == ["rl_arms.short"]
        code = {path.rpartition("/training/")[2] for path in stage["deps"] if "/training/" in path}
        assert {"grpo.py", "group_relative.py"} <= code
        assert code & {"ppo.py", "rloo.py"} == set()
        assert stages["train_rl-plain@1"] == plain

    @pytest.mark.slow
    def test_runs_down_to_its_row_among_the_models(self, restored: StudyClone, added) -> None:
        own = FAN_IN | OF_THE_ARM
        done = restored.reproduce()
        assert own <= {*done.ran, *done.restored} <= own | {"judge_claims", "write_reports"}
        models = pd.read_csv(restored.root / "data/08_reporting/smoke/models.csv").set_index("model")
        about = models.loc["short/from end"]
        assert about[["kind", "sft_arm", "arm", "role"]].tolist() == ["rl", "hot", "short", "end"]
        runs = pd.read_csv(restored.root / "data/08_reporting/smoke/rl_runs.csv")
        assert runs.loc[runs["rl_arm"] == "short", "updates"].tolist() == [2, 2]


def test_a_method_of_edits_is_one_file(clone: StudyClone, synced) -> None:
    path = clone.root / METHOD
    path.write_text(path.with_name("uv_top.py").read_text(encoding="utf-8"), encoding="utf-8")
    try:
        stages = synced(lambda parameters: None)
        readers = {name for name, stage in stages.items() if METHOD in stage["deps"]}
        assert readers == {"score_edits-main@0", "score_edits-main@1", "show_study", "write_reports"}
    finally:
        path.unlink()


@pytest.mark.slow
class TestOwnScale:
    """A folder of configuration: a given base, another rule of the game, other seeds, algorithm and grid."""

    @pytest.fixture(scope="class")
    def own(self, restored: StudyClone) -> tuple[StudyClone, Reproduction]:
        root = restored.root
        shutil.copytree(root / "data/06_models/smoke/seed_0/base", root / "models/mine")
        parameters = yaml.safe_load((root / OVERLAY).read_text(encoding="utf-8"))
        parameters |= {"seeds": [5, 6], "device": "cpu"}
        parameters["base_model"]["source"] = {"_replace_": True, "kind": "folder", "path": "models/mine"}
        parameters["game"]["rules"] = {"ood": {"reversed": {"jack": 13, "queen": 12, "king": 11}}}
        parameters["rl_arms"] = {"_replace_": True, "grouped": ARM | {"algorithm": "rloo"}}
        grid = [{"method": "interpolation", "donors": ["max_ood"], "knobs": [0.5]}]
        parameters["edit_arms"] = {"_replace_": True, "few": {"sft_arm": "hot", "seed": 1, "grid": grid}}
        (root / "conf/mine").mkdir()
        (root / "conf/mine/globals.yml").write_text("scale: mine\nbase_folder: shared\n", encoding="utf-8")
        (root / "conf/mine/parameters.yml").write_text(yaml.safe_dump(parameters), encoding="utf-8")
        restored.run("kedro", "dvc", "sync", "--env=mine")
        scale = StudyClone(root, "mine")
        return scale, scale.reproduce()

    def test_every_stage_of_its_arms_runs(self, own: tuple[StudyClone, Reproduction]) -> None:
        scale, done = own
        stages = scale.read_stages()
        arms = {name.partition("@")[0].partition("-")[2] for name in stages}
        assert arms == {"", "hot", "tuned", "grouped", "few"}
        assert {*done.ran, *done.restored} == stages.keys()
        assert {name.partition("@")[2] for name in stages} == {"", "5", "6"}

    def test_its_base_is_the_folder(self, own: tuple[StudyClone, Reproduction]) -> None:
        root = own[0].root
        weights = [root / folder / "model.safetensors" for folder in ("models/mine", "data/06_models/mine/shared/base")]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        stage = own[0].read_stages()["obtain_base_model"]
        assert "architecture" not in json.dumps(stage["params"])
        assert stage["cmd"].endswith("--params=seed=none")

    def test_the_other_rule_has_splits_and_estimates(self, own: tuple[StudyClone, Reproduction]) -> None:
        root = own[0].root
        hands = pd.read_parquet(root / "data/05_model_input/mine/shared/eval_hands.parquet")
        of_rules = {
            f"{name}{rule}{end}"
            for rule in ("ood", "reversed")
            for name, end in (("", ""), ("", "_select"), ("published_", ""))
        }
        assert set(hands["split"]) == of_rules | {"id_seen", "id_select", "id_heldout", "published_id"}
        estimates = pd.read_csv(root / "data/08_reporting/mine/estimates.csv", keep_default_na=False)
        levels = estimates[(estimates["quantity"] == "pass@1") & (estimates["scope"] == "all replicates")]
        assert set(levels["split"]) == set(hands["split"])
        found = set(levels.loc[levels["split"] == "reversed", "subject"])
        assert {"base", "hot/end", "grouped/from end", "few/interpolation donor=max_ood donor_share=0.5"} <= found
        claims = json.loads((root / "data/08_reporting/mine/claims.json").read_text(encoding="utf-8"))
        assert claims["seeds"] == [5, 6]
        page = (root / "data/09_page/mine/report.html").read_text(encoding="utf-8")
        assert "reversed" in page
