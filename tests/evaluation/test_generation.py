import copy

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from card24_pipeline.evaluation import generation
from card24_pipeline.evaluation.generation import generate_answers, takes_argmax

PROMPTS = [f"cards {' '.join(map(str, range(first, first + 1 + 3 * first % 7)))} :" for first in range(9)]


@pytest.fixture(scope="module")
def model(make_model):
    """A model whose first choices are clear, so that batching cannot tip them."""
    return make_model(seed=2, scale=12.0)


def answer(model, tokenizer, prompts, **changes):
    settings = {"max_new_tokens": 8, "batch_size": 4, "description": "tiny"} | changes
    return generate_answers(model, tokenizer, prompts, **settings)


def greedy_reference(model, tokenizer, prompt, max_new_tokens):
    """Argmax token by token, the whole sequence anew each time, without cache or padding."""
    ids = tokenizer(prompt)["input_ids"]
    new = []
    while len(new) < max_new_tokens and tokenizer.eos_token_id not in new:
        with torch.inference_mode():
            new.append(int(model(input_ids=torch.tensor([ids + new])).logits[0, -1].argmax()))
    return new


def check_against_reference(model, tokenizer, prompt, found):
    expected = greedy_reference(model, tokenizer, prompt, 8)
    assert found.text == tokenizer.decode(expected, skip_special_tokens=True)
    assert found.answer_tokens == len(expected)
    assert found.cut is (tokenizer.eos_token_id not in expected)
    assert found.prompt_tokens == len(prompt.split())


def test_batched_answers_equal_plain_argmax_in_the_order_of_the_prompts(model, tokenizer):
    lengths = {len(prompt.split()) for prompt in PROMPTS}
    assert len(lengths) > 4
    answers = answer(model, tokenizer, PROMPTS)
    assert len({found.text for found in answers}) > 4
    for prompt, found in zip(PROMPTS, answers, strict=True):
        check_against_reference(model, tokenizer, prompt, found)


@pytest.mark.parametrize("batch_size", [1, 100])
def test_batch_size_does_not_change_an_answer(model, tokenizer, batch_size):
    assert answer(model, tokenizer, PROMPTS, batch_size=batch_size) == answer(model, tokenizer, PROMPTS)


class TestEnd:
    @pytest.fixture(scope="class")
    def ending_model(self, make_model, tokenizer):
        """The same model, but what is often its third word is now the end token."""
        model = make_model(seed=2, scale=12.0)
        thirds = [greedy_reference(model, tokenizer, prompt, 3)[2] for prompt in PROMPTS]
        word, end = max(thirds, key=thirds.count), tokenizer.eos_token_id
        with torch.no_grad():
            model.lm_head.weight[[word, end]] = model.lm_head.weight[[end, word]]
        return model

    def test_rows_that_end_early_equal_plain_argmax(self, ending_model, tokenizer):
        answers = answer(ending_model, tokenizer, PROMPTS)
        assert {found.cut for found in answers} == {True, False}
        for prompt, found in zip(PROMPTS, answers, strict=True):
            check_against_reference(ending_model, tokenizer, prompt, found)

    def test_a_row_that_ends_is_cut_at_its_first_end_token(self, model, tokenizer, monkeypatch):
        end, pad, word = tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer("7")["input_ids"][0]
        rows = [[word, word, end, pad], [word, word, word, word], [end, pad, pad, pad], [word, word, word, end]]

        def generate(input_ids, **kwargs):
            return torch.cat([input_ids, torch.tensor(rows)], dim=1)

        monkeypatch.setattr(model, "generate", generate)
        monkeypatch.setattr(generation, "takes_argmax", lambda *_: False)
        answers = answer(model, tokenizer, [f"cards {number}" for number in range(4)], max_new_tokens=4)
        assert [found.text for found in answers] == ["7 7", "7 7 7 7", "", "7 7 7"]
        assert [found.answer_tokens for found in answers] == [3, 4, 1, 4]
        assert [found.cut for found in answers] == [False, True, False, False]


@pytest.mark.parametrize("beginning", ["", "target 24 = "], ids=["nothing", "four tokens"])
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_what_prompts_share_and_how_they_are_batched_changes_no_answer(model, tokenizer, beginning, batch_size):
    prompts = [beginning + prompt for prompt in PROMPTS]
    found = answer(model, tokenizer, prompts, batch_size=batch_size)
    for prompt, one in zip(prompts, found, strict=True):
        check_against_reference(model, tokenizer, prompt, one)


def test_a_prompt_that_is_the_beginning_of_the_others_is_answered(model, tokenizer):
    prompts = ["cards 1 2", "cards 1 2 3", "cards 1 2 3 4 5"]
    for prompt, found in zip(prompts, answer(model, tokenizer, prompts), strict=True):
        check_against_reference(model, tokenizer, prompt, found)


def test_equal_prompts_are_answered_once(model, tokenizer, monkeypatch):
    seen = []
    decode = generation.decode_greedily
    monkeypatch.setattr(
        generation,
        "decode_greedily",
        lambda model, prompts, **limits: seen.extend(prompts) or decode(model, prompts, **limits),
    )
    found = answer(model, tokenizer, [*PROMPTS, *PROMPTS[:3]])
    assert len(seen) == len(set(seen)) == len(set(PROMPTS))
    assert found[-3:] == found[:3]


def test_attention_is_as_before_afterwards(model, tokenizer):
    before = model.config._attn_implementation
    answer(model, tokenizer, PROMPTS)
    assert model.config._attn_implementation == before


def make_qwen(tokenizer, **changes):
    """A model with fewer heads of keys than of queries and with biases."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "max_position_embeddings": 48}
    model = Qwen2ForCausalLM(Qwen2Config(**sizes, **words, num_key_value_heads=2, **changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
    return model


@pytest.mark.parametrize(
    ("changes", "shares"),
    [({}, True), ({"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}, False)],
    ids=["whole", "sliding window"],
)
def test_other_attentions_equal_plain_argmax(tokenizer, changes, shares):
    model = make_qwen(tokenizer, **changes)
    assert takes_argmax(model, tokenizer.eos_token_id) is shares
    for prompt, found in zip(PROMPTS, answer(model, tokenizer, PROMPTS), strict=True):
        check_against_reference(model, tokenizer, prompt, found)


@pytest.mark.parametrize("setting", [{"repetition_penalty": 9.0}, {"eos_token_id": [1, 5]}], ids=str)
def test_settings_beyond_greedy_go_by_the_library(model, tokenizer, setting):
    bent = copy.deepcopy(model)
    bent.generation_config.update(**setting)
    assert takes_argmax(model, tokenizer.eos_token_id)
    assert not takes_argmax(bent, tokenizer.eos_token_id)


class TestContext:
    def test_answers_that_could_outgrow_the_context_are_refused(self, model, tokenizer, architecture):
        longest = max(len(prompt.split()) for prompt in PROMPTS)
        room = architecture.max_tokens - longest
        match = f"{longest} tokens and {room + 1} new tokens exceed the model's context of {architecture.max_tokens}"
        with pytest.raises(ValueError, match=match):
            answer(model, tokenizer, PROMPTS, max_new_tokens=room + 1)

    def test_answers_that_just_fit_are_given(self, model, tokenizer, architecture):
        longest = max(PROMPTS, key=lambda prompt: len(prompt.split()))
        room = architecture.max_tokens - len(longest.split())
        (found,) = answer(model, tokenizer, [longest], max_new_tokens=room)
        assert found.answer_tokens <= room
