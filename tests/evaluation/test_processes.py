from __future__ import annotations

import math
import os

import pytest

from card24_pipeline.evaluation.processes import map_in_processes


def test_results_come_in_the_order_of_the_jobs_from_other_processes() -> None:
    assert map_in_processes(math.factorial, [5, 3, 0], description="test", unit="job") == [120, 6, 1]
    assert map_in_processes(os.getenv, ["TQDM_DISABLE"], description="test", unit="job") == ["1"]
    assert map_in_processes(math.sqrt, [], description="test", unit="job") == []


def test_the_error_of_a_job_is_raised() -> None:
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        map_in_processes(math.sqrt, [1.0, -1.0], description="test", unit="job")
