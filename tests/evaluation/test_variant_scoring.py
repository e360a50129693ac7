import os

import pandas as pd
import torch

from card24_pipeline.evaluation import variant_scoring
from card24_pipeline.evaluation.scoring import ScoringParams
from card24_pipeline.parameters.prompt import PromptParams

SCORING = ScoringParams(max_new_tokens=4, batch_size=2, divergence_examples=1, confidence=0.95)
PROMPT = PromptParams(layout="compact", style="steps")


def test_on_an_accelerator_variants_are_scored_one_after_another(monkeypatch, tmp_path):
    def score(hands, scoring, prompt, device, variant):
        name, _ = variant
        frame = pd.DataFrame({"variant": [name], "process": os.getpid(), "device": device})
        return frame, frame.assign(hand=0)

    monkeypatch.setattr(variant_scoring, "_score_variant", score)
    monkeypatch.setattr(variant_scoring, "find_device", torch.device)
    folders = {"one": tmp_path, "two": tmp_path}
    summary, hands = variant_scoring.score_variants(folders, pd.DataFrame(), SCORING, PROMPT, device="cuda")
    assert summary["variant"].tolist() == hands["variant"].tolist() == ["one", "two"]
    assert set(summary["process"]) == {os.getpid()}
    assert set(summary["device"]) == {"cuda"}
