from __future__ import annotations

import pytest

from card24_pipeline.checkpoints.selection import Part, place_tensors
from card24_pipeline.edits.edit import Edit
from card24_pipeline.spectral.decomposition import count_decomposition_flops

SHAPES = {
    "model.embed_tokens.weight": (32, 8),
    **{f"model.layers.{layer}.self_attn.q_proj.weight": (8, 8) for layer in range(4)},
    **{f"model.layers.{layer}.self_attn.q_proj.bias": (8,) for layer in range(4)},
    **{f"model.layers.{layer}.mlp.up_proj.weight": (12, 8) for layer in range(4)},
    "model.norm.weight": (8,),
    "lm_head.weight": (32, 8),
    "vision_tower.layers.0.self_attn.q_proj.weight": (8, 8),
}
DECODER = SHAPES.keys() - {"vision_tower.layers.0.self_attn.q_proj.weight"}
PLACES = place_tensors(SHAPES)


def list_touched(edit: Edit) -> set[str]:
    return {name for name, place in PLACES.items() if edit.touches(place, SHAPES[name])}


def test_each_method_touches_what_it_says() -> None:
    matrices = {name for name in DECODER if "layers" in name and not name.endswith("bias")}
    vocabulary = {"model.embed_tokens.weight", "lm_head.weight"}
    assert list_touched(Edit("uv_top", knob=0.2)) == matrices
    only_mlp = Edit("uv_top", knob=0.2, matrices=(Part.mlp,))
    assert list_touched(only_mlp) == {name for name in matrices if "mlp" in name}
    assert list_touched(Edit("uv_top", knob=0.2, embeddings=True)) == matrices | vocabulary
    second = {name for name in DECODER if ".layers.1." in name}
    assert list_touched(Edit("layer_reset", knob=2)) == second
    assert list_touched(Edit("layer_reset", knob=2, embeddings=True)) == second | vocabulary
    assert list_touched(Edit("interpolation", knob=0.5)) == DECODER


def test_names_tell_variants_apart() -> None:
    edit = Edit("uv_top", donor="max_ood", knob=0.2, sigma="donor", matrices=(Part.mlp,), embeddings=True)
    assert edit.name == "uv_top donor=max_ood sigma=donor matrices=mlp embeddings top_fraction=0.2"
    assert edit.family == edit.name.removesuffix(" top_fraction=0.2")
    assert Edit("delta_threshold").name == "delta_threshold donor=donor"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"method": "uv_topp"}, "no method is called 'uv_topp': .*; did you mean uv_top?"),
        ({"method": "uv_top"}, "uv_top needs top_fraction"),
        ({"method": "uv_top", "knob": 1.1}, "top_fraction: expected a number from 0 to 1, got 1.1"),
        ({"method": "layer_reset", "knob": 0.5}, "quarter: expected 1, 2, 3 or 4, got 0.5"),
        ({"method": "uv_top", "knob": float("nan")}, "got nan"),
        ({"method": "uv_top", "knob": 0.5, "sigma": "both"}, "sigma: expected target or donor"),
        ({"method": "singular_values", "knob": 0.5}, "singular_values has no knob"),
        ({"method": "layer_scaling", "knob": 0.5, "sigma": "donor"}, "layer_scaling has no choice of singular values"),
        ({"method": "layer_scaling", "knob": 0.5, "embeddings": True}, "mixes the embeddings"),
        ({"method": "uv_top", "knob": 0.5, "matrices": (Part.norms,)}, "expected some of attention and mlp"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(choices, message) -> None:
    with pytest.raises(ValueError, match=message):
        Edit(**choices)


def test_costs_are_counted_by_hand() -> None:
    entries = sum(a * (b[0] if b else 1) for a, *b in map(SHAPES.get, DECODER))
    assert Edit("interpolation", knob=0.5).count_flops(PLACES, SHAPES) == 3 * entries
    assert Edit("layer_reset", knob=1, embeddings=True).count_flops(PLACES, SHAPES) == 0
    square, tall = count_decomposition_flops((8, 8)), count_decomposition_flops((12, 8))
    # round(0.5 · 8) = 4 directions: an update of rank 8.
    wanted = 4 * (2 * square + 2 * 64 * 8 + 2 * tall + 2 * 96 * 8)
    assert Edit("uv_top", knob=0.5).count_flops(PLACES, SHAPES) == wanted
    assert Edit("delta_top", knob=0.5).count_flops(PLACES, SHAPES) == 4 * (square + 2 * 64 * 4 + tall + 2 * 96 * 4)
