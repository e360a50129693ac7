"""Two runs of a study side by side."""

import pandas as pd

from benchmarks.compare_studies import agree, pair_models, pair_statements, render_comparison


def make_statement(key, estimate, verdict="holds"):
    bounds = {} if estimate is None else {"low": estimate - 0.02, "high": estimate + 0.02}
    return {"key": key, "text": f"claim {key}", "unit": "points", "estimate": estimate, "verdict": verdict} | bounds


def make_estimates(levels, **changed):
    about = {"quantity": "pass@1", "split": "ood", "hands": "all", "scope": "all replicates", "low": 0.1, "high": 0.3}
    return pd.DataFrame([about | {"subject": model, "estimate": level} | changed for model, level in levels.items()])


def test_only_what_both_measured_is_compared():
    there = [make_statement("a", 0.1), make_statement("b", None), make_statement("old", 0.3)]
    here = [make_statement("a", 0.2), make_statement("b", 0.2), make_statement("new", 0.3)]
    assert [(left["estimate"], right["estimate"]) for left, right in pair_statements(there, here)] == [(0.1, 0.2)]
    assert pair_statements(there, here, ["a"]) == []


def test_each_estimate_must_lie_in_the_interval_of_the_other():
    wide = make_statement("a", 0.1) | {"low": 0.0, "high": 0.2}
    assert agree(wide, make_statement("a", 0.11))
    assert not agree(wide, make_statement("a", 0.13))
    assert not agree(make_statement("a", 0.13), wide)


def test_strays_and_changed_verdicts_are_counted():
    there = [make_statement("a", 0.10), make_statement("b", 0.10), make_statement("c", 0.10)]
    here = [make_statement("a", 0.11), make_statement("b", 0.13), make_statement("c", 0.09, "undecided")]
    pairs = pair_statements(there, here)
    page = render_comparison(pairs, pairs[:2], 4, "abc123", ("one machine", "another"))
    assert "Of 3 statements, 1 have an estimate outside" in page
    assert "1 have another verdict" in page
    assert "4 statements that were asked or judged otherwise at abc123" in page
    assert "Of 2 checkpoints and edits, 1 have" in page
    row = " ".join(next(line for line in page.splitlines() if "claim b" in line).split())
    assert row == "| claim b | **holds** +10.0 (+8.0 to +12.0) | **holds** +13.0 (+11.0 to +15.0) | no |"


def test_models_are_paired_by_name_and_stand_for_all_seeds_and_hands():
    there = make_estimates({"base": 0.2, "main/end": 0.2, "main/step 40": 0.2, "main/old": 0.2})
    here = make_estimates({"base": 0.31, "main/end": 0.3, "main/step 40": 0.3, "main/new": 0.9})
    others = [{"split": "id_seen"}, {"hands": "met"}, {"scope": "replicate 0"}, {"quantity": "difference of pass@1"}]
    here = pd.concat([here, *(make_estimates({"base": 0.5}, **other) for other in others)])
    pairs = pair_models(there, here)
    assert [(left["estimate"], right["estimate"]) for left, right in pairs] == [(0.2, 0.31), (0.2, 0.3)]
    assert [agree(*pair) for pair in pairs] == [False, True]
