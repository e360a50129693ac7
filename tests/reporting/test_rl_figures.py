import io

import pytest

from card24_pipeline.reporting.html_figures import render_figure
from card24_pipeline.reporting.html_training import HISTORY_TITLES, show_rl
from card24_pipeline.reporting.rl_figures import TRAINING_PANELS, draw_rl_gains, draw_rl_training
from card24_pipeline.reporting.rl_runs import average_passes

LABELS = ("after RL, no KL penalty", "after RL, KL held to the base")


@pytest.fixture
def draw(rl_builder, ladder_hands, rl_hands, runs):
    def run():
        gains = rl_builder.trace_gains(ladder_hands, rl_hands)
        return draw_rl_gains(average_passes(ladder_hands, "step"), gains, runs, anchor="the base")

    return run


def find(axes, label):
    (container,) = [container for container in axes.containers if container.get_label() == label]
    return container.lines[0]


class TestGains:
    def test_a_panel_for_each_split(self, draw):
        figure = draw()
        assert [axes.get_title() for axes in figure.axes] == ["OOD", "ID, multisets of SFT", "ID, held out"]
        for axes in figure.axes:
            assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "20", "40"]
            assert axes.get_ylim()[0] == 0

    def test_curve_before_and_points_after_show_the_numbers(self, draw):
        ood = draw().axes[0]
        (before,) = [line for line in ood.lines if line.get_label() == "before RL (SFT)"]
        assert before.get_ydata().tolist() == [1.0, 0.75, 0.0]
        plain, anchored = (find(ood, label) for label in LABELS)
        assert plain.get_ydata().tolist() == [0.75, 0.75, 0.5]
        assert anchored.get_ydata().tolist() == [0.75]
        assert plain.get_marker() != anchored.get_marker()
        assert plain.get_xdata()[2] < 2 < anchored.get_xdata()[0]

    def test_every_seed_is_seen(self, draw, runs):
        runs.loc[(runs["seed"] == 1) & (runs["arm"] == "plain") & (runs["role"] == "end"), "ood_after"] = 1.0
        ood = draw().axes[0]
        seeds = [line for line in ood.lines if line.get_linestyle() == "None" and line.get_alpha() == 0.4]
        assert [line.get_ydata().tolist() for line in seeds] == [[0.75, 0.75, 0.5, 0.75, 0.75, 1.0], [0.75, 0.75]]
        assert len([line for line in ood.lines if line.get_linewidth() == 0.8]) == 2

    def test_legend_is_below_the_panels_and_names_each_kind_once(self, draw):
        figure = draw()
        (legend,) = figure.legends
        texts = [text.get_text() for text in legend.get_texts()]
        assert texts == ["before RL (SFT)", *LABELS]
        figure.draw_without_rendering()
        lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
        assert legend.get_window_extent().y1 <= lowest

    def test_nothing_solved_and_no_anchored_run(self, rl_builder, ladder_hands, rl_hands, runs):
        rl_hands["anchored"] = rl_hands["anchored"].iloc[:0]
        ladder_hands["passed"] = rl_hands["plain"]["passed"] = False
        gains = rl_builder.trace_gains(ladder_hands, rl_hands)
        figure = draw_rl_gains(
            average_passes(ladder_hands, "step"), gains, runs[runs["arm"] == "plain"], anchor="MaxOOD"
        )
        assert len(figure.axes) == 3
        assert len(figure.legends[0].get_texts()) == 2

    def test_same_data_give_the_same_picture(self, draw):
        pictures = []
        for _ in range(2):
            buffer = io.BytesIO()
            draw().savefig(buffer, dpi=30, metadata={"Software": None})
            pictures.append(buffer.getvalue())
        assert pictures[0] == pictures[1]


class TestTraining:
    def test_a_panel_for_each_figure_and_a_line_for_each_seed_and_start(self, ladder, make_history):
        figure = draw_rl_training(make_history(updates=3), ladder, anchor="MaxOOD")
        assert [axes.get_title() for axes in figure.axes] == list(TRAINING_PANELS.values())
        for axes in figure.axes:
            assert len(axes.lines) == 2 * (3 + 1)
            assert len([line for line in axes.lines if line.get_linestyle() == "--"]) == 2
        assert figure.axes[0].lines[0].get_ydata().tolist() == [0.125, 0.25, 0.375]

    def test_legend_tells_roles_by_colour_and_arms_by_dash(self, ladder, make_history):
        (legend,) = draw_rl_training(make_history(updates=2), ladder, anchor="the base").legends
        assert [text.get_text() for text in legend.get_texts()] == [
            "from MaxOOD",
            "from rung 1",
            "from End",
            "no KL penalty",
            "KL held to the base",
        ]
        roles = legend.get_lines()[:3]
        assert len({line.get_color() for line in roles}) == 3

    def test_one_start_one_arm(self, ladder, make_history):
        history = make_history(updates=2)
        history = {"plain": history["plain"].query("from_step == 40"), "anchored": history["anchored"].iloc[:0]}
        figure = draw_rl_training(history, ladder, anchor="MaxOOD")
        assert len(figure.axes[0].lines) == 2
        assert len(figure.legends[0].get_texts()) == 2


class TestPageFigure:
    def test_a_line_for_each_start_and_arm(self, ladder, make_history):
        figure = show_rl(make_history(updates=3), ladder)
        names = set(figure.table["series"])
        assert {"from MaxOOD", "from End", "anchored, from End"} <= names
        assert set(figure.table["panel"]) == set(HISTORY_TITLES.values())
        assert f'id="plot-{figure.key}"' in render_figure(figure)
