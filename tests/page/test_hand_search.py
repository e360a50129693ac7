"""The search of the page's browser of hands, run by Node.js where there is one."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "src/card24_pipeline/page/templates/page.html.j2"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

DATA = {
    "splits": ["ood", "id_seen"],
    "outcomes": ["correct", "illegal"],
    "answers": ["8 * 3", "10+14", "K"],
    "hands": {"split": [0, 0, 1], "hand": [0, 1, 0], "cards": ["J A A 8", "A J 10 8", "Q Q Q Q"]},
    "models": [
        {"name": "base", "seed": None, "answer": [2, 2, 2], "outcome": [1, 1, 1]},
        {"name": "SFT step 5", "seed": 0, "answer": [0, 1, 2], "outcome": [0, 0, 1]},
        {"name": "SFT step 9", "seed": 1, "answer": [0, 2, 0], "outcome": [0, 1, 0]},
        {"name": "RL from step 5", "seed": 0, "answer": [2, 1, 0], "outcome": [1, 0, 0]},
    ],
    "roles": {"End": {"0": "SFT step 5", "1": "SFT step 9"}, "RL from End": {"0": "RL from step 5"}},
}
QUERY = {
    "model": "End",
    "seed": "0",
    "split": "",
    "outcome": "",
    "other": "",
    "relation": "",
    "cards": "",
    "answer": "",
}


def find(**more):
    script = re.search(r'<script id="hand-search">(.*?)</script>', TEMPLATE.read_text(encoding="utf-8"), re.DOTALL)[1]
    call = f"HandSearch.find({json.dumps(DATA)}, {json.dumps(QUERY | more)})"
    program = f"{script}; const r = {call}; console.log(JSON.stringify([r.found, r.problem, r.model && r.model.name]))"
    done = subprocess.run([NODE, "--eval", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_role_is_the_checkpoint_of_the_seed():
    assert find() == [[0, 1, 2], "", "SFT step 5"]
    assert find(seed="1")[2] == "SFT step 9"
    assert find(model="base", seed="1")[2] == "base"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"cards": "a j"}, [0, 1]),
        ({"cards": "A, A"}, [0]),
        ({"cards": "10"}, [1]),
        ({"answer": "10"}, [1]),
        ({"answer": "8*"}, [0]),
        ({"answer": "10 + 1"}, [1]),
        ({"split": "1"}, [2]),
        ({"outcome": "0"}, [0, 1]),
        ({"other": "RL from End", "relation": "won"}, [0]),
        ({"other": "RL from End", "relation": "lost"}, [2]),
        ({"other": "RL from End", "relation": "both"}, [1]),
        ({"other": "RL from End", "relation": "neither"}, []),
    ],
)
def test_filters(more, found):
    assert find(**more)[:2] == [found, ""]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"seed": "1", "model": "RL from End"}, "replicate 1 has no RL from End"),
        ({"seed": "1", "other": "RL from End", "relation": "won"}, "replicate 1 has no RL from End"),
        ({"cards": "J 1"}, "not a card: 1"),
    ],
)
def test_what_cannot_be_searched_is_said_and_finds_nothing(more, problem):
    assert find(**more)[:2] == [[], problem]
