import pytest

from card24_pipeline.versioning.scheduling import Schedule

#   deal ── train_0 ── score_0 ─┬─ report
#      └─── train_1 ────────────┘
WAITS = {
    "deal": [],
    "train_0": ["deal"],
    "train_1": ["deal", "of another scale"],
    "score_0": ["train_0"],
    "report": ["score_0", "train_1"],
}
SECONDS = {"deal": 1.0, "train_0": 10.0, "train_1": 15.0, "score_0": 8.0, "report": 2.0}


def test_the_longest_path_goes_first():
    schedule = Schedule(WAITS, SECONDS)
    assert schedule.list_ready() == ["deal"]
    schedule.start("deal")
    assert schedule.list_ready() == []
    schedule.finish("deal")
    # 10 + 8 + 2 seconds against 15 + 2.
    assert schedule.list_ready() == ["train_0", "train_1"]


def test_without_times_the_longest_chain_goes_first():
    schedule = Schedule({"a": [], "b": [], "c": ["b"]}, {})
    assert schedule.list_ready() == ["b", "a"]


@pytest.mark.parametrize(("jobs", "left"), [(1, 36.0), (2, 21.0)])
def test_time_left_is_the_longest_path_or_all_work_over_the_jobs(jobs, left):
    schedule = Schedule(WAITS, SECONDS)
    assert schedule.estimate_seconds_left(jobs, {}) == pytest.approx(left, abs=0.01)


def test_time_left_counts_what_has_gone_but_never_more_than_was_expected():
    schedule = Schedule(WAITS, SECONDS)
    schedule.finish("deal")
    schedule.finish("train_1")
    schedule.start("train_0")
    assert schedule.estimate_seconds_left(2, {"train_0": 4.0}) == pytest.approx(16.0, abs=0.01)
    assert schedule.estimate_seconds_left(2, {"train_0": 400.0}) == pytest.approx(10.0, abs=0.01)


def test_no_time_left_where_one_is_unknown():
    assert Schedule(WAITS, {"deal": 1.0}).estimate_seconds_left(2, {}) is None


def test_a_failure_gives_up_what_depends_on_it_only():
    schedule = Schedule(WAITS, SECONDS)
    schedule.finish("deal")
    schedule.start("train_0")
    assert sorted(schedule.give_up("train_0")) == ["report", "score_0"]
    assert schedule.list_ready() == ["train_1"]
    schedule.finish("train_1")
    assert not schedule.waiting
