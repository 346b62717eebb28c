"""Spectral norm (Miyato et al., 2018): kernels divided by their largest singular value, which one vector follows."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def power_iteration(params, vectors):
    """One step of power iteration for the first left singular vector of each kernel ``(..., out)``."""

    def step(name):
        matrix = params[name]["kernel"].reshape(-1, vectors[name].shape[0])
        return _unit(matrix.T @ _unit(matrix @ vectors[name]))

    return jax.lax.stop_gradient({name: step(name) for name in vectors})


def spectral_normalise(params, vectors, gain: float):
    """Scale every kernel with an entry in ``vectors`` to the (estimated) largest singular value ``gain``."""

    def divide(name):
        kernel = params[name]["kernel"]
        image = kernel.reshape(-1, kernel.shape[-1]) @ vectors[name]
        return {**params[name], "kernel": gain * kernel / jnp.vdot(jax.lax.stop_gradient(_unit(image)), image)}

    return {name: divide(name) if name in vectors else block for name, block in params.items()}


def _unit(vector: jax.Array) -> jax.Array:
    return vector / (jnp.linalg.norm(vector) + 1e-12)
