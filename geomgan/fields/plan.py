"""How a metric field will be computed: method, sizes and memory, from the shapes and the compiled programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from geomgan.backend import FLOAT32, backend, format_of, free_on_host, memory_budget, readable
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.eigen.block import block_width
from geomgan.eigen.choice import choose_solver, enough_products, expected_products
from geomgan.eigen.dense import check_k
from geomgan.eigen.together import first_capacity
from geomgan.entry import explained
from geomgan.errors import check_count, check_room
from geomgan.fields.arrays import bytes_of, shapes_of
from geomgan.fields.devices import CODES, TANGENTS, device_mesh, smallest
from geomgan.fields.lanczos import Lanczos
from geomgan.fields.programs import Products, Program, Rows, Tensors
from geomgan.fields.rate import matrix_product_rate, products_seconds, step_seconds
from geomgan.generators.generator import Generator
from geomgan.metric.chunks import tangents_at_once
from geomgan.metric.maps import LinearMap, Pushforward, map_of
from geomgan.metric.pair import Pair, bound, check_options, check_types, profile_of, with_programs

Groups = tuple[tuple[int, ...] | None, ...]
FEWER = "Give fewer codes at a time"
FEW, STORED = 64, 2**26  # codes of a batch whatever their results take; of more, so many bytes: a chunk of a store
TRIALS = 4  # programs compiled at most while looking for a chunk that fits


@brief
@dataclass(frozen=True)
class Plan:
    """What :func:`geomgan.metric_field` will do, and why.

    Attributes:
        codes: number of codes.
        dim: ``d``.
        k: eigenpairs for each code.
        kind: of the linear map (``geomgan.metric.maps``).
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
        compilation: seconds that compiling the largest program took; 0 before it is compiled.
        stored: bytes of the results: what a store takes on the disk.
        enough: products after which the block solver gives a code up to the dense one, which they would have paid for;
            None where it was not chosen by cost.
        precision: of products of tangents.
    """

    codes: int
    dim: int
    k: int
    kind: type[LinearMap]
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
    compilation: float = 0.0
    stored: int = 0
    enough: int | None = None
    precision: str = "highest"

    @property
    def one_program(self) -> bool:
        """Whether one program computes whole tensors of several codes."""
        whole = self.solver == "dense" and self.kind is Pushforward and self.groups == (None,) and self.mesh[1] == 1
        return whole and self.batch > 1 and self.dim <= backend().one_program

    @property
    def fits(self) -> bool:
        """Whether the largest program takes no more than it may; True before it is compiled."""
        return self.bytes <= self.memory

    def _memory(self) -> str:
        needs, has = readable(self.bytes), readable(self.memory)
        if self.fits:
            return f"{needs} on each device besides the weights, of {has}"
        fewer = ", chunk=1" if self.chunk > 1 else ""
        fewer += ", or a few pairs by solver='block'" if self.solver == "dense" else ""
        least = readable(1.05 * self.bytes).replace(" ", "")
        return (
            f"does not fit: needs {needs} besides the weights, has {has}; smallest that fits: memory='{least}'{fewer}"
        )

    def _products(self) -> str:
        """What products of tangents are computed in, and what that makes of the tensors."""
        said, form = f"of tangents in {format_of(self.precision)}", format_of(self.precision)
        if form == FLOAT32:
            return f"{said}, which is what {self.precision!r} means on this device"
        if self.solver == "dense":
            return f"{said}: tensors are off by {form.error:.0e} at most (relative)"
        return f"{said}; the pairs that they find are refined in float32"

    @property
    def by_code(self) -> bool:
        """Whether codes are taken one by one: by ARPACK, and by products with finite differences, computed once."""
        return self.solver == "arpack" or (self.solver == "block" and not self.kind.divisible)

    @property
    def on_device(self) -> bool:
        """Whether block Lanczos is one program for all codes of a step, rather than a conversation about products."""
        block = self.solver == "block" and not self.by_code
        return block and self.mesh[1] == 1 and backend().solve_on_device

    def programs(self, mesh: Mesh, precision: str) -> list[Program]:
        """What is compiled and run for every step, one after the other; empty where products are taken code by code."""
        common = (mesh, self.kind, precision, self.chunk, self.mesh[0] * self.batch, self.dim)
        if self.by_code:
            return []
        if self.on_device:
            room = first_capacity(self.dim, self.k, self.width)
            return [Lanczos(*common, width=self.width, k=self.k, capacity=room)]
        if self.solver == "block":
            return [Products(*common, width=self.width)]
        if self.one_program:
            return [Tensors(*common)]
        return [Rows(*common, group=group, overwrite=len(self.groups) == 1) for group in self.groups]

    def __str__(self) -> str:
        passes = f", in {len(self.groups)} passes over parts of the embedding" if len(self.groups) > 1 else ""
        positions, shares = self.mesh
        pushed = min(self.chunk, self.width) if self.on_device else self.chunk
        several = self.solver == "dense" or self.on_device
        together = f"{_count(self.batch, 'code')} and {_count(pushed, 'tangent')}" if several else "1 code"
        under_way = f", {self.steps} such batches under way" if self.steps > 1 else ""
        lines = {
            "codes": f"{self.codes} of dimension {self.dim}",
            "method": f"{self.solver}, {self.k} eigenpairs each{passes}: {self.reason}",
            "together": f"{together} on each device{under_way}",
            "devices": f"{positions * shares} ({positions} for codes x {shares} for tangents)",
            "memory": self._memory(),
            "store": f"{readable(self.stored)} on the disk, if there is one (in memory otherwise)",
            "work": f"{self.flops / 1e9:.3g} GFLOP for each code",
        }
        if self.precision != "highest":
            lines["products"] = self._products()
        if self.seconds is not None:
            compiling = f"; {duration(self.compilation)} to compile" if self.compilation else ""
            each = f"{self.seconds / self.codes:.2g} s for each code"
            lines["time"] = f"about {duration(self.seconds)} ({each}{compiling})"
        return "\n".join(f"{name:<9}{text}" for name, text in lines.items())


@partial(explained, called="geomgan.plan")
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
        precision: of products of tangents.
        hvp: ``"exact"`` or ``"finite-difference"``.
        memory: bytes that one device may use, or a text such as ``"8GB"``; by default half of the host's free
            memory, or 80 % of an accelerator's.
        devices: by default all.
        estimate: whether to measure the device's matrix products, and what a step takes beside them, for ``seconds``
            (a second of work).

    Raises:
        TypeError, ValueError: an argument does not fit.
    """
    check_types(G, D)
    check_options(precision, hvp)
    pair, every = with_programs(bound(G, D)), list(devices or jax.devices())
    sizes: dict[str, Any] = {"k": k, "solver": solver, "chunk": chunk, "batch": batch, "groups": groups}
    plan = chosen(pair, codes, **sizes, hvp=hvp, memory=memory, devices=every)
    plan = fitted(pair, plan, precision, every, adjust=chunk is None)
    if estimate:
        rate = matrix_product_rate(precision) * dict(backend().efficiency)[plan.solver] * len(every)
        together = plan.mesh[0] * plan.batch
        rounds = -(-plan.codes // together)
        if plan.solver == "dense":
            beside = rounds * step_seconds(together, plan.dim)
        elif plan.on_device:
            room = first_capacity(plan.dim, plan.k, plan.width)
            beside = rounds * step_seconds(together, room) * expected_products(plan.k, plan.width) / plan.width
        else:
            beside = plan.codes * products_seconds(plan.dim, plan.k, plan.width)
        if plan.solver != "dense" and format_of(precision) != FLOAT32:  # then about two float32 products for each pair
            share = rate / matrix_product_rate(precision) * matrix_product_rate()
            beside += plan.codes * plan.flops * 2 * plan.k / expected_products(plan.k) / share
        plan = replace(plan, seconds=plan.flops * plan.codes / rate + beside)
    return plan


def chosen(
    pair: Pair,
    codes: int,
    *,
    k: int | None,
    solver: str,
    chunk: int | None,
    batch: int | None,
    groups: Sequence[Sequence[int] | None] | None,
    hvp: str,
    memory: int | str | None,
    devices: Sequence[jax.Device],
    auto: bool = False,
) -> Plan:
    """The plan as far as shapes tell; arguments of :func:`plan_field`. Compiles nothing.

    ``auto`` says that ``solver`` was chosen by cost, when a resumed run names it.

    Raises:
        ValueError: an argument does not fit.
    """
    codes = check_count(codes, math.inf, "codes")
    size = codes * pair.dim * np.dtype(pair.G.dtype).itemsize
    check_room(size, free_on_host(), f"{codes:.3g} codes", FEWER)
    batch = None if batch is None else check_count(batch, math.inf, "batch", ": codes computed together")
    dim, kind = pair.dim, map_of(pair.D, hvp)
    k, budget = check_k(k, dim), int(smallest(memory_budget(memory)))
    limit, profile = tangents_at_once(chunk, dim, hvp), profile_of(pair)
    sizes = [dim * leaf.size * leaf.dtype.itemsize for leaf in profile.outputs]
    parts: Groups = (None,)
    if groups is not None:
        parts = tuple(group if group is None else tuple(group) for group in groups)
        if parts != (None,) and sorted(i for part in parts for i in part or ()) != list(range(len(sizes))):
            raise ValueError(f"groups are {groups!r}; expected each of 0 to {len(sizes) - 1} once, or [None].")
    elif kind is Pushforward:
        parts = _groups(sizes, budget // 2)
    forward, here = profile.flops, backend()
    width, cost = block_width(dim, k, heavy=forward > here.heavy_flops), kind.cost(len(parts))
    auto = auto or solver == "auto"
    solver, reason = choose_solver(cost, dim, k, solver, width)
    parts = parts or (None,)
    if batch is None:
        alone = solver != "dense" or kind is not Pushforward or len(parts) > 1
        pushed = 2 * min(limit, dim) * profile.largest
        batch = 1 if alone else _batch(sum(sizes), forward * dim, budget, pushed)
        if solver == "block" and kind.divisible and here.solve_on_device:
            held = 48 * dim * (first_capacity(dim, k, width) + k + width) + 2 * width * profile.largest
            batch = _batch(held, kind.product_flops(forward) * width, budget)
        batch = min(batch, max(FEW, STORED // (8 * dim * (dim + k))))
        batch = min(batch, -(-codes // len(devices)))
        batches = -(-codes // batch)
        if here.host_threads and len(devices) == 1 and batches > 1:
            batches += batches % here.steps  # every thread has as many
        batch = -(-codes // batches)  # of equal size
    batch = min(batch, codes)
    if solver == "dense":
        flops = kind.flops(forward, dim, len(parts), sum(sizes) // (4 * dim))
    else:
        flops = kind.product_flops(forward) * expected_products(k)
    return Plan(
        codes=codes,
        dim=dim,
        k=k,
        kind=kind,
        solver=solver,
        reason=reason,
        chunk=limit,
        batch=batch,
        width=width,
        groups=parts,
        mesh=device_grid(codes, batch, devices),
        flops=flops,
        bytes=0,
        memory=budget,
        enough=enough_products(cost, dim) if auto else None,
        stored=bytes_of(shapes_of(codes, dim, k, pair.G.dtype, dense=solver == "dense")),
    )


def fitted(pair: Pair, plan: Plan, precision: str, devices: Sequence[jax.Device], *, adjust: bool) -> Plan:
    """The plan with the largest program's own figure, its chunk reduced until that is within the budget."""
    mesh, plan = device_mesh(-(-plan.codes // plan.batch), devices), replace(plan, precision=precision)
    for _ in range(TRIALS):
        programs = plan.programs(mesh, precision)
        if not programs:
            break
        largest = max(programs, key=lambda p: _weight(pair, p))
        plan = replace(plan, bytes=largest.bytes(pair), compilation=largest.seconds_to_compile(pair))
        chunk = plan.chunk if plan.solver == "dense" else min(plan.chunk, plan.width)
        if plan.bytes <= plan.memory or not adjust or chunk == 1:
            break
        plan = replace(plan, chunk=max(1, min(chunk // 2, int(chunk * plan.memory / plan.bytes))))
    here, several = backend(), len(devices) == 1 and plan.codes > plan.batch
    light = profile_of(pair).flops < here.heavy_flops and here.steps * plan.bytes <= plan.memory
    if not here.host_threads or (several and light):  # on CPU measured on DCGAN-64: 1.95 of 2 cores busy, not 1.65
        plan = replace(plan, steps=here.steps)
    return plan


def _weight(pair: Pair, program: Program) -> int:
    """Bytes of the leaves that a program computes: the heaviest group takes most."""
    group = getattr(program, "group", None)
    leaves = profile_of(pair).outputs
    return sum(leaf.size * leaf.dtype.itemsize for i, leaf in enumerate(leaves) if group is None or i in group)


def device_grid(codes: int, batch: int, every: Sequence[jax.Device]) -> tuple[int, int]:
    """(positions for codes, devices that share one) for so many codes."""
    shape = device_mesh(-(-codes // batch), every).shape
    return shape[CODES], shape[TANGENTS]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def duration(seconds: float) -> str:
    """A time as people write it."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _groups(sizes: Sequence[int], most: int) -> Groups:
    """Neighbouring leaves together up to ``most`` bytes; ``(None,)`` for all at once, empty if one is too large."""
    if sum(sizes) <= most:
        return (None,)
    return () if max(sizes) > most else tuple(together(sizes, most))


def together(sizes: Sequence[int], most: int) -> list[tuple[int, ...]]:
    """Neighbours in groups of up to ``most`` together; what is larger is a group of its own."""
    groups: list[list[int]] = [[]]
    for i, size in enumerate(sizes):
        if groups[-1] and sum(sizes[j] for j in groups[-1]) + size > most:
            groups.append([])
        groups[-1].append(i)
    return [tuple(group) for group in groups]


def _batch(held: int, flops: float, budget: int, pushed: int = 0) -> int:
    """Codes computed together: ``held`` bytes and ``flops`` of each suit the device, what is ``pushed`` fits too."""
    here = backend()
    by_size = min(min(here.together_bytes, budget // 4) // max(held, 1), budget // 2 // max(pushed, 1))
    return int(max(1, min(by_size, here.together_flops // max(flops, 1.0), here.most_together)))
