"""How a metric field will be computed: method, sizes and memory, from the shapes and the compiled programs."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import memory_budget, readable
from geomgan.distances.distance import Distance
from geomgan.eigen.block import block_width
from geomgan.eigen.pairs import check_k, choose_solver
from geomgan.fields import spmd
from geomgan.generators.generator import Generator
from geomgan.metric import linear
from geomgan.metric.tensor import check_types, prepare, tangents_at_once

# Codes are computed together up to about this much Jacobian (bytes) and this much work (FLOPs): enough to fill a
# device, and no more: they multiply memory, and on CPU leave its cache (a small VAE is 1.5 times slower at 2e9).
TOGETHER = {"cpu": (64 * 2**20, 1.2e9), "accelerator": (2 * 2**30, 1e12)}
# Share of the matrix product's rate that convolutional networks reach (measured on CPU: benchmarks/peers.py).
EFFICIENCY = {"dense": 0.7, "block": 0.35, "arpack": 0.15}
Groups = tuple[tuple[int, ...] | None, ...]
STEPS = 2  # batches under way at a time
FEW = 32  # dimensions up to which XLA's Gram matrices take no more processor time than BLAS's
HEAVY_FLOPS = 2e9  # a forward pass above this fills a CPU alone
TRIALS = 4  # programs compiled at most while looking for a chunk that fits


@dataclass(frozen=True)
class Plan:
    """What :func:`geomgan.metric_field` will do, and why.

    Attributes:
        codes: number of codes.
        dim: ``d``.
        k: eigenpairs for each code.
        kind: of the linear map (``geomgan.metric.linear``).
        solver: ``"dense"``, ``"block"`` or ``"arpack"``.
        reason: why that one.
        chunk: tangents pushed together.
        batch: codes that one device computes together; also the codes in a chunk of a store.
        width: columns of a block of the block solver.
        groups: leaves of the embedding whose Jacobian is held at a time, one group after the other; ``(None,)`` is
            all of it at once.
        mesh: devices as (positions for codes, devices that share a position's tangents).
        steps: batches under way at a time: while one is at an operation that fills no device, another goes on.
        flops: FLOPs for each code.
        bytes: what the largest program takes on a device besides the weights; 0 before it is compiled.
        memory: bytes that it may take.
        seconds: estimated time for all codes, without compilation; None before it is estimated.
    """

    codes: int
    dim: int
    k: int
    kind: str
    solver: str
    reason: str
    chunk: int
    batch: int
    width: int
    groups: Groups
    mesh: tuple[int, int]
    flops: float
    bytes: int
    memory: int
    steps: int = 1
    seconds: float | None = None

    @property
    def share(self) -> int:
        """Tangents of one device (the last may have some zeros)."""
        return -(-self.dim // self.mesh[1])

    @property
    def small(self) -> bool:
        """Whether one program computes whole tensors of several codes (:func:`spmd.small_tensors`): on CPU."""
        whole = self.solver == "dense" and self.kind == "pushforward" and self.groups == (None,) and self.mesh[1] == 1
        return whole and self.batch > 1 and self.dim <= FEW and jax.default_backend() == "cpu"

    def __str__(self) -> str:
        passes = f", in {len(self.groups)} passes over parts of the embedding" if len(self.groups) > 1 else ""
        positions, shares = self.mesh
        together = (
            f"{_count(self.batch, 'code')} and {_count(self.chunk, 'tangent')}" if self.solver == "dense" else "1 code"
        )
        under_way = f", {self.steps} such batches under way" if self.steps > 1 else ""
        lines = {
            "codes": f"{self.codes} of dimension {self.dim}",
            "method": f"{self.solver}, {self.k} eigenpairs each{passes}: {self.reason}",
            "together": f"{together} on each device{under_way}",
            "devices": f"{positions * shares} ({positions} for codes x {shares} for tangents)",
            "memory": f"{readable(self.bytes)} on each device besides the weights, of {readable(self.memory)}",
            "work": f"{self.flops / 1e9:.3g} GFLOP for each code",
        }
        if self.seconds is not None:
            lines["time"] = f"about {duration(self.seconds)} ({self.seconds / self.codes:.2g} s for each code)"
        return "\n".join(f"{name:<9}{text}" for name, text in lines.items())


def plan_field(
    G: Generator,
    D: Distance,
    codes: int,
    *,
    k: int | None = None,
    solver: str = "auto",
    chunk: int | None = None,
    batch: int | None = None,
    groups: Sequence[Sequence[int] | None] | None = None,
    precision: str = "highest",
    hvp: str = "exact",
    memory: int | str | None = None,
    devices: Sequence[jax.Device] | None = None,
    estimate: bool = True,
) -> Plan:
    """The plan of a metric field of so many codes; compiles its largest program, and runs nothing of it.

    The Jacobian of one code takes ``d`` times the embedding's bytes; if that does not fit, the leaves of the
    embedding are taken in groups that do; if one leaf alone does not, the metric is only multiplied with (block
    solver). The chunk of tangents is halved until the compiled program's own figure is within ``memory``.

    Args:
        G: the generator.
        D: the squared distance.
        codes: how many.
        k: eigenpairs for each; by default all.
        solver: as for :func:`geomgan.metric_field`, also ``chunk``, ``batch``, ``precision``, ``hvp``, ``devices``.
        chunk: tangents pushed together.
        batch: codes computed together on a device.
        groups: leaves of the embedding taken together; by default as many as fit.
        precision: of matrix products.
        hvp: ``"exact"`` or ``"finite-difference"``.
        memory: bytes that one device may use, or a text such as ``"8GB"``; by default half of the host's free
            memory, or 80 % of an accelerator's.
        devices: by default all.
        estimate: whether to measure the device's matrix products for ``seconds`` (a second of work).

    Raises:
        TypeError, ValueError: an argument does not fit.
    """
    if isinstance(codes, bool) or int(codes) != codes or codes < 1:
        raise ValueError(f"codes is {codes!r}; expected a positive integer.")
    if batch is not None and (isinstance(batch, bool) or int(batch) != batch or batch < 1):
        raise ValueError(f"batch is {batch!r}; expected a positive integer: codes computed together.")
    check_types(G, D)
    D, _ = prepare(G, D, np.zeros(G.latent_dim, np.float32), precision, hvp)
    dim, kind = G.latent_dim, linear.kind_of(D, hvp)
    k, budget = check_k(k, dim), int(spmd.smallest(memory_budget(memory)))
    limit = tangents_at_once(chunk, dim, hvp)
    sizes = [dim * size for size in linear.embedding_sizes(G, D)]
    parts: Groups = (None,)
    if groups is not None:
        parts = tuple(group if group is None else tuple(group) for group in groups)
    elif kind == "pushforward":
        parts = _groups(sizes, budget // 2)
    solver, reason = choose_solver(kind, dim, k, len(parts), solver)
    parts = parts or (None,)
    forward = linear.forward_flops(G, D)
    every = list(devices or jax.devices())
    if batch is None:
        alone = solver != "dense" or kind != "pushforward" or len(parts) > 1
        batch = 1 if alone else _batch(sum(sizes), forward * dim, budget)
        batch = min(batch, -(-codes // len(every)))
        batches = -(-codes // batch)
        if jax.default_backend() == "cpu" and len(every) == 1 and batches > 1:
            batches += batches % STEPS  # every thread has as many
        batch = -(-codes // batches)  # of equal size
    batch = min(int(batch), codes)
    mesh = device_grid(codes, batch, every)
    plan = Plan(
        codes=int(codes),
        dim=dim,
        k=k,
        kind=kind,
        solver=solver,
        reason=reason,
        chunk=limit,
        batch=batch,
        width=block_width(dim, k, heavy=forward > HEAVY_FLOPS and jax.default_backend() == "cpu"),
        groups=parts,
        mesh=mesh,
        flops=_flops(solver, kind, dim, k, forward, len(parts), sum(sizes) // (4 * dim)),
        bytes=0,
        memory=budget,
    )
    plan = _fitted(G, D, plan, precision, every, adjust=chunk is None)
    if jax.default_backend() != "cpu":
        plan = replace(plan, steps=STEPS)
    elif len(every) == 1 and codes > batch and forward < HEAVY_FLOPS and STEPS * plan.bytes <= plan.memory:
        plan = replace(plan, steps=STEPS)  # measured on DCGAN-64: 1.95 of 2 cores busy instead of 1.65
    if estimate:
        rate = matrix_product_rate(precision) * EFFICIENCY[plan.solver] * len(every)
        plan = replace(plan, seconds=plan.flops * plan.codes / rate)
    return plan


def device_grid(codes: int, batch: int, every: Sequence[jax.Device]) -> tuple[int, int]:
    """(positions for codes, devices that share one) for so many codes."""
    shape = spmd.device_mesh(-(-codes // batch), every).shape
    return shape[spmd.CODES], shape[spmd.TANGENTS]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def duration(seconds: float) -> str:
    """A time as people write it."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@functools.cache
def matrix_product_rate(precision: str = "highest") -> float:
    """FLOP/s of a large float32 matrix product on the default device, measured."""
    side = 2048 if jax.default_backend() == "cpu" else 8192
    a = jnp.ones((side, side), jnp.float32) / side

    @jax.jit
    def product(a: jax.Array) -> jax.Array:
        with linear.matmul_precision(precision):
            return a @ a

    product(a).block_until_ready()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        product(a).block_until_ready()
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / statistics.median(seconds)


def _groups(sizes: Sequence[int], most: int) -> Groups:
    """Neighbouring leaves together up to ``most`` bytes; ``(None,)`` for all at once, empty if one is too large."""
    if sum(sizes) <= most:
        return (None,)
    if max(sizes) > most:
        return ()
    groups: list[list[int]] = [[]]
    for i, size in enumerate(sizes):
        if sum(sizes[j] for j in groups[-1]) + size > most:
            groups.append([])
        groups[-1].append(i)
    return tuple(tuple(group) for group in groups)


def _batch(jacobian_bytes: int, flops: float, budget: int) -> int:
    size, work = TOGETHER["cpu" if jax.default_backend() == "cpu" else "accelerator"]
    return int(max(1, min(min(size, budget // 4) // max(jacobian_bytes, 1), work // max(flops, 1.0), 64)))


def _flops(solver: str, kind: str, dim: int, k: int, forward: float, passes: int, width: int) -> float:
    """One forward pass for each tangent pushed, three for each product, six for each Hessian-vector product."""
    if solver == "dense":
        if kind == "pushforward":
            return passes * (dim + 1) * forward + 2.0 * dim**2 * width
        return 6.0 * dim * forward if kind == "product" else 2.0 * dim * forward * (1 if kind == "jacobian" else dim)
    return 3.0 * max(2.65 * k, 20) * forward * (1 if kind == "pushforward" else 2)


def _fitted(
    G: Generator, D: Distance, plan: Plan, precision: str, every: Sequence[jax.Device], *, adjust: bool
) -> Plan:
    """The plan with the largest program's own figure, its chunk reduced until that is within the budget."""
    for _ in range(TRIALS):
        size = _program_bytes(G, D, replace(plan, memory=0, bytes=0), precision, tuple(every))
        plan = replace(plan, bytes=size)
        chunk = plan.chunk if plan.solver == "dense" else min(plan.chunk, plan.width)
        if size <= plan.memory or not adjust or chunk == 1 or plan.solver == "arpack":
            break
        plan = replace(plan, chunk=max(1, min(chunk // 2, int(chunk * plan.memory / size))))
    return plan


@linear.remembered_by_shape
def _program_bytes(G: Generator, D: Distance, plan: Plan, precision: str, every: tuple[jax.Device, ...]) -> int:
    """Bytes of results, temporaries and prepared kernels of the largest program on one device, by its compiler."""
    mesh = spmd.device_mesh(-(-plan.codes // plan.batch), every)
    positions, shares = plan.mesh
    weights = jax.tree.map(lambda leaf: spmd.described(leaf.shape, leaf.dtype, mesh), (G, D))
    codes = spmd.described((positions * plan.batch, plan.dim), G.dtype, mesh, spmd.CODES)
    static = {"mesh": mesh, "kind": plan.kind, "precision": precision}
    if plan.solver == "dense":
        count = plan.share * shares
        axis = spmd.TANGENTS if plan.kind in spmd.DIVISIBLE else None
        tangents = spmd.described((count, plan.dim), G.dtype, mesh, axis)
        sizes = linear.embedding_sizes(G, D)
        group = max(plan.groups, key=lambda g: sum(sizes[i] for i in g) if g else 0)
        with_kernels = jax.eval_shape(functools.partial(linear.prepared, kind=plan.kind, tangents=plan.share), G, D)
        weights = jax.tree.map(lambda leaf: spmd.described(leaf.shape, leaf.dtype, mesh), with_kernels)
        inputs = (*weights, codes, tangents)
        if plan.small:
            lowered = spmd.small_tensors.lower(*inputs, mesh=mesh, precision=precision, chunk=plan.chunk)
        else:
            into = spmd.blank_rows(G, D, (codes.shape[0], count), mesh, plan.kind, plan.groups)
            lowered = spmd.rows.lower(*inputs, into, chunk=plan.chunk, group=group, **static)
    else:
        width = min(-(-plan.width // shares), plan.chunk) * shares
        shape = (positions * plan.batch, plan.dim, width)
        blocks = spmd.described(shape, G.dtype, mesh, spmd.CODES, None, spmd.TANGENTS)
        lowered = spmd.products.lower(*weights, codes, blocks, **static)
    analysis = lowered.compile().memory_analysis()
    if not analysis:
        return 0
    of_weights, of_plain = (
        sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)) for tree in (weights, (G, D))
    )
    prepared = of_weights - of_plain
    return int(analysis.temp_size_in_bytes + analysis.output_size_in_bytes + prepared)
