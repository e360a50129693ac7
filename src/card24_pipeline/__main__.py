"""Run the project as a module: ``python -m card24_pipeline`` is ``kedro run`` for an installed package."""

from __future__ import annotations

from typing import Any


def main(*args: Any, **kwargs: Any) -> Any:
    """Configure the project and hand the command line to ``kedro run``.

    Args:
        *args: Passed on to Kedro's run command; empty on the command line.
        **kwargs: Passed on to Kedro's run command.

    Returns:
        What the run command returns.
    """
    from kedro.framework.cli.project import run
    from kedro.framework.project import configure_project

    # Not `find_run_command`: it wants a `run` in cli.py, which has the project's own commands only.
    configure_project(__package__)
    return run(*args, **kwargs)


if __name__ == "__main__":
    main()
