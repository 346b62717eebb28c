"""Block Lanczos as one program on four simulated devices and on one: ``python -m tests.fields.lanczos_case OUT``.

For tests/fields/test_lanczos.py, which waits for it so long and no longer.
"""

import sys

import jax
import numpy as np

import geomgan as gg
from geomgan import backend
from geomgan.fields import solve
from geomgan.fields.field import compute_field
from tests.fields.device_cases import as_accelerators

DIM, K, DEVICES, BATCH = 72, 12, 4, 2
OPTIONS = {"k": K, "solver": "block", "batch": BATCH}
VALUES = np.r_[np.full(6, 10.0), np.linspace(9, 0, DIM - 6)]  # the largest as often as a block has columns
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")


def weights():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    return (np.sqrt(VALUES) * Q).astype(np.float32), (rng.standard_normal((DIM, DIM)) / 20).astype(np.float32)


def network(params, z):
    """Its Jacobian is ``A + B diag(z)``: at zero values repeat, and a search for more of them follows."""
    A, B = params
    return A @ z + 0.5 * (B @ z**2)


def codes():
    """Of which the devices need different numbers of steps."""
    z = np.random.default_rng(1).standard_normal((2 * DEVICES * BATCH, DIM)).astype(np.float32)
    z[[0, 1, 4, 8, 11]] = 0
    return z


def main(out):
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", DEVICES)
    backend.CPU = as_accelerators()
    G, D = gg.Generator.from_function(network, weights(), DIM, output_range=None), gg.distances.euclidean()
    assert len(jax.devices()) == DEVICES
    compiled = []

    def execute(program, pair, *arguments):
        if not compiled:
            compiled.append(program.lower(pair).compile().as_text())
        return solve.execute(program, pair, *arguments)

    for count in (DEVICES, 1):
        field = compute_field(G, D, codes(), **OPTIONS, devices=jax.devices()[:count], execute=execute)
        np.savez(f"{out}/{count}.npz", values=field.values, vectors=field.vectors, status=field.status)
    assert " while(" in compiled[0]
    assert not [name for name in COLLECTIVES if name in compiled[0]]  # devices need not wait for each other


if __name__ == "__main__":
    main(*sys.argv[1:])
