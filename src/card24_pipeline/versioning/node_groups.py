"""Which nodes run together: those that pass each other data in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from card24_pipeline.versioning.validation import VersioningError

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
    """Put the nodes of a pipeline into groups; ``in_memory`` are its datasets that vanish with a run.

    Returns:
        The groups, producers first and by name of the last node among equals.

    Raises:
        VersioningError: When a dataset in memory comes from nowhere, or a group needs a node that needs the group.
    """
    import networkx as nx

    writers = {name: node for node in pipeline.nodes for name in node.outputs}
    together = nx.Graph()
    together.add_nodes_from(pipeline.nodes)
    for node in pipeline.nodes:
        for name in sorted(set(node.inputs) & set(in_memory)):
            if name not in writers:
                raise VersioningError(
                    f"dataset '{name}' is in memory, but node '{node.name}' reads it and nothing makes it: "
                    "give it a path in the catalog"
                )
            together.add_edge(writers[name], node)
    group_of: dict[Node, NodeGroup] = {}
    for members in nx.connected_components(together):
        group = NodeGroup(tuple(node for node in pipeline.nodes if node in members))
        group_of |= dict.fromkeys(members, group)
    order = nx.DiGraph()
    order.add_nodes_from(group_of.values())
    for node, before in pipeline.node_dependencies.items():
        order.add_edges_from((group_of[other], group_of[node]) for other in before if group_of[other] != group_of[node])
    try:
        return list(nx.lexicographical_topological_sort(order, key=lambda group: group.nodes[-1].name))
    except nx.NetworkXUnfeasible as error:
        stuck = next(group for group, _ in nx.find_cycle(order) if len(group.nodes) > 1)
        raise VersioningError(
            f"nodes {', '.join(node.name for node in stuck.nodes)} pass data in memory, but another stage between them "
            "needs their files: give that data a path in the catalog"
        ) from error
