"""What several benchmarks take from the default study: its parameters, and a model of its size."""

import sys
from typing import Any

import pandas as pd
import yaml

from benchmarks import PROJECT
from card24_pipeline.models.from_scratch import ArchitectureParams, build_llama
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.tokenizer import build_word_tokenizer
from card24_pipeline.pipelines.base_model.obtain_base_model import FromScratchParams
from card24_pipeline.pipelines.game.deal_eval_hands import deal_eval_hands
from card24_pipeline.pipelines.game.split_multisets import split_multisets
from card24_pipeline.pipelines.parameters import StudyParams


def read_params() -> StudyParams:
    return StudyParams.model_validate(yaml.safe_load((PROJECT / "params.yaml").read_text()))


def read_architecture(study: StudyParams) -> ArchitectureParams:
    source = study.base_model.source.root
    if not isinstance(source, FromScratchParams):
        sys.exit("params.yaml: base_model.source: the benchmarks need the sizes of a from_scratch base")
    return source.architecture


def deal_hands(study: StudyParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the multisets and the evaluation hands."""
    game = study.game
    multisets = split_multisets(game.rules, game.split)
    return multisets, deal_eval_hands(multisets, game.rules, game.prompt, game.eval_hands)


def find_model(study: StudyParams, dealt: pd.DataFrame) -> tuple[str, Any, Any]:
    """Return the name, model and tokenizer of the study's last checkpoint of SFT, or else its base.

    Without either it is a fresh model of that size, which never ends an answer.
    """
    models = PROJECT / "data/06_models/base"
    tuned = sorted(models.glob("seed_*/sft/*/step_*"), key=lambda folder: int(folder.name.removeprefix("step_")))
    for folder in [*tuned[-1:], *sorted(models.glob("seed_*/base"))]:
        if folder.is_dir():
            return str(folder.relative_to(PROJECT)), *load_checkpoint(folder)
    architecture = read_architecture(study)
    # The answers' words matter to nobody here, but the size of the vocabulary does.
    texts = [*dealt["prompt"], " ".join(map(str, range(100)))]
    tokenizer = build_word_tokenizer(texts, max_tokens=architecture.max_tokens)
    return "a fresh model, which never ends an answer", build_llama(architecture, tokenizer, seed=0).eval(), tokenizer
