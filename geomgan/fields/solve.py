"""A step of a field: eigenpairs at as many codes as all devices compute together."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from geomgan.backend import FLOAT32, backend, epsilon, format_of, tensor_error
from geomgan.eigen.block import Conversation, lanczos_blocks
from geomgan.eigen.choice import most_products, reachable, relative_noise, within_tolerance
from geomgan.eigen.dense import largest_pairs, signed
from geomgan.eigen.found import Pairs
from geomgan.eigen.pairs import solved
from geomgan.eigen.refine import refined_blocks
from geomgan.errors import NotFiniteError, OutOfMemory
from geomgan.fields.devices import CODES, TANGENTS, gathered, joined, shard, units_here
from geomgan.fields.plan import Plan
from geomgan.fields.programs import Program, Rows, halved
from geomgan.metric.differences import warn_if_rough
from geomgan.metric.operator import MetricOperator, operator_at
from geomgan.metric.pair import Pair
from geomgan.runs.store import DONE, FAILED, NOT_CONVERGED

Results = dict[str, np.ndarray]
Execute = Callable[..., Any]


def execute(program: Program, *arguments: Any) -> Any:
    """Run a program; what a job does with its programs, unless a test says otherwise."""
    return program(*arguments)  # type: ignore[operator]


@dataclass(frozen=True)
class Job:
    """What a step needs besides its codes.

    Attributes:
        pair: on every device, with the kernels that its programs want.
        plan: of the field.
        programs: that the plan compiles.
        mesh: of devices.
        precision, hvp, tol, seed: as for :func:`geomgan.metric_field`.
        execute: runs a program.
        spare: Jacobians done with: the next overwrite them.
    """

    pair: Pair
    plan: Plan
    programs: tuple[Program, ...]
    mesh: Mesh
    precision: str
    hvp: str
    tol: float
    seed: int
    execute: Execute = execute
    spare: deque[list[jax.Array]] = field(default_factory=deque)

    @cached_property
    def tangents(self) -> jax.Array:
        """The unit vectors, as the devices take them."""
        program = self.programs[0]
        return shard(program.unit_vectors().astype(self.pair.G.dtype), self.mesh, program.axis)

    @property
    def final(self) -> str:
        """The precision that results are of: what iterative solvers find by coarse products is refined in float32."""
        return self.precision if self.plan.solver == "dense" else "highest"

    @property
    def noise(self) -> float:
        """Noise of eigenvalues relative to the largest."""
        rounding = epsilon(self.pair.G.dtype, self.final)
        return relative_noise(self.plan.solver == "dense" and self.plan.kind.jacobian, rounding, self.plan.dim)

    @property
    def error(self) -> float:
        """Relative error of metric tensors, and of products."""
        return tensor_error(self.pair.G.dtype, self.final)

    def reachable(self, precision: str) -> float:
        """The relative residual at which pairs have converged that products in ``precision`` find."""
        return max(self.tol, reachable(epsilon(self.pair.G.dtype, precision)))


def launch(job: Job, codes: np.ndarray) -> Callable[[], Results]:
    """Start a step of ``codes (positions * batch, d)``; the call that it returns waits for its results."""
    if job.plan.solver == "dense":
        return partial(_finish_dense, job, codes, *_dense(job, codes))
    return partial(_arpack if job.plan.by_code else _block, job, codes)


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


def _dense(job: Job, codes: np.ndarray) -> tuple[jax.Array, jax.Array | None]:
    """Metric tensors ``(n, d, d)``, and the noise of finite differences ``(n,)``; not waited for."""
    on_devices = shard(codes, job.mesh, CODES)
    total: Any = None
    noise: jax.Array | None = None
    for program in job.programs:
        if not isinstance(program, Rows):
            return job.execute(program, job.pair, on_devices, job.tangents), None
        into = _overwritable(job, program)
        leaves = job.execute(program, job.pair, on_devices, job.tangents, into)
        if backend().in_turn:
            jax.block_until_ready(leaves)
        if not program.kind.divisible:
            *leaves, noise = leaves
        g = program.tensors(leaves)
        with jax.enable_x64(True):
            total = g if total is None else total + g
        if into is not None:
            job.spare.append(leaves)
    return total, noise


def _overwritable(job: Job, program: Rows) -> list[jax.Array] | None:
    """A Jacobian that is done with, or a new one of zeros, if overwriting saves anything."""
    try:
        return job.spare.popleft()
    except IndexError:
        blank = program.blank(job.pair)
        return None if blank is None else [jnp.zeros(leaf.shape, leaf.dtype, device=leaf.sharding) for leaf in blank]


def _finish_dense(job: Job, codes: np.ndarray, tensors: jax.Array, noise: jax.Array | None) -> Results:
    batch, own = job.plan.batch, dict[int, np.ndarray]()
    if noise is not None:
        own = dict(units_here(noise, batch))
        warn_if_rough(np.concatenate(list(own.values())), job.plan.kind.jacobian)
    units = [
        _dense_unit(g, job.plan.k, np.fmax(job.noise, own.get(i, np.zeros(batch))))
        for i, g in sorted(units_here(tensors, batch), key=lambda unit: unit[0])
    ]
    return _everywhere(job, {"codes": codes}, units)


def _dense_unit(tensors: np.ndarray, k: int, noise: np.ndarray) -> Results:
    """Results of the codes of one device, from their metric tensors."""
    n, dim = tensors.shape[:2]
    results = _failed(n, dim, k)
    results["tensors"] = np.asarray(tensors, np.float64)
    finite = np.flatnonzero(np.isfinite(tensors).all(axis=(1, 2)))
    values, vectors, residuals = largest_pairs(results["tensors"][finite], k)
    _put(results, finite, values, vectors, residuals, noise[finite] * np.abs(values).max(axis=-1), converged=True)
    return results


def _block(job: Job, codes: np.ndarray) -> Results:
    """Top pairs of every code of the step by block Lanczos, all products of a round in one program."""
    plan, n = job.plan, len(codes)
    (program,) = job.programs
    rounding = reachable(epsilon(job.pair.G.dtype, job.precision))
    limits = (job.tol, plan.enough or most_products(plan.dim), job.seed, rounding, plan.width)
    results = _failed(n, plan.dim, plan.k) | {"codes": codes}
    left: dict[int, Conversation] = {}
    for i, found in _talked(job, program, codes, {i: lanczos_blocks(plan.dim, plan.k, *limits) for i in range(n)}):
        if not within_tolerance(found, job.reachable(job.precision)).all() and plan.enough:
            _put_dense_instead(job, results, i)
        elif format_of(job.precision, job.pair.G.dtype) != FLOAT32:
            left[i] = refined_blocks(found, job.reachable("highest"))
        else:
            _put_pairs(job, results, i, found)
    if left:
        for i, found in _talked(job, replace(program, precision="highest"), codes, left):
            _put_pairs(job, results, i, found)
    return results


def _talked(
    job: Job, program: Program, codes: np.ndarray, talks: dict[int, Conversation]
) -> Iterator[tuple[int, Pairs]]:
    """What solvers of some of the codes find, all products of a round in one program; not where one is not finite."""
    plan, n = job.plan, len(codes)
    on_devices = shard(codes, job.mesh, CODES)
    usual, most = plan.width + -plan.width % program.shares, max(1, program.chunk) * program.shares
    waiting: dict[int, np.ndarray] = {i: next(talk) for i, talk in talks.items()}
    while waiting:
        widest = max(block.shape[1] for block in waiting.values())
        width = usual if widest <= usual else widest + -widest % min(usual, most)  # parts of the usual size
        blocks = np.zeros((n, plan.dim, width), job.pair.G.dtype)
        for i, block in waiting.items():
            blocks[i, :, : block.shape[1]] = block
        parts = [
            job.execute(program, job.pair, on_devices, shard(part, job.mesh, CODES, None, TANGENTS))
            for part in np.split(blocks, range(min(usual, most), width, min(usual, most)), axis=2)
        ]
        images = np.concatenate([gathered(part) for part in parts], axis=2).astype(np.float64)
        for i, block in list(waiting.items()):
            image = images[i, :, : block.shape[1]]
            try:
                if not np.isfinite(image).all():
                    del waiting[i]
                else:
                    waiting[i] = talks[i].send(image)
            except StopIteration as finished:
                del waiting[i]
                yield i, finished.value


def _put_dense_instead(job: Job, results: Results, i: int) -> None:
    """What the dense solver finds at code ``i``, where block Lanczos was given up (``Plan.enough``)."""
    with contextlib.suppress(NotFiniteError):
        operator = _operator(job, results["codes"][i])
        e, _ = solved(operator.exact or operator, job.plan.k, solver="dense")
        _put(results, i, e.values, e.vectors, e.residuals, e.noise_floor, converged=True)


def _put_pairs(job: Job, results: Results, i: int, found: Pairs) -> None:
    """What block Lanczos found at code ``i``."""
    converged = bool(within_tolerance(found, job.reachable("highest")).all())
    _put(results, i, found.values, signed(found.vectors), found.residuals, job.noise * found.scale, converged=converged)


def _arpack(job: Job, codes: np.ndarray) -> Results:
    """Top pairs from products, one code after the other; every process computes all of them."""
    results = _failed(len(codes), job.plan.dim, job.plan.k) | {"codes": codes}
    for i, z in enumerate(codes):
        with contextlib.suppress(NotFiniteError):
            e, advice = solved(_operator(job, z), job.plan.k, solver=job.plan.solver, tol=job.tol, seed=job.seed)
            _put(results, i, e.values, e.vectors, e.residuals, e.noise_floor, converged=not advice)
    return results


def _operator(job: Job, z: np.ndarray) -> MetricOperator:
    return operator_at(job.pair, jnp.asarray(z), job.plan.chunk, job.precision, job.hvp)


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
    return common | {name: joined(rows, job.mesh, job.plan.batch) for name, rows in own.items()}
