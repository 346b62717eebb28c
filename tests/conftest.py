"""Settings of all tests."""

import gc
import os
from pathlib import Path

from geomgan.home import compiled_programs

# Compiled programs outlive a run and a clone, small ones too, because the tests are made of many of those: compiling
# them takes most of the time of a first run. The environment hands this on to every process that a test starts, also
# to those with a home of their own, and to the kernels of notebooks.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(compiled_programs()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
if os.environ.get("GEOMGAN_GPU_TESTS") != "gpu":  # make test-gpu
    os.environ["JAX_PLATFORMS"] = "cpu"
# As many processes as cores run the tests: threads of torch and of OpenBLAS would wait for one another, spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
import pytest

pytest_plugins = ["tests.heavy_first", "tests.without_torch"]
MAPS = Path("/proc/self/maps")
MANY_MAPS = 30_000  # of the 65530 that Linux lets a process have


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
    """Drops compiled programs once there are many: thousands of them exhaust the memory maps of a process."""
    yield
    if not MAPS.exists() or MAPS.read_bytes().count(b"\n") > MANY_MAPS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def float64():
    """Everything in double precision."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)
