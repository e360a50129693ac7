"""Commands of the project beside Kedro's own: ``kedro dvc sync``, ``kedro dvc check`` and ``kedro readme``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kedro.framework.startup import ProjectMetadata

    from card24_pipeline.versioning.sync import ProjectRoot


@click.group(name="card24")
def cli() -> None:
    """Commands of the project."""


@cli.group()
def dvc() -> None:
    """Keep every dvc.yaml equal to what the Kedro graph says."""


@dvc.command()
@click.option("--env", "-e", help="Write this scale only.")
@click.option("--seeds", help="Record these seeds (0,1,2) in the scale's parameter file first.")
@click.pass_obj
def sync(metadata: ProjectMetadata, env: str | None, seeds: str | None) -> None:
    """Generate the dvc.yaml of every scale, or of one, from the Kedro graph."""
    from card24_pipeline.versioning.errors import VersioningError
    from card24_pipeline.versioning.seeds import parse_seeds
    from card24_pipeline.versioning.sync import sync_scales

    try:
        listed = None if seeds is None else parse_seeds(seeds)
        written = sync_scales(_locate_project(metadata), env, listed)
    except VersioningError as error:
        raise click.ClickException(str(error)) from error
    for path, changed in written.items():
        click.echo(f"{path}: {'written' if changed else 'up to date'}")


@dvc.command()
@click.pass_obj
def check(metadata: ProjectMetadata) -> None:
    """Fail when a dvc.yaml is not what `kedro dvc sync` would write."""
    from card24_pipeline.versioning.errors import VersioningError
    from card24_pipeline.versioning.sync import find_stale_files

    try:
        stale = find_stale_files(_locate_project(metadata))
    except VersioningError as error:
        raise click.ClickException(str(error)) from error
    for file in stale:
        click.echo(file.diff)
    if stale:
        names = ", ".join(file.path for file in stale)
        raise click.ClickException(f"stale: {names} (run `kedro dvc sync`)")


@cli.command()
@click.pass_obj
def readme(metadata: ProjectMetadata) -> None:
    """Copy the default study's verdicts, time and size into README.md."""
    from card24_pipeline.versioning.errors import VersioningError
    from card24_pipeline.versioning.readme import fill_readme

    try:
        changed = fill_readme(metadata.project_path)
    except VersioningError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"README.md: {'written' if changed else 'up to date'}")


def _locate_project(metadata: ProjectMetadata) -> ProjectRoot:
    from card24_pipeline.versioning.sync import ProjectRoot

    return ProjectRoot(metadata.project_path, metadata.package_name, metadata.source_dir)
