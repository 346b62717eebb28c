"""The compiled steps of a field. Each is described once: the description is what is planned, and what is run.

A description is a frozen dataclass of everything static. ``inputs(pair)`` are shapes of what it takes, ``bytes(pair)``
is what it takes on a device by its compiler's account, and calling it runs it. All devices run the same program.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from geomgan.backend import backend, in_float32, top_level_jit
from geomgan.eigen.dense import pairs_of_stack
from geomgan.fields.devices import CODES, TANGENTS, described, is_one_device
from geomgan.metric.gram import as_rows, gram64, gram_on_host, tensor_of
from geomgan.metric.maps import LinearMap, Pushforward
from geomgan.metric.pair import Pair, prepared, profile_of, remembered_by_shape

Into = list[jax.Array] | None


@dataclass(frozen=True)
class Program(ABC):
    """What all steps have in common.

    Attributes:
        mesh: devices as positions for codes and devices that share a position's tangents.
        kind: of the linear map.
        precision: of products of tangents.
        chunk: tangents (or columns on a device) that are pushed together.
        codes: of a step, on all devices together.
        dim: ``d``.
    """

    mesh: Mesh
    kind: type[LinearMap]
    precision: str
    chunk: int
    codes: int
    dim: int

    @property
    def shares(self) -> int:
        """Devices that share the tangents of a position."""
        return self.mesh.shape[TANGENTS]

    @property
    def share(self) -> int:
        """Tangents of one device (the last may have some zeros)."""
        return -(-self.dim // self.shares)

    @property
    def axis(self) -> str | None:
        """The axis of the mesh that tangents are cut along."""
        return TANGENTS if self.kind.divisible else None

    @abstractmethod
    def lower(self, pair: Pair) -> Any:
        """The program, traced for the shapes of ``inputs``."""

    def prepared(self, pair: Pair) -> Pair:
        """The pair as this program takes it: kernels prepared where it pushes many tangents."""
        return pair

    def bytes(self, pair: Pair) -> int:
        """Bytes of results, temporaries and prepared kernels on one device; compiles, and runs nothing."""
        return _compiled(pair, self)[0]

    def seconds_to_compile(self, pair: Pair) -> float:
        """How long that took."""
        return _compiled(pair, self)[1]

    def on_devices(self, pair: Pair) -> Pair:
        """Shapes of the pair as it lies on every device."""
        return jax.tree.map(lambda leaf: described(leaf.shape, leaf.dtype, self.mesh), pair)

    def unit_vectors(self) -> np.ndarray:
        """All tangents (and zeros, where devices share them unevenly)."""
        return np.eye(self.share * self.shares, self.dim)


@dataclass(frozen=True)
class Rows(Program):
    """Rows of the Jacobian, or of the matrix, at every code of a step: leaves ``(n, r, ...)``.

    Attributes:
        group: leaves of the embedding that are computed; None for all.
        overwrite: whether it may overwrite its last results; groups that follow one another have different shapes.
    """

    group: tuple[int, ...] | None = None
    overwrite: bool = False

    def __call__(self, pair: Pair, codes: jax.Array, tangents: jax.Array, into: Into = None) -> list[jax.Array]:
        """``into`` is the result of an earlier call, which this one overwrites.

        Behind the leaves of finite differences, which are not ``divisible``, is their noise ``(n,)``.
        """
        return _rows(pair, codes, tangents, into, program=self)

    def prepared(self, pair: Pair) -> Pair:
        return prepared(pair, self.share, self.precision) if self.kind is Pushforward else pair

    def lower(self, pair: Pair) -> Any:
        codes = described((self.codes, self.dim), pair.G.dtype, self.mesh, CODES)
        tangents = described((self.share * self.shares, self.dim), pair.G.dtype, self.mesh, self.axis)
        return _rows.lower(self.on_devices(pair), codes, tangents, self.blank(pair), program=self)

    def blank(self, pair: Pair) -> list[jax.ShapeDtypeStruct] | None:
        """What a call can overwrite; None where that saves nothing.

        It does on one CPU device: results that a program makes for itself are cleared first, page by page.
        """
        device = self.mesh.devices.flat[0]
        useful = self.kind is Pushforward and is_one_device(self.mesh) and backend(device).overwrite
        if not (self.overwrite and useful):
            return None
        leaves = profile_of(pair).outputs
        chosen = leaves if self.group is None else [leaves[i] for i in self.group]
        shape = (self.codes, self.share * self.shares)
        return [described((*shape, *leaf.shape), leaf.dtype, self.mesh, CODES, TANGENTS) for leaf in chosen]

    def tensors(self, leaves: Sequence[jax.Array]) -> jax.Array:
        """Metric tensors ``(n, d, d)`` in float64 from the rows of all tangents."""
        with jax.enable_x64(True):
            if self.kind.jacobian and self.shares == 1 and backend(self.mesh.devices.flat[0]).gram_on_host:
                return self._on_host(leaves)
            return _tensors(list(leaves), program=self)

    def _on_host(self, leaves: Sequence[jax.Array]) -> jax.Array:
        """From whole Jacobians, where devices are the host's processors."""
        parts = [
            jax.device_put(
                tensor_of([np.asarray(part.data) for part in of_device], True, gram_on_host), of_device[0].device
            )
            for of_device in zip(*(leaf.addressable_shards for leaf in leaves), strict=True)
        ]
        shape, sharding = (self.codes, self.dim, self.dim), NamedSharding(self.mesh, P(CODES))
        return jax.make_array_from_single_device_arrays(shape, sharding, parts)


@dataclass(frozen=True)
class Tensors(Program):
    """Whole metric tensors of small networks, several codes in one program.

    Their Jacobians stay in the processor's cache, and Python, which only one thread can run, has little to do.
    """

    def __call__(self, pair: Pair, codes: jax.Array, tangents: jax.Array) -> jax.Array:
        """``(n, d, d)`` in float64."""
        return _small(pair, codes, tangents, program=self)

    def prepared(self, pair: Pair) -> Pair:
        return prepared(pair, self.share, self.precision)

    def lower(self, pair: Pair) -> Any:
        codes = described((self.codes, self.dim), pair.G.dtype, self.mesh, CODES)
        tangents = described((self.dim, self.dim), pair.G.dtype, self.mesh, self.axis)
        return _small.lower(self.on_devices(pair), codes, tangents, program=self)


@dataclass(frozen=True)
class Blocks(Program):
    """Products with blocks of tangents.

    Attributes:
        width: columns of a block.
    """

    width: int = 1

    @property
    def columns(self) -> int:
        """Columns that are multiplied at a time: up to a chunk on each device that shares them."""
        return min(-(-self.width // self.shares), self.chunk) * self.shares


@dataclass(frozen=True)
class Products(Blocks):
    """``g V`` at each code of a step for blocks ``(n, d, w)``, columns together.

    The map is linearised anew for each block, one forward pass beside the ``3 w`` of the products: nothing is kept
    between calls, and weights are never copied.
    """

    def __call__(self, pair: Pair, codes: jax.Array, blocks: jax.Array) -> jax.Array:
        return _products(pair, codes, blocks, program=self)

    def lower(self, pair: Pair) -> Any:
        codes = described((self.codes, self.dim), pair.G.dtype, self.mesh, CODES)
        shape = (self.codes, self.dim, self.columns)
        blocks = described(shape, pair.G.dtype, self.mesh, CODES, None, TANGENTS)
        return _products.lower(self.on_devices(pair), codes, blocks, program=self)


def halved(program: Program) -> Program | None:
    """The program with half as many tangents at a time; None where there is only one."""
    chunk = min(program.chunk, program.width) if isinstance(program, Blocks) else program.chunk
    return None if chunk == 1 else replace(program, chunk=chunk // 2)


@remembered_by_shape
def _compiled(pair: Pair, program: Program) -> tuple[int, float]:
    """Bytes of a program, and the seconds that its compilation took."""
    plain = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(pair))
    pair = jax.eval_shape(program.prepared, pair)
    more = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(pair)) - plain
    started = time.perf_counter()
    analysis = program.lower(pair).compile().memory_analysis()
    seconds = time.perf_counter() - started
    return int(analysis.temp_size_in_bytes + analysis.output_size_in_bytes + more) if analysis else 0, seconds


@partial(top_level_jit, static_argnames="program", donate_argnames="into")
def _rows(pair: Pair, codes: jax.Array, tangents: jax.Array, into: Into, *, program: Rows) -> list[jax.Array]:
    def local(pair: Pair, codes: jax.Array, tangents: jax.Array, into: Into) -> list[jax.Array]:
        at = partial(_pushed, program, pair, tangents)
        if len(codes) > 1:
            return jax.vmap(at)(codes, into)
        return jax.tree.map(lambda J: J[None], at(codes[0], jax.tree.map(lambda J: J[0], into)))

    cut = P(CODES, TANGENTS) if program.kind.divisible else P(CODES)
    specs = (P(), P(CODES), P(program.axis), cut)
    run = jax.shard_map(local, mesh=program.mesh, in_specs=specs, out_specs=cut, check_vma=False)
    return run(pair, codes, tangents, into)


def _pushed(program: Rows | Tensors, pair: Pair, tangents: jax.Array, z: jax.Array, into: Into = None) -> Any:
    """The rows of one code, and behind those of finite differences their noise."""
    with in_float32():
        linear = program.kind.at(pair, z, program.chunk, getattr(program, "group", None), program.precision)
        rows = linear.rows(tangents, program.chunk, into)
        return rows if linear.divisible else [*rows, linear.noise]


@partial(top_level_jit, static_argnames="program")
def _tensors(leaves: list[jax.Array], *, program: Rows) -> jax.Array:
    shares = program.shares if program.kind.divisible else 1

    def columns_for_rows(J: jax.Array) -> jax.Array:
        """All rows of a share of the columns, from all columns of a share of the rows."""
        J = as_rows(J, 2)
        J = jnp.pad(J, ((0, 0), (0, 0), (0, -J.shape[2] % shares)))
        return jax.lax.all_to_all(J, TANGENTS, split_axis=2, concat_axis=1, tiled=True)

    def local(*leaves: jax.Array) -> jax.Array:
        if program.kind.jacobian:
            grams = jax.vmap(partial(gram64, together=len(leaves[0])))
            if shares == 1:
                return grams(leaves)
            return jax.lax.psum(grams([columns_for_rows(leaf) for leaf in leaves]), TANGENTS)
        (g,) = (leaf.astype(jnp.float64) for leaf in leaves)
        return jax.lax.all_gather(g, TANGENTS, axis=1, tiled=True) if shares > 1 else g

    into = P(CODES, TANGENTS) if program.kind.divisible else P(CODES)
    run = jax.shard_map(local, mesh=program.mesh, in_specs=into, out_specs=P(CODES), check_vma=False)
    return tensor_of([run(*leaves)[:, : program.dim, : program.dim]], False, gram64)


def pairs_on_devices(tensors: jax.Array, k: int, mesh: Mesh) -> dict[str, jax.Array]:
    """Results of metric tensors ``(n, d, d)`` in float64, by the devices that hold them; not waited for."""
    with jax.enable_x64(True):
        values, vectors, residuals = _pairs(tensors, k=k, mesh=mesh)
    return {"tensors": tensors, "values": values, "vectors": vectors, "residuals": residuals}


@partial(jax.jit, static_argnames=("k", "mesh"))
def _pairs(tensors: jax.Array, *, k: int, mesh: Mesh) -> Any:
    local = partial(pairs_of_stack, k=k)
    return jax.shard_map(local, mesh=mesh, in_specs=P(CODES), out_specs=P(CODES), check_vma=False)(tensors)


@partial(top_level_jit, static_argnames="program")
def _small(pair: Pair, codes: jax.Array, tangents: jax.Array, *, program: Tensors) -> jax.Array:
    def local(pair: Pair, codes: jax.Array, tangents: jax.Array) -> jax.Array:
        jacobians = jax.vmap(partial(_pushed, program, pair, tangents))(codes)
        with jax.enable_x64(True):
            one = partial(tensor_of, jacobian=True, gram=gram64)
            return jax.lax.map(one, jacobians)  # one after the other: batched products are slower

    specs = (P(), P(CODES), P())
    run = jax.shard_map(local, mesh=program.mesh, in_specs=specs, out_specs=P(CODES), check_vma=False)
    return run(pair, codes, tangents)


@partial(top_level_jit, static_argnames="program")
def _products(pair: Pair, codes: jax.Array, blocks: jax.Array, *, program: Products) -> jax.Array:
    local, cut = partial(multiplied, program), P(CODES, None, TANGENTS)
    run = jax.shard_map(local, mesh=program.mesh, in_specs=(P(), P(CODES), cut), out_specs=cut, check_vma=False)
    return run(pair, codes, blocks)


def multiplied(program: Blocks, pair: Pair, codes: jax.Array, blocks: jax.Array) -> jax.Array:
    """``g V`` at each of a device's codes, inside a program."""

    def at(z: jax.Array, V: jax.Array) -> jax.Array:
        with in_float32():
            linear = program.kind.at(pair, z, 1, precision=program.precision)
            return jax.vmap(linear.product, in_axes=1, out_axes=1)(V)

    return at(codes[0], blocks[0])[None] if len(codes) == 1 else jax.vmap(at)(codes, blocks)
