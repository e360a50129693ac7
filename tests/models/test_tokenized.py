import pytest

from card24_pipeline.models.tokenized import IGNORED_LABEL, tokenize_examples

PROMPTS = ["cards 7 5 :", "cards 1 :"]
ANSWERS = ["numbers 7 5", "numbers 1 steps 1 + 0 = 1"]


def test_loss_falls_on_the_answer_and_the_end_token_only(tokenizer):
    for prompt, answer, example in zip(
        PROMPTS, ANSWERS, tokenize_examples(tokenizer, PROMPTS, ANSWERS, max_tokens=48), strict=True
    ):
        prompt_length = len(prompt.split())
        assert example["labels"][:prompt_length] == [IGNORED_LABEL] * prompt_length
        assert example["labels"][prompt_length:] == example["input_ids"][prompt_length:]
        assert example["input_ids"][-1] == tokenizer.eos_token_id
        assert tokenizer.decode(example["input_ids"][:-1]) == f"{prompt} {answer}"


def test_ids_are_those_of_prompt_and_answer_read_apart(tokenizer):
    (example,) = tokenize_examples(tokenizer, PROMPTS[:1], ANSWERS[:1], max_tokens=48)
    prompt_ids = tokenizer(PROMPTS[0], add_special_tokens=False)["input_ids"]
    assert example["input_ids"][: len(prompt_ids)] == prompt_ids


def test_example_that_fills_the_context_is_accepted_and_one_token_more_refused(tokenizer):
    length = len(f"{PROMPTS[1]} {ANSWERS[1]}".split()) + 1
    tokenize_examples(tokenizer, PROMPTS, ANSWERS, max_tokens=length)
    with pytest.raises(ValueError, match=rf"{length} tokens does not fit into the model's {length - 1}: 'cards 1 :'"):
        tokenize_examples(tokenizer, PROMPTS, ANSWERS, max_tokens=length - 1)


def test_prompts_and_answers_come_in_pairs(tokenizer):
    with pytest.raises(ValueError, match="shorter"):
        tokenize_examples(tokenizer, PROMPTS, ANSWERS[:1], max_tokens=48)
