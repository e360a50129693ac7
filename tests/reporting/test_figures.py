import io

import pytest
from matplotlib.colors import to_hex

from card24_pipeline.reporting.figures import SPLIT_STYLES, draw_sft_curves


@pytest.fixture
def figure(builder, base_hands, sft_hands, scores):
    return draw_sft_curves(builder.trace_accuracy(base_hands, sft_hands), scores)


def test_every_group_has_its_pooled_curve_and_every_seed(figure):
    left, right = figure.axes
    seeds = 2
    assert len(left.lines) == len(SPLIT_STYLES) * (1 + seeds)
    assert len(right.lines) == 2 * (1 + seeds)
    assert len(left.collections) == len(SPLIT_STYLES)
    assert len(right.collections) == 2


def test_pooled_curve_shows_the_numbers(figure):
    left, right = figure.axes
    (ood,) = [line for line in left.lines if line.get_label() == SPLIT_STYLES["ood"][0]]
    assert (ood.get_xdata().tolist(), ood.get_ydata().tolist()) == ([0, 1, 2], [0.25, 1.0, 0.0])
    (never_met,) = [line for line in right.lines if line.get_label() == "OOD, multiset never met"]
    assert never_met.get_ydata().tolist() == [0.0, 1.0, 0.0]


def test_legend_names_the_groups_alone_and_no_two_look_alike(figure):
    for axes, groups in zip(figure.axes, (3, 2), strict=True):
        assert len(axes.get_legend().get_texts()) == groups
        named = [line for line in axes.lines if not line.get_label().startswith("_")]
        assert len({line.get_marker() for line in named}) == groups
        assert len({to_hex(line.get_color()) for line in named}) == groups


def test_ticks_are_the_steps(figure):
    for axes in figure.axes:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "10", "40"]
        assert axes.get_ylim() == (0, 1)


def test_same_data_give_the_same_picture(builder, base_hands, sft_hands, scores):
    curves = builder.trace_accuracy(base_hands, sft_hands)
    pictures = []
    for _ in range(2):
        buffer = io.BytesIO()
        draw_sft_curves(curves, scores).savefig(buffer, dpi=40, metadata={"Software": None})
        pictures.append(buffer.getvalue())
    assert pictures[0] == pictures[1]
    assert pictures[0].startswith(b"\x89PNG")
