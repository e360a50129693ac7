"""Opening whatever holds a checkpoint: a folder of weights, an adapter on its base, a name on the hub."""

from pathlib import Path

from card24_pipeline.checkpoints.lora import LoraCheckpoint
from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import ADAPTER_CONFIG, Checkpoint, open_folder, read_json

PREFIX = "hub:"
FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]


def open_checkpoint(path: Path | str, *, base: Path | str | None = None) -> Checkpoint:
    """Open a folder of weights (see :func:`open_folder`) or a LoRA adapter on its base; headers only are read.

    Without ``base``, an adapter's base model is the folder that its configuration names.

    Raises:
        CheckpointError: If the folder or the base is missing, damaged or of a kind that is not supported.
    """
    folder = Path(path).expanduser()
    if not (folder / ADAPTER_CONFIG).is_file():
        return open_folder(folder)
    source = Path(base or str(read_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path")))
    if not source.is_dir():
        raise CheckpointError(
            f"{folder}: its base model {source} is no folder here; merge the adapter or name the base"
        )
    return LoraCheckpoint(open_checkpoint(source), folder)


def resolve_checkpoint(source: str | Path) -> Path:
    """Return a checkpoint's folder; ``hub:organisation/name[@revision]`` is downloaded to the hub's cache.

    This is the one place that may use the network, and only when asked to.

    Raises:
        CheckpointError: If the download fails.
    """
    text = str(source)
    if not text.startswith(PREFIX):
        return Path(source).expanduser()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, revision = text.removeprefix(PREFIX).partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{text} could not be downloaded: {reason}") from error
