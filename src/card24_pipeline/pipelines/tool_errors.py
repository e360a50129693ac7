"""Errors of the tools, shown to their users in a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shown_in_a_line() -> Iterator[None]:
    """Turn errors about the user's folders and settings into what the command line shows without a traceback."""
    import click

    try:
        yield
    except ValueError as error:  # of which CheckpointError is one
        raise click.ClickException(str(error)) from error
