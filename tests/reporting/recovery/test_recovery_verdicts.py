import pytest

from card24_pipeline.reporting.recovery_page import write_recovery_report
from card24_pipeline.reporting.recovery_verdicts import judge_bound, tell_keeping, tell_leads, tell_recovery


@pytest.fixture
def tell(study):
    def run():
        points = study.trace_points()
        chosen = study.choose(points)
        return "\n".join([*tell_recovery(points), *tell_keeping(points), *tell_leads(chosen, points)])

    return run


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.70, 0.80, "holds"),
        (0.60, 0.69, "does not hold"),
        (0.60, 0.70, "undecided"),
        (float("nan"), float("nan"), "undecided"),
    ],
)
def test_bound(low, high, verdict):
    assert judge_bound(low, high, 0.70) == verdict


class TestRecovery:
    def test_holds_where_the_donor_is_reached(self, tell):
        assert (
            "- Resetting the first quarter of layers (donor MaxOOD) recovers at least 70% of the OOD loss: "
            "**holds** (100% (100% to 100%))" in tell()
        )

    def test_does_not_hold_where_nothing_is_recovered(self, tell):
        assert (
            "- Resetting it with the embeddings and the head (donor MaxOOD) recovers at least 70% of the OOD loss: "
            "**does not hold** (0% (0% to 0%))" in tell()
        )

    def test_undecided_where_the_interval_holds_the_bound(self, study, tell):
        study.edits["uv_top donor=max_ood"][1][0.2] = (0.90, 0.30, 0.65, 0.65)
        assert "top 20 % (donor MaxOOD) recovers at least 70% of the OOD loss: **undecided** (75% (" in tell()

    def test_undecided_where_the_loss_is_in_doubt(self, study, tell):
        study.passes["base"] = (0.1, 0.1, 0.2, 0.2)
        assert (
            "- Restoring the directions of the top 20 % (donor base) recovers at least 70% of the OOD loss: "
            "**undecided** (not given, for the loss itself is in doubt)" in tell()
        )

    def test_undecided_where_the_study_has_no_such_variant(self, study, tell):
        del study.edits["uv_top donor=base"]
        assert "top 20 % (donor base) recovers at least 70% of the OOD loss: **undecided** (not measured)" in tell()


def test_keeping_id_is_judged_by_the_whole_interval(study, tell):
    study.edits["uv_top donor=max_ood"][1][0.2] = (0.85, 0.30, 0.50, 0.50)
    told = tell()
    text = "keeps ID (multisets of SFT) within one point of End"
    assert f"(donor base) {text}: **holds** (+0.0 (+0.0 to +0.0) points)" in told
    assert f"top 20 % (donor MaxOOD) {text}: **undecided** (-5.0 (" in told
    assert f"the head (donor MaxOOD) {text}: **does not hold** (-40.0 (" in told


class TestLeads:
    def test_each_way(self, tell):
        told = tell()
        assert "beats directions at random indices on OOD, both keeping the ID of End: **holds** (+30.0 (" in told
        assert "beats interpolation on OOD, both keeping the ID of End: **does not hold** (-30.0 (" in told
        assert "beats RL from End on OOD, both keeping the ID of End: **holds** (+20.0 (" in told
        assert "beats anchored RL from End on OOD, both keeping the ID of End: **undecided** (+10.0 (" in told

    def test_undecided_where_a_control_does_not_keep_the_id_of_end(self, tell):
        told = tell()
        assert (
            "beats LiNeS on OOD, both keeping the ID of End: **undecided** (no knob of LiNeS keeps ID within one point)"
            in told
        )
        assert (
            "beats σ only on OOD, both keeping the ID of End: **undecided** (σ only does not keep ID within one point)"
            in told
        )
        assert "**undecided** (keeping MaxOOD does not keep ID within one point)" in told
        assert "beats truncated ΔW on OOD, both keeping the ID of End: **undecided** (not measured)" in told

    def test_undecided_where_no_uv_merge_keeps_id(self, study, tell):
        for knob in (0.1, 0.2):
            study.edits["uv_top donor=max_ood"][1][knob] = (0.50, 0.30, 0.50, 0.50)
        assert (
            "beats interpolation on OOD, both keeping the ID of End: **undecided** "
            "(no knob of a UV-merge keeps ID within one point)" in tell()
        )

    def test_rl_of_fewer_seeds_is_said_to_be_so(self, study, tell):
        hands = study.make_rl_hands("plain").query("seed == 0")
        study.make_rl_hands = lambda arm: hands if arm == "plain" else hands.iloc[:0]
        line = next(line for line in tell().splitlines() if "beats RL from End" in line)
        assert line.endswith("points; 1 of 2 seeds)")


class TestPage:
    @pytest.fixture
    def write(self, study):
        def run():
            points = study.trace_points()
            return write_recovery_report(points, study.choose(points), confidence=0.95)

        return run

    def test_it_names_the_uv_merge_and_shows_both_choices(self, write):
        page = write()
        assert "`uv_top donor=max_ood top_fraction=0.2` is best on `ood_select`" in page
        (row,) = [line for line in page.splitlines() if line.startswith("| top directions, MaxOOD | 2 of 3 |")]
        assert "| top fraction 0.2 | +30.0 (" in row
        assert "| top fraction 0.5 | +50.0 (" in row
        assert "| LiNeS, MaxOOD | 0 of 2 | none | – | – | – | – | – | shallow share 0.2 |" in page

    def test_every_model_has_a_row(self, study, write):
        every = write().split("## Every model")[1]
        rows = [line for line in every.splitlines() if line.startswith("| ")][2:]
        assert len(rows) == len(study.list_models())
        assert any(line.startswith("| layers reset, MaxOOD | quarter 1 | 80.0 (") for line in rows)

    def test_rl_that_is_missing_is_named(self, study, write):
        study.passes.pop("plain")
        study.passes.pop("anchored")
        page = write()
        assert "Not measured: RL from End, anchored RL from End." in page
        assert "beats RL from End on OOD, both keeping the ID of End: **undecided** (not measured)" in page

    def test_no_uv_merge_keeps_id(self, study, write):
        del study.edits["uv_top donor=max_ood"]
        assert "None with donor MaxOOD keeps ID within one point of End" in write()
