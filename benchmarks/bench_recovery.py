"""Peak memory of recovering a sharded bf16 checkpoint of 7B shapes: `python -m benchmarks.bench_recovery`."""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

# Qwen2.5-7B: four of its layers and a small vocabulary, so that the decoder's matrices are what counts.
HIDDEN, INTERMEDIATE, KEY_VALUE, VOCABULARY, LAYERS = 3584, 18944, 512, 1024, 4
MATRICES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (KEY_VALUE, HIDDEN),
    "self_attn.v_proj": (KEY_VALUE, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
    "mlp.up_proj": (INTERMEDIATE, HIDDEN),
    "mlp.down_proj": (HIDDEN, INTERMEDIATE),
}


def measure() -> dict[str, float]:
    """Recover the checkpoint in a process of its own and read that process's peak resident memory.

    Returns:
        The checkpoint's size and the peak in GiB, and the seconds of the recovery.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / name for name in ("donor", "target")]
        size = sum(_write_checkpoint(folder, seed) for seed, folder in enumerate(folders)) / 2
        command = [sys.executable, "-m", "benchmarks.bench_recovery", *map(str, folders), f"{temporary}/out"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {"checkpoint_gib": size / 2**30, **json.loads(output.splitlines()[-1])}


def _write_checkpoint(folder: Path, seed: int) -> int:
    """Write one layer a shard; the two checkpoints share their bulk."""
    folder.mkdir()
    weight_map: dict[str, str] = {}
    size = 0
    for layer in range(LAYERS):
        tensors = {}
        for number, (name, shape) in enumerate(MATRICES.items()):
            generator = torch.Generator().manual_seed(100 * layer + number)
            weight = 0.02 * torch.randn(shape, generator=generator)
            change = torch.randn(shape, generator=generator.manual_seed(1000 * seed + number))
            tensors[f"model.layers.{layer}.{name}.weight"] = (weight + 0.001 * seed * change).bfloat16()
        if layer == 0:
            tensors["model.embed_tokens.weight"] = torch.zeros(VOCABULARY, HIDDEN, dtype=torch.bfloat16)
        file = f"model-{layer + 1:05}-of-{LAYERS:05}.safetensors"
        save_file(tensors, folder / file)
        weight_map |= dict.fromkeys(tensors, file)
        size += sum(2 * tensor.numel() for tensor in tensors.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    return size


def recover(donor: str, target: str, output: str) -> None:
    """Restore a fifth of the directions and print seconds and peak memory."""
    from card24_pipeline.edits.edit import Edit
    from card24_pipeline.tools.recover import recover_checkpoint

    report = recover_checkpoint(donor, target, output, Edit("uv_top", knob=0.2), null_draws=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts KiB
    print(json.dumps({"peak_resident_gib": peak, "recovery_seconds": report["seconds"]}))


if __name__ == "__main__":
    recover(*sys.argv[1:]) if len(sys.argv) > 1 else print(json.dumps(measure(), indent=1))
