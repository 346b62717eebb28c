"""A step of a field: eigenpairs at as many codes as all devices compute together."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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
from geomgan.eigen.together import ANSWER, FULL, Limits, State, pairs_of
from geomgan.eigen.together import DONE as ENDED
from geomgan.errors import NotFiniteError, OutOfMemory
from geomgan.fields.devices import CODES, TANGENTS, fetched, gathered, joined, shard, smallest, units_here
from geomgan.fields.lanczos import Lanczos
from geomgan.fields.plan import Plan
from geomgan.fields.programs import Program, Rows, halved, pairs_on_devices
from geomgan.metric.differences import warn_if_rough
from geomgan.metric.operator import MetricOperator, operator_at
from geomgan.metric.pair import Pair
from geomgan.runs.store import DONE, FAILED, NOT_CONVERGED

Results = dict[str, np.ndarray]
Execute = Callable[..., Any]
Units = list[dict[str, jax.Array]]


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
        fetch: brings results of a step to the host.
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
    fetch: Callable[..., list[dict[str, np.ndarray]]] = fetched
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
        return partial(_finish_dense, job, codes, _dense(job, codes))
    if job.programs and isinstance(job.programs[0], Lanczos):
        return partial(_finish_lanczos, job, codes, *_lanczos(job, codes))
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


def _dense(job: Job, codes: np.ndarray) -> Units:
    """Metric tensors ``(n, d, d)``, and what else devices know of them: eigenpairs, noise. Not waited for."""
    arrays = _tensors(job, codes)
    if not backend(job.mesh.devices.flat[0]).solve_on_device:
        return units_here(arrays, job.plan.batch)
    return _leaving(job, arrays | pairs_on_devices(arrays["tensors"], job.plan.k, job.mesh))


def _leaving(job: Job, arrays: dict[str, jax.Array]) -> Units:
    """Results of a step, which go to the host as soon as they are there."""
    units = units_here(arrays, job.plan.batch)
    for array in jax.tree.leaves(units):
        array.copy_to_host_async()
    return units


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
    return _everywhere(job, {"codes": codes}, [_dense_unit(job, **unit) for unit in units])


def _dense_unit(job: Job, tensors: np.ndarray, noise: Any = 0.0, **pairs: np.ndarray) -> Results:
    """Results of the codes of one device, from their metric tensors, and their eigenpairs where it found them.

    LAPACK does where it did not: everywhere, or at a code at which the device's algorithm has given up.
    """
    (n, dim), k = tensors.shape[:2], job.plan.k
    results, noise = _failed(n, dim, k), np.fmax(job.noise, np.broadcast_to(noise, n))
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
    _put(results, i, values, vectors, residuals, noise * np.abs(values).max(axis=-1), converged=True)


def _block(job: Job, codes: np.ndarray) -> Results:
    """Top pairs of every code of the step by block Lanczos, all products of a round in one program."""
    plan = job.plan
    (program,) = job.programs
    limits = (job.tol, plan.enough or most_products(plan.dim), job.seed, _rounding(job), plan.width)
    talks = {i: lanczos_blocks(plan.dim, plan.k, *limits) for i in range(len(codes))}
    return _settled(job, program, codes, _talked(job, program, codes, talks))


def _settled(job: Job, program: Program, codes: np.ndarray, all_found: Iterable[tuple[int, Pairs]]) -> Results:
    """Results of what block Lanczos found at each code; coarse products refined by true ones of the program's kind."""
    results = _failed(len(codes), job.plan.dim, job.plan.k) | {"codes": codes}
    left: dict[int, Conversation] = {}
    for i, found in all_found:
        if not within_tolerance(found, job.reachable(job.precision)).all() and job.plan.enough:
            _put_dense_instead(job, results, i)
        elif format_of(job.precision, job.pair.G.dtype) != FLOAT32:
            left[i] = refined_blocks(found, job.reachable("highest"))
        else:
            _put_pairs(job, results, i, found)
    if left:
        for i, found in _talked(job, replace(program, precision="highest"), codes, left):
            _put_pairs(job, results, i, found)
    return results


def _rounding(job: Job) -> float:
    """The relative residual that the products of block Lanczos let it reach."""
    return reachable(epsilon(job.pair.G.dtype, job.precision))


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


def _lanczos(job: Job, codes: np.ndarray) -> tuple[jax.Array, Limits, State, Units]:
    """Block Lanczos at all codes of the step in one program; not waited for."""
    (program,) = job.programs
    assert isinstance(program, Lanczos)
    on_devices = shard(codes, job.mesh, CODES)
    limits = Limits(job.tol, _rounding(job), job.plan.enough or most_products(job.plan.dim), job.seed)
    state = job.execute(program, job.pair, on_devices, program.begin(job.seed), limits)
    return on_devices, limits, state, _leaving(job, _answer(state))


def _answer(state: State) -> dict[str, jax.Array]:
    return {name: getattr(state, name) for name in ANSWER}


def _finish_lanczos(
    job: Job, codes: np.ndarray, on_devices: jax.Array, limits: Limits, state: State, answer: Units
) -> Results:
    """The results of that program; where a search had no room left, it goes on with twice as much."""
    (program,), plan = job.programs, job.plan
    assert isinstance(program, Lanczos)
    units = job.fetch(answer)
    while not smallest(float(not any((unit["phase"] == FULL).any() for unit in units))):  # on any process
        program = replace(program, capacity=min(plan.dim, 2 * program.capacity))
        state = job.execute(program, job.pair, on_devices, program.enlarged(state), limits)
        units = job.fetch(_leaving(job, _answer(state)))
    found = {name: np.concatenate([unit[name] for unit in units]) for name in ANSWER}
    if jax.process_count() > 1:
        found = {name: joined(rows, job.mesh, plan.batch) for name, rows in found.items()}
    ended = ((int(i), pairs_of(found, int(i))) for i in np.flatnonzero(found["phase"] == ENDED))
    return _settled(job, program.products, codes, ended)


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
