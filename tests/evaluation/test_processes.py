from __future__ import annotations

import math
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from unittest.mock import patch

import pytest
import torch

from card24_pipeline.evaluation.processes import map_in_processes

# Importable by name in another process, which a function of this file is not.
COUNT_THREADS = partial(eval, "__import__('torch').get_num_threads()")


def test_results_come_in_the_order_of_the_jobs_from_other_processes() -> None:
    assert map_in_processes(math.factorial, [5, 3, 0], description="test", unit="job") == [120, 6, 1]
    assert map_in_processes(os.getenv, ["TQDM_DISABLE"], description="test", unit="job") == ["1"]
    assert map_in_processes(math.sqrt, [], description="test", unit="job") == []


@pytest.mark.parametrize(("threads", "workers"), [(1, 1), (2, 2), (5, 3)])
def test_there_are_as_many_processes_as_threads_and_each_has_one(threads: int, workers: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with patch("card24_pipeline.evaluation.processes.ProcessPoolExecutor", wraps=ProcessPoolExecutor) as pool:
            found = map_in_processes(COUNT_THREADS, [{}, {}, {}], description="test", unit="job")
    finally:
        torch.set_num_threads(before)
    assert pool.call_args.args == (workers,)
    assert found == [1, 1, 1]


def test_the_error_of_a_job_is_raised() -> None:
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        map_in_processes(math.sqrt, [1.0, -1.0], description="test", unit="job")
