"""Edit the last fine-tuning checkpoint in every way of the grid, and score each variant on every hand."""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from card24_pipeline.checkpoints.reader import Checkpoint, open_folder
from card24_pipeline.checkpoints.selection import describe_tensors
from card24_pipeline.edits.edit import Edit
from card24_pipeline.evaluation.scoring import ScoringParams
from card24_pipeline.evaluation.variant_scoring import score_variants
from card24_pipeline.parameters.arms import read_arm
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.pipelines.recovery.params import EditArmParams

# The published study's samples of hands: the other splits hold every hand that they drew from.
LEFT_OUT = "published_"


def score_edits(
    base_model: Path,
    sft_checkpoints: Path,
    selected_checkpoints: pd.DataFrame,
    eval_hands: pd.DataFrame,
    prompt: PromptParams,
    scoring: ScoringParams,
    device: str,
    edit_arms: dict[str, Any],
    edit_arm: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Build every variant of End and score it on the hands of all splits but the published draws.

    The variants live in a temporary folder until they are scored; the timings tell what making them took.

    Returns:
        The variants (what was done, tensors touched, floating-point operations); their summaries; their hands; and
        the timings.
    """
    from card24_pipeline.edits.applying import write_edited

    started = time.perf_counter()
    edits = read_arm(edit_arms, edit_arm, EditArmParams).list_edits()
    steps = selected_checkpoints.set_index("role")["step"]
    max_ood, end = (sft_checkpoints / f"step_{int(steps[role])}" for role in ("max_ood", "end"))
    hands = eval_hands[~eval_hands["split"].str.startswith(LEFT_OUT)].reset_index(drop=True)
    with TemporaryDirectory(prefix="card24-variants-") as temporary, ExitStack() as stack:
        donors = {
            name: stack.enter_context(open_folder(folder))
            for name, folder in (("max_ood", max_ood), ("base", base_model))
        }
        target = stack.enter_context(open_folder(end))
        folders = {Path(temporary) / f"variant_{number:03}": edit for number, edit in enumerate(edits)}
        write_edited(donors, target, folders)
        variants = _describe_variants(edits, target)
        written = time.perf_counter()
        named = {edit.name: folder for folder, edit in folders.items()}
        scores, hand_scores = score_variants(named, hands, scoring, prompt, device=device)
    finished = time.perf_counter()
    timings = {
        "wall_seconds": finished - started,
        "editing_seconds": written - started,
        "hands_per_second": len(hand_scores) / (finished - written),
    }
    return variants, scores, hand_scores, timings


def _describe_variants(edits: Iterable[Edit], target: Checkpoint) -> pd.DataFrame:
    """Table what each edit is and costs."""
    places, shapes = describe_tensors(target)
    return pd.DataFrame(
        {
            "variant": edit.name,
            "family": edit.family,
            "method": edit.method,
            "donor": edit.donor,
            "knob_name": edit.knob_name,
            "knob": edit.knob,
            "sigma": edit.sigma,
            "matrices": ",".join(edit.matrices),
            "embeddings": edit.embeddings,
            "tensors_touched": len(edit.list_touched(places, shapes)),
            "edit_flops": edit.count_flops(places, shapes),
        }
        for edit in edits
    ).astype({"knob": "float64"})
