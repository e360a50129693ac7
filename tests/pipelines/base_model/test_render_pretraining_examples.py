import pytest

from card24_pipeline.game.answers import grade_answer
from card24_pipeline.game.cards import FaceRule
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.pipelines.base_model.render_pretraining_examples import render_pretraining_examples
from card24_pipeline.pipelines.game.split_multisets import split_multisets


def read_prompt(text):
    words = text.split()
    assert words[0:6:2] == ["J", "Q", "K"]
    rule = FaceRule(*map(int, words[1:6:2]))
    return rule, words[words.index("cards") + 1 : -1]


def read_numbers(text):
    words = text.split()
    assert words[0] == "numbers"
    return tuple(map(int, words[1:5]))


def name(values):
    return "-".join(map(str, sorted(values)))


@pytest.fixture(scope="module")
def by_kind(pretraining_examples):
    return {kind: rows.to_dict("records") for kind, rows in pretraining_examples.groupby("kind")}


def test_kinds_come_by_their_weights(by_kind, pretraining_examples, few_multisets, rules, prompt, mixture):
    assert len(pretraining_examples) == 400
    assert all(100 < len(by_kind[kind]) < 167 for kind in ("translation", "puzzle", "whole_task"))
    only = mixture.model_copy(update={"examples": 30, "translation_weight": 0.0, "puzzle_weight": 0.0})
    assert set(render_pretraining_examples(few_multisets, rules, prompt, only, 3)["kind"]) == {"whole_task"}


def test_multisets_never_met_occur_in_no_puzzle_or_whole_task(by_kind, few_multisets):
    met = set(few_multisets.loc[few_multisets["base_met_multiset"], "multiset"])
    assert len(met) < len(few_multisets)
    for kind, text in (("puzzle", "prompt"), ("whole_task", "answer")):
        shown = {name(read_numbers(row[text])) for row in by_kind[kind]}
        assert shown <= met
        assert len(shown) > len(met) / 2


def test_tuned_rules_never_occur(by_kind, rules):
    for kind in ("translation", "whole_task"):
        drawn = {read_prompt(row["prompt"])[0] for row in by_kind[kind]}
        assert len(drawn) > 50
        assert drawn.isdisjoint(rules.list_rules())


def test_tuned_rules_are_left_out_even_where_few_others_exist(few_multisets, make_rules, prompt, mixture):
    rules = make_rules(id_faces=(1, 1, 1), ood_faces=(2, 2, 2))
    few = mixture.model_copy(update={"max_face_value": 2, "whole_task_weight": 0.0, "puzzle_weight": 0.0})
    drawn = {
        read_prompt(text)[0] for text in render_pretraining_examples(few_multisets, rules, prompt, few, 3)["prompt"]
    }
    assert len(drawn) == 6
    assert drawn.isdisjoint(rules.list_rules())


def test_further_rules_are_left_out_and_add_no_multiset_twice(make_rules, split_params, prompt, mixture):
    rules = make_rules(further=[("low", (7, 5, 3), None), ("far", (11, 12, 13), 22)])
    found = split_multisets(rules, split_params)
    puzzles = mixture.model_copy(update={"examples": 3000, "translation_weight": 0.0, "whole_task_weight": 0.0})
    shown = render_pretraining_examples(found, rules, prompt, puzzles, 3)["prompt"].map(read_numbers).map(name)
    assert set(shown) <= set(found.loc[found["base_met_multiset"], "multiset"])
    often = found["multiset"].map(found["multiset"].value_counts()).groupby(found["multiset"]).first() > 1
    drawn = shown.value_counts().reindex(found.loc[found["base_met_multiset"], "multiset"].unique(), fill_value=0)
    by_listing = drawn.groupby(often[drawn.index]).mean()
    assert by_listing[True] == pytest.approx(by_listing[False], rel=0.2), "each is as likely as any other"
    few = mixture.model_copy(update={"max_face_value": 3, "whole_task_weight": 0.0, "puzzle_weight": 0.0})
    near = make_rules(id_faces=(1, 1, 1), ood_faces=(2, 2, 2), further=[("low", (1, 2, 3), None)])
    drawn = {read_prompt(text)[0] for text in render_pretraining_examples(found, near, prompt, few, 3)["prompt"]}
    assert len(drawn) == 24
    assert drawn.isdisjoint(near.list_rules())


def test_translations_are_right_and_solve_nothing(by_kind):
    for row in by_kind["translation"]:
        rule, ranks = read_prompt(row["prompt"])
        assert row["answer"] == f"numbers {' '.join(map(str, rule.values(ranks)))}"


def test_puzzles_are_solved_rightly_and_show_no_cards(by_kind):
    for row in by_kind["puzzle"]:
        assert "cards" not in row["prompt"]
        text = f"{row['prompt']} {row['answer']}"
        verdict = grade_answer(
            text, read_numbers(row["prompt"]), 24, layout=PromptLayout.compact, style=AnswerStyle.steps
        )
        assert verdict.is_correct, row


@pytest.mark.parametrize("layout", PromptLayout)
@pytest.mark.parametrize("style", AnswerStyle)
@pytest.mark.parametrize("target", [24, 10])
def test_whole_tasks_are_solved_rightly(few_multisets, make_rules, mixture, layout, style, target):
    rules = make_rules(target=target)
    only = mixture.model_copy(update={"examples": 20, "translation_weight": 0.0, "puzzle_weight": 0.0})
    hands = few_multisets[few_multisets["base_met_multiset"]]
    if target == 10:
        hands = hands.head(2).assign(values=[[1, 2, 3, 4], [2, 2, 3, 3]])
    examples = render_pretraining_examples(hands, rules, PromptParams(layout=layout, style=style), only, 3)
    possible = [tuple(values) for values in hands["values"]]
    for answer in examples["answer"]:
        assert any(
            grade_answer(answer, values, target, layout=layout, style=style).is_correct for values in possible
        ), answer


def test_whole_tasks_translate_their_own_cards(by_kind):
    for row in by_kind["whole_task"]:
        rule, ranks = read_prompt(row["prompt"])
        assert read_numbers(row["answer"]) == rule.values(ranks)


def test_same_seed_gives_the_same_examples(few_multisets, rules, prompt, mixture, pretraining_examples):
    assert render_pretraining_examples(few_multisets, rules, prompt, mixture, 3).equals(pretraining_examples)
    for seed in (4, "none"):
        other = render_pretraining_examples(few_multisets, rules, prompt, mixture, seed)
        assert len(other) == len(pretraining_examples)
        assert not other.equals(pretraining_examples)
