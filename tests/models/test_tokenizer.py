import pytest

from card24_pipeline.models.tokenizer import END, PAD, UNKNOWN, build_word_tokenizer

SENTENCE = "J 11 Q 12 K 13 target 24 cards 7 J 5 A : numbers 8/3 -1/2 + - * / = ,"


@pytest.fixture(scope="module")
def word_tokenizer():
    return build_word_tokenizer([SENTENCE], max_tokens=32)


def test_text_comes_back_as_it_was(word_tokenizer):
    ids = word_tokenizer(SENTENCE)["input_ids"]
    assert len(ids) == len(SENTENCE.split())
    assert word_tokenizer.decode(ids) == SENTENCE


def test_vocabulary_is_the_set_of_words_after_the_special_tokens(word_tokenizer):
    words = [word_tokenizer.convert_ids_to_tokens(index) for index in range(len(word_tokenizer))]
    assert words == [PAD, END, UNKNOWN, *sorted(set(SENTENCE.split()))]
    assert (word_tokenizer.pad_token, word_tokenizer.eos_token, word_tokenizer.unk_token) == (PAD, END, UNKNOWN)


def test_vocabulary_does_not_depend_on_the_order_of_texts():
    texts = ["b a", "d c b", "10 9"]
    vocabularies = [
        build_word_tokenizer(order, max_tokens=8).get_vocab() for order in (texts, texts[::-1], [*texts, *texts])
    ]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]


def test_one_answers_digits_are_one_token(word_tokenizer):
    assert len(word_tokenizer("8/3 -1/2 24")["input_ids"]) == 3


def test_padding_is_on_the_left(word_tokenizer):
    batch = word_tokenizer(["cards 7 :", "cards"], padding=True)
    assert batch["input_ids"][1][:2] == [word_tokenizer.pad_token_id] * 2
    assert batch["attention_mask"] == [[1, 1, 1], [0, 0, 1]]


def test_other_words_are_unknown(word_tokenizer):
    assert word_tokenizer("cards 99 :")["input_ids"][1] == word_tokenizer.unk_token_id
    assert word_tokenizer.decode(word_tokenizer("cards 99")["input_ids"], skip_special_tokens=True) == "cards"


def test_context_length_is_recorded(word_tokenizer):
    assert word_tokenizer.model_max_length == 32
