"""What the generator says when a graph cannot become stages."""

from __future__ import annotations


class VersioningError(ValueError):
    """The Kedro graph, its catalog or its parameters cannot be written as DVC stages."""
