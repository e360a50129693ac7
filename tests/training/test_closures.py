"""What a training run depends on: its own algorithm, and nothing that reports, views, edits or speaks to adapters."""

import grimp
import pytest

STAGES = {
    "base": ("pipelines.base_model.obtain_base_model",),
    "sft": ("pipelines.sft.train_sft",),
    **{name: ("pipelines.rl.train_rl", f"training.{name}") for name in ("ppo", "grpo", "rloo")},
}
# Rooms, and modules of shared rooms, that no training run reads.
FOREIGN = ("edits", "findings", "page", "reporting", "study", "tools", "tracking", "weights", "spectral", "catalog")
FOREIGN_MODULES = {"checkpoints.lora", "checkpoints.reader", "evaluation.scoring", "graph_view", "hooks"}
GROUP = {"training.group_relative", "training.grpo", "training.rloo"}
PPO = {f"training.{name}" for name in ("ppo", "ppo_losses", "ppo_state", "policy")}
SUPERVISED = {"training.language_modelling", "training.answer_trainer"}


@pytest.fixture(scope="module")
def closures():
    graph = grimp.build_graph("card24_pipeline", exclude_type_checking_imports=True, cache_dir=None)

    def close(modules):
        names = {f"card24_pipeline.{module}" for module in modules}
        found = names.union(*map(graph.find_upstream_modules, names))
        return {name.removeprefix("card24_pipeline.") for name in found}

    return {stage: close(modules) for stage, modules in STAGES.items()}


@pytest.mark.parametrize("stage", STAGES)
def test_no_training_run_reads_a_foreign_room(closures, stage):
    foreign = {name for name in closures[stage] if name.split(".")[0] in FOREIGN} | closures[stage] & FOREIGN_MODULES
    assert foreign == set()
    nodes = {name for name in closures[stage] if name.startswith("pipelines.")}
    assert nodes == {STAGES[stage][0]}


@pytest.mark.parametrize(
    ("stage", "own"),
    [
        ("base", SUPERVISED),
        ("sft", SUPERVISED),
        ("ppo", PPO),
        ("grpo", GROUP - {"training.rloo"}),
        ("rloo", GROUP - {"training.grpo"}),
    ],
)
def test_of_the_algorithms_a_run_reads_its_own(closures, stage, own):
    assert closures[stage] & (SUPERVISED | PPO | GROUP) == own
