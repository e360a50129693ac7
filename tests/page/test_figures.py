import pandas as pd
import pytest

from card24_pipeline.page.drawing import draw_figure
from card24_pipeline.page.figure import Figure, make_table
from card24_pipeline.page.plotting import DASHES, PATTERNS, SYMBOLS, render_figure
from card24_pipeline.page.sections import FIGURE_KEYS, build_sections
from card24_pipeline.page.sft_paths import show_paths
from card24_pipeline.study.vocabulary import COLOURS, FIXED_STYLES, style_series

HOSTILE = "</script><img src=x onerror=alert(1)>"


def make_figure(key="one", **more):
    rows = [
        {"panel": panel, "series": series, "x": x, "y": y, "low": y - 0.1, "high": y + 0.1, "note": note}
        for panel, series, x, y, note in (
            ("left", "a", 1, 0.1, HOSTILE),
            ("left", "b", 1, 0.2, ""),
            ("right", "a", 2, 0.3, ""),
        )
    ]
    return Figure(key, f"Figure {key}", "A caption.", make_table(rows), "x", "y", **more)


class TestStyles:
    def test_words_of_the_study_have_their_own_and_others_differ(self):
        styles = style_series(["MaxOOD", "one", "two", "one"])
        assert styles["MaxOOD"] == FIXED_STYLES["MaxOOD"]
        assert styles["one"] != styles["two"]
        many = style_series(map(str, range(14)))
        assert len({(style.colour, style.marker) for style in many.values()}) == 14

    def test_both_renderers_know_every_style(self):
        styles = [*style_series(map(str, range(40))).values(), *FIXED_STYLES.values()]
        assert {style.marker for style in styles} <= set(SYMBOLS)
        assert {style.dash for style in styles} <= set(DASHES)
        assert {style.colour for style in styles} <= set(PATTERNS) == set(COLOURS)


class TestRenderers:
    @pytest.mark.parametrize("more", [{}, {"mode": "points"}, {"mode": "bars"}, {"sideways": True, "mode": "points"}])
    def test_the_page_s_ids_are_fixed(self, more):
        html = render_figure(make_figure(**more))
        assert html == render_figure(make_figure(**more))
        assert 'id="plot-one"' in html

    def test_a_series_stands_in_the_legend_once(self):
        html = render_figure(make_figure())
        assert html.count('"showlegend":true') == 2
        assert html.count('"showlegend":false') == 1

    def test_both_draw_the_same_points_in_the_same_colours(self):
        figure = make_figure()
        html = render_figure(figure)
        axes = draw_figure(figure).axes
        assert [one.get_title() for one in axes] == ["left", "right"]
        for series, style in style_series(figure.series).items():
            assert style.colour in html
            lines = [
                line for line in axes[0].get_lines() if line.get_color() == style.colour and len(line.get_xdata()) == 1
            ]
            points = figure.table[(figure.table["panel"] == "left") & (figure.table["series"] == series)]
            assert lines[0].get_ydata().tolist() == points["y"].tolist()

    def test_bars_are_stacked_to_one(self):
        rows = [
            {"panel": "p", "series": series, "x": model, "y": share}
            for series, share in (("correct", 0.25), ("illegal", 0.75))
            for model in ("base", "End")
        ]
        axes = draw_figure(Figure("bars", "", "", make_table(rows), "", "", mode="bars")).axes[0]
        assert max(bar.get_x() + bar.get_width() for bar in axes.patches) == pytest.approx(1)

    def test_names_stay_in_their_order(self):
        rows = [{"panel": "p", "series": "s", "x": x, "y": 1.0} for x in ("40", "5", "10")]
        axes = draw_figure(Figure("f", "", "", make_table(rows), "", "", categories=True)).axes[0]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["40", "5", "10"]

    @pytest.mark.parametrize("draw", [render_figure, draw_figure])
    def test_nothing_to_draw_is_refused(self, draw):
        empty = Figure("none", "", "", make_table([]), "", "")
        with pytest.raises(ValueError, match="figure 'none': its table has no rows"):
            draw(empty)


class TestLabels:
    @pytest.fixture
    def figure(self):
        rows = [{"panel": "p", "series": name, "x": 1.0, "y": y} for name, y in (("a", 0.5), ("b", 0.51), ("c", 1.0))]
        return Figure("f", "", "", make_table(rows), "", "", labelled=("a", "b"), parts={"c": "a"})

    def test_names_stand_at_the_last_points_and_apart(self, figure):
        assert figure.place_labels("p", 0.1) == [("a", 1.0, 0.5, 0.5), ("b", 1.0, 0.51, pytest.approx(0.6))]

    def test_a_part_is_drawn_as_its_whole_and_neither_stands_in_the_legend(self, figure):
        assert figure.styles["c"] == figure.styles["a"] != figure.styles["b"]
        drawing = draw_figure(figure)
        assert [text.get_text() for text in drawing.axes[0].texts] == ["a", "b"]
        assert not drawing.legends[0].get_texts()
        assert '"showlegend":true' not in render_figure(figure)


class TestStudy:
    @pytest.fixture(scope="class")
    def drawn(self, small_study_tables, findings):
        return {
            figure.key: figure for section in build_sections(findings, small_study_tables) for figure in section.figures
        }

    def test_every_figure_that_is_a_file_is_there_and_can_be_drawn(self, drawn):
        assert set(FIGURE_KEYS) <= set(drawn)
        for figure in drawn.values():
            assert len(draw_figure(figure).axes) == len(figure.panels)
            assert render_figure(figure)

    def test_figures_show_the_estimates(self, drawn, findings):
        frontier = drawn["frontier"].table.set_index(["panel", "series", "note"])
        point = frontier.loc[("donor MaxOOD", "top directions, MaxOOD", "top fraction 0.2")]
        row = findings.find("pass@1", "main/uv_top donor=max_ood top_fraction=0.2", split="ood")
        assert point[["y", "low", "high"]].tolist() == [row["estimate"], row["low"], row["high"]]
        assert point["x"] == pytest.approx(0.9)
        assert frontier.loc[("donor base", "main", findings.title("main/step 40")), "y"] == pytest.approx(0.2)

    def test_bars_of_rl_are_those_of_the_paired_gain(self, drawn, findings):
        table = drawn["rl_gains"].table.set_index(["panel", "series", "x"])
        gain = findings.find("difference of pass@1", "plain/from end", "main/end", split="ood")
        row = table.loc[("OOD", "after RL, plain", "End")]
        assert row["y"] == pytest.approx(0.3)
        assert row["low"] == pytest.approx(0.2 + gain["low"])
        assert pd.isna(table.loc[("OOD", "SFT", "End"), "low"])

    def test_curves_begin_at_the_base(self, drawn):
        table = (
            drawn["sft_curves"].table.set_index(["panel", "series", "x"]).sort_index(level=[0, 1], sort_remaining=False)
        )
        assert table.loc[("OOD", "SFT, main")].index.tolist() == ["0", "10", "20", "40"]
        assert table.loc[("OOD", "SFT, main", "0"), "y"] == pytest.approx(0.6)

    def test_rotation_is_read_off_the_cosines(self, drawn):
        table = drawn["spectra_rotation"].table.query("series == 'observed' and panel == 'left vectors, attention'")
        assert table["y"].tolist() == pytest.approx([30] * 4 + [10] * 12 + [30] * 4)
        depth = drawn["spectra_depth"].table
        assert depth["y"].tolist() == pytest.approx([10] * len(depth))

    def test_choices_are_shown_in_points(self, drawn):
        table = drawn["edits_controls"].table.set_index(["panel", "series", "x"])
        assert table.loc[("OOD", "best knob that keeps ID", "top directions, MaxOOD"), "y"] == pytest.approx(30)
        assert ("OOD", "best knob that keeps ID", "LiNeS, MaxOOD") not in table.index

    def test_paths_of_sft_show_both_spreads(self, drawn, findings):
        figure = drawn["sft_paths"]
        assert figure.panels == ["spread between replicates", "spread between hands"]
        table = figure.table.set_index(["panel", "series"])
        for panel, column in zip(figure.panels, ("se_replicates", "se_hands"), strict=True):
            path = table.loc[[(panel, "tuned")]]
            assert path["x"].tolist() == pytest.approx([0.1, 0.6, 0.7, 0.95])
            assert path["y"].tolist() == pytest.approx([0.6, 0.85, 0.75, 0.6])
            row = findings.find("pass@1", "tuned/step 40", split="ood")
            assert path["high"].iloc[-1] == pytest.approx(0.6 + row[column])
        assert len(table.loc[[(figure.panels[0], "tuned, replicate 3")]]) == 4
        assert (figure.panels[1], "tuned, replicate 3") not in table.index
        marks = table.loc[[(figure.panels[0], "MaxOOD")]]
        assert marks["x"].tolist() == pytest.approx([0.5, 0.5, 0.6, 0.6])

    def test_one_seed_has_the_spread_between_hands_alone(self, study):
        study.seeds = (0,)
        assert show_paths(study.find()).panels == ["spread between hands"]

    def test_outcomes_sum_to_one_for_each_model(self, drawn):
        sums = drawn["outcomes"].table.groupby(["panel", "x"])["y"].sum()
        assert sums.tolist() == pytest.approx([1.0] * len(sums))
