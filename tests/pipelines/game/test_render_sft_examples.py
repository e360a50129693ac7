import pytest

from card24_pipeline.game.answers import grade_answer, parse_answer
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.pipelines.game.render_sft_examples import SftExamplesParams, render_sft_examples
from card24_pipeline.pipelines.game.split_multisets import split_multisets

PARAMS = SftExamplesParams(seed=3, deals_per_multiset=5, max_solutions=3)


@pytest.mark.parametrize("layout", PromptLayout)
@pytest.mark.parametrize("style", AnswerStyle)
def test_every_answer_verifies_and_repeats_the_numbers(few_multisets, rules, layout, style):
    examples = render_sft_examples(few_multisets, rules, PromptParams(layout=layout, style=style), PARAMS)
    assert len(examples) == 5 * (few_multisets["split"] == "sft").sum() > 50
    for row in examples.to_dict("records"):
        values = tuple(map(int, row["multiset"].split("-")))
        assert grade_answer(row["answer"], values, 24, layout=layout, style=style).is_correct, row
        parsed = parse_answer(row["answer"], layout=layout, style=style)
        assert parsed.malformed is None
        assert tuple(sorted(parsed.numbers)) == values


def test_answer_gives_the_numbers_in_the_order_of_the_cards(sft_examples, rules):
    rule = rules.id.to_rule()
    for row in sft_examples.to_dict("records"):
        ranks = row["prompt"].split(" cards ")[1].removesuffix(" :").split()
        assert row["answer"].startswith(f"numbers {' '.join(map(str, rule.values(ranks)))} steps ")


def test_only_sft_multisets_are_told_each_equally_often(sft_examples, few_multisets):
    counts = sft_examples["multiset"].value_counts()
    assert set(counts.index) == set(few_multisets.loc[few_multisets["split"] == "sft", "multiset"])
    assert set(counts) == {5}


def test_deals_and_solutions_vary(sft_examples):
    assert sft_examples.groupby("multiset")["prompt"].nunique().max() == 5
    solutions = sft_examples["answer"].str.split(" steps ").str[1]
    assert solutions.groupby(sft_examples["multiset"]).nunique().max() > 1
    assert solutions.groupby(sft_examples["multiset"]).nunique().max() <= 3


def test_one_solution_a_multiset_if_so_asked(few_multisets, rules, prompt):
    examples = render_sft_examples(few_multisets, rules, prompt, PARAMS.model_copy(update={"max_solutions": 1}))
    solutions = examples["answer"].str.split(" steps ").str[1]
    assert set(solutions.groupby(examples["multiset"]).nunique()) == {1}


def test_same_seed_gives_the_same_examples(few_multisets, rules, prompt, sft_examples):
    assert render_sft_examples(few_multisets, rules, prompt, PARAMS).equals(sft_examples)
    other = render_sft_examples(few_multisets, rules, prompt, PARAMS.model_copy(update={"seed": 4}))
    assert not other["prompt"].equals(sft_examples["prompt"])


def test_target_is_that_of_the_rules(make_rules, split_params, prompt):
    rules = make_rules(target=10)
    for layout in PromptLayout:
        asked = PromptParams(layout=layout, style=AnswerStyle.formula)
        examples = render_sft_examples(split_multisets(rules, split_params).iloc[::40], rules, asked, PARAMS)
        for row in examples.to_dict("records"):
            values = tuple(map(int, row["multiset"].split("-")))
            assert grade_answer(row["answer"], values, 10, layout=layout, style=asked.style).is_correct, row
