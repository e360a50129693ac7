import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from card24_pipeline.checkpoints.manifest import check_manifest
from card24_pipeline.checkpoints.writer import save_checkpoint

PROMPT = "J 11 Q 12 cards 7 J 5 A :"


def read_files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folder_opens_by_from_pretrained_with_the_same_logits_and_ids(make_model, tokenizer, tmp_path):
    model = make_model(seed=3)
    save_checkpoint(model, tokenizer, tmp_path / "base")
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "base", local_files_only=True)
    opened_tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base", local_files_only=True)
    batch = opened_tokenizer([PROMPT, "cards 1"], padding=True, return_tensors="pt")
    assert batch["input_ids"].tolist() == tokenizer([PROMPT, "cards 1"], padding=True)["input_ids"]
    batch.pop("token_type_ids", None)
    with torch.inference_mode():
        assert torch.equal(model(**batch).logits, opened(**batch).logits)


def test_opened_tokenizer_keeps_its_settings(make_model, tokenizer, tmp_path):
    save_checkpoint(make_model(), tokenizer, tmp_path / "base")
    opened = AutoTokenizer.from_pretrained(tmp_path / "base", local_files_only=True)
    for name in ("padding_side", "pad_token", "eos_token", "unk_token", "model_max_length", "vocab_size"):
        assert getattr(opened, name) == getattr(tokenizer, name), name


def test_saving_twice_gives_the_same_bytes(make_model, tokenizer, tmp_path):
    for name in ("first", "second"):
        save_checkpoint(make_model(seed=1), tokenizer, tmp_path / name)
    assert read_files(tmp_path / "first") == read_files(tmp_path / "second")
    save_checkpoint(make_model(seed=1), tokenizer, tmp_path / "first")
    assert read_files(tmp_path / "first") == read_files(tmp_path / "second")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_weights_are_safetensors_only(make_model, tokenizer, tmp_path):
    save_checkpoint(make_model(), tokenizer, tmp_path / "base")
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(check_manifest(tmp_path / "base"))
    assert not [path for path in (tmp_path / "base").iterdir() if path.suffix in (".bin", ".pt", ".pth", ".pkl")]


def test_crash_while_writing_leaves_nothing_at_the_target(make_model, tokenizer, tmp_path, monkeypatch):
    def crash(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tokenizer, "save_pretrained", crash)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(make_model(), tokenizer, tmp_path / "base")
    assert not (tmp_path / "base").exists()
    save_checkpoint(make_model(), tokenizer, tmp_path / "base")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    assert check_manifest(tmp_path / "base")


def test_crash_while_writing_keeps_the_old_checkpoint(make_model, tokenizer, tmp_path, monkeypatch):
    save_checkpoint(make_model(seed=1), tokenizer, tmp_path / "base")
    before = read_files(tmp_path / "base")

    def crash(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(tokenizer, "save_pretrained", crash)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(make_model(seed=2), tokenizer, tmp_path / "base")
    assert read_files(tmp_path / "base") == before
