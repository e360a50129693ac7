from __future__ import annotations

import pytest

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import open_folder
from card24_pipeline.checkpoints.selection import Part, is_matrix, place_tensors

# Names from the models' published weight files, at layer 0.
NAMES = {
    "model.layers.0.self_attn.q_proj.weight": Part.attention,
    "model.layers.0.self_attn.k_proj.bias": Part.attention,
    "model.layers.0.self_attn.q_norm.weight": Part.norms,
    "model.layers.0.self_attn.qkv_proj.weight": Part.attention,
    "model.layers.0.mlp.gate_up_proj.weight": Part.mlp,
    "model.layers.0.mlp.experts.3.up_proj.weight": Part.mlp,
    "model.layers.0.block_sparse_moe.experts.7.w1.weight": Part.mlp,
    "model.layers.0.pre_feedforward_layernorm.weight": Part.norms,
    "model.layers.0.input_layernorm.weight": Part.norms,
    "gpt_neox.layers.0.attention.query_key_value.weight": Part.attention,
    "gpt_neox.layers.0.mlp.dense_h_to_4h.weight": Part.mlp,
    "gpt_neox.embed_in.weight": Part.embeddings,
    "embed_out.weight": Part.head,
    "h.0.attn.c_attn.weight": Part.attention,
    "h.0.ln_1.weight": Part.norms,
    "wte.weight": Part.embeddings,
    "wpe.weight": Part.embeddings,
    "ln_f.weight": Part.norms,
    "model.decoder.layers.0.fc1.weight": Part.mlp,
    "model.decoder.layers.0.self_attn_layer_norm.weight": Part.norms,
    "model.decoder.embed_positions.weight": Part.embeddings,
    "language_model.model.layers.0.cross_attn.q_proj.weight": Part.attention,
    "language_model.model.layers.0.cross_attn_attn_gate": Part.attention,
    "language_model.model.layers.0.cross_attn_mlp_gate": Part.mlp,
    "language_model.model.embed_tokens.weight": Part.embeddings,
    "language_model.lm_head.weight": Part.head,
    "vision_model.transformer.layers.5.self_attn.q_proj.weight": Part.outside,
    "model.visual.blocks.2.attn.qkv.weight": Part.outside,
    "multi_modal_projector.weight": Part.outside,
    "model.norm.weight": Part.norms,
    "lm_head.weight": Part.head,
}


@pytest.mark.parametrize(("name", "part"), NAMES.items(), ids=NAMES)
def test_places_tensors_of_many_decoders(name, part) -> None:
    place = place_tensors([name, "model.layers.0.mlp.up_proj.weight"])[name]
    assert place.part is part
    assert place.layer == (None if part is Part.outside or not set("0") & set(name.split(".")) else 0)


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_places_every_tensor_of_library_models(save_model, kind) -> None:
    with open_folder(save_model(kind, kind=kind)) as checkpoint:
        places = place_tensors(checkpoint.names)
    assert {place.layer for place in places.values()} == {None, 0, 1, 2, 3}
    assert {place.part for place in places.values()} == set(Part) - {Part.outside}


def test_depth_and_quarter_run_from_first_to_last() -> None:
    places = place_tensors([f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(6)]).values()
    assert [place.depth for place in places] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert [place.quarter for place in places] == [1, 1, 2, 3, 3, 4]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["model.layers.0.mlp.up_proj.weight", "model.layers.0.mystery.weight"],
            r"cannot place 1 .*mystery",
        ),
        (["lm_head.weight"], "numbered from 0 without a gap, found none"),
        (["model.layers.0.mlp.up_proj.weight", "model.layers.2.mlp.up_proj.weight"], r"found \[0, 2\]"),
    ],
)
def test_says_what_it_cannot_place(names, message) -> None:
    with pytest.raises(CheckpointError, match=message):
        place_tensors(names)


def test_matrices_have_two_sides() -> None:
    assert [is_matrix(shape) for shape in [(2, 3), (1, 1), (3,), (0, 3), (2, 2, 2)]] == [
        True,
        True,
        False,
        False,
        False,
    ]
