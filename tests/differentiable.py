"""What every generator of the zoo must do: derivatives, stacks of codes, layers by name."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.generators.generator import activations_of
from tests.fixtures import assert_close
from tests.oracles import HASTY
from tests.small_models import in_float64


def assert_differentiable(G: Any, layer: str, seed: int = 3) -> None:
    """Forward mode against central differences in float64, a stack against one at a time, every named layer."""
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((3, G.latent_dim))
    assert_close(jax.vmap(G)(codes), np.stack([G(z) for z in codes]), 1e-5)
    shapes = {name: value.shape for name, value in jax.eval_shape(activations_of, G, codes[0]).items()}
    assert tuple(shapes) == G.layers
    activation = G.at(layer)(codes[0])
    assert activation.shape == shapes[layer]
    assert np.isfinite(activation).all()
    assert np.ptp(activation) > 0
    with jax.enable_x64(True):
        derivative, slope = _along(in_float64(G), codes[0], rng.standard_normal(G.latent_dim))
        assert derivative.dtype == np.float64
        assert_close(derivative, slope, 1e-6)


@partial(jax.jit, compiler_options=HASTY)
def _along(G: Any, z: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The derivative along ``v`` in forward mode, and by central differences."""
    ends = jax.vmap(G)(jnp.stack([z - 1e-6 * v, z + 1e-6 * v]))
    return jax.jvp(G, (z,), (v,))[1], (ends[1] - ends[0]) / 2e-6
