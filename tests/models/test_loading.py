import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.models.loading import check_vocabulary, check_weights, load_checkpoint


@pytest.fixture(scope="module")
def whole(make_model, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "base"
    save_checkpoint(make_model(seed=4), tokenizer, folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "base")


def test_whole_folder_opens_in_evaluation_mode(whole, make_model):
    model, tokenizer = load_checkpoint(whole)
    assert not model.training
    assert tokenizer.padding_side == "left"
    for (name, found), written in zip(model.named_parameters(), make_model(seed=4).parameters(), strict=True):
        assert torch.equal(found, written), name


def test_half_precision_weights_open_in_float32(folder):
    weights = {name: weight.bfloat16() for name, weight in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model, _ = load_checkpoint(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_settings_of_the_folder_do_not_bend_greedy_generation(folder, tokenizer):
    (folder / "generation_config.json").write_text(
        '{"repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "do_sample": true, "eos_token_id": [1, 9]}'
    )
    model, _ = load_checkpoint(folder)
    ids = tokenizer("cards 7 5 7", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)  # such a model repeats itself
        model.model.embed_tokens.weight.mul_(50)
        (written,) = model.generate(input_ids=ids, max_new_tokens=5, do_sample=False)[:, ids.shape[1] :].tolist()
        (logits,) = model(input_ids=torch.cat([ids, torch.tensor([written])], dim=1)).logits
    assert written == logits.argmax(-1)[ids.shape[1] - 1 : -1].tolist()
    assert len(set(written)) < len(written)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id


class TestWeights:
    def test_missing_folder_is_named(self, tmp_path):
        with pytest.raises(CheckpointError, match=r"nowhere/config\.json is missing"):
            load_checkpoint(tmp_path / "nowhere")

    def test_folder_without_weights_is_named(self, folder):
        (folder / "model.safetensors").unlink()
        with pytest.raises(CheckpointError, match=rf"{folder} has no \*\.safetensors"):
            load_checkpoint(folder)

    def test_pickled_weights_are_not_opened(self, folder):
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
        with pytest.raises(CheckpointError, match=rf"{folder} has no .*pickled weights are not opened"):
            load_checkpoint(folder)

    @pytest.mark.parametrize("kept", [0, 5, 400, -1])
    def test_truncated_weights_are_named(self, folder, kept):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(CheckpointError, match=r"base/model\.safetensors is truncated"):
            check_weights(folder)

    def test_file_that_lacks_a_matrix_is_refused(self, folder):
        weights = load_file(folder / "model.safetensors")
        del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(CheckpointError, match=rf"{folder} .*model\.layers\.1\.mlp\.up_proj\.weight"):
            load_checkpoint(folder)

    def test_missing_shard_is_named(self, folder, make_model):
        (folder / "model.safetensors").unlink()
        make_model(seed=4).save_pretrained(folder, max_shard_size="5KB")
        shards = sorted(folder.glob("model-*.safetensors"))
        assert len(shards) > 2
        shards[1].unlink()
        with pytest.raises(CheckpointError, match=shards[1].name):
            load_checkpoint(folder)


class TestTokenizer:
    @pytest.mark.parametrize("text", [None, "", '{"version": "1.0", "model'])
    def test_missing_or_damaged_tokenizer_names_the_folder(self, folder, text):
        (folder / "tokenizer.json").unlink()
        if text is None:
            (folder / "tokenizer_config.json").unlink()
        else:
            (folder / "tokenizer.json").write_text(text)
        with pytest.raises(CheckpointError, match=f"{folder} has no tokenizer that can be opened"):
            load_checkpoint(folder)

    def test_tokenizer_without_end_token_is_refused(self, folder):
        (folder / "tokenizer_config.json").unlink()
        with pytest.raises(CheckpointError, match=f"tokenizer in {folder} has no end-of-sequence token"):
            load_checkpoint(folder)

    def test_words_of_the_vocabulary_pass(self, tokenizer, tmp_path):
        check_vocabulary(tokenizer, ["cards 7 J :", "numbers 7 11"], tmp_path)

    def test_lacking_tokens_are_named_with_the_folder(self, tokenizer, tmp_path):
        texts = ["cards 7 Joker :", "numbers 77 78 79 80 81 82"]
        with pytest.raises(CheckpointError, match=rf"{tmp_path} lacks 7 needed tokens, such as '77', '78'.*'81'$"):
            check_vocabulary(tokenizer, texts, tmp_path)
