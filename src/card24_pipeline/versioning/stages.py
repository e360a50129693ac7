"""From nodes to stages: one for each group of nodes that persists something, and for each block of a fan-out key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import unwrap
from itertools import pairwise, product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.code_closure import CodeClosure
from card24_pipeline.versioning.datasets import Dataset, Plot
from card24_pipeline.versioning.fan_out import ALL, NONE, FanOut, Value
from card24_pipeline.versioning.node_groups import NodeGroup, group_nodes
from card24_pipeline.versioning.parameter_files import ParameterFiles
from card24_pipeline.versioning.validation import VersioningError

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

_STAGE_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Stage:
    """What DVC needs to know of a group of nodes.

    Attributes:
        folder: Folder beside the scale's own file where the stage stands; empty for that file itself.
        name: Name of the stage: the last node's, with the block of each key that has blocks and no such folder.
        nodes: Names of the nodes.
        matrix: Values of each key that DVC runs it for.
        run: Fan-out keys that its command gives.
        data: Paths that it reads.
        code: Source files that its nodes' functions import.
        params: Sorted parameter keys by file.
        outs: Paths that it writes.
        metrics: Those of them that ``dvc metrics`` shows.
        plots: Those that ``dvc plots`` shows, with DVC's settings; an image has none.
    """

    folder: str
    name: str
    nodes: tuple[str, ...]
    matrix: Mapping[str, tuple[Value, ...]]
    run: Mapping[str, Value]
    data: tuple[str, ...]
    code: tuple[str, ...]
    params: tuple[tuple[str, tuple[str, ...]], ...]
    outs: tuple[str, ...]
    metrics: tuple[str, ...]
    plots: tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True)
class StageBuilder:
    """Builds the stages of one scale from its graph, all that this is resolved with, and the folder of outputs."""

    pipeline: Pipeline
    datasets: Mapping[str, Dataset]
    params: ParameterFiles
    fan_out: FanOut
    code: CodeClosure
    outputs: str
    everywhere: Sequence[str] = ()

    def build(self) -> list[Stage]:
        """Build every stage, producers first and by name among equals.

        Raises:
            VersioningError: When the graph cannot run stage by stage, naming the nodes and datasets at fault.
        """
        in_memory = {name for name, dataset in self.datasets.items() if dataset.path is None}
        groups = group_nodes(self.pipeline, in_memory)
        stages = [stage for group in groups for stage in self._expand(group, self._find_outs(group))]
        _refuse_shared_names(stages)
        _refuse_shared_outs(stages)
        _refuse_unneeded(self.pipeline, stages)
        return stages

    def _find_outs(self, group: NodeGroup) -> list[Dataset]:
        outs = [self.datasets[name] for name in group.outputs if self.datasets[name].tracked]
        for dataset in outs:
            if PurePosixPath(self.outputs) not in PurePosixPath(str(dataset.path)).parents:
                raise VersioningError(
                    f"node '{group.name}' writes '{dataset.name}' outside {self.outputs}/: {dataset.path}"
                )
            if dataset.gathers:
                raise VersioningError(f"node '{group.name}' writes '{dataset.name}', which only reads: {dataset.path}")
        return sorted(outs, key=lambda dataset: str(dataset.path))

    def _expand(self, group: NodeGroup, outs: Sequence[Dataset]) -> Iterator[Stage]:
        if not outs:
            return
        if not _STAGE_NAME.fullmatch(group.name):
            last = group.nodes[-1].name
            raise VersioningError(f"node '{last}': DVC allows letters, digits, '_' and '-' in a stage's name")
        written = {key for dataset in outs for key in dataset.keys}
        implied = {other for key in written for other in self.fan_out.keys[key].implies}
        own = [key for key in self.fan_out.keys if key in written - implied]
        for dataset in outs:
            if absent := set(own) - dataset.keys:
                raise VersioningError(
                    f"node '{group.name}' runs for each {', '.join(sorted(absent))}, but writes '{dataset.name}' to "
                    f"one path: {dataset.path}"
                )
        apart = [key for key in own if self.fan_out.has_blocks(key) or self.fan_out.keys[key].folder]
        matrix = {key: self.fan_out.list_values(key) for key in own if key not in apart}
        for values in product(*map(self.fan_out.list_values, apart)):
            chosen = dict(zip(apart, values, strict=True))
            run = {key: chosen.get(key, f"${{item.{key}}}") for key in own}
            yield self._build(group, outs, matrix, run, run | self.fan_out.imply(chosen))

    def _build(
        self,
        group: NodeGroup,
        outs: Sequence[Dataset],
        matrix: Mapping[str, tuple[Value, ...]],
        run: Mapping[str, Value],
        fixed: Mapping[str, Value],
    ) -> Stage:
        inputs = [self.datasets[name] for name in group.inputs if is_data(name)]
        read_together = {key for dataset in inputs for key in dataset.gathers} - fixed.keys()
        gathered = {key: ALL for key in self.fan_out.keys if key in read_together}
        shared = self._find_shared(group, outs, fixed)
        self._check_keys(group, {**shared, **fixed}, gathered)
        named = [str(run[key]) for key in run if key not in matrix and not self.fan_out.keys[key].folder]
        return Stage(
            folder=self.fan_out.get_folder(run),
            name="-".join([group.name, *named]),
            nodes=tuple(node.name for node in group.nodes),
            matrix=matrix,
            run={**run, **shared, **gathered},
            data=tuple(sorted({path for dataset in inputs for path in self._list_paths(dataset, fixed)})),
            code=self.code.list_files({module for node in group.nodes for module in self._list_modules(node, fixed)}),
            params=self._locate_params(group, fixed),
            outs=tuple(dataset.fill_path(fixed) for dataset in outs),
            metrics=tuple(dataset.fill_path(fixed) for dataset in outs if dataset.dvc.metrics),
            plots=tuple((item.fill_path(fixed), _describe_plot(item.dvc.plots)) for item in outs if item.dvc.plots),
        )

    def _find_shared(self, group: NodeGroup, outs: Sequence[Dataset], fixed: Mapping[str, Value]) -> dict[str, Value]:
        """Find the keys that a group takes although it writes one result for every value, as its outputs allow."""
        open_keys = [key for key in self.fan_out.keys if key not in fixed and not self.fan_out.has_blocks(key)]
        taken = [key for key in open_keys if f"params:{key}" in group.inputs]
        return dict.fromkeys(taken, NONE) if all(dataset.dvc.shareable for dataset in outs) else {}

    def _list_paths(self, dataset: Dataset, fixed: Mapping[str, Value]) -> Iterator[str]:
        if dataset.tracked:
            open_keys = sorted(dataset.gathers - fixed.keys())
            for values in product(*map(self.fan_out.list_values, open_keys)):
                yield dataset.fill_path({**fixed, **dict(zip(open_keys, values, strict=True))})

    def _check_keys(self, group: NodeGroup, fixed: Mapping[str, Value], gathered: Mapping[str, Value]) -> None:
        for name in [*group.inputs, *group.outputs]:
            key = name.removeprefix("params:")
            if key != name and key in self.fan_out.keys and key not in fixed:
                raise VersioningError(f"node '{group.name}' takes {name}, but writes nothing for each {key}")
            if is_data(name) and (others := sorted(self.datasets[name].keys - fixed.keys())):
                raise VersioningError(
                    f"node '{group.name}' uses '{name}', which each {others[0]} has its own, but writes nothing for "
                    f"each: read it through a dataset that brings them together ({{{others[0]}}} in its path), or "
                    "write the node's outputs so"
                )
        for key in gathered:
            values = f"params:{self.fan_out.keys[key].values}"
            if values not in group.inputs:
                raise VersioningError(f"node '{group.name}' brings every {key} together, so it must take '{values}'")

    def _list_modules(self, node: Node, fixed: Mapping[str, Value]) -> Iterator[str]:
        yield _find_function(node.func).__module__
        for name in filter(is_data, {*node.inputs, *node.outputs}):
            yield from (type_.rpartition(".")[0] for type_ in self.datasets[name].types)
        for param, key in self._list_params(node, fixed):
            template = key and self.fan_out.keys[key].imports
            if key and template:
                try:
                    yield template.format_map(self.fan_out.get_block(key, fixed[key]))
                except KeyError as error:
                    where = f"tool.dvc_stages.fan_out.{key}.imports"
                    raise VersioningError(f"{param}: {where} needs a field {error} in it") from error

    def _list_params(self, node: Node, fixed: Mapping[str, Value]) -> Iterator[tuple[str, str | None]]:
        """List the parameters that a node reads; of the blocks of a key that it takes, the run's own and the key."""
        keys = self.fan_out.keys
        taken = {
            keys[key].values: key for key in keys if f"params:{key}" in node.inputs and self.fan_out.has_blocks(key)
        }
        for name in node.inputs:
            if name == "parameters":
                raise VersioningError(f"node '{node.name}' takes all parameters: name the keys it uses (params:…)")
            param = name.removeprefix("params:")
            if param != name and param not in keys:
                key = taken.get(param)
                yield f"{param}.{fixed[key]}" if key else param, key

    def _locate_params(self, group: NodeGroup, fixed: Mapping[str, Value]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        keys: dict[str, set[str]] = {}
        taken = {param for node in group.nodes for param, _ in self._list_params(node, fixed)}
        for name in taken | set(self.everywhere):
            try:
                located = self.params.locate(name)
            except VersioningError as error:
                raise VersioningError(f"node '{group.name}': {error}") from error
            for file, key in located:
                keys.setdefault(file, set()).add(key)
        return tuple((file, tuple(sorted(keys[file]))) for file in sorted(keys))


def is_data(name: str) -> bool:
    """Tell whether the name is a dataset's and no parameter's."""
    return name != "parameters" and not name.startswith("params:")


def _describe_plot(plot: bool | Plot) -> dict[str, Any]:
    return plot.model_dump(exclude_none=True) if isinstance(plot, Plot) else {}


def _find_function(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return unwrap(function)


def _refuse_shared_names(stages: Sequence[Stage]) -> None:
    owners: dict[tuple[str, str], Stage] = {}
    for stage in stages:
        other = owners.setdefault((stage.folder, stage.name), stage)
        if other is not stage:
            raise VersioningError(
                f"nodes '{other.nodes[-1]}' and '{stage.nodes[-1]}' would be one stage: rename one of them"
            )


def _refuse_shared_outs(stages: Sequence[Stage]) -> None:
    owned = sorted((PurePosixPath(path).parts, path, stage.name) for stage in stages for path in stage.outs)
    # Sorted by parts, a folder stands right before what lies in it.
    for (parts, path, owner), (other_parts, other, other_owner) in pairwise(owned):
        if other_parts[: len(parts)] == parts:
            where = path if path == other else f"{path} and {other}"
            raise VersioningError(f"stages '{owner}' and '{other_owner}' write one path: {where}")


def _refuse_unneeded(pipeline: Pipeline, stages: Sequence[Stage]) -> None:
    """Refuse stages in a folder that no stage of the scale's own file needs: ``dvc repro`` of that would miss them."""
    needed = {name for stage in stages if not stage.folder for name in stage.nodes}
    before = {node.name: {other.name for other in others} for node, others in pipeline.node_dependencies.items()}
    waiting = list(needed)
    while waiting:
        found = before[waiting.pop()] - needed
        needed |= found
        waiting += found
    for stage in stages:
        if stage.folder and needed.isdisjoint(stage.nodes):
            raise VersioningError(
                f"node '{stage.nodes[-1]}': nothing brings together what it writes for {stage.folder}, so `dvc repro` "
                "of the scale would not run it: read it in a node that writes one result for all"
            )
