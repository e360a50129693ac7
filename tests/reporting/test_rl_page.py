import pandas as pd
import pytest

from card24_pipeline.reporting.rl_contrasts import contrast_arms, contrast_gain
from card24_pipeline.reporting.rl_page import write_rl_report
from card24_pipeline.reporting.rl_runs import summarise_runs
from card24_pipeline.reporting.rl_verdicts import Claim, Judge, tell_what_heals


@pytest.fixture
def write(rl_builder, ladder_hands, ladder, rl_hands, rl_scores, make_history):
    def run(history=None, selected=ladder, confidence=0.95, anchor="max_ood"):
        contrasts = rl_builder.contrast_models(ladder_hands, selected, rl_hands)
        runs = summarise_runs(selected, ladder_hands, rl_scores, history or make_history())
        return write_rl_report(contrasts, runs, confidence=confidence, anchor=anchor)

    return run


class TestVerdicts:
    def test_they_stand_beside_their_numbers(self, write):
        page = write()
        assert "- … from rung 1: **undecided** (+0.0 (+0.0 to +0.0) points)" in page
        assert "- … on multisets that it had never met: **undecided** (+0.0 (+0.0 to +0.0) points)" in page
        assert "- RL raises ID (multisets of SFT) from End: **undecided** (+0.0 (+0.0 to +0.0) points)" in page

    def test_a_claim_holds_if_every_hand_shows_it(self, write, rl_hands):
        plain = rl_hands["plain"]
        plain.loc[(plain["split"] == "ood") & (plain["from_step"] == 40), "passed"] = True
        page = write()
        assert "- RL on ID hands raises OOD from End: **holds** (+100.0 (+100.0 to +100.0) points)" in page
        assert "plain RL 100% (100% to 100%)" in page

    def test_a_claim_whose_contrary_is_so_does_not_hold(self, write, rl_hands):
        plain = rl_hands["plain"]
        plain.loc[(plain["split"] == "id_seen") & (plain["from_step"] == 40), "passed"] = False
        page = write()
        assert (
            "- RL raises ID (multisets of SFT) from End: **does not hold** (-100.0 (-100.0 to -100.0) points)" in page
        )

    def test_price_of_the_anchor_has_the_other_sign(self, write, rl_hands):
        anchored = rl_hands["anchored"]
        anchored.loc[anchored["split"] == "id_seen", "passed"] = False
        assert "- The anchor costs ID (multisets of SFT) from End: **holds** (-100.0 (" in write()

    def test_gain_as_a_share_of_the_loss_is_told_with_its_interval(self, write):
        page = write()
        assert "the loss from MaxOOD to End: plain RL 50% (0% to 100%); anchored RL 75% (25% to 100%)." in page

    def test_hands_that_rl_solves_are_told_by_who_solved_them_before(self, write):
        page = write()
        assert "| plain | 8 of 16: 50% (0% to 100%) | 0 of 0 | 0 of 0 | 0 of 0 |" in page
        assert "| anchored | 12 of 16: 75% (25% to 100%) | 0 of 0 | 0 of 0 | 0 of 0 |" in page

    def test_start_that_is_ahead_after_rl_is_told_with_its_lead_before(self, write, rl_hands):
        plain = rl_hands["plain"]
        ood = plain["split"] == "ood"
        plain.loc[ood & (plain["from_step"] == 10), "passed"] = True
        plain.loc[ood & (plain["from_step"] == 20), "passed"] = False
        plain.loc[ood & (plain["from_step"] == 40), "passed"] = False
        lines = write().splitlines()
        ahead = lines.index("- MaxOOD is above End on OOD after RL: **holds** (+100.0 (+100.0 to +100.0) points)")
        assert lines[ahead + 1] == "- … before RL: **holds** (+100.0 (+100.0 to +100.0) points)"
        assert lines[ahead + 2].startswith("- rung 1 is above End on OOD after RL: **undecided** (+0.0 (")
        assert lines[ahead + 3].startswith("- … before RL: **holds** (+75.0 (")

    def test_start_that_is_behind_after_rl_does_not_hold(self, write, rl_hands):
        plain = rl_hands["plain"]
        ood = plain["split"] == "ood"
        plain.loc[ood, "passed"] = plain.loc[ood, "from_step"] == 40
        page = write()
        assert "- MaxOOD is above End on OOD after RL: **does not hold** (-100.0 (-100.0 to -100.0) points)" in page
        gains_less = next(line for line in page.splitlines() if line.startswith("- RL gains less OOD from End"))
        assert gains_less.startswith("- RL gains less OOD from End than from rung 1: **does not hold** (-175.0 (")

    def test_rl_from_end_is_held_against_keeping_max_ood(self, write, rl_hands):
        anchored = rl_hands["anchored"]
        anchored.loc[anchored["split"] == "ood", "passed"] = False
        anchored.loc[anchored["split"] == "id_heldout", "passed"] = True
        lines = write().splitlines()
        claim = "Anchored RL from End beats simply keeping MaxOOD, on OOD"
        start = lines.index(f"- {claim}: **does not hold** (-100.0 (-100.0 to -100.0) points)")
        assert lines[start + 1].startswith("- … on ID (multisets of SFT): **undecided** (+50.0 (")
        assert lines[start + 2].startswith("- … on ID (held out): **undecided** (+50.0 (")
        assert any(line.startswith("- RL from End beats simply keeping MaxOOD, on OOD: **und") for line in lines)

    def test_level_of_the_intervals_is_named(self, write):
        assert "(90% intervals)" in write(confidence=0.9)


class TestRunsThatDoNotCount:
    def test_all_count(self, write):
        page = write()
        assert "Of 8 runs 8 count.\n" in page
        assert "Not counted" not in page
        assert "runs do" not in page

    def test_none_counts(self, write, make_history, rl_hands):
        rl_hands["plain"]["passed"] = True
        page = write(make_history(updates=2, hands=16))
        assert "Of 8 runs 0 count." in page
        assert "- plain from MaxOOD (step 10), seed 0: 2 updates of 16 sampled answers, reward +0.19 → +0.19" in page
        claims = [line for line in page.splitlines() if line.startswith("- ") and "**" in line]
        assert claims
        assert all("**undecided**" in line for line in claims if "before RL" not in line)
        raises = next(line for line in claims if line.startswith("- RL on ID hands raises OOD from End"))
        assert raises.endswith("**undecided** (+100.0 (+100.0 to +100.0) points; its runs do not count)")
        assert "What raises OOD from End: **undecided**." in page

    def test_one_of_several_suffices(self, write, make_history, rl_hands):
        rl_hands["plain"]["passed"] = True
        history = make_history()
        plain = history["plain"]
        plain.loc[(plain["seed"] == 1) & (plain["from_step"] == 40), "reward"] *= -1
        page = write(history)
        assert "Of 8 runs 7 count." in page
        assert "from End: **undecided** (+100.0 (+100.0 to +100.0) points; 1 of its 2 runs does not count)" in page
        assert "from rung 1: **undecided** (-75.0 (-100.0 to -25.0) points; 1 of its 4 runs does not count)" in page

    def test_a_run_that_is_missing_from_the_table_of_runs_does_not_count(self, runs):
        contrast = contrast_gain("plain", "end")
        row = {"split": "ood", "base_met_multiset": "all", "scope": "all seeds", "contrast": contrast.name}
        contrasts = pd.DataFrame([row | {"seeds": 2, "difference": 0.2, "low": 0.1, "high": 0.3}])
        claim = Claim("It rises", contrast)
        assert Judge(contrasts, runs).decide(claim) == "holds"
        without = Judge(contrasts, runs[runs["role"] != "end"])
        assert without.tell(claim) == "- It rises: **undecided** (+20.0 (+10.0 to +30.0) points; its runs do not count)"


class TestWhatHeals:
    @pytest.fixture
    def tell(self, runs):
        """Tell what heals from the intervals of the plain gain, the anchored gain and their difference."""
        names = [contrast_gain("plain", "end").name, contrast_gain("anchored", "end").name, contrast_arms("end").name]

        def run(*signs):
            bounds = {"+": (0.1, 0.3), "-": (-0.3, -0.1), "0": (-0.1, 0.1)}
            rows = [
                {"split": "ood", "base_met_multiset": "all", "scope": "all seeds", "contrast": name, "seeds": 2}
                | dict(zip(("low", "high"), bounds[sign], strict=True))
                for name, sign in zip(names, signs, strict=True)
            ]
            return tell_what_heals(Judge(pd.DataFrame(rows), runs))

        return run

    @pytest.mark.parametrize(
        ("signs", "found"),
        [
            ("++0", "the reward alone"),
            ("+0-", "the reward alone"),
            ("+++", "both"),
            ("-++", "reward with anchor"),
            ("0++", "reward with anchor"),
            ("--0", "neither"),
            ("--+", "neither"),
            ("0-0", "undecided"),
            ("0+0", "undecided"),
            ("000", "undecided"),
        ],
    )
    def test_sentence_follows_from_the_verdicts(self, tell, signs, found):
        assert f"**{found}**" in tell(*signs)

    def test_going_on_falling_is_said(self, tell):
        assert "OOD went on falling" in tell(*"-++")
        assert "OOD went on falling" not in tell(*"0++")

    def test_what_no_arm_can_tell_is_said(self, tell):
        assert "No arm has the anchor without the reward" in tell(*"+++")

    def test_an_anchor_that_takes_away_is_said(self, tell):
        assert "takes away" in tell(*"+0-")


class TestTables:
    def test_rows_are_as_wide_as_their_heads(self, write):
        tables = [block for block in write().split("\n\n") if block.startswith("|")]
        assert len(tables) == 5
        for table in tables:
            assert len({line.count("|") for line in table.splitlines()}) == 1

    def test_each_start_and_arm_has_its_row(self, write):
        lines = write().splitlines()
        (end,) = [line for line in lines if line.startswith("| End | 40 | plain |")]
        assert "| 0.0 → 50.0: +50.0 (+0.0 to +100.0) points |" in end
        assert sum(line.startswith("| End | 40 | anchored |") for line in lines) == 1
        assert not any(line.startswith("| MaxOOD | 10 | anchored |") for line in lines)

    def test_each_seed_has_its_rows(self, write):
        lines = write().splitlines()
        assert "| 1 | anchored | End | 40 | 0.0 → 75.0 | 100.0 → 75.0 | 100.0 → 100.0 | 87.5 | 0.062 |" in lines
        assert (
            "| 0 | plain | End | 60 × 256 | +0.69 → +6.94 | yes | 1.000 → 0.017 | 0.060 | – | 0.055 | 0.25000 |"
            in lines
        )

    def test_shares_are_not_among_the_differences(self, write):
        lines = write().splitlines()
        assert any(line.startswith("| plain: after from end - before max_ood |") for line in lines)
        assert not any(line.startswith("| plain: gain from end as a share of") for line in lines)
        assert not any(line.startswith("| plain: share solved") for line in lines)

    def test_a_figure_that_an_algorithm_lacks_is_a_dash(self, write, make_history):
        lacking = {"entropy_nats": float("nan"), "explained_variance": float("nan")}
        page = write({arm: updates.assign(**lacking) for arm, updates in make_history().items()})
        assert "| yes | – → – | 0.060 | – | – | 0.25000 |" in page
        assert "No run has a critic's explained variance." in page

    def test_range_of_the_explained_variance_is_told(self, write, make_history):
        history = make_history()
        history["anchored"]["explained_variance"] = -0.5
        assert "Explained variance over the runs is -0.500 to 0.055. A value near 0" in write(history)


class TestSmallStudies:
    def test_max_ood_and_end_are_one_step(self, write, ladder):
        page = write(selected=ladder[ladder["role"] != "rung_1"].assign(step=40))
        assert "anchored RL not given, for the loss itself is in doubt" in page
        assert "rung" not in page
        assert "Of 4 runs 4 count." in page

    def test_one_seed_and_no_anchored_run(self, write, ladder, rl_hands, rl_scores, make_history):
        history = make_history(updates=2)
        for tables in (rl_hands, rl_scores, history):
            tables["anchored"] = tables["anchored"].iloc[:0]
        page = write(history, selected=ladder[ladder["seed"] == 0])
        assert "- Anchored RL raises OOD from End: **undecided** (not measured)" in page
        assert "anchored RL" not in page.split("loss from MaxOOD to End: ")[1].split("\n")[0]
        assert "| anchored |" not in page

    def test_a_seed_without_the_rung_is_told(self, write, ladder):
        page = write(selected=ladder[(ladder["seed"] == 0) | (ladder["role"] != "rung_1")])
        assert "- … from rung 1: **undecided** (+0.0 (+0.0 to +0.0) points; 1 of 2 seeds)" in page


def test_page_shows_the_figures_of_its_folder(write):
    page = write()
    assert "](rl_gains.png)" in page
    assert "](rl_training.png)" in page
