"""A step of a field: eigenpairs at as many codes as all devices compute together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import backend
from geomgan.eigen.dense import largest_pairs
from geomgan.errors import OutOfMemory as OutOfMemory
from geomgan.fields.devices import CODES, shard, units_here
from geomgan.fields.iterative import arpack, block_lanczos, finish_lanczos, start_lanczos
from geomgan.fields.job import Job, Results, Units, everywhere, failed, leaving, put
from geomgan.fields.job import execute as execute
from geomgan.fields.lanczos import Lanczos
from geomgan.fields.programs import Rows, halved, pairs_on_devices
from geomgan.metric.differences import warn_if_rough


def launch(job: Job, codes: np.ndarray) -> Callable[[], Results]:
    """Start a step of ``codes (positions * batch, d)``; the call that it returns waits for its results."""
    if job.plan.solver == "dense":
        return partial(_finish_dense, job, codes, _dense(job, codes))
    if job.programs and isinstance(job.programs[0], Lanczos):
        return partial(finish_lanczos, job, codes, *start_lanczos(job, codes))
    return partial(arpack if job.plan.by_code else block_lanczos, job, codes)


def with_less_memory(job: Job) -> Job:
    """The job with half as many tangents at a time.

    Raises:
        OutOfMemory: there is only one.
    """
    programs = [halved(program) for program in job.programs]
    if not programs or None in programs:
        raise OutOfMemory(
            f"the device ran out of memory with {job.plan.batch} codes and 1 tangent at a time (solver "
            f"{job.plan.solver!r}). Give it fewer codes at a time (batch=1), fewer pairs (k=), or solver='block'."
        )
    smaller = tuple(program for program in programs if program is not None)
    return replace(job, programs=smaller, plan=replace(job.plan, chunk=smaller[0].chunk))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device says that it has no memory left."""
    return isinstance(error, MemoryError | jax.errors.JaxRuntimeError) and (
        isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()
    )


def _dense(job: Job, codes: np.ndarray) -> Units:
    """Metric tensors ``(n, d, d)``, and what else devices know of them: eigenpairs, noise. Not waited for."""
    arrays = _tensors(job, codes)
    if not backend(job.mesh.devices.flat[0]).solve_on_device:
        return units_here(arrays, job.plan.batch)
    return leaving(job, arrays | pairs_on_devices(arrays["tensors"], job.plan.k, job.mesh))


def _tensors(job: Job, codes: np.ndarray) -> dict[str, jax.Array]:
    """Metric tensors ``(n, d, d)``, and the noise of finite differences ``(n,)``; not waited for."""
    on_devices = shard(codes, job.mesh, CODES)
    total: Any = None
    more: dict[str, jax.Array] = {}
    for program in job.programs:
        if not isinstance(program, Rows):
            return {"tensors": job.execute(program, job.pair, on_devices, job.tangents)}
        into = _overwritable(job, program)
        leaves = job.execute(program, job.pair, on_devices, job.tangents, into)
        if backend().in_turn:
            jax.block_until_ready(leaves)
        if not program.kind.divisible:
            *leaves, more["noise"] = leaves
        g = program.tensors(leaves)
        with jax.enable_x64(True):
            total = g if total is None else total + g
        if into is not None:
            job.spare.append(leaves)
    return {"tensors": total} | more


def _overwritable(job: Job, program: Rows) -> list[jax.Array] | None:
    """A Jacobian that is done with, or a new one of zeros, if overwriting saves anything."""
    try:
        return job.spare.popleft()
    except IndexError:
        blank = program.blank(job.pair)
        return None if blank is None else [jnp.zeros(leaf.shape, leaf.dtype, device=leaf.sharding) for leaf in blank]


def _finish_dense(job: Job, codes: np.ndarray, computed: Units) -> Results:
    units = job.fetch(computed)
    if "noise" in units[0]:
        warn_if_rough(np.concatenate([unit["noise"] for unit in units]), job.plan.kind.jacobian)
    return everywhere(job, {"codes": codes}, [_dense_unit(job, **unit) for unit in units])


def _dense_unit(job: Job, tensors: np.ndarray, noise: Any = 0.0, **pairs: np.ndarray) -> Results:
    """Results of the codes of one device, from their metric tensors, and their eigenpairs where it found them.

    LAPACK does where it did not: everywhere, or at a code at which the device's algorithm has given up.
    """
    (n, dim), k = tensors.shape[:2], job.plan.k
    results, noise = failed(n, dim, k), np.fmax(job.noise, np.broadcast_to(noise, n))
    results["tensors"] = np.asarray(tensors, np.float64)
    left = np.isfinite(tensors).all(axis=(1, 2))
    if pairs:
        found = left & np.isfinite(pairs["values"]).all(axis=1)
        there = np.flatnonzero(found)
        values, vectors, residuals = (pairs[name][there] for name in ("values", "vectors", "residuals"))
        _put_dense(results, there, values, vectors, residuals, noise[there])
        left &= ~found
    if left.any():
        rest = np.flatnonzero(left)
        _put_dense(results, rest, *largest_pairs(results["tensors"][rest], k), noise[rest])
    return results


def _put_dense(
    results: Results, i: np.ndarray, values: np.ndarray, vectors: np.ndarray, residuals: np.ndarray, noise: np.ndarray
) -> None:
    put(results, i, values, vectors, residuals, noise * np.abs(values).max(axis=-1), converged=True)
