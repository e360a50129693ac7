from __future__ import annotations

import pytest

from card24_pipeline.edits.edit import Edit
from card24_pipeline.tools import probe
from card24_pipeline.tools.probe import ProbeSettings, Question, choose_knob, read_questions

SETTINGS = ProbeSettings("exact", 4, 2)


def test_questions_are_read_line_by_line(tmp_path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"prompt": "2 + 2 =", "expected": "4"}\n\n{"prompt": "a", "expected": "b", "note": "x"}\n')
    assert read_questions(file) == [Question("2 + 2 =", "4"), Question("a", "b")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no questions"),
        ('{"prompt": "a", "expected": "b"}\nnot json', r"q\.jsonl:2: expected"),
        ('{"prompt": "a"}', r"q\.jsonl:1: expected"),
        ('{"prompt": "a", "expected": 4}', r"q\.jsonl:1: prompt and expected must be texts"),
    ],
)
def test_bad_questions_are_named_by_line(tmp_path, text, message) -> None:
    (tmp_path / "q.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_questions(tmp_path / "q.jsonl")
    with pytest.raises(ValueError, match="is missing"):
        read_questions(tmp_path / "gone.jsonl")


@pytest.mark.parametrize(
    ("scores", "best"), [({0.1: 0.2, 0.3: 0.7, 0.5: 0.6}, 0.3), ({0.1: 0.5, 0.3: 0.5, 0.5: 0.5}, 0.1)]
)
def test_best_knob_wins_and_the_smallest_of_equals(tmp_path, save_model, monkeypatch, scores, best) -> None:
    def score(folder, questions, settings, *, label):
        assert (folder / "model.safetensors").is_file()
        return scores.get(float(label.rpartition("=")[2]) if "=" in label else -1, 0.0)

    monkeypatch.setattr(probe, "score_questions", score)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    pair = save_model("donor", seed=1), save_model("target")
    edit, found = choose_knob(
        *pair, Edit("uv_top", knob=0.9), list(scores), [Question("a", "b")], SETTINGS, scratch=scratch
    )
    assert edit.knob == best
    assert len(found) == len(scores) + 2
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(("match", "share"), [("exact", 0.5), ("contains", 1.0)])
def test_answers_are_matched_as_asked(tmp_path, monkeypatch, match, share) -> None:
    class Answer:
        def __init__(self, text: str) -> None:
            self.text = text

    monkeypatch.setattr(probe, "load_checkpoint", lambda _: (None, None))
    monkeypatch.setattr(probe, "generate_answers", lambda *_, **__: [Answer(" 4 \n"), Answer("it is 5, I think")])
    questions = [Question("2 + 2 =", "4"), Question("2 + 3 =", "5")]
    assert probe.score_questions(tmp_path, questions, ProbeSettings(match, 4, 2), label="x") == share
