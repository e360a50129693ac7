"""The study's words, once: roles, splits, groups of hands, verdicts, titles, colours. No training module imports it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

BASE, MAX_OOD, END = "base", "max_ood", "end"
RUNG, MIDDLE = "rung_", "middle"
"""Beginning of the names of the rungs of the ladder between MaxOOD and End, and the mean over them."""
ID_LEVEL = re.compile(r"id_(\d+)")
"""Role of the earliest checkpoint at or above so many percent of the ID hands for choosing: arms compare at about
equal ID."""

ID_SEEN, ID_HELDOUT, ID_SELECT = "id_seen", "id_heldout", "id_select"
SELECT, PUBLISHED = "_select", "published_"
"""Ending and beginning of the names of splits: hands for choosing, and hands drawn one by one as published."""

ARMS = {"sft_arm": "sft_arms", "rl_arm": "rl_arms", "edit_arm": "edit_arms"}
"""Column of each kind of arm, and the block of parameters that names them."""

ALL_HANDS, MET, NEVER_MET = "all", "met", "never_met"
HAND_GROUPS: Mapping[str, tuple[bool, ...]] = {ALL_HANDS: (True, False), MET: (True,), NEVER_MET: (False,)}
HAND_GROUP_TITLES = {ALL_HANDS: "all", MET: "met by the base", NEVER_MET: "never met by the base"}
POOLED, ALONE = "all replicates", "replicate "
"""Scopes of estimates: over all replicates, and the beginning of that of a single one, such as ``replicate 0``."""

OBSERVED, GAUSSIAN, MATCHED = CHANGE_MODELS = ("observed", "gaussian", "spectrum_matched")
NULLS = (GAUSSIAN, MATCHED)
BANDS, WHOLE_BAND = ("top", "bulk", "tail"), "all"
BOTH_NULLS = "over both nulls"
CHANGE_MODEL_TITLES = {
    OBSERVED: "observed",
    GAUSSIAN: "null: Gaussian",
    MATCHED: "null: spectrum-matched",
    f"over {GAUSSIAN}": "excess over Gaussian",
    f"over {MATCHED}": "excess over spectrum-matched",
    BOTH_NULLS: "least excess",
}

HOLDS, FAILS, UNDECIDED, EXPLORATORY = ("holds", "does not hold", "undecided", "exploratory")

CLAIMS = {
    # arXiv 2508.16546, in our words; the last one is ours
    1: "OOD accuracy peaks early in SFT and then falls while ID does not; RL on ID hands brings much of it back",
    2: "Singular vectors turn, most at both ends of the spectrum; singular values hardly change",
    3: "Restoring the directions of the top 20 % or the first quarter of layers brings 70–80 % of the loss back",
    4: "Better in, better out: RL does more for a better SFT checkpoint, and over-fitted ones resist",
    5: "Beside the paper: how SFT is trained decides what it forgets at the same ID",
}

GLOSSARY = {
    "replicate": "one seed's study from its own base to its edits, on hands that all replicates share",
    "MaxOOD": "the early SFT checkpoint with the best OOD accuracy on hands set aside for choosing",
    "End": "the last SFT checkpoint",
    "donor": "the checkpoint whose weights, or parts of them, an edit puts into End",
    "UV-merge": "an edit that takes the donor's leading singular directions and keeps End's singular values",
    "knob": "the one number of an edit, such as the share of directions that it takes",
    "recovered share": "what an edit gains on OOD as a share of what End had lost to the donor",
}

MEANINGLESS = "This scale only checks that every stage runs: its figures mean nothing."


class Style(NamedTuple):
    """How a series is drawn: colour, Matplotlib's marker and dash."""

    colour: str
    marker: str = "o"
    dash: str = "-"


# Okabe–Ito colours, told apart by colour-blind readers, but for black, which a dark ground swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6FBF", "#8C8C8C")
MARKERS = ("o", "D", "s", "^", "v", "X", "*", "P", "h")
DASHES = ("-", "--", ":", "-.")
FIXED_STYLES = {
    "SFT": Style("#8C8C8C", "s"),
    "End": Style("#8C8C8C", "X"),
    "MaxOOD": Style("#8C8C8C", "*", "--"),
    "base": Style("#8C8C8C", "P", ":"),
    CHANGE_MODEL_TITLES[OBSERVED]: Style("#D55E00"),
    CHANGE_MODEL_TITLES[GAUSSIAN]: Style("#0072B2", "s", "--"),
    CHANGE_MODEL_TITLES[MATCHED]: Style("#009E73", "^", ":"),
}


def style_series(names: Iterable[str]) -> dict[str, Style]:
    """Give every series of a figure its style: words of the study their own, the others one by one."""
    styles: dict[str, Style] = {}
    free = 0
    for name in dict.fromkeys(names):
        if name in FIXED_STYLES:
            styles[name] = FIXED_STYLES[name]
            continue
        # Colour and marker run through lists of unlike length, so that pairs repeat late.
        styles[name] = Style(COLOURS[free % 7], MARKERS[free % len(MARKERS)], DASHES[free // 7 % len(DASHES)])
        free += 1
    return styles


def is_id_level(role: str) -> bool:
    """Tell whether a role is that of a level of ID, such as ``id_70``."""
    return ID_LEVEL.fullmatch(role) is not None


def starts_from(roles: str | Collection[str], role: str) -> bool:
    """Tell whether an RL arm's ``roles`` have a role: levels of ID only by name, ``all`` every other one."""
    return not is_id_level(role) if roles == "all" else role in roles


def sort_roles(roles: Iterable[str]) -> list[str]:
    """Sort roles of SFT checkpoints: down the ladder from MaxOOD by the rungs, the levels of ID, End."""

    def place(role: str) -> tuple[int, int]:
        ends = {MAX_OOD: (0, 0), END: (3, 0)}
        return ends.get(role) or (2 if is_id_level(role) else 1, int(role.rpartition("_")[2]))

    return sorted(set(roles), key=place)


def title_role(role: str) -> str:
    """Write a role as it stands in a sentence."""
    titles = {MAX_OOD: "MaxOOD", END: "End", MIDDLE: "the middle of the ladder"}
    level = ID_LEVEL.fullmatch(role)
    return f"SFT at ≥{level[1]} % ID" if level else titles.get(role, role.replace("_", " "))


def title_split(split: str) -> str:
    """Write a split as it stands in titles of tables and figures."""
    titles = {ID_SEEN: "ID, multisets of SFT", ID_HELDOUT: "ID, held out", "ood": "OOD"}
    if split.startswith(PUBLISHED):
        return f"{title_split(split.removeprefix(PUBLISHED))}, as published"
    if split.endswith(SELECT):
        return f"{title_split(split.removesuffix(SELECT))}, for choosing"
    return titles.get(split, split.upper() if split == "id" else f"OOD rule {split}")


def describe_split(split: str) -> str:
    """Say what the hands of a split are for."""
    rule = "ID rule" if split in (ID_SEEN, ID_HELDOUT, ID_SELECT, f"{PUBLISHED}id") else "OOD rule"
    if split.startswith(PUBLISHED):
        return f"{rule}, hands drawn one by one as published"
    if split.endswith(SELECT):
        return f"{rule}, for choosing checkpoints and knobs"
    purposes = {ID_SEEN: "multisets that SFT and RL are trained on", ID_HELDOUT: "multisets held out from SFT and RL"}
    return f"{rule}, {purposes.get(split, 'for testing')}"
