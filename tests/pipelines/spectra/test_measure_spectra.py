import pandas as pd
import pytest

from card24_pipeline.pipelines.spectra.measure_rl_spectra import measure_rl_spectra
from card24_pipeline.pipelines.spectra.measure_sft_spectra import measure_sft_spectra
from card24_pipeline.pipelines.spectra.params import SpectraParams

PARAMS = SpectraParams(fractions=[0.2], null_draws=1, null_seed=0, return_fraction=0.2)


@pytest.fixture
def folders(save_model, tmp_path):
    """A base, SFT at steps 2, 10 and 40, and RL from the last two; the first is MaxOOD."""
    for seed, step in enumerate((2, 10, 40), start=1):
        save_model(f"sft/step_{step}", seed=seed, num_hidden_layers=1)
    for seed, step in enumerate((10, 40), start=4):
        save_model(f"rl/from_step_{step}", seed=seed, num_hidden_layers=1)
    return save_model("base", num_hidden_layers=1), tmp_path / "sft", tmp_path / "rl"


@pytest.fixture
def selected():
    return pd.DataFrame({"role": ["max_ood", "rung_1", "end"], "step": [2, 10, 40]})


def list_pairs(table: pd.DataFrame) -> list[tuple[str, int]]:
    return [*dict.fromkeys(zip(table["pair"], table["step"], strict=True))]


def test_sft_is_measured_from_the_base_and_between_its_best_and_its_end(folders, selected) -> None:
    base, sft, _ = folders
    one_more = pd.concat([selected[selected["role"] != "rung_1"]])
    bands, indices, _ = measure_sft_spectra(base, sft, one_more, PARAMS)
    assert list_pairs(bands) == [("base_to_sft", 2), ("base_to_sft", 10), ("base_to_sft", 40), ("max_ood_to_end", 40)]
    assert list_pairs(indices) == [("base_to_sft", 2), ("base_to_sft", 40), ("max_ood_to_end", 40)]
    same = selected.assign(step=[40, 10, 40])
    bands, _, _ = measure_sft_spectra(base, sft, same, PARAMS)
    assert "max_ood_to_end" not in set(bands["pair"])


def test_rl_is_measured_from_where_it_began_and_toward_base_and_max_ood(folders, selected) -> None:
    base, sft, rl = folders
    bands, indices, returns, _ = measure_rl_spectra(base, sft, rl, selected, PARAMS, "plain")
    assert list_pairs(bands) == [("sft_to_rl", 10), ("sft_to_rl", 40)]
    assert list_pairs(indices) == [("sft_to_rl", 40)]
    assert returns.groupby("from_step")["reference"].unique().map(list).to_dict() == {
        10: ["base", "max_ood"],
        40: ["base", "max_ood"],
    }
    again, *_ = measure_rl_spectra(base, sft, rl, selected, PARAMS, "anchored")
    nulls = bands["model"] != "observed"
    columns = ["left_angle_degrees", "right_angle_degrees"]
    pd.testing.assert_frame_equal(again.loc[~nulls], bands.loc[~nulls])
    top = nulls & (bands["band"] == "top")
    assert (again.loc[top, columns] != bands.loc[top, columns]).all(axis=None)  # each arm draws its own nulls
