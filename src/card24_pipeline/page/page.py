"""The page: verdicts, figures, what was run, and every answer, in one file that needs no network."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from card24_pipeline.page.figure import Figure
from card24_pipeline.page.plotting import render_figure
from card24_pipeline.page.reports import count_published_hands, load_templates
from card24_pipeline.page.tables import describe_claim, is_decided
from card24_pipeline.page.titles import describe_basis
from card24_pipeline.study.vocabulary import CLAIMS, EXPLORATORY, FAILS, HOLDS, MEANINGLESS, UNDECIDED

MARKS = {HOLDS: ("✓", "holds"), FAILS: ("✗", "fails"), UNDECIDED: ("?", "open"), EXPLORATORY: ("", "plain")}


@dataclass(frozen=True)
class Section:
    """A part of the page: its id, heading and figures, and tables by their heading."""

    key: str
    title: str
    figures: Sequence[Figure]
    tables: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)


def render_page(
    *,
    scale: str,
    claims: Mapping[str, Any],
    sections: Sequence[Section],
    hands: str,
    facts: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Any],
    model_organism: bool,
    engineering: bool,
) -> str:
    """Render the page.

    Args:
        scale: Name of the study's scale.
        claims: The verdicts as ``claims.json`` has them.
        sections: The figures.
        hands: Output of ``pack_hands``.
        facts: What was run: tables of two columns by their heading.
        parameters: All parameters of the study.
        model_organism: Whether the base was trained by the pipeline.
        engineering: Whether the scale's figures mean nothing.

    Returns:
        HTML, the same text for the same arguments.
    """
    from plotly.offline import get_plotlyjs

    environment = load_templates(html=True)
    environment.filters["code"] = _mark_code
    return environment.get_template("page.html.j2").render(
        **_describe_claims(claims),
        scale=scale,
        sections=[_show_section(section) for section in sections],
        plotly=Markup(get_plotlyjs()),
        hands=hands,
        facts=facts,
        parameters=json.dumps(parameters, indent=1, ensure_ascii=False),
        model_organism=model_organism,
        warning=MEANINGLESS if engineering else "",
    )


def _describe_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Write what the page says of the statements, claim by claim, and of what they rest on."""
    rows = claims["statements"]
    return {
        "claims": [
            {"number": number, "title": title, "rows": [_write_row(row) for row in rows if row["claim"] == number]}
            for number, title in CLAIMS.items()
        ],
        "confidence": f"{claims['confidence']:.0%}",
        "replicates": len(claims["seeds"]),
        "basis": describe_basis(len(claims["seeds"]), conditional=claims["conditional"]),
        "decided": is_decided(claims),
        "published_hands": count_published_hands(claims),
    }


def _show_section(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "figures": [_embed(figure) for figure in section.figures],
        "tables": {heading: rows for heading, rows in section.tables.items() if rows},
    }


def _embed(figure: Figure) -> dict[str, Any]:
    csv = figure.table.to_csv(index=False, float_format="%.6g")
    return {
        "key": figure.key,
        "title": figure.title,
        "caption": figure.caption,
        "html": Markup(render_figure(figure)),
        "csv": f"data:text/csv;base64,{base64.b64encode(csv.encode()).decode()}",
    }


def _mark_code(text: str) -> Markup:
    """Escape a text and set what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _write_row(row: Mapping[str, Any]) -> dict[str, Any]:
    told, (mark, kind) = describe_claim(row), MARKS[row["verdict"]]
    basis = [f"{row['clusters']} {row['cluster']}; replicates alone: {told['alone']}"] if row["clusters"] else []
    return {
        **{name: row[name] for name in ("text", "by_construction", "verdict")},
        "mark": mark,
        "kind": kind,
        # A line must not end between a number and its percent sign.
        "measured": told["measured"].replace(" %", "\u00a0%"),
        "basis": "; ".join([*basis, *told["notes"]]).replace(" %", "\u00a0%"),
        "published": told["published"],
    }
