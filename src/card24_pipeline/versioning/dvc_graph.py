"""The stages of a scale as DVC sees them: in any number of files, what each waits for, whether it is up to date."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from card24_pipeline.versioning.validation import VersioningError


@dataclass(frozen=True)
class GraphStage:
    """A stage of a ``dvc.yaml``.

    Attributes:
        address: The file, relative to the project's root, and the stage's name: what ``dvc repro -s`` takes.
        name: The stage's name.
        label: The name, after the folder of its file where that is not the scale's own.
        waits_for: Addresses of the stages whose outputs it reads.
    """

    address: str
    name: str
    label: str
    waits_for: tuple[str, ...]
    _stage: Any = field(repr=False, compare=False)

    def is_stale(self) -> bool:
        """Tell whether DVC would run it, from the files as they are now; without DVC's locks, as nobody writes them."""
        stage = self._stage
        if stage.changed_stage():
            return True
        if not stage.frozen and (stage.is_callback or stage.always_changed or any(dep.status() for dep in stage.deps)):
            return True
        return any(out.status() for out in stage.outs)


@dataclass(frozen=True)
class DvcGraph:
    """The stages of a scale.

    Attributes:
        stages: By address, in the order of their files, files after the scale's own by path.
        orders: Names of a file's stages in its order, by the path of its lock file.
    """

    stages: Mapping[str, GraphStage]
    orders: Mapping[str, Sequence[str]]

    @classmethod
    def load(cls, root: Path, files: Sequence[str]) -> DvcGraph:
        """Read files, the scale's own first.

        Raises:
            VersioningError: When DVC does not accept one of them.
        """
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.repo.index import Index

        try:
            repo = Repo(str(root))
            loaded = {file: Index.from_file(repo, os.path.join(repo.root_dir, file)).stages for file in files}
            graph = Index(repo, stages=[stage for stages in loaded.values() for stage in stages]).graph
        except DvcException as error:
            raise VersioningError(f"DVC refuses {' or '.join(files)}: {' '.join(str(error).split())}") from error
        names = {stage: f"{file}:{stage.name}" for file, stages in loaded.items() for stage in stages}
        made = {
            address: GraphStage(
                address,
                stage.name,
                _make_label(files[0], address.rpartition(":")[0], stage.name),
                tuple(sorted(names[other] for other in graph.successors(stage))),
                stage,
            )
            for stage, address in names.items()
        }
        orders = {file.removesuffix("yaml") + "lock": [stage.name for stage in loaded[file]] for file in files}
        return cls(made, orders)

    def select(self, names: Sequence[str]) -> dict[str, GraphStage]:
        """Return the stages of these names and all that they wait for; without names, every stage.

        A name may be that of a stage in any file, a label, an address, or what stands before the ``@`` of a matrix.

        Raises:
            VersioningError: When there is no stage of a name.
        """
        wanted: list[str] = [] if names else list(self.stages)
        for name in names:
            found = [address for address, stage in self.stages.items() if name in _list_names(stage)]
            if not found:
                known = sorted({other for stage in self.stages.values() for other in _list_names(stage)})
                close = get_close_matches(name, known, n=1)
                families = sorted({stage.name.partition("@")[0] for stage in self.stages.values()})
                hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(families)}"
                raise VersioningError(f"--stages: no stage '{name}': {hint}")
            wanted += found
        chosen: set[str] = set()
        while wanted:
            address = wanted.pop()
            if address not in chosen:
                chosen.add(address)
                wanted += self.stages[address].waits_for
        return {address: stage for address, stage in self.stages.items() if address in chosen}


def find_dvc_files(root: Path, conf_source: str, env: str, default_env: str) -> list[str]:
    """List the ``dvc.yaml`` of a scale: its own, then those in sub-folders of its configuration.

    Raises:
        VersioningError: When it has none.
    """
    own = "dvc.yaml" if env == default_env else f"{conf_source}/{env}/dvc.yaml"
    if not (root / own).exists():
        known = sorted(path.parent.name for path in (root / conf_source).glob("*/dvc.yaml"))
        raise VersioningError(f"no scale '{env}': {own} is missing (scales: {', '.join([default_env, *known])})")
    below = sorted(path.relative_to(root).as_posix() for path in (root / conf_source / env).glob("**/dvc.yaml"))
    return [own, *(path for path in below if path != own)]


def _make_label(own: str, file: str, name: str) -> str:
    return name if file == own else f"{Path(file).parent.name}/{name}"


def _list_names(stage: GraphStage) -> tuple[str, ...]:
    return stage.name, stage.label, stage.address, stage.name.partition("@")[0]
