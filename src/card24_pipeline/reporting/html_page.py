"""The page: verdicts, figures, what was run, and every answer, in one file that needs no network."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from card24_pipeline.reporting.claims_table import format_figure, format_measured, format_seeds
from card24_pipeline.reporting.html_figures import PageFigure, render_figure

MARKS = {"holds": ("✓", "holds"), "does not hold": ("✗", "fails"), "undecided": ("?", "open")}


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: Its id.
        title: Its heading.
        text: What it shows, in plain text.
        figures: Its figures.
        missing: Why it has none, and how to make them; empty where it has.
    """

    key: str
    title: str
    text: str = ""
    figures: Sequence[PageFigure] = field(default=())
    missing: str = ""


def render_page(
    template: str,
    *,
    scale: str,
    claims: Mapping[str, Any] | None,
    sections: Sequence[Section],
    hands: str,
    facts: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Any],
    model_organism: bool,
) -> str:
    """Render the page.

    Args:
        template: Text of the Jinja2 template; every value is escaped.
        scale: Name of the study's scale.
        claims: The verdicts as ``claims.json`` has them; None where they were not judged.
        sections: The figures.
        hands: Output of ``pack_hands``; empty without any.
        facts: What was run: tables of two columns by their heading.
        parameters: All parameters of the study.
        model_organism: Whether the base was trained by the pipeline.

    Returns:
        HTML, the same text for the same arguments.
    """
    from jinja2 import Environment, StrictUndefined
    from plotly.offline import get_plotlyjs

    drawn = [
        {
            "key": section.key,
            "title": section.title,
            "text": section.text,
            "missing": section.missing,
            "figures": [
                {
                    "key": figure.key,
                    "title": figure.title,
                    "caption": figure.caption,
                    "html": Markup(render_figure(figure)),
                    "csv": _encode_csv(figure),
                }
                for figure in section.figures
            ],
        }
        for section in sections
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["code"] = _mark_code
    return environment.from_string(template).render(
        scale=scale,
        claims=_arrange_claims(claims),
        confidence=f"{claims['confidence']:.0%}" if claims else "",
        seeds=len(claims["seeds"]) if claims else 0,
        sections=drawn,
        plotly=Markup(get_plotlyjs()) if any(section.figures for section in sections) else "",
        hands=hands,
        facts=facts,
        parameters=json.dumps(parameters, indent=1, ensure_ascii=False),
        model_organism=model_organism,
    )


def _mark_code(text: str) -> Markup:
    """Escape a text and set what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _encode_csv(figure: PageFigure) -> str:
    text = figure.table.to_csv(index=False, float_format="%.6g")
    return f"data:text/csv;base64,{base64.b64encode(text.encode()).decode()}"


def _arrange_claims(claims: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Group the statements by claim, each with the cells of its row."""
    if claims is None:
        return []
    return [
        {
            "number": number,
            "title": title,
            "rows": [_write_row(row) for row in claims["statements"] if str(row["claim"]) == number],
        }
        for number, title in claims["titles"].items()
    ]


def _write_row(row: Mapping[str, Any]) -> dict[str, Any]:
    mark, kind = MARKS[row["verdict"]]
    published = [f"{figure['label']} {format_figure(figure, row['unit'])}" for figure in row["published"]]
    return {
        "text": row["text"],
        "by_construction": row["by_construction"],
        "verdict": row["verdict"],
        "mark": mark,
        "kind": kind,
        "measured": _bind_units(format_measured(row)),
        "basis": f"{row['clusters']} {NAMES[row['cluster']]}; seeds alone: {_bind_units(format_seeds(row))}"
        if row["clusters"]
        else "",
        "published": [*published, *filter(None, [row["published_note"]])],
    }


def _bind_units(text: str) -> str:
    """Keep a line from ending between a number and its percent sign."""
    return text.replace(" %", "\u00a0%")


NAMES = {"multiset": "multisets", "matrix": "matrices"}
