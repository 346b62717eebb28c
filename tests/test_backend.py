"""Programs that are compiled as the device's table says."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from geomgan import backend as module
from geomgan.backend import CPU, backend, top_level_jit


@top_level_jit
def _doubled(x):
    """Twice ``x``."""
    return 2 * jnp.sin(x)


def test_options_reach_the_compiler_and_values_stay():
    assert ("xla_backend_optimization_level", 1) in CPU.compiler
    x = np.linspace(0, 1, 100, dtype=np.float32)
    np.testing.assert_allclose(_doubled(x), 2 * np.sin(x), rtol=1e-6)
    np.testing.assert_array_equal(_doubled.lower(x).compile()(x), _doubled(x))
    assert _doubled.__doc__ == "Twice ``x``."


def test_static_arguments_and_no_options_at_all(monkeypatch):
    power = top_level_jit(lambda x, n: x**n, static_argnums=1)
    assert power(3.0, 2) == 9
    monkeypatch.setattr(module, "CPU", replace(backend(), compiler=()))
    assert power(3.0, 3) == 27
