"""What re-runs after which change: makes the changes in a clone of the project and asks DVC.

``python -m benchmarks.rerun_table`` writes ``data/08_reporting/smoke/rerun_table.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks import PROJECT
from benchmarks.study_clone import Reproduction, StudyClone, clone_study

SCALE = "smoke"
TABLE = PROJECT / f"data/08_reporting/{SCALE}/rerun_table.md"
OVERLAY = f"conf/{SCALE}/parameters.yml"
OTHER_LEARNING_RATE = 0.0001
FREE = {"anchor": "none", "coefficient": 0.0}
OTHER_ARM = {"from_end": {"sft_arm": "hot", "algorithm": "ppo", "roles": ["end"], "kl": FREE}}

INTRODUCTION = f"""\
# What re-runs after which change

Made by `python -m benchmarks.rerun_table`: in a clone of the project, `dvc repro conf/{SCALE}/dvc.yaml` ran once. Each
change was then made to that state, on its own, and followed by another `dvc repro`. A stage whose inputs turn out the
same after an earlier one ran is left alone. *Restored* are stages whose results DVC had kept from an earlier run with
the same inputs; it keeps none of a stage whose files are in git, so the reports are written anew.
"""
COLUMNS = ("change", "stages that ran", "restored", "left alone")


@dataclass(frozen=True)
class Change:
    """One change to the project.

    Attributes:
        name: What the table calls it.
        make: Makes it.
        on_top: Whether it is made to what the change before it left, instead of the clean state.
    """

    name: str
    make: Callable[[StudyClone], object]
    on_top: bool = False


def touch_module(clone: StudyClone, module: str) -> None:
    """Add a comment to a module of the package."""
    with (clone.package / module).open("a", encoding="utf-8") as file:
        file.write("# A comment more.\n")


def set_learning_rate(clone: StudyClone) -> None:
    """Give SFT another learning rate at this scale only."""
    edit_overlay(clone, lambda overlay: overlay["sft"]["schedule"].update(learning_rate=OTHER_LEARNING_RATE))


def restore_overlay(clone: StudyClone) -> None:
    """Take the overlay and the stages back to what they were, but neither data nor lock file."""
    clone.run("git", "checkout", "--quiet", "--", OVERLAY, *clone.stage_files)


def add_arm(clone: StudyClone) -> None:
    """Add an arm of RL."""
    edit_overlay(clone, lambda keys: keys["rl_arms"].update(OTHER_ARM))


def edit_overlay(clone: StudyClone, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the scale's parameters and sync: a key that takes effect in another file is named by the stages."""
    path = clone.root / OVERLAY
    parameters = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(parameters)
    path.write_text(yaml.safe_dump(parameters, sort_keys=False), encoding="utf-8")
    clone.run("kedro", "dvc", "sync", f"--env={SCALE}")


def add_seed(clone: StudyClone) -> None:
    """Add seed 3 to the study."""
    clone.run("kedro", "dvc", "sync", f"--env={SCALE}", "--seeds=0,1,3")


def list_changes() -> list[Change]:
    """List the changes of the table, in its order."""
    touched = (
        ("the sections of the page", "page/sections.py"),
        ("a claim", "findings/claims_edits.py"),
        ("what is published", "tracking/children.py"),
        ("an edit", "edits/methods/uv_top.py"),
        ("the scoring node", "pipelines/sft/score_sft.py"),
        ("the rewards", "training/rl_params.py"),
        ("PPO", "training/ppo.py"),
        ("the solver", "game/solver.py"),
    )
    key = "sft.schedule.learning_rate"
    return [
        Change("none", lambda clone: None),
        *(Change(f"a comment in {name}, `{path}`", partial(touch_module, module=path)) for name, path in touched),
        Change(f"`{key}: {OTHER_LEARNING_RATE}` in `{OVERLAY}`", set_learning_rate),
        Change("… and the old learning rate again", restore_overlay, on_top=True),
        Change(f"seed 3 added: `kedro dvc sync --env={SCALE} --seeds=0,1,3`", add_seed),
        Change(f"an arm of RL added: `rl_arms: {{{', '.join(OTHER_ARM)}: …}}` in `{OVERLAY}`", add_arm),
    ]


def measure_changes(clone: StudyClone, changes: Sequence[Change]) -> Iterator[tuple[Change, Reproduction]]:
    """Run the study once, then make each change and run it again.

    Args:
        clone: A clone that nothing ran in yet.
        changes: The changes, in an order in which each that is ``on_top`` follows what it builds on.

    Yields:
        Each change with what DVC then did.
    """
    print(f"Running the {SCALE} study once", flush=True)
    print(f"  {describe(clone.reproduce())}", flush=True)
    clone.commit()
    for number, change in enumerate(changes, start=1):
        print(f"[{number}/{len(changes)}] {change.name}", flush=True)
        if not change.on_top:
            clone.restore()
        change.make(clone)
        done = clone.reproduce()
        print(f"  {describe(done)}", flush=True)
        yield change, done


def describe(done: Reproduction) -> str:
    """Say in a line what a ``dvc repro`` did."""
    counts = f"{len(done.ran)} ran, {len(done.restored)} restored, {len(done.left_alone)} left alone"
    return f"{counts} ({done.wall_seconds:.1f} s)"


def render_table(rows: Sequence[tuple[Change, Reproduction]], order: Sequence[str]) -> str:
    """Write the page: an introduction and a row for each change, with stages in this order."""
    cells = [
        (
            change.name,
            join_stages(done.ran, order),
            join_stages(done.restored, order),
            f"{len(done.left_alone)} of {done.stages}",
        )
        for change, done in rows
    ]
    lines = [" | ".join(row) for row in (COLUMNS, ("---",) * len(COLUMNS), *cells)]
    return "\n".join([INTRODUCTION, *(f"| {line} |" for line in lines)]) + "\n"


def join_stages(stages: Sequence[str], order: Sequence[str]) -> str:
    """Name stages in this order, not the one they ran in, which DVC varies, then new ones; a dash for none."""
    names = {stage.partition("@")[0] for stage in stages}
    seeds: dict[str, list[int]] = {name: [] for name in [*order, *sorted(names - set(order))] if name in names}
    for stage in stages:
        name, _, seed = stage.partition("@")
        seeds[name] += [int(seed)] if seed else []
    return ", ".join(f"`{name}`{_name_seeds(found)}" for name, found in seeds.items()) or "–"


def _name_seeds(seeds: Sequence[int]) -> str:
    return f" (seed {', '.join(map(str, sorted(seeds)))})" if seeds else ""


def main() -> None:
    """Make the changes and write the table."""
    with TemporaryDirectory(prefix="rerun_table_") as folder:
        clone = clone_study(Path(folder) / "study", SCALE)
        order = list(dict.fromkeys(name.partition("@")[0] for name in clone.read_stages()))
        text = render_table(list(measure_changes(clone, list_changes())), order)
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(text, encoding="utf-8")
    print(TABLE.relative_to(PROJECT))


if __name__ == "__main__":
    main()
