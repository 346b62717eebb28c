"""Codes and tangents on many devices: one mesh, one program for every device, on one host or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from geomgan.distances.distance import Distance
from geomgan.errors import GeomganError
from geomgan.generators.generator import Generator
from geomgan.generators.prepared import unprepared
from geomgan.metric import linear
from geomgan.metric.gram import gram_on_host, sum_of_grams

CODES, TANGENTS = "codes", "tangents"
DIVISIBLE = ("pushforward", "product")  # kinds whose tangents can be shared out
JACOBIANS = ("pushforward", "jacobian")  # kinds whose rows are those of J, not of the metric


def device_mesh(units: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """All devices as a grid ``(codes, tangents)``.

    As many positions for codes as there are units of work, if that divides the number of devices; the devices of one
    position share its tangents.
    """
    devices = list(devices or jax.devices())
    positions = max(n for n in range(1, len(devices) + 1) if len(devices) % n == 0 and n <= units)
    grid = np.asarray(devices, dtype=object).reshape(positions, -1)
    return Mesh(grid, (CODES, TANGENTS), axis_types=(AxisType.Auto, AxisType.Auto))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Every array of ``tree`` on every device; all processes hold the same values."""
    if _is_one_device(mesh):
        return jax.device_put(tree, NamedSharding(mesh, P()))
    return jax.tree.map(lambda leaf: _placed(leaf, mesh, P()), tree)


def shard(array: np.ndarray, mesh: Mesh, *axes: str | None) -> jax.Array:
    """The array cut along the mesh's axes; each process supplies the parts of its own devices."""
    return _placed(array, mesh, P(*axes))


def units_here(array: jax.Array, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """``(position, rows)`` of each unit of ``size`` codes on this process's devices, of an array cut along codes."""
    seen = set()
    for part in array.addressable_shards:
        position = (part.index[0].start or 0) // size
        if position not in seen:
            seen.add(position)
            yield position, np.asarray(part.data)


def gathered(array: jax.Array) -> np.ndarray:
    """The whole of an array that is cut over devices, on every process."""
    if jax.process_count() == 1:
        return np.asarray(array)
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def smallest(number: float) -> float:
    """The smallest of the numbers that the processes hold (in single precision), so that all decide alike."""
    if jax.process_count() == 1:
        return number
    from jax.experimental import multihost_utils

    return float(np.min(multihost_utils.process_allgather(np.float32(number))))


@contextmanager
def together() -> Iterator[None]:
    """Work that one process may fail in: it then fails on all of them, instead of leaving the others to wait.

    Raises:
        GeomganError: another process has failed.
    """
    error = None
    try:
        yield
    except Exception as own:
        error = own
    others = smallest(0.0 if error else 1.0)
    if error:
        raise error
    if not others:
        raise GeomganError("another process of this run has failed; its own message says why.")


def joined(own: np.ndarray, mesh: Mesh, size: int) -> np.ndarray:
    """Rows of all codes on every process, from the rows of the units (of ``size`` codes) that each process has."""
    here = jax.process_index()
    positions = [p for p, row in enumerate(mesh.devices) if any(d.process_index == here for d in row)]
    start = {p * size: i * size for i, p in enumerate(positions)}

    def part(index: Any) -> np.ndarray:
        first = start[index[0].start or 0]
        return own[first : first + size]

    shape = (len(mesh.devices) * size, *own.shape[1:])
    with jax.enable_x64(True):
        return gathered(jax.make_array_from_callback(shape, NamedSharding(mesh, P(CODES)), part))


@partial(jax.jit, static_argnames=("mesh", "kind", "precision", "chunk", "group"), donate_argnames=("into",))
def rows(
    G: Generator,
    D: Distance,
    codes: jax.Array,
    tangents: jax.Array,
    into: list[jax.Array] | None = None,
    *,
    mesh: Mesh,
    kind: str,
    precision: str,
    chunk: int,
    group: tuple[int, ...] | None = None,
) -> list[jax.Array]:
    """Images of the ``tangents (r, d)`` under the linear map at each of the ``codes (n, d)``.

    Leaves ``(n, r, ...)``: rows of the Jacobian's leaves in ``group`` (all by default), or of the matrix itself where
    the metric has no Jacobian. The result overwrites ``into``, that of an earlier call.
    """
    push = partial(_pushed, kind=kind, precision=precision, chunk=chunk, group=group)

    def local(G: Generator, D: Distance, codes: jax.Array, tangents: jax.Array, into: Any) -> list[jax.Array]:
        at = partial(push, G, D, tangents)
        if len(codes) > 1:
            return jax.vmap(at)(codes, into)
        return jax.tree.map(lambda J: J[None], at(codes[0], jax.tree.map(lambda J: J[0], into)))

    spread = P(TANGENTS) if kind in DIVISIBLE else P()
    cut = P(CODES, TANGENTS) if kind in DIVISIBLE else P(CODES)
    specs = (P(), P(), P(CODES), spread, cut)
    program = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=cut, check_vma=False)
    return program(G, D, codes, tangents, into)


def _pushed(
    G: Generator,
    D: Distance,
    tangents: jax.Array,
    z: jax.Array,
    into: Any = None,
    *,
    kind: str,
    precision: str,
    chunk: int,
    group: tuple[int, ...] | None = None,
) -> list[jax.Array]:
    """The rows of one code."""
    state = linear.linear_map(G, D, z, kind, precision, chunk, group, len(tangents))
    with linear.matmul_precision(precision):
        return linear.images(state, kind, tangents, chunk, into)


@partial(jax.jit, static_argnames=("mesh", "precision", "chunk"))
def small_tensors(
    G: Generator,
    D: Distance,
    codes: jax.Array,
    tangents: jax.Array,
    *,
    mesh: Mesh,
    precision: str,
    chunk: int,
) -> jax.Array:
    """:func:`tensors` of the :func:`rows` of small networks in one program.

    Their Jacobians stay in the processor's cache, and Python, which only one thread can run, has little to do.
    """
    push = partial(_pushed, kind="pushforward", precision=precision, chunk=chunk)

    def local(G: Generator, D: Distance, codes: jax.Array, tangents: jax.Array) -> jax.Array:
        jacobians = jax.vmap(partial(push, G, D, tangents))(codes)
        with jax.enable_x64(True):
            g = jax.lax.map(sum_of_grams, jacobians)  # one after the other: batched products are slower
            return 0.5 * (g + jnp.swapaxes(g, 1, 2))

    specs = (P(), P(), P(CODES), P())
    program = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=P(CODES), check_vma=False)
    return program(G, D, codes, tangents)


def blank_rows(
    G: Generator, D: Distance, shape: tuple[int, int], mesh: Mesh, kind: str, groups: Sequence[Sequence[int] | None]
) -> list[jax.ShapeDtypeStruct] | None:
    """What :func:`rows` can overwrite, of ``shape`` (codes, tangents); None where that saves nothing.

    It does on one CPU device: results that a program makes for itself are cleared first, page by page. Groups of the
    embedding that follow one another have different shapes.
    """
    if len(groups) > 1 or kind != "pushforward" or not _is_one_device(mesh) or mesh.devices.flat[0].platform != "cpu":
        return None
    leaves = linear.embedding_leaves(*unprepared((G, D)))
    chosen = leaves if groups[0] is None else [leaves[i] for i in groups[0]]
    return [described((*shape, *leaf.shape), leaf.dtype, mesh, CODES, TANGENTS) for leaf in chosen]


def tensors(leaves: Sequence[jax.Array], *, mesh: Mesh, kind: str, dim: int) -> jax.Array:
    """Metric tensors ``(n, d, d)`` in float64 from the :func:`rows` of all tangents."""
    with jax.enable_x64(True):
        if kind in JACOBIANS and mesh.shape[TANGENTS] == 1 and mesh.devices.flat[0].platform == "cpu":
            return _tensors_on_host(leaves, mesh)
        return _tensors(list(leaves), mesh=mesh, kind=kind, dim=dim)


def _tensors_on_host(leaves: Sequence[jax.Array], mesh: Mesh) -> jax.Array:
    """From whole Jacobians, where devices are the host's processors."""
    n, dim = leaves[0].shape[:2]
    parts = [
        jax.device_put(gram_on_host([np.asarray(part.data) for part in of_device]), of_device[0].device)
        for of_device in zip(*(leaf.addressable_shards for leaf in leaves), strict=True)
    ]
    return jax.make_array_from_single_device_arrays((n, dim, dim), NamedSharding(mesh, P(CODES)), parts)


@partial(jax.jit, static_argnames=("mesh", "kind", "dim"))
def _tensors(leaves: list[jax.Array], *, mesh: Mesh, kind: str, dim: int) -> jax.Array:
    shares = mesh.shape[TANGENTS] if kind in DIVISIBLE else 1

    def columns_for_rows(J: jax.Array) -> jax.Array:
        """All rows of a share of the columns, from all columns of a share of the rows."""
        J = linear.as_rows(J, 2)
        J = jnp.pad(J, ((0, 0), (0, 0), (0, -J.shape[2] % shares)))
        return jax.lax.all_to_all(J, TANGENTS, split_axis=2, concat_axis=1, tiled=True)

    def local(*leaves: jax.Array) -> jax.Array:
        if kind in JACOBIANS:
            if shares == 1:
                return jax.vmap(sum_of_grams)(leaves)
            return jax.lax.psum(jax.vmap(sum_of_grams)([columns_for_rows(leaf) for leaf in leaves]), TANGENTS)
        (g,) = (leaf.astype(jnp.float64) for leaf in leaves)
        return jax.lax.all_gather(g, TANGENTS, axis=1, tiled=True) if shares > 1 else g

    into = P(CODES, TANGENTS) if kind in DIVISIBLE else P(CODES)
    program = jax.shard_map(local, mesh=mesh, in_specs=into, out_specs=P(CODES), check_vma=False)
    g = program(*leaves)[:, :dim, :dim]
    return 0.5 * (g + jnp.swapaxes(g, 1, 2))


@partial(jax.jit, static_argnames=("mesh", "kind", "precision"))
def products(
    G: Generator, D: Distance, codes: jax.Array, blocks: jax.Array, *, mesh: Mesh, kind: str, precision: str
) -> jax.Array:
    """``g V`` at each of the codes for blocks ``(n, d, w)``, columns together.

    The map is linearised anew for each block, one forward pass beside the ``3 w`` of the products: nothing is kept
    between calls, and weights are never copied.
    """

    def one(G: Generator, D: Distance, z: jax.Array, V: jax.Array) -> jax.Array:
        state = linear.linear_map(G, D, z, kind, precision, 1)
        with linear.matmul_precision(precision):
            return jax.vmap(partial(linear.product, state, kind), in_axes=1, out_axes=1)(V)

    def local(G: Generator, D: Distance, codes: jax.Array, blocks: jax.Array) -> jax.Array:
        at = partial(one, G, D)
        return at(codes[0], blocks[0])[None] if len(codes) == 1 else jax.vmap(at)(codes, blocks)

    cut = P(CODES, None, TANGENTS)
    program = jax.shard_map(local, mesh=mesh, in_specs=(P(), P(), P(CODES), cut), out_specs=cut, check_vma=False)
    return program(G, D, codes, blocks)


def _placed(leaf: Any, mesh: Mesh, spec: P) -> jax.Array:
    sharding = NamedSharding(mesh, spec)
    if _is_one_device(mesh):
        return jax.device_put(leaf, sharding)
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _is_one_device(mesh: Mesh) -> bool:
    return mesh.devices.size == 1 and jax.process_count() == 1


def described(shape: tuple[int, ...], dtype: Any, mesh: Mesh, *axes: str | None) -> jax.ShapeDtypeStruct:
    """An array that is not there yet, cut along the mesh's axes: for compiling ahead."""
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, P(*axes)))
