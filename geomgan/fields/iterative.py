"""The largest eigenpairs at every code of a step, from products: block Lanczos, and ARPACK."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import FLOAT32, epsilon, format_of
from geomgan.eigen.block import Conversation, lanczos_blocks
from geomgan.eigen.choice import most_products, reachable, within_tolerance
from geomgan.eigen.dense import signed
from geomgan.eigen.found import Pairs
from geomgan.eigen.pairs import solved
from geomgan.eigen.refine import refined_blocks
from geomgan.eigen.together import ANSWER, DONE, FULL, Limits, State, pairs_of
from geomgan.errors import NotFiniteError
from geomgan.fields.devices import CODES, TANGENTS, gathered, joined, shard, smallest
from geomgan.fields.job import Job, Results, Units, failed, leaving, put
from geomgan.fields.lanczos import Lanczos
from geomgan.fields.programs import Program
from geomgan.metric.operator import MetricOperator, operator_at


def block_lanczos(job: Job, codes: np.ndarray) -> Results:
    """Top pairs of every code of the step by block Lanczos, all products of a round in one program."""
    plan = job.plan
    (program,) = job.programs
    limits = (job.tol, plan.enough or most_products(plan.dim), job.seed, _rounding(job), plan.width)
    talks = {i: lanczos_blocks(plan.dim, plan.k, *limits) for i in range(len(codes))}
    return _settled(job, program, codes, _talked(job, program, codes, talks))


def _settled(job: Job, program: Program, codes: np.ndarray, all_found: Iterable[tuple[int, Pairs]]) -> Results:
    """Results of what block Lanczos found at each code; coarse products refined by true ones of the program's kind."""
    results = failed(len(codes), job.plan.dim, job.plan.k) | {"codes": codes}
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
        put(results, i, e.values, e.vectors, e.residuals, e.noise_floor, converged=True)


def start_lanczos(job: Job, codes: np.ndarray) -> tuple[jax.Array, Limits, State, Units]:
    """Block Lanczos at all codes of the step in one program; not waited for."""
    (program,) = job.programs
    assert isinstance(program, Lanczos)
    on_devices = shard(codes, job.mesh, CODES)
    limits = Limits(job.tol, _rounding(job), job.plan.enough or most_products(job.plan.dim), job.seed)
    state = job.execute(program, job.pair, on_devices, program.begin(job.seed), limits)
    return on_devices, limits, state, leaving(job, _answer(state))


def _answer(state: State) -> dict[str, jax.Array]:
    return {name: getattr(state, name) for name in ANSWER}


def finish_lanczos(
    job: Job, codes: np.ndarray, on_devices: jax.Array, limits: Limits, state: State, answer: Units
) -> Results:
    """The results of that program; where a search had no room left, it goes on with twice as much."""
    (program,), plan = job.programs, job.plan
    assert isinstance(program, Lanczos)
    units = job.fetch(answer)
    while not smallest(float(not any((unit["phase"] == FULL).any() for unit in units))):  # on any process
        program = replace(program, capacity=min(plan.dim, 2 * program.capacity))
        state = job.execute(program, job.pair, on_devices, program.enlarged(state), limits)
        units = job.fetch(leaving(job, _answer(state)))
    found = {name: np.concatenate([unit[name] for unit in units]) for name in ANSWER}
    if jax.process_count() > 1:
        found = {name: joined(rows, job.mesh, plan.batch) for name, rows in found.items()}
    ended = ((int(i), pairs_of(found, int(i))) for i in np.flatnonzero(found["phase"] == DONE))
    return _settled(job, program.products, codes, ended)


def _put_pairs(job: Job, results: Results, i: int, found: Pairs) -> None:
    """What block Lanczos found at code ``i``."""
    converged = bool(within_tolerance(found, job.reachable("highest")).all())
    put(results, i, found.values, signed(found.vectors), found.residuals, job.noise * found.scale, converged=converged)


def arpack(job: Job, codes: np.ndarray) -> Results:
    """Top pairs from products, one code after the other; every process computes all of them."""
    results = failed(len(codes), job.plan.dim, job.plan.k) | {"codes": codes}
    for i, z in enumerate(codes):
        with contextlib.suppress(NotFiniteError):
            e, advice = solved(_operator(job, z), job.plan.k, solver=job.plan.solver, tol=job.tol, seed=job.seed)
            put(results, i, e.values, e.vectors, e.residuals, e.noise_floor, converged=not advice)
    return results


def _operator(job: Job, z: np.ndarray) -> MetricOperator:
    return operator_at(job.pair, jnp.asarray(z), job.plan.chunk, job.precision, job.hvp)
