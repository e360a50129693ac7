"""Averages, contrasts, verdicts, figures and page of spectra that are made up so that every figure is known."""

import typing

import numpy as np
import pandas as pd
import pytest

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.pipelines.report.report_spectra import report_spectra
from card24_pipeline.reporting.html_figures import render_figure
from card24_pipeline.reporting.html_weights import show_depth, show_rotation, show_sigma
from card24_pipeline.reporting.spectra_contrasts import (
    SIGMA_SHIFT,
    SpectraContrastBuilder,
    estimate_quantile,
    name_angle,
)
from card24_pipeline.reporting.spectra_figures import draw_depth, draw_rotation, draw_sigma_shift
from card24_pipeline.reporting.spectra_page import write_spectra_report
from card24_pipeline.reporting.spectra_summary import BASE_TO_END, CHANGES, find_fraction, summarise_spectra
from card24_pipeline.reporting.spectra_verdicts import judge_change, judge_return

SEEDS = (0, 1)
MAX_OOD, END = 10, 40
MATRICES = [
    {"tensor": f"layers.{layer}.{kind}", "part": part, "kind": kind, "layer": layer}
    for layer in (0, 1)
    for part, kind in (("attention", "q_proj"), ("mlp", "up_proj"))
]
DRAWS = {"observed": 1, "gaussian": 3, "spectrum_matched": 3}
PAIRS = [("base_to_sft", MAX_OOD), ("base_to_sft", END), ("max_ood_to_end", END), ("sft_to_rl", END)]
INDICES = 20


@pytest.fixture
def selected():
    return pd.DataFrame({"seed": [0, 0, 1, 1], "role": ["max_ood", "end"] * 2, "step": [MAX_OOD, END] * 2})


@pytest.fixture
def spectra():
    """Everything is the same in the observed change and in the nulls: angles of 10°, shifts of 0.4 %."""
    bands = [("all", 1.0), *((band, fraction) for band in ("top", "bulk", "tail") for fraction in (0.1, 0.22))]
    rows = [
        {"seed": seed, "pair": pair, "step": step, **matrix, "model": model, "draw": draw, "band": band}
        | {
            "fraction": fraction,
            "relative_sigma_shift": 0.004,
            "signed_sigma_shift": -0.001,
            "left_angle_degrees": float("nan") if band == "all" else 8.0,
            "right_angle_degrees": float("nan") if band == "all" else 12.0,
            "energy_inside": 0.25,
            "norm_ratio": 0.03,
            "changed_share": 0.9 if model == "observed" else float("nan"),
        }
        for seed in SEEDS
        for pair, step in PAIRS
        for matrix in MATRICES
        for model, draws in DRAWS.items()
        for draw in range(draws)
        for band, fraction in bands
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def by_index():
    """Vectors turn by 30° at both ends and by 10° in the bulk, at gaps that are all alike."""
    position = np.arange(INDICES) / (INDICES - 1)
    degrees = np.where((position < 0.2) | (position > 0.8), 30.0, 10.0)
    columns = {
        "index": range(INDICES),
        "position": position,
        "left_cosine": np.cos(np.radians(degrees)),
        "right_cosine": np.cos(np.radians(degrees)),
        "relative_sigma_shift": 0.004,
        "relative_gap": 1.0,
    }
    frames = [
        pd.DataFrame({"seed": seed, "pair": pair, "step": step, **matrix, "model": model} | columns)
        for seed in SEEDS
        for pair, step in PAIRS
        for matrix in MATRICES
        for model in DRAWS
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def rl_return():
    """RL from End goes a quarter of the way to MaxOOD, at a right angle to the way to the base."""
    rows = [
        {"seed": seed, "arm": "plain", "from_step": END, "reference": reference, **matrix}
        | {"projection": share * size, "distance_squared": size, "rl_norm_squared": size / 4}
        | {"left_angle_before_degrees": 20.0, "right_angle_before_degrees": 24.0}
        | {"left_angle_after_degrees": 20.0 - turned, "right_angle_after_degrees": 24.0 - turned}
        for seed in SEEDS
        for reference, share, turned in (("max_ood", 0.25, 1.5), ("base", 0.0, -0.5))
        for size, matrix in enumerate(MATRICES, start=1)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def builder():
    return SpectraContrastBuilder(resamples=200, confidence=0.9, seed=1)


@pytest.fixture
def contrast(builder, spectra, by_index, selected):
    def run(steps=(END,), pairs=("base_to_sft",), *, ends=False):
        """Leave out what a test does not look at: it takes a while."""
        bands, indices = (table[table["pair"].isin(pairs) & table["step"].isin(steps)] for table in (spectra, by_index))
        return builder.contrast_changes(bands, indices if ends else indices.iloc[:0], selected, fraction=0.22)

    return run


def find(contrasts, measure, model, scope="all seeds"):
    rows = contrasts[(contrasts["pair"] == "base_to_sft") & (contrasts["role"] == "end")]
    (row,) = rows[rows[["measure", "model", "scope"]].eq([measure, model, scope]).all(axis=1)].to_dict("records")
    return row


def pick(spectra, band="top", model="observed", pair="base_to_sft", step=END):
    """Where the rows of one band, model and change are."""
    same_change = (spectra["pair"] == pair) & (spectra["step"] == step)
    return same_change & (spectra["band"] == band) & (spectra["model"] == model)


class TestSummary:
    def test_it_averages_over_matrices_seeds_and_draws(self, spectra, selected):
        observed = pick(spectra, "all")
        spectra.loc[observed, "relative_sigma_shift"] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.004, 0.004, 0.008]
        summary = summarise_spectra(spectra, selected).set_index(["pair", "step", "model", "band", "fraction"])
        row = summary.loc["base_to_sft", END, "observed", "all", 1.0]
        assert row["relative_sigma_shift"] == pytest.approx(0.002)
        assert row["relative_sigma_shift_median"] == 0
        assert (row["role"], row["tensors"], row["seeds"]) == ("end", 4, 2)
        top = summary.loc["base_to_sft", END, "gaussian", "top", 0.22]
        assert top[["left_angle_degrees", "right_angle_degrees", "angle_degrees"]].tolist() == [8, 12, 10]
        assert np.isnan(top["changed_share"])

    def test_steps_without_a_role_have_none_and_shared_steps_have_both(self, spectra, selected):
        selected = pd.concat([selected[selected["role"] == "max_ood"], selected.assign(role="rung_1", step=MAX_OOD)])
        roles = summarise_spectra(spectra, selected).groupby("step")["role"].unique()
        assert roles.map(list).to_dict() == {MAX_OOD: ["max_ood, rung_1"], END: [""]}

    def test_fraction_is_the_one_nearest_to_a_fifth(self, spectra):
        assert find_fraction(spectra) == 0.22


class TestContrasts:
    def test_angle_of_a_band_is_held_against_a_quantile_of_the_draws(self, contrast, spectra):
        for draw, angle in enumerate((2.0, 4.0, 6.0)):
            drawn = pick(spectra, model="gaussian") & (spectra["draw"] == draw)
            spectra.loc[drawn, ["left_angle_degrees", "right_angle_degrees"]] = angle
        contrasts = contrast()
        top = name_angle("top")
        assert find(contrasts, top, "gaussian")["estimate"] == pytest.approx(4)
        # Draws of 2, 4 and 6 have a standard deviation of 2.
        assert find(contrasts, top, "over gaussian")["estimate"] == pytest.approx(10 - (4 + 1.6449 * 2), abs=1e-3)
        assert find(contrasts, top, "over spectrum_matched")["estimate"] == pytest.approx(0)

    def test_spread_of_the_draws_is_what_all_matrices_have_in_common(self):
        table = pd.DataFrame({"tensor": list("aabbc"), "angle": [1.0, 3.0, 10.0, 14.0, 7.0]})
        quantiles = estimate_quantile(table.groupby("tensor")["angle"], 0.95)
        # Squared deviations 2 and 8 with a degree of freedom each; the third matrix has a single draw.
        assert quantiles.to_dict() == pytest.approx(
            {"a": 2 + 1.6449 * 5**0.5, "b": 12 + 1.6449 * 5**0.5, "c": 7 + 1.6449 * 5**0.5}, abs=1e-3
        )

    def test_single_draws_have_no_quantile(self):
        table = pd.DataFrame({"tensor": list("ab"), "angle": [1.0, 3.0]})
        assert estimate_quantile(table.groupby("tensor")["angle"], 0.95).isna().all()

    def test_energy_is_held_against_the_mean_of_the_draws(self, contrast, spectra):
        spectra.loc[pick(spectra, model="gaussian") & (spectra["draw"] == 0), "energy_inside"] = 0.1
        row = find(contrast(), "energy of ΔW inside the top subspaces", "over gaussian")
        assert row["estimate"] == pytest.approx(0.05)

    def test_seeds_of_a_matrix_move_together(self, contrast, spectra, by_index):
        one = MATRICES[0]["tensor"]
        spectra.drop(spectra[spectra["tensor"] != one].index, inplace=True)
        spectra.loc[pick(spectra, "all"), "relative_sigma_shift"] = [0.001, 0.005]
        row = find(contrast(), SIGMA_SHIFT, "observed")
        assert [row["estimate"], row["low"], row["high"]] == pytest.approx([0.003] * 3)
        assert (row["tensors"], row["seeds"]) == (1, 2)

    def test_every_seed_is_a_scope(self, contrast, spectra):
        spectra.loc[pick(spectra, "all") & (spectra["seed"] == 1), "relative_sigma_shift"] = 0.006
        contrasts = contrast()
        found = [find(contrasts, SIGMA_SHIFT, "observed", scope) for scope in ("all seeds", "seed 0", "seed 1")]
        assert [row["estimate"] for row in found] == pytest.approx([0.005, 0.004, 0.006])

    def test_each_seed_is_taken_at_its_own_step(self, contrast, spectra, selected):
        spectra.loc[pick(spectra, "all", step=MAX_OOD), "relative_sigma_shift"] = 0.1
        selected.loc[(selected["seed"] == 1) & (selected["role"] == "end"), "step"] = MAX_OOD
        row = find(contrast((MAX_OOD, END)), SIGMA_SHIFT, "observed")
        assert row["estimate"] == pytest.approx((0.004 + 0.1) / 2)

    def test_interval_covers_the_choice_of_matrices(self, contrast, spectra):
        spectra.loc[pick(spectra, "all"), "relative_sigma_shift"] = [0.001, 0.002, 0.003, 0.006] * 2
        row = find(contrast(), SIGMA_SHIFT, "observed")
        assert row["estimate"] == pytest.approx(0.003)
        assert 0.001 <= row["low"] < 0.003 < row["high"] <= 0.006


class TestReturn:
    def test_share_cosine_and_angle_are_those_put_in(self, builder, rl_return, selected):
        table = builder.contrast_return(rl_return, selected)
        pooled = table[table["scope"] == "all seeds"].set_index("reference")
        assert pooled.loc["max_ood", ["share", "share_low", "share_high"]].tolist() == pytest.approx([0.25] * 3)
        assert pooled.loc["max_ood", "cosine"] == pytest.approx(0.5)
        assert pooled.loc["max_ood", "angle_change"] == pytest.approx(-1.5)
        assert pooled.loc["base", ["share", "cosine", "angle_change"]].tolist() == pytest.approx([0, 0, 0.5])
        assert set(table["scope"]) == {"all seeds", "seed 0", "seed 1"}

    def test_share_is_a_ratio_of_sums(self, builder, rl_return, selected):
        largest = rl_return["distance_squared"] == 4
        rl_return["projection"] = np.where(largest, 4.0, 0.0)
        table = builder.contrast_return(rl_return, selected).set_index(["reference", "scope"])
        assert table.loc[("max_ood", "all seeds"), "share"] == pytest.approx(0.4)

    def test_verdicts(self, builder, rl_return, selected):
        lines = judge_return(builder.contrast_return(rl_return, selected)).splitlines()
        way = "**holds** (+25.00% (+25.00% to +25.00%) of the way; cosine +0.500)"
        assert lines == [
            f"- RL from End turns the weights back toward MaxOOD: {way}",
            "- … and brings the top subspaces nearer: **holds** (-1.50° (-1.50° to -1.50°))",
            "- RL from End turns the weights back toward the base: **undecided** "
            "(+0.00% (+0.00% to +0.00%) of the way; cosine +0.000)",
            "- … and brings the top subspaces nearer: **does not hold** (+0.50° (+0.50° to +0.50°))",
        ]

    @pytest.mark.parametrize("columns", [slice(None), slice(0, 1)])
    def test_without_runs_it_is_not_measured(self, builder, rl_return, selected, columns):
        table = builder.contrast_return(rl_return.iloc[:0, columns], selected)
        assert table.empty
        assert judge_return(table) == "- RL turns the weights back: **undecided** (not measured)"


class TestVerdicts:
    @pytest.fixture
    def judge(self, contrast):
        def run(*, ends=False):
            lines = judge_change(contrast(ends=ends), BASE_TO_END, fraction=0.22).splitlines()
            return dict(line.removeprefix("- ").split(": **", 1) for line in lines[:5])

        return run

    def test_what_the_nulls_show_as_well_is_no_evidence(self, judge):
        verdicts = judge(ends=True)
        sigma = verdicts["Singular values hardly change (by less than 1%)"]
        assert sigma.startswith("holds** (+0.40% (+0.40% to +0.40%); Gaussian null +0.40%; ")
        assert sigma.endswith("; so do both nulls: no evidence)")
        ends = verdicts["Rotation is larger at the two ends than in the bulk"]
        assert ends.startswith("holds** (+20.00° (")
        assert ends.endswith("; so do both nulls: no evidence)")
        assert verdicts["Directions of the top 22% turn more than in either null"].startswith("undecided** (over the")

    def test_one_null_alone_is_named(self, judge, spectra):
        spectra.loc[pick(spectra, "all", "gaussian"), "relative_sigma_shift"] = 0.05
        sigma = judge()["Singular values hardly change (by less than 1%)"]
        assert sigma.endswith("; so does the spectrum-matched null: no evidence)")

    def test_large_shifts_are_no_small_ones(self, judge, spectra):
        spectra.loc[pick(spectra, "all"), "relative_sigma_shift"] = 0.05
        sigma = judge()["Singular values hardly change (by less than 1%)"]
        assert sigma.startswith("does not hold** (+5.00%")
        assert "no evidence" not in sigma

    @pytest.mark.parametrize(
        ("nulls", "verdict"),
        [
            ((4.0, 4.0), "holds"),
            ((4.0, 10.0), "undecided"),
            ((4.0, 30.0), "does not hold"),
        ],
    )
    def test_directions_must_exceed_both_nulls(self, judge, spectra, nulls, verdict):
        for model, angle in zip(("gaussian", "spectrum_matched"), nulls, strict=True):
            spectra.loc[pick(spectra, "tail", model), ["left_angle_degrees", "right_angle_degrees"]] = angle
        told = judge()["… of the tail 22%"]
        assert told.startswith(f"{verdict}** (over the Gaussian null +6.00° (+6.00° to +6.00°); ")

    def test_ends_beyond_both_nulls_at_equal_gaps(self, contrast, by_index):
        nulls = by_index["model"] != "observed"
        by_index.loc[nulls, ["left_cosine", "right_cosine"]] = 1.0
        lines = judge_change(contrast(ends=True), BASE_TO_END, fraction=0.22).splitlines()
        assert lines[5].startswith("- … at equal spectral gaps: **holds** (+20.00° (")
        assert "no evidence" not in lines[5]
        assert lines[6].startswith("- … and beyond both nulls: **holds** (over the Gaussian null +20.00° (")


class TestFigures:
    def test_rotation_shows_sides_and_parts_beside_the_nulls(self, by_index, selected):
        by_index.loc[by_index["model"] == "gaussian", "left_cosine"] = 1.0
        figure = draw_rotation(by_index, selected)
        titles = [f"{side} singular vectors, {part}" for side in ("left", "right") for part in ("attention", "MLP")]
        assert [axes.get_title() for axes in figure.axes] == titles
        observed, gaussian, _ = figure.axes[0].lines
        assert observed.get_ydata()[[0, 10, -1]].tolist() == pytest.approx([30, 10, 30])
        assert gaussian.get_ydata().tolist() == pytest.approx([0] * len(gaussian.get_ydata()))
        assert len({(line.get_marker(), line.get_linestyle()) for line in figure.axes[0].lines}) == 3
        assert len(figure.legends[0].get_texts()) == 3

    def test_shift_grows_with_the_step_and_has_its_bound(self, spectra, by_index, selected):
        spectra.loc[pick(spectra, "all", step=MAX_OOD), "relative_sigma_shift"] = 0.001
        figure = draw_sigma_shift(spectra, by_index, selected)
        left, right = figure.axes
        assert [tick.get_text() for tick in right.get_xticklabels()] == [str(MAX_OOD), str(END)]
        assert right.lines[0].get_ydata().tolist() == pytest.approx([0.001, 0.004])
        for axes in (left, right):
            assert axes.lines[-1].get_ydata()[0] == 0.01

    def test_depth_shows_kinds_and_what_exceeds_the_nulls(self, spectra, selected):
        deep = pick(spectra) & (spectra["layer"] == 1)
        spectra.loc[deep, ["left_angle_degrees", "right_angle_degrees"]] = 16.0
        figure = draw_depth(spectra, selected, fraction=0.22)
        by_step, by_layer, over_gaussian, _ = figure.axes
        assert by_step.lines[0].get_ydata().tolist() == pytest.approx([10, 13])
        assert by_layer.lines[0].get_ydata().tolist() == pytest.approx([10, 16])
        assert over_gaussian.lines[0].get_ydata().tolist() == pytest.approx([0, 6])
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["q_proj", "up_proj"]

    def test_nothing_to_draw_draws_empty_panels(self, spectra, by_index, selected):
        none = spectra.iloc[:0], by_index.iloc[:0]
        figures = [draw_rotation(none[1], selected), draw_sigma_shift(*none, selected)]
        figures.append(draw_depth(none[0], selected, fraction=0.2))
        assert [(len(figure.axes), len(figure.legends)) for figure in figures] == [(4, 0), (2, 0), (4, 0)]
        figures[1].draw_without_rendering()  # its logarithmic axes must do without a value


class TestPageFigures:
    def test_rotation_stands_beside_the_nulls(self, by_index, selected):
        by_index.loc[by_index["model"] == "gaussian", "left_cosine"] = 1.0
        figure = show_rotation(by_index, selected)
        left = figure.table[figure.table["panel"] == "left vectors, attention"].groupby("series")["y"]
        assert left.max().to_dict() == pytest.approx(
            {"observed": 30, "null: Gaussian": 0, "null: spectrum-matched": 30}
        )
        assert f'id="plot-{figure.key}"' in render_figure(figure)

    def test_depth_is_the_angle_of_the_top_by_layer(self, spectra, selected):
        figure = show_depth(spectra, selected, fraction=0.22)
        assert figure.table["y"].tolist() == pytest.approx([10] * len(figure.table))
        assert f'id="plot-{figure.key}"' in render_figure(figure)

    def test_sigma_has_its_shift(self, by_index, selected):
        figure = show_sigma(by_index, selected)
        assert figure.table["y"].tolist() == pytest.approx([0.004] * len(figure.table))
        assert f'id="plot-{figure.key}"' in render_figure(figure)


class TestPage:
    @pytest.fixture
    def write(self, builder, contrast, spectra, selected):
        def run(rl_return):
            summary, returned = summarise_spectra(spectra, selected), builder.contrast_return(rl_return, selected)
            contrasts = contrast((MAX_OOD, END), spectra["pair"].unique(), ends=True)
            return write_spectra_report(summary, contrasts, returned, fraction=0.22, confidence=0.9)

        return run

    def test_every_change_has_its_verdicts_and_table(self, write, rl_return):
        page = write(rl_return)
        sections = page.split("\n## ")
        for change, section in zip(CHANGES, sections[1:], strict=False):
            assert section.startswith(f"{change.title} (90% intervals)")
            assert section.count("\n- ") == 13
            assert "| angle of the top | +10.00° (" in section
        assert "| plain | End | MaxOOD | +25.00% (+25.00% to +25.00%) | +0.500 | -1.50° (" in page
        row = "| base_to_sft | 40 | end | observed | 0.40% | -0.10% | 10.00 | 10.00 | 10.00 | 25.0% | 0.0300 | 90.0% |"
        assert row in page

    def test_missing_pairs_and_runs_are_not_measured(self, write, spectra, by_index, rl_return):
        for table in (spectra, by_index):
            table.drop(table[table["pair"] != "base_to_sft"].index, inplace=True)
        page = write(rl_return.iloc[:0])
        through_rl = page.split("## From End through RL")[1].split("\n## ")[0]
        assert through_rl.count("**undecided** (not measured)") == 13
        assert "Not measured." in through_rl
        assert "- RL turns the weights back: **undecided** (not measured)" in page


class TestNode:
    def test_it_brings_seeds_together(self, spectra, by_index, rl_return, selected, tmp_path):
        spectra, by_index = (table[table["pair"] == "base_to_sft"] for table in (spectra, by_index))
        tables = {"spectra": spectra, "by_index": by_index, "return": rl_return, "selected": selected}
        for name, table in tables.items():
            for seed, part in table.groupby("seed"):
                part.drop(columns="seed").to_parquet(tmp_path / f"{name}_{seed}.parquet")
        readers = [SeedFrames(f"{tmp_path}/{name}_{{seed}}.parquet", "all") for name in tables]
        params = ReportParams(confidence=0.9, resamples=20, bootstrap_seed=0)
        summary, contrasts, returned, *figures, page = report_spectra(*readers, [0, 1], params)
        assert set(summary["seeds"]) == {2}
        assert set(contrasts["scope"]) == set(returned["scope"]) == {"all seeds", "seed 0", "seed 1"}
        assert [len(figure.axes) for figure in figures] == [4, 2, 4]
        assert "bands of 22%" in page

    def test_type_hints_are_read_without_matplotlib(self):
        frames = (pd.DataFrame,) * 3
        assert typing.get_type_hints(report_spectra)["return"] == tuple[*frames, *((typing.Any,) * 3), str]
