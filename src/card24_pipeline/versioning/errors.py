"""What is said when a graph cannot become stages."""

from __future__ import annotations

import click


class VersioningError(click.ClickException):
    """The graph, its catalog, its parameters or ``[tool.dvc_stages]`` are at fault; commands show it as one line."""
