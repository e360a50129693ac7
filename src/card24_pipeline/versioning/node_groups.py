"""Which nodes run together: those that pass each other data in memory."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from card24_pipeline.versioning.errors import VersioningError

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one stage, in the order in which they run."""

    nodes: tuple[Node, ...]

    @property
    def name(self) -> str:
        """Name of the stage: that of the last node, without its namespace."""
        return str(self.nodes[-1].name).removeprefix(f"{self.nodes[-1].namespace}.")

    @property
    def inputs(self) -> list[str]:
        """What its nodes read, parameters included, without what is only passed between them."""
        return sorted({name for node in self.nodes for name in node.inputs} - set(self.outputs))

    @property
    def outputs(self) -> list[str]:
        """What its nodes write."""
        return sorted({name for node in self.nodes for name in node.outputs})


def group_nodes(pipeline: Pipeline, in_memory: Collection[str]) -> list[NodeGroup]:
    """Put the nodes of a pipeline into groups.

    Args:
        pipeline: The pipeline.
        in_memory: Names of its datasets that vanish with a run.

    Returns:
        The groups, producers first and by name of the last node among equals.

    Raises:
        VersioningError: When a dataset in memory comes from nowhere, or a group needs a node that needs the group.
    """
    writers = {name: node for node in pipeline.nodes for name in node.outputs}
    groups: dict[Node, list[Node]] = {node: [node] for node in pipeline.nodes}
    for node in pipeline.nodes:
        for name in sorted(set(node.inputs) & set(in_memory)):
            if name not in writers:
                raise VersioningError(
                    f"dataset '{name}' is in memory, but node '{node.name}' reads it and nothing makes it: "
                    "give it a path in the catalog"
                )
            if groups[writers[name]] is not groups[node]:
                groups[writers[name]] += groups[node]
                for moved in groups[node]:
                    groups[moved] = groups[writers[name]]
    order = {node: number for number, node in enumerate(pipeline.nodes)}
    whole = {id(group): NodeGroup(tuple(sorted(group, key=order.__getitem__))) for group in groups.values()}
    return _sort_groups(pipeline, {node: whole[id(group)] for node, group in groups.items()})


def _sort_groups(pipeline: Pipeline, group_of: dict[Node, NodeGroup]) -> list[NodeGroup]:
    waiting: dict[NodeGroup, set[NodeGroup]] = {group: set() for group in group_of.values()}
    for node, before in pipeline.node_dependencies.items():
        waiting[group_of[node]] |= {group_of[other] for other in before} - {group_of[node]}
    by_name = {group.nodes[-1].name: group for group in waiting}
    ready = [name for name, group in by_name.items() if not waiting[group]]
    heapq.heapify(ready)
    done = []
    while ready:
        first = by_name[heapq.heappop(ready)]
        done.append(first)
        for group, before in waiting.items():
            if first in before:
                before.remove(first)
                if not before:
                    heapq.heappush(ready, group.nodes[-1].name)
    if stuck := [group for group in waiting if group not in done and len(group.nodes) > 1]:
        names = ", ".join(node.name for node in stuck[0].nodes)
        raise VersioningError(
            f"nodes {names} pass data in memory, but another stage between them needs their files: "
            "give that data a path in the catalog"
        )
    return done
