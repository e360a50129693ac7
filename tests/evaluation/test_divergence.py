import copy

import pytest
import torch

from card24_pipeline.evaluation import divergence
from card24_pipeline.evaluation.divergence import ForwardDivergence
from card24_pipeline.models.tokenized import IGNORED_LABEL, tokenize_examples


def mean_forward_kl(base, tuned, examples, *, batch_size):
    return ForwardDivergence(base, examples, batch_size=batch_size).measure(tuned)


def reference_kl(base, tuned, examples):
    """Token by token in float64, one example at a time, nothing padded."""
    base, tuned = (copy.deepcopy(model).double() for model in (base, tuned))
    divergences = []
    for example in examples:
        ids = torch.tensor([example["input_ids"]])
        with torch.inference_mode():
            p, q = (model(input_ids=ids).logits[0].softmax(-1) for model in (base, tuned))
        for place, label in enumerate(example["labels"]):
            if label != IGNORED_LABEL:
                terms = [a * (a / b).log() for a, b in zip(p[place - 1], q[place - 1], strict=True)]
                divergences.append(float(sum(terms)))
    return sum(divergences) / len(divergences)


@pytest.fixture(scope="module")
def models(make_model):
    return make_model(seed=0, scale=8.0), make_model(seed=1, scale=8.0)


def test_a_model_does_not_diverge_from_itself(models, examples):
    assert mean_forward_kl(models[0], copy.deepcopy(models[0]), examples, batch_size=5) == 0.0


def test_divergence_equals_the_float64_reference(models, examples):
    expected = reference_kl(*models, examples)
    assert expected > 0.1
    assert mean_forward_kl(*models, examples, batch_size=5) == pytest.approx(expected, rel=1e-5)


def test_direction_is_from_the_base(models, examples):
    forward, backward = (mean_forward_kl(*pair, examples, batch_size=12) for pair in (models, models[::-1]))
    assert backward == pytest.approx(reference_kl(*models[::-1], examples), rel=1e-5)
    assert abs(forward - backward) > 1e-3


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_batches_and_padding_do_not_matter(models, examples, batch_size):
    whole = mean_forward_kl(*models, examples, batch_size=12)
    assert mean_forward_kl(*models, examples[::-1], batch_size=batch_size) == pytest.approx(whole, rel=1e-6)


def test_prompts_that_begin_alike_give_the_float64_reference(models, tokenizer):
    prompts = [f"target 24 cards {first} {first + 1}" for first in range(6)]
    examples = tokenize_examples(tokenizer, prompts, ["24 = 1", "1 + 1", "2", "3", "4", "5"], max_tokens=48)
    expected = reference_kl(*models, examples)
    assert mean_forward_kl(*models, examples, batch_size=4) == pytest.approx(expected, rel=1e-5)


def test_a_model_of_unknown_attention_is_measured_as_well(models, examples, monkeypatch):
    monkeypatch.setattr(divergence, "knows_attention", lambda _: False)
    assert mean_forward_kl(*models, examples, batch_size=5) == pytest.approx(reference_kl(*models, examples), rel=1e-5)


@pytest.mark.parametrize(("limit", "batches_read"), [(divergence.KEPT_BYTES, 3), (0, 6)])
def test_the_base_reads_the_examples_once_where_its_logits_can_be_kept(
    models, examples, monkeypatch, limit, batches_read
):
    monkeypatch.setattr(divergence, "KEPT_BYTES", limit)
    seen = []
    read = divergence._read_answer_logits
    monkeypatch.setattr(
        divergence, "_read_answer_logits", lambda model, batch: seen.append(model) or read(model, batch)
    )
    measured = ForwardDivergence(models[0], examples, batch_size=4)
    assert measured.measure(models[1]) == measured.measure(models[1])
    assert seen.count(models[0]) == batches_read
