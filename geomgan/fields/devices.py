"""Codes and tangents on many devices, of one host or several: the mesh, what lies where, and what all agree on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from geomgan.errors import GeomganError

CODES, TANGENTS = "codes", "tangents"


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
    """Every array of ``tree`` on every device, from device to device; all processes hold the same values."""
    sharding = NamedSharding(mesh, P())
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    here = [device for device in mesh.devices.flat if device.process_index == jax.process_index()]

    def copies(leaf: Any) -> jax.Array:
        parts = [jax.device_put(leaf, device) for device in here]
        return jax.make_array_from_single_device_arrays(np.shape(leaf), sharding, parts)

    return jax.tree.map(copies, tree)


def shard(array: np.ndarray, mesh: Mesh, *axes: str | None) -> jax.Array:
    """The array cut along the mesh's axes; each process supplies the parts of its own devices."""
    return _placed(array, mesh, P(*axes))


def units_here(arrays: Mapping[str, jax.Array], size: int) -> list[dict[str, jax.Array]]:
    """Rows of each unit of ``size`` codes on this process's devices, in order, of arrays that are cut along codes.

    Of several devices that hold the same rows, those of one.
    """
    units: dict[int, dict[str, jax.Array]] = {}
    for name, array in arrays.items():
        for part in array.addressable_shards:
            units.setdefault((part.index[0].start or 0) // size, {})[name] = part.data
    return [units[position] for position in sorted(units)]


def fetched(units: Sequence[Mapping[str, jax.Array]]) -> list[dict[str, np.ndarray]]:
    """What a step has computed, on the host: the one time that it crosses."""
    return [{name: np.asarray(rows) for name, rows in unit.items()} for unit in units]


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


def agreed(todo: list[int], n: int) -> list[int]:
    """The same list on every process: that of the first, which has opened the store."""
    if jax.process_count() == 1:
        return todo
    from jax.experimental import multihost_utils

    pending = np.zeros(n, np.int32)
    pending[todo] = 1
    return np.flatnonzero(multihost_utils.broadcast_one_to_all(pending)).tolist()


def wait_for_writer() -> None:
    """Until the process that writes the store has written it."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("geomgan: the metric field is stored")


def described(shape: tuple[int, ...], dtype: Any, mesh: Mesh, *axes: str | None) -> jax.ShapeDtypeStruct:
    """An array that is not there yet, cut along the mesh's axes: for compiling ahead."""
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, P(*axes)))


def is_one_device(mesh: Mesh) -> bool:
    """Whether there is nothing to share out."""
    return mesh.devices.size == 1 and jax.process_count() == 1


def _placed(leaf: Any, mesh: Mesh, spec: P) -> jax.Array:
    sharding = NamedSharding(mesh, spec)
    if is_one_device(mesh):
        return jax.device_put(leaf, sharding)
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
