import pytest
import yaml

from card24_pipeline.versioning.lock_files import LockText, has_lost_entries, is_whole, salvage

DEAL = """\
  deal:
    cmd: "deal a:\
      \ b"
    outs:
    - path: hands.txt
      hash: md5
      md5: 84240f984cd6e570e7931e3b55c51438
      size: 8
"""
TRAIN = """\
  train@0:
    cmd: train
    deps:
    - path: hands.txt
      hash: md5
      md5: 84240f984cd6e570e7931e3b55c51438
      size: 8
    params:
      params.yaml:
        seed: 0
    outs:
    - path: model
      hash: md5
      md5: a7731410a8dbdba21c5805fc731ec1c0.dir
      size: 14
      nfiles: 2
"""
HEAD = "schema: '2.0'\nstages:\n"
WHOLE = HEAD + DEAL + TRAIN


def test_parts_are_the_entries_of_the_stages():
    parts = LockText.split(WHOLE)
    assert parts == LockText(HEAD, {"deal": DEAL, "train@0": TRAIN})
    assert parts.join() == WHOLE
    assert list(parts.entries) == list(yaml.safe_load(WHOLE)["stages"])


def test_names_in_quotes_and_what_follows_the_stages():
    text = f"{HEAD}  '1':\n    cmd: x\ndatasets:\n- name: y\n"
    parts = LockText.split(text)
    assert list(parts.entries) == ["1"]
    assert parts.tail == "datasets:\n- name: y\n"
    assert parts.join() == text


def test_sorting_keeps_what_it_does_not_know_at_the_end():
    parts = LockText(HEAD, {"old": "  old:\n    cmd: x\n", "train@0": TRAIN, "deal": DEAL})
    assert list(parts.sort(["deal", "train@0", "new"]).entries) == ["deal", "train@0", "old"]


def test_no_cut_is_taken_for_a_whole_file_unless_dvc_would_see_it():
    assert is_whole(WHOLE)
    taken = [length for length in range(len(WHOLE)) if is_whole(WHOLE[:length])]
    assert taken
    for length in taken:
        # Cut between two entries, which the kept copy shows, or an entry that lacks its outputs, which is out of date.
        name, last = list(yaml.safe_load(WHOLE[:length])["stages"].items())[-1]
        assert last == yaml.safe_load(WHOLE)["stages"]["deal"] or "outs" not in last
        assert has_lost_entries(WHOLE[:length], WHOLE) == (name == "deal")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "stages: {}\n",
        "schema: '2.0'\n",
        HEAD + "  deal:\n",
        HEAD + "  deal:\n    deps: []\n",
        "\0" * 90,
        WHOLE[:-1],
    ],
)
def test_what_is_no_lock_file_is_not_whole(text):
    assert not is_whole(text)


def test_entries_that_a_cut_file_has_whole_win():
    newer = DEAL.replace("size: 8", "size: 9")
    damaged = (HEAD + newer + TRAIN)[:-40]
    assert salvage(damaged, WHOLE) == HEAD + newer + TRAIN
    assert salvage("", WHOLE) == WHOLE
    assert salvage("\0\0\n", WHOLE) == WHOLE


def test_entries_of_chosen_stages_stay_as_they_are():
    parts = LockText(HEAD, {"deal": DEAL, "train@0": TRAIN}, "datasets: []\n")
    assert parts.select({"train@0", "new"}).join() == HEAD + TRAIN + "datasets: []\n"


def test_an_entry_to_be_written_over_is_whole_and_no_stages_command():
    parts = LockText(HEAD, {"deal": DEAL})
    assert parts.enter("deal") == parts
    text = parts.enter("1").enter("train@0").sort(["1", "deal"]).join()
    assert is_whole(text)
    assert list(LockText.split(text).entries) == ["1", "deal", "train@0"]
    assert yaml.safe_load(text)["stages"]["1"] == yaml.safe_load(text)["stages"]["train@0"] == {"cmd": ""}


def test_lost_entries_are_those_at_the_end():
    other = LockText.split(WHOLE).sort(["train@0"]).join()
    assert has_lost_entries(HEAD + DEAL, WHOLE)
    assert not has_lost_entries(HEAD + TRAIN, WHOLE)
    assert has_lost_entries(HEAD + TRAIN, other)
    assert not has_lost_entries(WHOLE, WHOLE)
    assert not has_lost_entries(WHOLE + "  more:\n    cmd: x\n", WHOLE)
