"""Commands of the project beside Kedro's own: ``kedro dvc …``, ``kedro readme`` and ``kedro package``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kedro.framework.startup import ProjectMetadata

SLURM_HELP = (
    "Submit each as a job, with submitit's options (slurm_partition=gpu,timeout_min=600,…); a job ends after five "
    "minutes where timeout_min is not given. Needs --jobs."
)


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
    """Generate every dvc.yaml of all scales, or of one, from the Kedro graph."""
    from card24_pipeline.versioning.files import parse_numbers
    from card24_pipeline.versioning.sync import sync_scales

    numbers = {} if seeds is None else {"seeds": parse_numbers("seeds", seeds)}
    for path, done in sync_scales(metadata, env, numbers).items():
        click.echo(f"{path}: {done}")


@dvc.command()
@click.pass_obj
def check(metadata: ProjectMetadata) -> None:
    """Fail when a parameter is wrong, or a dvc.yaml is not what `kedro dvc sync` would write."""
    from card24_pipeline.versioning.sync import find_stale_files

    stale = find_stale_files(metadata)
    for diff in stale.values():
        click.echo(diff)
    if stale:
        raise click.ClickException(f"stale: {', '.join(stale)} (run `kedro dvc sync`)")


@dvc.command()
@click.option("--env", "-e", help="The scale; by default the default one.")
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), help="Stages side by side; by default as many as there are cores for."
)
@click.option("--stages", help="Only these (a,b) and all that they wait for.")
@click.option("--slurm", is_flag=False, flag_value="", help=SLURM_HELP)
@click.pass_context
def run(context: click.Context, env: str | None, jobs: int | None, stages: str | None, slurm: str | None) -> None:
    """Run what is not up to date of a scale, side by side; Ctrl-C stops it, the same command goes on."""
    from card24_pipeline.versioning.driver import run_scale
    from card24_pipeline.versioning.driver_request import make_request

    if slurm is not None and jobs is None:
        raise click.ClickException("--slurm needs --jobs: how many jobs may wait or run side by side")
    names = [name.strip() for name in (stages or "").split(",") if name.strip()]
    if stages is not None and not names:
        raise click.UsageError("--stages: expected names of stages separated by commas, got none")
    request = make_request(context.obj.project_path, env, jobs, names)
    backend = None
    if slurm is not None:
        from card24_pipeline.versioning.slurm_backend import SlurmBackend

        backend = SlurmBackend(request.root, slurm)
    context.exit(run_scale(request, backend))


@dvc.command()
@click.pass_obj
def heal(metadata: ProjectMetadata) -> None:
    """Restore every dvc.lock that a kill or a full disk has damaged."""
    from card24_pipeline.versioning.driver import heal_checkout

    for line in heal_checkout(metadata.project_path) or ["every dvc.lock is whole"]:
        click.echo(line)


@cli.command()
@click.pass_obj
def readme(metadata: ProjectMetadata) -> None:
    """Copy the default study's finding, time and size into README.md."""
    from card24_pipeline.study.readme import fill_readme, list_kept_times

    for path in list_kept_times(metadata.project_path):
        click.echo(f"README.md: minutes stay as they were: {path} is missing (a run of all stages in one go writes it)")
    click.echo(f"README.md: {'written' if fill_readme(metadata.project_path) else 'up to date'}")


@cli.command()
@click.pass_obj
def package(metadata: ProjectMetadata) -> None:
    """Package the project: its wheel and, beside it in dist/, its configuration."""
    from kedro.framework.cli.utils import call

    from card24_pipeline.versioning.settings import pack_configuration

    # As Kedro's own command does, but for links: those that lead out of conf/ would lead nowhere.
    options = ["--wheel", "--no-isolation", "--outdir", "dist"]
    call([sys.executable, "-m", "build", *options], cwd=str(metadata.project_path))
    pack_configuration(metadata.project_path, metadata.package_name)
