"""The node, on tables as the stages before it write them."""

import typing

import pandas as pd
import pytest

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.pipelines.report.report_rl import report_rl


@pytest.fixture
def report(ladder_hands, ladder, rl_scores, rl_hands, make_history, tmp_path):
    def run(seeds, history, anchor="max_ood"):
        tables = {"sft_hands": ladder_hands, "selected": ladder}
        for arm in ("plain", "anchored"):
            tables |= {f"{arm}_scores": rl_scores[arm], f"{arm}_hands": rl_hands[arm], f"{arm}_history": history[arm]}
        for name, table in tables.items():
            for seed in seeds:
                table[table["seed"] == seed].drop(columns="seed").to_parquet(tmp_path / f"{name}_{seed}.parquet")
        readers = [SeedFrames(f"{tmp_path}/{name}_{{seed}}.parquet", "all") for name in tables]
        return report_rl(*readers, seeds, anchor, ReportParams(confidence=0.9, resamples=50, bootstrap_seed=0))

    return run


def test_node_brings_seeds_and_arms_together(report, make_history):
    contrasts, runs, gains, training, page = report([0, 1], make_history())
    assert set(contrasts["scope"]) == {"all seeds", "seed 0", "seed 1"}
    assert len(runs) == 8
    assert (len(gains.axes), len(training.axes)) == (3, 4)
    assert "(90% intervals)" in page
    assert "Of 8 runs 8 count." in page


def test_one_seed_of_two_updates(report, make_history):
    contrasts, runs, *_, page = report([1], make_history(updates=2, hands=8))
    assert set(contrasts["scope"]) == {"all seeds", "seed 1"}
    assert not runs["counts"].any()
    assert "Of 4 runs 0 count." in page


@pytest.mark.parametrize(("anchor", "name"), [("max_ood", "MaxOOD"), ("base", "the base"), ("start", "its start")])
def test_anchor_is_named_as_the_parameters_have_it(report, make_history, anchor, name):
    *_, gains, training, page = report([0], make_history(updates=2), anchor)
    assert f"With the KL held to {name}, OOD after RL from End is higher" in page
    assert f"holds the policy to {name} (*anchored*)" in page
    assert ("The anchor, MaxOOD, is itself chosen on `ood_select`" in page) == (anchor == "max_ood")
    for figure, label in ((gains, f"after RL, KL held to {name}"), (training, f"KL held to {name}")):
        assert figure.legends[0].get_texts()[-1].get_text() == label


def test_type_hints_are_read_without_matplotlib():
    assert typing.get_type_hints(report_rl)["return"] == tuple[pd.DataFrame, pd.DataFrame, typing.Any, typing.Any, str]
