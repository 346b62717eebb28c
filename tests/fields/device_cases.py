"""Metric fields that tests/fields/test_devices.py computes on other devices, in processes of their own.

``python -m tests.fields.device_cases OUT DEVICES [PROCESSES INDEX PORT]`` computes all of them on so many simulated
devices, as process INDEX of so many, and writes one ``.npz`` for each into OUT.
"""

import contextlib
import dataclasses
import sys
from pathlib import Path

import jax
import numpy as np

import geomgan as gg
from geomgan import backend
from geomgan.fields import solve
from geomgan.fields.field import compute_field
from geomgan.runs.store import write_batch
from tests.small_models import smooth_generator

MSE = gg.distances.mse()


def uneven_leaves(params, x):
    """Leaves whose sizes no number of devices divides."""
    return {"rows": x[:5, :3].ravel()[:43], "channel": 2 * x[..., 0], "mean": x.mean()[None]}


def squared_difference(params, x, y):
    return ((x - y) ** 2).mean()


PRODUCT = gg.distances.from_function(squared_difference)
LEAVES = gg.distances.features(uneven_leaves)

# name -> (d, distance, number of codes, options). Those in SAME run the same program for each code on 2, 4 and 8
# devices; for one device XLA rounds the products of reverse mode differently.
CASES = {
    "codes": (6, MSE, 16, {"batch": 2}),
    "codes-leaves": (6, LEAVES, 16, {"batch": 2}),
    "codes-block": (40, MSE, 8, {"k": 4, "solver": "block", "batch": 1}),
    "codes-product": (6, PRODUCT, 8, {"batch": 1}),
    "codes-finite-differences": (6, MSE, 8, {"batch": 1, "hvp": "finite-difference"}),
    "sizes-chosen": (6, MSE, 19, {}),
    "tangents": (6, MSE, 2, {}),
    "tangents-leaves": (7, LEAVES, 2, {}),
    "tangents-one-code": (6, MSE, 1, {}),
    "tangents-block": (40, MSE, 2, {"k": 5, "solver": "block"}),
    "tangents-product": (6, PRODUCT, 2, {}),
    "tangents-arpack": (40, MSE, 2, {"k": 3, "solver": "arpack"}),
}
SAME = [name for name in CASES if name.startswith("codes")]
STORED = {"dim": 6, "codes": 12, "batch": 1}


def as_accelerators(**more):
    """The table with which CPU devices work as accelerators do; ``more`` of its fields to change."""
    same = ("host_threads", "one_program", "in_turn", "overwrite", "gram_on_host", "gram_block", "solve_on_device")
    accelerator = {name: getattr(backend.ACCELERATOR, name) for name in same}
    return dataclasses.replace(backend.CPU, **accelerator | more)


def codes_of(dim, n):
    return np.random.default_rng(7).standard_normal((n, dim)).astype(np.float32)


def compute(name, **options):
    dim, D, n, own = CASES[name]
    return gg.metric_field(smooth_generator(dim), D, codes_of(dim, n), progress=False, **own, **options)


def stored(folder, **seams):
    """The field whose store is passed from one set of devices to another."""
    codes = codes_of(STORED["dim"], STORED["codes"])
    return compute_field(smooth_generator(STORED["dim"]), MSE, codes, store=folder, batch=1, **seams)


def interrupted(folder, steps):
    """The same, ended after so many steps."""
    calls = []

    def execute(*arguments):
        calls.append(1)
        if len(calls) > steps:
            raise KeyboardInterrupt
        return solve.execute(*arguments)

    with contextlib.suppress(KeyboardInterrupt):
        stored(folder, execute=execute)


def errors(folder):
    """What a process is told when the store belongs to another run, and when the disk of the first is full."""
    messages = []
    try:
        gg.metric_field(smooth_generator(6), MSE, codes_of(6, 12) + 1, store=folder, batch=1, progress=False)
    except gg.GeomganError as error:
        messages.append(str(error))

    def full(path, opened, rows, batch):
        if rows.start == 6:
            raise gg.StoreError("no space left")
        write_batch(path, opened, rows, batch)

    try:
        stored(folder.with_name("full.zarr"), write=full)
    except gg.GeomganError as error:
        messages.append(str(error))
    return messages


def main(out, devices, processes=1, index=0, port=0):
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", int(devices))
    if int(processes) > 1:
        jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=int(processes), process_id=int(index))
    assert len(jax.devices()) == int(devices) * int(processes)
    out = Path(out)
    fields = {name: compute(name) for name in CASES}
    if int(processes) > 1:
        fields["store"] = stored(out / "new.zarr")
        fields["resumed"] = stored(out / "resumed.zarr")
        (out / f"errors.{index}.txt").write_text("\n".join(errors(out / "new.zarr")))
    else:
        fields |= {f"{name}-on-two": compute(name, devices=jax.devices()[:2]) for name in SAME}
        interrupted(out / "interrupted.zarr", steps=1)
    for name, field in fields.items():
        arrays = {key: getattr(field, key) for key in ("values", "vectors", "residuals", "noise_floor", "status")}
        if field.tensors is not None:
            arrays["tensors"] = field.tensors
        arrays["computed"] = field.provenance["computed_codes"]
        np.savez(out / f"{name}.{index}.npz", **{key: np.asarray(array) for key, array in arrays.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
