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


@pytest.fixture
def use_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("threads", "is_muted"), [(1, False), (2, True)])
def test_results_come_in_the_order_of_the_jobs(use_threads, threads: int, is_muted: bool) -> None:
    use_threads(threads)
    assert map_in_processes(math.factorial, [5, 3, 0], description="test", unit="job") == [120, 6, 1]
    assert map_in_processes(math.sqrt, [], description="test", unit="job") == []
    # Other processes draw no bars.
    bars = map_in_processes(os.getenv, ["TQDM_DISABLE", "TQDM_DISABLE"], description="test", unit="job")
    assert bars == (["1", "1"] if is_muted else [os.getenv("TQDM_DISABLE")] * 2)


@pytest.mark.parametrize(("threads", "pools"), [(1, []), (2, [(2,)]), (5, [(3,)])])
def test_there_are_as_many_processes_as_threads_and_each_has_one(use_threads, threads: int, pools: list) -> None:
    use_threads(threads)
    with patch("card24_pipeline.evaluation.processes.ProcessPoolExecutor", wraps=ProcessPoolExecutor) as pool:
        found = map_in_processes(COUNT_THREADS, [{}, {}, {}], description="test", unit="job")
    assert [call.args for call in pool.call_args_list] == pools
    assert found == [1, 1, 1]


def test_the_error_of_a_job_is_raised() -> None:
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        map_in_processes(math.sqrt, [1.0, -1.0], description="test", unit="job")
