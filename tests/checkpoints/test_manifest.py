import hashlib
import json

import pytest

from card24_pipeline.checkpoints.manifest import MANIFEST, CheckpointError, check_manifest, write_manifest


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "staged"
    (folder / "step_10").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "step_10/model.safetensors").write_bytes(b"weights")
    write_manifest(folder)
    return folder


class TestManifest:
    def test_round_trip_names_every_file_with_its_digest(self, folder):
        assert check_manifest(folder) == {
            "config.json": hashlib.sha256(b"{}").hexdigest(),
            "step_10/model.safetensors": hashlib.sha256(b"weights").hexdigest(),
        }

    def test_same_files_give_the_same_bytes(self, folder):
        before = (folder / MANIFEST).read_bytes()
        write_manifest(folder)
        assert (folder / MANIFEST).read_bytes() == before
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", MANIFEST, "step_10"]

    def test_inner_manifests_are_files_like_others(self, folder):
        write_manifest(folder / "step_10")
        write_manifest(folder)
        assert f"step_10/{MANIFEST}" in check_manifest(folder)

    def test_missing_file_is_named(self, folder):
        (folder / "step_10/model.safetensors").unlink()
        with pytest.raises(CheckpointError, match=r"step_10/model\.safetensors is missing"):
            check_manifest(folder)

    def test_truncated_file_is_named_with_both_sizes(self, folder):
        (folder / "step_10/model.safetensors").write_bytes(b"wei")
        with pytest.raises(CheckpointError, match=r"model\.safetensors has 3 bytes, but .* says 7"):
            check_manifest(folder)

    @pytest.mark.parametrize("missing", ["manifest", "folder"])
    def test_folder_without_manifest_is_not_complete(self, folder, missing):
        (folder / MANIFEST).unlink()
        wanted = folder if missing == "manifest" else folder / "nowhere"
        with pytest.raises(CheckpointError, match=f"{wanted} is no complete checkpoint folder"):
            check_manifest(wanted)

    @pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"files": {"config.'])
    def test_damaged_manifest_is_named(self, folder, text):
        (folder / MANIFEST).write_text(text)
        with pytest.raises(CheckpointError, match=r"manifest\.json is not a manifest"):
            check_manifest(folder)

    def test_manifest_is_plain_json(self, folder):
        assert json.loads((folder / MANIFEST).read_text())["files"]["config.json"]["bytes"] == 2
