"""Seconds, memory and the machine's own rate, for every benchmark."""

from __future__ import annotations

import ctypes
import functools
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def timed(call: Callable[[], Any], least: float = 0.0) -> float:
    """Seconds of one call: the mean of as many in a row as take ``least`` seconds."""
    start, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - start < least:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def peak_growth(call: Callable[[], Any]) -> float:
    """MB by which the resident memory grows at most during a call (Linux)."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        call()
        return float("nan")
    read = lambda name: int(next(x for x in status.read_text().splitlines() if x.startswith(name)).split()[1])
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # memory that an earlier call freed must not hide this one's
    reset.write_text("5")
    before = read("VmRSS")
    call()
    return (read("VmHWM") - before) / 1024


def matrix_product_rate(side: int = 3000) -> float:
    """GFLOP/s of a large float32 product on the same cores."""
    call = matrix_product(side)
    return 2 * side**3 / statistics.median([timed(call) for _ in range(5)]) / 1e9


@functools.cache
def matrix_product(side: int) -> Callable[[], Any]:
    """A call, compiled, that computes a float32 product of two square matrices and waits for it."""
    a = jnp.asarray(np.random.default_rng(0).standard_normal((side, side), np.float32))
    product = jax.jit(lambda a: a @ a)
    call = lambda: product(a).block_until_ready()
    call()
    return call
