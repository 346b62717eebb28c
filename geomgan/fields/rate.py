"""How fast the device multiplies matrices: what the time of a plan is reckoned from."""

from __future__ import annotations

import functools
import statistics
import time

import jax
import jax.numpy as jnp

from geomgan.backend import backend, matmul_precision


@functools.cache
def matrix_product_rate(precision: str = "highest") -> float:
    """FLOP/s of a large float32 matrix product on the default device, measured."""
    side = backend().product_side
    a = jnp.ones((side, side), jnp.float32) / side

    @jax.jit
    def product(a: jax.Array) -> jax.Array:
        with matmul_precision(precision):
            return a @ a

    product(a).block_until_ready()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        product(a).block_until_ready()
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / statistics.median(seconds)
