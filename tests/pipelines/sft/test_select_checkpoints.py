import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from card24_pipeline.pipelines.sft.select_checkpoints import SelectionParams, choose_rungs, select_checkpoints


def make_scores(by_step, practised):
    """Scores of ``ood_select`` and ``id_select``, beside decoys of other splits and hands that peak elsewhere."""
    rows = [
        {"step": step, "split": split, "base_met_multiset": met, "pass_at_1": share}
        for step, passed in by_step.items()
        for split, met, share in (
            ("ood_select", "all", passed),
            ("ood_select", "met", step / 1000),
            ("ood_select", "never_met", 1 - step / 1000),
            ("id_select", "all", practised.get(step, 0.0)),
            ("id_select", "met", 1.0),
            ("ood", "all", step / 1000),
            ("id_seen", "all", step / 1000),
        )
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def select(by_step, rungs=2, practised=None, percents=()):
    params = SelectionParams(split="ood_select", ladder_rungs=rungs, id_percents=list(percents))
    chosen = select_checkpoints(make_scores(by_step, practised or {}), params)
    return list(chosen.itertuples(index=False, name=None))


class TestSelectCheckpoints:
    def test_max_ood_is_the_peak_of_the_selection_split_and_end_the_last_step(self):
        scores = {5: 0.3, 10: 0.4, 20: 0.45, 40: 0.5, 80: 0.35, 160: 0.3, 320: 0.2, 640: 0.1}
        assert select(scores) == [
            ("max_ood", 40, 0.5),
            ("rung_1", 80, 0.35),
            ("rung_2", 320, 0.2),
            ("end", 640, 0.1),
        ]

    def test_earliest_of_equal_peaks_is_taken(self):
        assert select({5: 0.2, 10: 0.5, 20: 0.5, 40: 0.1}, rungs=0) == [("max_ood", 10, 0.5), ("end", 40, 0.1)]

    def test_last_step_may_be_both(self):
        assert select({5: 0.2, 10: 0.3, 20: 0.5}) == [("max_ood", 20, 0.5), ("end", 20, 0.5)]

    def test_a_short_run_has_fewer_rungs(self):
        assert select({5: 0.9, 10: 0.3, 20: 0.1}, rungs=3) == [
            ("max_ood", 5, 0.9),
            ("rung_1", 10, 0.3),
            ("end", 20, 0.1),
        ]
        assert select({5: 0.9, 20: 0.1}, rungs=3) == [("max_ood", 5, 0.9), ("end", 20, 0.1)]

    def test_levels_of_id_are_the_earliest_steps_that_reach_them(self):
        scores = {5: 0.3, 10: 0.4, 20: 0.2, 40: 0.1}
        chosen = select(scores, 0, {5: 0.2, 10: 0.6, 20: 0.5, 40: 0.8}, [75, 60, 90])
        assert chosen == [("max_ood", 10, 0.4), ("end", 40, 0.1), ("id_60", 10, 0.4), ("id_75", 40, 0.1)]

    def test_a_single_checkpoint_is_all_there_is(self):
        assert select({7: 0.1}) == [("max_ood", 7, 0.1), ("end", 7, 0.1)]


class TestChooseRungs:
    @pytest.mark.parametrize(
        ("steps", "low", "high", "rungs", "expected"),
        [
            ([20, 40, 80, 160, 320], 10, 640, 2, [40, 160]),
            ([20, 40, 80, 160, 320], 10, 640, 1, [80]),
            ([20, 40, 80, 160, 320], 10, 640, 5, [20, 40, 80, 160, 320]),
            ([600, 620], 10, 640, 2, [600, 620]),
            ([], 10, 640, 2, []),
            ([20, 40], 10, 640, 0, []),
        ],
    )
    def test_rungs_lie_evenly_in_the_logarithm(self, steps, low, high, rungs, expected):
        assert choose_rungs(steps, low=low, high=high, rungs=rungs) == expected

    @given(st.sets(st.integers(2, 999), max_size=12), st.integers(0, 6))
    def test_rungs_are_different_steps_in_order(self, steps, rungs):
        chosen = choose_rungs(sorted(steps), low=1, high=1000, rungs=rungs)
        assert chosen == sorted(set(chosen))
        assert set(chosen) <= steps
        assert len(chosen) == min(rungs, len(steps))
