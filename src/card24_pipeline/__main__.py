"""Run the project as a module: ``python -m card24_pipeline`` is ``kedro run`` for an installed package."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def main(*args: Any, **kwargs: Any) -> Any:
    """Configure the project and hand the command line to ``kedro run``.

    Args:
        *args: Passed on to Kedro's run command; empty on the command line.
        **kwargs: Passed on to Kedro's run command.

    Returns:
        What the run command returns.
    """
    from kedro.framework.cli.utils import find_run_command
    from kedro.framework.project import configure_project

    package_name = Path(__file__).parent.name
    configure_project(package_name)
    return find_run_command(package_name)(*args, **kwargs)


if __name__ == "__main__":
    main()
