"""The default study's hands: its rules and every split, and a few examples of each kind."""

import pytest

from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.base_model.render_pretraining_examples import MixtureParams, render_pretraining_examples
from card24_pipeline.pipelines.game.deal_eval_hands import EvalHandsParams, OrdersParams, deal_eval_hands
from card24_pipeline.pipelines.game.render_sft_examples import SftExamplesParams, render_sft_examples
from card24_pipeline.pipelines.game.split_multisets import SplitParams, split_multisets


@pytest.fixture(scope="session")
def make_rules():
    def make(id_faces=(10, 10, 10), ood_faces=(11, 12, 13), target=24, further=()):
        """Make rules; ``further`` are OOD rules beyond the first: name, faces and target (None: the game's)."""
        names = ("jack", "queen", "king")
        ood = {
            name: dict(zip(names, faces, strict=True)) | ({} if own is None else {"target": own})
            for name, faces, own in (("ood", ood_faces, None), *further)
        }
        faces = dict(zip(names, id_faces, strict=True))
        return RulesParams.model_validate({"target": target, "id": faces, "ood": ood})

    return make


@pytest.fixture(scope="session")
def rules(make_rules):
    return make_rules()


@pytest.fixture(scope="session")
def prompt():
    return PromptParams(layout="compact", style="steps")


@pytest.fixture(scope="session")
def split_params():
    return SplitParams(seed=3, id_heldout_fraction=0.2, ood_select_fraction=0.2, never_met_fraction=0.2)


@pytest.fixture(scope="session")
def eval_hands_params():
    orders = OrdersParams(id_seen=1, id_select=1, id_heldout=3, ood_select=2, ood=2)
    return EvalHandsParams(seed=3, orders=orders, published_hands=234)


@pytest.fixture(scope="session")
def mixture():
    return MixtureParams(
        examples=400,
        translation_weight=1.0,
        puzzle_weight=1.0,
        whole_task_weight=1.0,
        max_solutions=4,
        max_face_value=13,
    )


@pytest.fixture(scope="session")
def multisets(rules, split_params):
    return split_multisets(rules, split_params)


@pytest.fixture(scope="session")
def eval_hands(multisets, rules, prompt, eval_hands_params):
    return deal_eval_hands(multisets, rules, prompt, eval_hands_params)


@pytest.fixture(scope="session")
def few_multisets(multisets):
    """Every 25th multiset: each split is among them, met and never met."""
    return multisets.iloc[::25]


@pytest.fixture(scope="session")
def sft_examples(few_multisets, rules, prompt):
    params = SftExamplesParams(seed=3, deals_per_multiset=5, max_solutions=3)
    return render_sft_examples(few_multisets, rules, prompt, params)


@pytest.fixture(scope="session")
def pretraining_examples(few_multisets, rules, prompt, mixture):
    return render_pretraining_examples(few_multisets, rules, prompt, mixture, 3)
