"""The node and its figures, on tables as the stages before it write them."""

import typing

import pandas as pd
import pytest

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.pipelines.report.report_recovery import report_recovery


@pytest.fixture
def report(study, tmp_path):
    def run(seeds):
        tables = {
            "sft_hands": study.make_sft_hands(),
            "selected": study.make_selected(),
            "rl_hands": study.make_rl_hands("plain"),
            "rl_history": study.make_history("plain"),
            "rl_anchored_hands": study.make_rl_hands("anchored"),
            "rl_anchored_history": study.make_history("anchored"),
            "variants": study.make_variants(),
            "recovery_hands": study.make_recovery_hands(),
        }
        for name, table in tables.items():
            for seed in seeds:
                table[table["seed"] == seed].drop(columns="seed").to_parquet(tmp_path / f"{name}_{seed}.parquet")
        readers = [SeedFrames(f"{tmp_path}/{name}_{{seed}}.parquet", "all") for name in tables]
        params = ReportParams(confidence=0.9, resamples=50, bootstrap_seed=0)
        return report_recovery(study.make_base_hands(), *readers, seeds, params)

    return run


def list_labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def find_line(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line


def find_bars(axes, label):
    return [container.lines[0] for container in axes.containers if container.get_label() == label]


def test_node_brings_seeds_together(report, study):
    points, chosen, by_k, controls, frontier, cost, page = report([0, 1])
    assert len(points) == 5 + len(study.list_edits())
    assert len(chosen) == 3 + len(study.edits)
    assert [len(figure.axes) for figure in (by_k, controls, frontier, cost)] == [4, 2, 2, 1]
    assert "(90% intervals)" in page
    for name in ("by_k", "controls", "frontier", "cost"):
        assert f"(recovery_{name}.png)" in page


def test_one_seed_without_rl_and_with_few_variants(report, study):
    study.passes.pop("plain")
    study.passes.pop("anchored")
    study.edits = {"layer_reset donor=max_ood": study.edits["layer_reset donor=max_ood"]}
    points, chosen, *figures, page = report([1])
    assert set(points["seeds"]) == {1}
    assert set(chosen["family"]) == {"max_ood", "layer_reset donor=max_ood"}
    for figure in figures:
        figure.draw_without_rendering()
    assert "top 20 % (donor MaxOOD) recovers at least 70% of the OOD loss: **undecided** (not measured)" in page


def test_figure_by_k_shows_families_and_checkpoints(report):
    by_k = report([0])[2]
    ood_by_fraction, ood_by_quarter, id_by_fraction, _ = by_k.axes
    line = find_line(ood_by_fraction, "top directions, MaxOOD")
    assert line.get_xdata().tolist() == [0.1, 0.2, 0.5]
    assert line.get_ydata().tolist() == pytest.approx([0.4, 0.5, 0.7])
    assert find_line(id_by_fraction, "top directions, MaxOOD").get_ydata().tolist() == pytest.approx([0.9, 0.9, 0.5])
    assert find_line(ood_by_quarter, "layers reset, MaxOOD").get_ydata().tolist() == pytest.approx([0.8, 0.2])
    assert len(ood_by_fraction.lines) == 4 + 3
    assert len(list_labels(by_k)) == len(set(list_labels(by_k))) == 4 + 2 + 3


def test_figure_of_controls_is_sorted_and_shows_what_keeps_id(report, study):
    controls = report([0])[3]
    ood, _ = controls.axes
    (any_id,) = find_bars(ood, "best knob whatever ID")
    (kept,) = find_bars(ood, "best knob that keeps ID")
    assert any_id.get_xdata().tolist() == sorted(any_id.get_xdata())
    assert len(any_id.get_xdata()) == 3 + len(study.edits)
    assert len(kept.get_xdata()) == len(any_id.get_xdata()) - 4
    assert find_line(ood, "MaxOOD").get_xdata()[0] == pytest.approx(60)
    assert find_line(ood, "70% of the loss to MaxOOD").get_xdata()[0] == pytest.approx(42)
    assert "RL from End" in [text.get_text() for text in ood.get_yticklabels()]


def test_figure_of_the_frontier_has_a_line_for_every_family(report, study):
    frontier = report([0])[4]
    of_max_ood, of_base = frontier.axes
    lines = [line for line in of_max_ood.lines if not line.get_label().startswith("_")]
    assert len(lines) == len(study.edits) - 1
    assert [line.get_label() for line in of_base.lines if not line.get_label().startswith("_")] == [
        "top directions, base"
    ]
    styles = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(styles) == len(lines)
    for axes in frontier.axes:
        assert len(axes.containers) == 5


def test_figure_of_cost_has_the_free_models_at_its_left_end(report):
    cost = report([0])[5]
    (axes,) = cost.axes
    assert axes.get_xscale() == "symlog"
    (kept,) = find_bars(axes, "RL from End")
    assert kept.get_xdata().tolist() == [30_000]
    (reset,) = find_bars(axes, "layers reset")
    assert set(reset.get_xdata()) == {0}
    assert len(list_labels(cost)) == len(set(list_labels(cost)))


def test_type_hints_are_read_without_matplotlib():
    hints = typing.get_type_hints(report_recovery)
    assert hints["return"] == tuple[pd.DataFrame, pd.DataFrame, *[typing.Any] * 4, str]
