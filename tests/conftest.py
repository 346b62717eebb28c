"""Settings of all tests."""

import gc
import os
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Compiled programs outlive a run, small ones too, because the tests are made of many of those. The environment hands
# this on to every process that a test starts, and to the kernels of notebooks.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402 (reads the environment)
import numpy as np  # noqa: E402
import pytest  # noqa: E402

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
