"""Draw every figure and render the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.findings.gathering import open_findings
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.findings.reading import read_study
from card24_pipeline.page.drawing import draw_figure
from card24_pipeline.page.hands import pack_hands
from card24_pipeline.page.page import render_page
from card24_pipeline.page.sections import FIGURE_KEYS, build_sections, list_roles, name_hands
from card24_pipeline.parameters.plain import to_plain
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.provenance import digest_files, list_versions, read_processor

SHOWN = "shown_"


def show_study(
    claims: dict[str, Any],
    claims_file: Path,
    models: pd.DataFrame,
    estimates: pd.DataFrame,
    runs: pd.DataFrame,
    seeds: list[int],
    rules: RulesParams,
    params: FindingsParams,
    **inputs: Any,
) -> list[Any]:
    """Bring figures, verdicts and every answer together on one page, and draw the figures as files.

    Args:
        claims: The verdicts.
        claims_file: Where they lie, beside all that the page is made of.
        models: With the next two, the findings.
        estimates: See above.
        runs: See above.
        seeds: The study's seeds.
        rules: The game's rules.
        params: Settings of the findings.
        **inputs: The rest of the study's tables and arms, and as ``shown_<name>`` the parameters that the page lists.

    Returns:
        The page, as HTML, then Matplotlib figures in the order of ``FIGURE_KEYS``.
    """
    findings = open_findings(models, estimates, runs, ood=next(iter(rules.ood)), params=params)
    tables = read_study(seeds, inputs)
    sections = build_sections(findings, tables)
    figures = {figure.key: figure for section in sections for figure in section.figures}
    shown = {name.removeprefix(SHOWN): to_plain(value) for name, value in inputs.items() if name.startswith(SHOWN)}
    page = render_page(
        scale=claims_file.parent.name,
        claims=claims,
        sections=sections,
        hands=pack_hands(name_hands(tables), list_roles(tables)),
        facts=_list_facts(claims_file.parent),
        parameters=shown,
        model_organism=shown["base_model"]["source"]["kind"] == "from_scratch",
        engineering=params.engineering_only,
    )
    return [page, *(draw_figure(figures[key]) for key in FIGURE_KEYS)]


def _list_facts(folder: Path) -> dict[str, dict[str, str]]:
    """List what the page was made with, and the digests of the files in the folder that it was made of."""
    files = [folder / name for name in ("claims.json", "models.csv", "estimates.csv", "rl_runs.csv")]
    return {
        "Rendered with": list_versions() | {"processor": read_processor(), "cores": str(os.cpu_count())},
        "Digests of what it was made of (md5)": digest_files(files, folder),
    }
