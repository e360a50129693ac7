"""What tests of several rooms share: a word tokenizer, tiny models in memory, tiny models in the hub's format, MLflow's
tables."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

# Tests are imported from their files, so what rooms share is too.
_SPEC = spec_from_file_location("small_study", Path(__file__).with_name("small_study.py"))
SMALL_STUDY = module_from_spec(_SPEC)
_SPEC.loader.exec_module(SMALL_STUDY)

MAX_TOKENS = 48
TEXTS = (
    "J Q K A target cards : numbers steps formula + - * / = , ( ) 8/3 1/3 24",
    " ".join(map(str, range(21))),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests, which share its fixtures, and all that share the smoke study, in one process each."""
    for item in items:
        name = "end_to_end" if "end_to_end" in item.path.parts else str(item.path)
        item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def tokenizer():
    import torch

    from card24_pipeline.models.tokenizer import build_word_tokenizer

    torch.set_num_threads(1)  # on models this small a second thread only waits
    return build_word_tokenizer(TEXTS, max_tokens=MAX_TOKENS)


@pytest.fixture(scope="session")
def architecture():
    from card24_pipeline.models.from_scratch import ArchitectureParams

    return ArchitectureParams(hidden_size=16, intermediate_size=32, layers=2, attention_heads=2, max_tokens=MAX_TOKENS)


@pytest.fixture(scope="session")
def make_model(tokenizer, architecture):
    """Make a fresh tiny model; ``scale`` multiplies its weights, so that it prefers some tokens clearly."""
    import torch

    from card24_pipeline.models.from_scratch import build_llama

    def make(seed=0, scale=1.0):
        model = build_llama(architecture, tokenizer, seed=seed)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "norm" not in name:
                    parameter.mul_(scale)
        return model.eval()

    return make


@pytest.fixture(scope="session")
def examples(tokenizer):
    """Twelve prompts of mixed length with short answers, tokenized."""
    from card24_pipeline.models.tokenized import tokenize_examples

    prompts = [f"cards {' '.join(str(card) for card in range(first, first + 2 + first % 3))} :" for first in range(12)]
    answers = [f"numbers {first} steps {first} + 1 = {first + 1}" for first in range(12)]
    return tokenize_examples(tokenizer, prompts, answers, max_tokens=MAX_TOKENS)


@pytest.fixture
def double_norms(monkeypatch):
    """Let Llama's norms keep float64, which they round to float32 otherwise."""
    import torch
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    def forward(self, hidden):
        return self.weight * hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self.variance_epsilon)

    monkeypatch.setattr(LlamaRMSNorm, "forward", forward)


SIZES = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32,
}


@pytest.fixture
def save_model(tmp_path):
    """Save a tiny library model in the hub's format; its weights depend on the seed alone."""

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    def save(name: str, *, seed: int = 0, kind: str = "llama", tied: bool = False, shard: str = "1GB", **sizes: object):
        torch.manual_seed(seed)
        settings = {**SIZES, "num_hidden_layers": 4, "tie_word_embeddings": tied, **sizes}
        if kind == "llama":
            model = LlamaForCausalLM(LlamaConfig(**settings))
        else:
            model = Qwen2ForCausalLM(Qwen2Config(**settings))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        dtype = settings.get("dtype")
        (model.to(dtype) if isinstance(dtype, torch.dtype) else model).save_pretrained(
            tmp_path / name, max_shard_size=shard
        )
        return tmp_path / name

    return save


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with MLflow's tables: making them takes seconds, so it is done once."""
    from card24_pipeline.tracking.store import SQLITE, TrackingStore, open_store

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    with open_store(TrackingStore(f"{SQLITE}{path}", "none", "models")) as client:
        client.search_experiments()
    return path


@pytest.fixture
def study():
    """A study in miniature whose every figure can be worked out by hand."""
    return SMALL_STUDY.Study()


@pytest.fixture(scope="session")
def small_study_tables():
    """Its tables, unchanged."""
    return SMALL_STUDY.Study().tables()


@pytest.fixture(scope="session")
def findings():
    """Its findings, unchanged."""
    return SMALL_STUDY.Study().find()
