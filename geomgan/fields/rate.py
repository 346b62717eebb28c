"""How fast the device multiplies matrices, and what a step takes beside: what the time of a plan is reckoned from."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import backend, in_float32
from geomgan.eigen.block import block_lanczos
from geomgan.eigen.choice import most_products, reachable
from geomgan.eigen.dense import largest_pairs, pairs_of_stack
from geomgan.metric.coarse import coarse

MOST = 128  # codes of a step, and rows of their tensors, that are tried; time grows with these rows' third power
ROUNDING = reachable(float(np.finfo(np.float32).eps))  # what residuals of such products come to


@functools.cache
def matrix_product_rate(precision: str = "highest") -> float:
    """FLOP/s of a large matrix product of float32 tangents on the default device, measured."""
    side = backend().product_side
    a = jnp.ones((side, side), jnp.float32) / side

    @jax.jit
    def product(a: jax.Array) -> jax.Array:
        with in_float32():
            return coarse(lambda tangents: tangents @ a, precision)(a)

    return 2 * side**3 / _seconds(lambda: product(a).block_until_ready())


@functools.cache
def step_seconds(codes: int, dim: int) -> float:
    """Seconds that a step of so many codes takes beside its network, measured: of tiny networks, nearly all.

    Codes go to the device, a program is called, tensors come back, and LAPACK finds their eigenpairs; or the device
    does, and they come back too.
    """
    side, several = min(dim, MOST), min(codes, MOST)
    frames = np.random.default_rng(0).standard_normal((several, side, side)).astype(np.float32)
    there = backend().solve_on_device

    @jax.jit
    def program(frames: jax.Array) -> Any:
        g = frames @ jnp.swapaxes(frames, 1, 2)
        return (g, *pairs_of_stack(g.astype(jnp.float64), side)) if there else [g]

    def step() -> None:
        with jax.enable_x64(there):
            g, *pairs = (np.asarray(part, np.float64) for part in program(jnp.asarray(frames)))
        if not pairs:
            largest_pairs(g, side)

    return _seconds(step) * codes / several * (dim / side) ** 3


@functools.cache
def products_seconds(dim: int, k: int, width: int) -> float:
    """Seconds that ``k`` pairs of one code take an iterative solver beside its network, measured on a diagonal matrix.

    Its values fall evenly over five decades, those of a usual metric.
    """
    values = np.geomspace(1, 1e-5, dim, dtype=np.float32)[:, None]
    program = jax.jit(lambda block: values * block)
    multiply = lambda block: np.asarray(program(block.astype(np.float32)), np.float64)
    return _seconds(lambda: block_lanczos(multiply, dim, k, 1e-6, most_products(dim), 0, ROUNDING, width))


def _seconds(work: Callable[[], Any]) -> float:
    """The median of three times, after one that compiles."""
    work()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
