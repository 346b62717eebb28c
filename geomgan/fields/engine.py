"""Metric tensors of a step: as many codes as all devices compute together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from geomgan.distances.distance import Distance
from geomgan.eigen.block import Pairs, lanczos_blocks
from geomgan.eigen.pairs import (
    eigenpairs,
    largest_pairs,
    most_products,
    reachable,
    relative_noise,
    signed,
    within_tolerance,
)
from geomgan.errors import GeomganError
from geomgan.fields import spmd
from geomgan.fields.plan import Plan
from geomgan.generators.generator import Generator
from geomgan.metric import linear
from geomgan.metric.tensor import metric_operator
from geomgan.runs.store import DONE, FAILED, NOT_CONVERGED

Results = dict[str, np.ndarray]


class OutOfMemory(GeomganError, MemoryError):
    """A device has too little memory even for one tangent of one code."""


@dataclass(frozen=True)
class Job:
    """What a step needs besides its codes: generator and distance on every device, prepared, the plan, and numbers."""

    G: Generator
    D: Distance
    plan: Plan
    mesh: Mesh
    precision: str
    hvp: str
    tol: float
    seed: int
    spare: deque[list[jax.Array]] = field(default_factory=deque)  # Jacobians done with: the next overwrite them

    @cached_property
    def tangents(self) -> jax.Array:
        """The unit vectors (and zeros, where devices share them unevenly), as the devices take them."""
        axis = spmd.TANGENTS if self.plan.kind in spmd.DIVISIBLE else None
        count = self.plan.share * self.plan.mesh[1]
        return spmd.shard(np.eye(count, self.plan.dim, dtype=self.G.dtype), self.mesh, axis)

    @property
    def epsilon(self) -> float:
        """Relative rounding of one operation of the network."""
        return linear.epsilon(self.G.dtype, self.precision)


def launch(job: Job, codes: np.ndarray) -> Callable[[], Results]:
    """Start a step of ``codes (positions * batch, d)``; the call that it returns waits for its results."""
    if job.plan.solver == "dense":
        return partial(_finish_dense, job, codes, _dense(job, codes))
    if job.plan.solver == "block":
        return partial(_block, job, codes)
    return partial(_arpack, job, codes)


def halved(job: Job) -> Job:
    """The job with half as many tangents at a time.

    Raises:
        OutOfMemory: there is only one.
    """
    plan = job.plan
    chunk = plan.chunk if plan.solver == "dense" else min(plan.chunk, plan.width)
    if chunk == 1:
        raise OutOfMemory(
            f"the device ran out of memory with {plan.batch} codes and 1 tangent at a time (solver {plan.solver!r}). "
            "Give it fewer codes at a time (batch=1), fewer pairs (k=), or solver='block'."
        )
    return replace(job, plan=replace(plan, chunk=chunk // 2))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device says that it has no memory left."""
    return isinstance(error, MemoryError | jax.errors.JaxRuntimeError) and (
        isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()
    )


def _dense(job: Job, codes: np.ndarray) -> jax.Array:
    """Metric tensors ``(n, d, d)``, not waited for."""
    plan, mesh = job.plan, job.mesh
    on_devices = spmd.shard(codes, mesh, spmd.CODES)
    if plan.small:
        options = {"mesh": mesh, "precision": job.precision, "chunk": plan.chunk}
        return spmd.small_tensors(job.G, job.D, on_devices, job.tangents, **options)
    total: Any = None
    for group in plan.groups:
        static = {"kind": plan.kind, "precision": job.precision, "chunk": plan.chunk, "group": group}
        into = _overwritable(job, (len(codes), len(job.tangents)))
        leaves = spmd.rows(job.G, job.D, on_devices, job.tangents, into, mesh=mesh, **static)
        if jax.default_backend() == "cpu":  # a queued program gets fewer threads there: a tenth of the time
            jax.block_until_ready(leaves)
        g = spmd.tensors(leaves, mesh=mesh, kind=plan.kind, dim=plan.dim)
        with jax.enable_x64(True):
            total = g if total is None else total + g
        if into is not None:
            job.spare.append(leaves)
    return total


def _overwritable(job: Job, shape: tuple[int, int]) -> list[jax.Array] | None:
    """A Jacobian that is done with, or a new one of zeros, if overwriting saves anything."""
    try:
        return job.spare.popleft()
    except IndexError:
        blank = spmd.blank_rows(job.G, job.D, shape, job.mesh, job.plan.kind, job.plan.groups)
        return None if blank is None else [jnp.zeros(leaf.shape, leaf.dtype, device=leaf.sharding) for leaf in blank]


def _finish_dense(job: Job, codes: np.ndarray, tensors: jax.Array) -> Results:
    plan = job.plan
    noise = relative_noise(plan.kind, "dense", job.epsilon, plan.dim)
    units = [_dense_unit(g, plan.k, noise) for _, g in sorted(spmd.units_here(tensors, plan.batch))]
    return _everywhere(job, {"codes": codes}, units)


def _dense_unit(tensors: np.ndarray, k: int, noise: float) -> Results:
    """Results of the codes of one device, from their metric tensors."""
    n, dim = tensors.shape[:2]
    results = _failed(n, dim, k)
    results["tensors"] = np.asarray(tensors, np.float64)
    finite = np.flatnonzero(np.isfinite(tensors).all(axis=(1, 2)))
    values, vectors, residuals = largest_pairs(results["tensors"][finite], k)
    _put(results, finite, values, vectors, residuals, noise * np.abs(values).max(axis=-1), converged=True)
    return results


def _block(job: Job, codes: np.ndarray) -> Results:
    """Top pairs of every code of the step by block Lanczos, all products of a round in one program."""
    plan, n = job.plan, len(codes)
    on_devices = spmd.shard(codes, job.mesh, spmd.CODES)
    width, shares = plan.width, plan.mesh[1]
    width += -width % shares
    limits: dict[str, Any] = {
        "tol": job.tol,
        "max_products": most_products(plan.dim),
        "rounding": reachable(job.epsilon),
    }
    talks = [lanczos_blocks(plan.dim, plan.k, seed=job.seed, width=plan.width, **limits) for _ in range(n)]
    waiting: dict[int, np.ndarray] = {i: next(talk) for i, talk in enumerate(talks)}
    pairs: dict[int, Pairs] = {}
    while waiting:
        blocks = np.zeros((n, plan.dim, width), job.G.dtype)
        for i, block in waiting.items():
            blocks[i, :, : block.shape[1]] = block
        parts = [
            spmd.products(
                *(job.G, job.D, on_devices, spmd.shard(part, job.mesh, spmd.CODES, None, spmd.TANGENTS)),
                **{"mesh": job.mesh, "kind": plan.kind, "precision": job.precision},
            )
            for part in np.split(blocks, range(_columns(plan), width, _columns(plan)), axis=2)
        ]
        images = np.concatenate([spmd.gathered(part) for part in parts], axis=2).astype(np.float64)
        for i, block in list(waiting.items()):
            image = images[i, :, : block.shape[1]]
            try:
                if not np.isfinite(image).all():
                    raise StopIteration
                waiting[i] = talks[i].send(image)
            except StopIteration as finished:
                del waiting[i]
                if finished.value is not None:
                    pairs[i] = finished.value
    results = _failed(n, plan.dim, plan.k) | {"codes": codes}
    for i, (values, vectors, residuals, _) in pairs.items():
        noise = relative_noise(plan.kind, "block", job.epsilon, plan.dim) * np.abs(values).max()
        converged = within_tolerance(values, residuals, job.tol, job.epsilon).all()
        _put(results, i, values, signed(vectors), residuals, noise, converged=bool(converged))
    return results


def _columns(plan: Plan) -> int:
    """Columns of a block that are multiplied at a time: a chunk on each device that shares them."""
    return max(1, plan.chunk) * plan.mesh[1]


def _arpack(job: Job, codes: np.ndarray) -> Results:
    """Top pairs by scipy's eigsh, one code after the other; every process computes all of them."""
    plan = job.plan
    results = _failed(len(codes), plan.dim, plan.k) | {"codes": codes}
    for i, z in enumerate(codes):
        op = metric_operator(job.G, job.D, z, chunk=plan.chunk, precision=job.precision, hvp=job.hvp)
        if not np.isfinite(np.asarray(op.matvec(jnp.ones(plan.dim, job.G.dtype)))).all():
            continue
        e = eigenpairs(op, plan.k, solver=plan.solver, tol=job.tol, seed=job.seed)
        complete = len(e.values) == plan.k and bool(e.converged.all())
        _put(results, i, e.values, e.vectors, e.residuals, e.noise_floor, converged=complete)
    return results


def _failed(n: int, dim: int, k: int) -> Results:
    """Results of ``n`` codes before anything is known of them."""
    return {
        "values": np.full((n, k), np.nan),
        "vectors": np.full((n, dim, k), np.nan),
        "residuals": np.full((n, k), np.nan),
        "noise_floor": np.full(n, np.nan),
        "status": np.full(n, FAILED, np.int8),
    }


def _put(
    results: Results,
    i: int | np.ndarray,
    values: np.ndarray,
    vectors: np.ndarray,
    residuals: np.ndarray,
    noise: Any,
    *,
    converged: bool,
) -> None:
    """The pairs of code ``i``, or of several codes."""
    found = values.shape[-1]  # ARPACK returns only what converged
    results["values"][i, :found] = values
    results["vectors"][i, :, :found] = vectors
    results["residuals"][i, :found] = residuals
    results["noise_floor"][i] = noise
    results["status"][i] = DONE if converged else NOT_CONVERGED


def _everywhere(job: Job, common: Results, units: list[Results]) -> Results:
    """Results of a whole step on every process, from those of the units whose devices this process has."""
    own = {name: np.concatenate([unit[name] for unit in units]) for name in units[0]}
    if jax.process_count() == 1:
        return common | own
    return common | {name: spmd.joined(rows, job.mesh, job.plan.batch) for name, rows in own.items()}
