"""From nodes to stages: one stage for each node that persists something."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import unwrap
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.code_closure import CodeClosure
from card24_pipeline.versioning.datasets import SEED_FIELD, SEED_ITEM, Dataset, DatasetResolver
from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.parameter_files import ParameterFiles

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

DATA_FOLDER = "data"
KEPT_IN_GIT = "data/08_reporting"
RUN_SEED = "params:seed"
_STAGE_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Stage:
    """What DVC needs to know of one node.

    Attributes:
        name: Name of the stage: the node's without its namespace.
        node: Name of the node.
        seeds: One run for each of them; None for a shared stage.
        all_seeds: Whether a shared stage brings seeds together.
        data: Paths that it reads.
        code: Source files that its node's function reaches.
        params: Sorted parameter keys by file.
        outs: Paths that it writes.
        metrics: Those of them that ``dvc metrics`` shows.
        plots: Those that ``dvc plots`` shows, with DVC's settings; an image has none.
    """

    name: str
    node: str
    seeds: tuple[int, ...] | None
    all_seeds: bool
    data: tuple[str, ...]
    code: tuple[str, ...]
    params: tuple[tuple[str, tuple[str, ...]], ...]
    outs: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    plots: tuple[tuple[str, Mapping[str, Any]], ...] = ()


class StageBuilder:
    """Builds the stages of one scale."""

    def __init__(
        self, pipeline: Pipeline, datasets: DatasetResolver, params: ParameterFiles, code: CodeClosure
    ) -> None:
        """Take the graph and everything it is resolved with."""
        self._pipeline = pipeline
        self._params = params
        self._code = code
        self._datasets = {name: datasets.describe(name) for name in sorted(pipeline.datasets()) if _is_data(name)}

    def build(self) -> list[Stage]:
        """Build every stage, producers first and by name among equals.

        Raises:
            VersioningError: When the graph cannot run stage by stage, naming the nodes and datasets at fault.
        """
        nodes = [node for node in _sort_nodes(self._pipeline) if self._find_outs(node)]
        _refuse_shared_names(nodes)
        self._refuse_memory_between(nodes)
        self._refuse_shared_outs(nodes)
        return [self._build_stage(node) for node in nodes]

    def _build_stage(self, node: Node) -> Stage:
        name = _name_stage(node)
        if not _STAGE_NAME.fullmatch(name):
            raise VersioningError(f"node '{node.name}': DVC allows letters, digits, '_' and '-' in a stage's name")
        outs = sorted(self._find_outs(node), key=lambda dataset: str(dataset.path))
        for dataset in outs:
            _check_out(node, dataset)
        inputs = [self._datasets[name] for name in sorted(set(node.inputs)) if _is_data(name)]
        per_seed = any(dataset.per_seed for dataset in outs)
        all_seeds = not per_seed and any(item.brings_seeds_together for item in inputs)
        if not per_seed:
            self._check_shared(node, all_seeds)
        seeds = self._get_seeds(node) if per_seed or all_seeds else ()
        paths: set[str] = set()
        for dataset in inputs:
            if dataset.tracked and not dataset.in_memory:
                paths |= _expand_path(str(dataset.path), None if per_seed else seeds)
        return Stage(
            name=name,
            node=node.name,
            seeds=seeds if per_seed else None,
            all_seeds=all_seeds,
            data=tuple(sorted(paths)),
            code=self._code.list_files(self._find_modules(node)),
            params=self._find_params(node),
            outs=tuple(str(dataset.path) for dataset in outs),
            metrics=tuple(str(dataset.path) for dataset in outs if dataset.dvc.metrics),
            plots=tuple((str(dataset.path), dataset.dvc.plot) for dataset in outs if dataset.dvc.plot is not None),
        )

    def _find_outs(self, node: Node) -> list[Dataset]:
        outputs = [self._datasets[name] for name in node.outputs]
        return [dataset for dataset in outputs if dataset.tracked and not dataset.in_memory]

    def _check_shared(self, node: Node, all_seeds: bool) -> None:
        for name in sorted({*node.inputs, *node.outputs}):
            if name == RUN_SEED:
                raise VersioningError(f"node '{node.name}' takes {RUN_SEED}, but none of its outputs is per seed")
            if _is_data(name) and self._datasets[name].per_seed:
                raise VersioningError(
                    f"node '{node.name}' is shared between seeds but uses '{name}', which each seed has its "
                    "own: read it through a PerSeedDataset, or write the node's outputs per seed"
                )
        if all_seeds and "params:seeds" not in node.inputs:
            raise VersioningError(f"node '{node.name}' brings seeds together, so it must take 'params:seeds'")

    def _get_seeds(self, node: Node) -> tuple[int, ...]:
        seeds = self._params.get("seeds")
        whole = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
        if not whole or not seeds or len(set(seeds)) != len(seeds):
            raise VersioningError(
                f"seeds: expected a list of different whole numbers for node '{node.name}', got {seeds!r}"
            )
        return tuple(seeds)

    def _find_params(self, node: Node) -> tuple[tuple[str, tuple[str, ...]], ...]:
        keys: dict[str, set[str]] = {}
        for name in node.inputs:
            if name == "parameters":
                raise VersioningError(f"node '{node.name}' takes all parameters: name the keys it uses (params:…)")
            if not name.startswith("params:") or name == RUN_SEED:
                continue
            try:
                located = self._params.locate(name.removeprefix("params:"))
            except VersioningError as error:
                raise VersioningError(f"node '{node.name}': {error}") from error
            for file, key in located:
                keys.setdefault(file, set()).add(key)
        return tuple((file, tuple(sorted(keys[file]))) for file in sorted(keys))

    def _find_modules(self, node: Node) -> set[str]:
        modules = {_find_function(node.func).__module__}
        for name in {*node.inputs, *node.outputs}:
            if _is_data(name):
                modules |= {type_.rpartition(".")[0] for type_ in self._datasets[name].types}
        return modules

    def _refuse_memory_between(self, staged: Sequence[Node]) -> None:
        writers = {name: node for node in self._pipeline.nodes for name in node.outputs}
        for node in staged:
            for name in sorted(node.inputs):
                if _is_data(name) and self._datasets[name].in_memory:
                    writer = writers.get(name)
                    source = f"node '{writer.name}' makes it" if writer else "nothing makes it"
                    raise VersioningError(
                        f"dataset '{name}' is in memory, but node '{node.name}' reads it in a stage of its "
                        f"own and {source}: give it a path in the catalog"
                    )

    def _refuse_shared_outs(self, staged: Sequence[Node]) -> None:
        owners: dict[str, str] = {}
        for node in staged:
            for dataset in self._find_outs(node):
                path = str(dataset.path)
                for other, owner in owners.items():
                    if path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/"):
                        raise VersioningError(
                            f"nodes '{owner}' and '{node.name}' write one path: {other}"
                            + ("" if path == other else f" and {path}")
                        )
                owners[path] = node.name


def _name_stage(node: Node) -> str:
    return str(node.name).removeprefix(f"{node.namespace}.")


def _refuse_shared_names(nodes: Iterable[Node]) -> None:
    owners: dict[str, str] = {}
    for node in nodes:
        other = owners.setdefault(_name_stage(node), node.name)
        if other != node.name:
            raise VersioningError(f"nodes '{other}' and '{node.name}' would be one stage: rename one of them")


def _is_data(name: str) -> bool:
    return name != "parameters" and not name.startswith("params:")


def _check_out(node: Node, dataset: Dataset) -> None:
    path = PurePosixPath(str(dataset.path))
    if "://" in str(path) or path.parts[0] != DATA_FOLDER or len(path.parts) == 1:
        raise VersioningError(f"node '{node.name}' writes '{dataset.name}' outside {DATA_FOLDER}/: {path}")
    if dataset.brings_seeds_together:
        raise VersioningError(f"node '{node.name}' writes '{dataset.name}', which only reads seeds together: {path}")


def _expand_path(path: str, seeds: tuple[int, ...] | None) -> set[str]:
    if seeds is None:
        return {path.replace(SEED_FIELD, SEED_ITEM)}
    return {path.replace(SEED_FIELD, str(seed)) for seed in seeds} if SEED_FIELD in path else {path}


def _find_function(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return unwrap(function)


def _sort_nodes(pipeline: Pipeline) -> Iterable[Node]:
    waiting = {node: set(before) for node, before in pipeline.node_dependencies.items()}
    by_name = {node.name: node for node in waiting}
    ready = [node.name for node, before in waiting.items() if not before]
    heapq.heapify(ready)
    while ready:
        done = by_name[heapq.heappop(ready)]
        yield done
        for node, before in waiting.items():
            if done in before:
                before.remove(done)
                if not before:
                    heapq.heappush(ready, node.name)
