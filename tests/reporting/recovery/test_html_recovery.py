"""The page's figures of recovery, drawn from a study in miniature."""

import pytest

from card24_pipeline.reporting.html_figures import render_figure
from card24_pipeline.reporting.html_recovery import (
    show_choices,
    show_costs,
    show_fractions,
    show_frontier,
    show_quarters,
)
from card24_pipeline.reporting.recovery_choices import choose_knobs
from tests.reporting.recovery.conftest import Study


@pytest.mark.parametrize("show", [show_fractions, show_quarters, show_frontier, show_costs])
def test_points_are_drawn(show):
    figure = show(Study().trace_points())
    assert len(figure.table)
    assert f'id="plot-{figure.key}"' in render_figure(figure)


def test_choices_stand_sideways_with_their_intervals():
    figure = show_choices(choose_knobs(Study().trace_points()))
    html = render_figure(figure)
    assert '"error_x":{"array"' in html
    best = figure.table.set_index(["panel", "series", "x"]).loc[
        "OOD", "best knob that keeps ID", "interpolation, MaxOOD"
    ]
    assert best["y"] == pytest.approx(60)


def test_of_a_method_that_was_not_run_there_is_nothing_to_draw():
    study = Study()
    study.edits = {family: knobs for family, knobs in study.edits.items() if not family.startswith("layer_reset")}
    figure = show_quarters(study.trace_points())
    assert figure.table.empty
    with pytest.raises(ValueError, match="'quarters': its table has no rows"):
        render_figure(figure)
