"""Independent jobs side by side in processes of one thread each, as many as this process has threads.

Models and matrices of a few million weights leave a second thread idle most of the time; a process in its place does
not. One thread each also means that results do not depend on the number of threads.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def map_in_processes(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, description: str, unit: str
) -> list[Result]:
    """Apply a function to every job and return the results in the order of the jobs.

    As many processes as this one has threads run the function, so it is importable by name (or a ``functools.partial``
    of such); with one thread it runs here. What a job raises is raised; the jobs that have not begun are then dropped.
    ``description`` and ``unit`` label the bar.
    """
    import torch
    from tqdm import tqdm  # not above: it must not be there yet when a worker switches its bars off

    if not jobs:
        return []
    workers = min(torch.get_num_threads(), len(jobs))
    if workers == 1:
        return [function(job) for job in tqdm(jobs, desc=description, unit=unit, mininterval=1.0)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker) as pool:
        futures = {pool.submit(function, job): index for index, job in enumerate(jobs)}
        results: dict[int, Result] = {}
        try:
            for future in tqdm(as_completed(futures), total=len(jobs), desc=description, unit=unit, mininterval=1.0):
                results[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [results[index] for index in range(len(jobs))]


def _prepare_worker() -> None:
    """Use one thread, and draw no bars beside the parent's."""
    os.environ["TQDM_DISABLE"] = "1"
    import torch

    torch.set_num_threads(1)
