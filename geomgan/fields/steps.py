"""The steps of a field, several under way at a time, with fewer tangents where memory runs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import jax
import numpy as np

from geomgan.backend import backend
from geomgan.errors import warn
from geomgan.fields.job import Job, Results
from geomgan.fields.solve import is_out_of_memory, launch, with_less_memory


def steps(job: Job, codes: np.ndarray, todo: Sequence[int], progress: bool) -> Iterator[list[tuple[int, Results]]]:
    """``(first code, results)`` of every batch, as many together as devices compute together, as they are finished.

    As many steps as the plan says are under way at a time. The last step repeats codes to be as large as the others:
    it compiles nothing new.
    """
    from tqdm import tqdm

    n, batch, positions = len(codes), job.plan.batch, job.plan.mesh[0]
    rounds = [todo[i : i + positions] for i in range(0, len(todo), positions)]
    show = progress and bool(todo) and jax.process_index() == 0
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=n, desc="metric tensors", unit="code", disable=not show))
        bar.update(n - sum(min(start + batch, n) - start for start in todo))
        pool, ahead = None, job.plan.steps
        if backend().host_threads and job.plan.steps > 1:
            pool = ThreadPoolExecutor(job.plan.steps)
            stack.callback(pool.shutdown, cancel_futures=True)
            ahead *= 2  # a thread that is done before the one whose results are next goes on
        launched: list[tuple[Sequence[int], np.ndarray, Job, Any]] = []
        for i in range(len(rounds) + ahead - 1):
            if i < len(rounds):
                starts = [*rounds[i], *[rounds[i][-1]] * (positions - len(rounds[i]))]
                rows = np.concatenate([np.arange(start, start + batch) for start in starts])
                together = np.asarray(codes[np.minimum(rows, n - 1)], np.dtype(job.pair.G.dtype))
                launched.append((rounds[i], together, job, _attempt(job, together, pool)))
            if launched and (i >= len(rounds) or len(launched) >= ahead):
                unpadded, together, tried, wait = launched.pop(0)
                job, results = _result(job, tried, together, wait)
                sizes = [min(start + batch, n) - start for start in unpadded]
                yield [
                    (start, {name: x[i * batch : i * batch + size] for name, x in results.items()})
                    for i, (start, size) in enumerate(zip(unpadded, sizes, strict=True))
                ]
                bar.update(sum(sizes))


def _attempt(job: Job, codes: np.ndarray, pool: ThreadPoolExecutor | None = None) -> Any:
    """A started step, or the error of a device that had no memory to start it."""
    if pool:
        return pool.submit(lambda: launch(job, codes)()).result
    try:
        return launch(job, codes)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return error


def _result(job: Job, tried: Job, codes: np.ndarray, wait: Any) -> tuple[Job, Results]:
    """The results of a step that ``tried`` started; with half as many tangents at a time while memory runs out.

    Returns:
        The job to go on with, and the results.
    """
    while True:
        try:
            if isinstance(wait, BaseException):
                raise wait
            return job, wait()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if tried is not job:  # started before an earlier step halved the chunk
                tried, wait = job, _attempt(job, codes)
                continue
            tried = job = with_less_memory(job)
            warn(
                f"a device ran out of memory; going on with {job.plan.chunk} tangents at a time. Pass "
                f"chunk={job.plan.chunk}, or a smaller memory=, to start with that.",
            )
            wait = _attempt(job, codes)
