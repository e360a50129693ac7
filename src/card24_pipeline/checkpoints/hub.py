"""Checkpoints by their name on the hub: the one place that may use the network, and only when asked to."""

from pathlib import Path

from card24_pipeline.checkpoints.manifest import CheckpointError

PREFIX = "hub:"
FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]


def resolve_checkpoint(source: str | Path) -> Path:
    """Return the folder of a checkpoint, downloading ``hub:organisation/name[@revision]`` to the hub's cache.

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
