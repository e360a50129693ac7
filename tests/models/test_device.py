import pytest
import torch

from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.models import loading
from card24_pipeline.models.device import find_device
from card24_pipeline.models.loading import load_checkpoint


@pytest.fixture
def machine(monkeypatch):
    """Say which accelerators the machine has."""

    def has(*names):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)

    return has


@pytest.mark.parametrize(
    ("there", "found"), [(("cuda", "mps"), "cuda"), (("cuda",), "cuda"), (("mps",), "mps"), ((), "cpu")]
)
def test_auto_takes_the_best_there_is(machine, there, found):
    machine(*there)
    assert find_device("auto") == torch.device(found)
    assert {find_device(name).type for name in (*there, "cpu")} == {*there, "cpu"}


@pytest.mark.parametrize("name", ["cuda", "mps", "tpu"])
def test_what_is_not_there_is_refused_with_what_is(machine, name):
    machine()
    with pytest.raises(ValueError, match=f"device: there is no {name} here: expected auto or one of cpu"):
        find_device(name)


def test_checkpoint_opens_where_it_is_to_compute(make_model, tokenizer, tmp_path, monkeypatch):
    save_checkpoint(make_model(), tokenizer, tmp_path / "base")
    assert load_checkpoint(tmp_path / "base")[0].device.type == "cpu"
    monkeypatch.setattr(loading, "find_device", lambda name: torch.device({"cuda": "meta"}[name]))
    assert load_checkpoint(tmp_path / "base", "cuda")[0].device.type == "meta"
