"""Settings of all tests."""

import gc
from pathlib import Path

import jax
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

# Compiled programs outlive a run; small ones too, because the tests are made of many of those.
jax.config.update("jax_compilation_cache_dir", str(ROOT / ".jax_cache"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
jax.config.update("jax_platforms", "cpu")


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
    """Drop compiled programs after each file: thousands of them exhaust the memory maps that a process may have."""
    yield
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
