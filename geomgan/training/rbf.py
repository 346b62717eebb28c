"""The precision of a decoder's pixels as radial basis functions of the code (Arvanitidis, Hansen and Hauberg, 2018)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.brief import brief
from geomgan.runs.loop import run
from geomgan.training.digit_networks import scaled
from geomgan.training.published_adam import published_adam

CENTERS = 4  # for each latent dimension, as published
ZETA = 1e-2  # the precision far from all images
SWEEPS = 200  # of k-means, at most


@brief
class PrecisionState(NamedTuple):
    """Everything the next step of the fit depends on."""

    kernel: jax.Array
    optimizer: Any
    step: jax.Array
    key: jax.Array


def fit_precision(
    images: jax.Array,
    encode: Callable[[jax.Array], jax.Array],
    decode: Callable[[jax.Array], jax.Array],
    key: jax.Array,
    options: Any,
    *,
    checkpoint: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    progress: bool = True,
) -> tuple[dict[str, np.ndarray], float]:
    """Fit ``β(z) = W exp(-b_k ‖z - c_k‖²) + ζ`` to what a trained decoder leaves of images.

    Centres are those of k-means on the images' codes, four for each latent dimension; ``b_k`` is half the inverse
    square of the mean distance of a cluster's codes from its centre. ``W ≥ 0`` minimises the mean over images of
    ``½ Σ_p (β_p (x_p - G(z)_p)² - log β_p)`` with Adam, clipped after each step.

    Args:
        images: bytes ``(N, 28, 28, 1)``.
        encode: images in ``(-1, 1)`` -> codes ``(n, d)``.
        decode: codes -> images.
        key: random key.
        options: `VaeOptions`.
        checkpoint: file of the latest state.
        every: steps between checkpoints.
        settings: recorded in the checkpoint.
        progress: whether to show a progress bar.

    Returns:
        The parameters of `RBFPrecision`, and the seconds of the fit.
    """
    key_centers, key_fit = jax.random.split(key)
    codes = embedded(images, encode)
    centers, bandwidth = basis(codes, CENTERS * codes.shape[1], key_centers)
    epoch = max(1, len(images) // options.batch)
    optimizer = published_adam(options.precision_rate, decay=1.0, epoch=epoch, weight_decay=options.weight_decay)
    key_kernel, key_steps = jax.random.split(key_fit)
    kernel = jax.random.uniform(key_kernel, (len(centers), int(np.prod(images.shape[1:])))) / np.sqrt(len(centers))
    pixels = jax.jit(lambda codes: decode(codes).reshape(len(codes), -1))

    @jax.jit
    def descend(state: PrecisionState, x, seen, active):
        def loss_fn(kernel):
            precision = active @ kernel + ZETA
            return 0.5 * (precision * jnp.square(x - seen) - jnp.log(precision)).sum(1).mean()

        loss, grads = jax.value_and_grad(loss_fn)(state.kernel)
        updates, moments = optimizer.update(grads, state.optimizer, state.kernel)
        kernel = jnp.maximum(optax.apply_updates(state.kernel, updates), 0)
        return PrecisionState(kernel, moments, state.step + 1, state.key), {"loss": loss}

    activations = jax.jit(partial(_activations, centers=jnp.asarray(centers), bandwidth=jnp.asarray(bandwidth)))

    def step(state: PrecisionState):
        chosen = jax.random.randint(jax.random.fold_in(state.key, state.step), (options.batch,), 0, len(images))
        z, x = codes[np.asarray(chosen)], scaled(images[chosen]).reshape(options.batch, -1)
        return descend(state, x, pixels(z), activations(z))

    state, seconds = run(
        step,
        PrecisionState(kernel, optimizer.init(kernel), jnp.asarray(0, jnp.int32), key_steps),
        max(1, round(options.precision_epochs * epoch)),
        checkpoint=checkpoint,
        every=every,
        settings=settings,
        label="precision",
        progress=progress,
    )
    fitted = {"centers": centers, "bandwidth": bandwidth, "kernel": state.kernel, "zeta": np.full(1, ZETA)}
    return {name: np.asarray(value, np.float32) for name, value in fitted.items()}, seconds


def embedded(images: jax.Array, encode: Callable[[jax.Array], jax.Array], batch: int = 500) -> np.ndarray:
    """The codes ``(N, d)`` of all images."""
    one = jax.jit(lambda x: encode(scaled(x)))
    return np.concatenate([one(images[i : i + batch]) for i in range(0, len(images), batch)])


def basis(codes: np.ndarray, k: int, key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Centres ``(k, d)`` by k-means from ``k`` of the codes, and the bandwidth ``(k,)`` of each.

    A cluster that loses all its codes takes the code that is farthest from its centre. It ends when no code changes
    its cluster, or after 200 sweeps (the published one may never end).
    """
    centers = codes[np.asarray(jax.random.choice(key, len(codes), (k,), replace=False))].astype(np.float64)
    nearest = np.full(len(codes), -1)
    for _ in range(SWEEPS):
        before = nearest
        nearest, distances = _nearest(codes, centers)
        if np.array_equal(before, nearest):
            break
        counts = np.bincount(nearest, minlength=k)
        sums = np.stack([np.bincount(nearest, column, minlength=k) for column in codes.T], 1)
        centers = sums / np.maximum(counts, 1)[:, None]
        empty = np.flatnonzero(counts == 0)
        centers[empty] = codes[np.argsort(-distances, kind="stable")[: len(empty)]]
    nearest, distances = _nearest(codes, centers)
    mean = np.bincount(nearest, distances + 1e-6, minlength=k) / np.maximum(np.bincount(nearest, minlength=k), 1)
    bandwidth = np.where(mean > 0, 0.5 / np.maximum(mean, 1e-6) ** 2, 1e-3)
    return centers.astype(np.float32), bandwidth.astype(np.float32)


def _nearest(codes: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each code, and its distance."""
    square = (codes**2).sum(1)[:, None] - 2 * codes @ centers.T.astype(codes.dtype) + (centers**2).sum(1)
    nearest = square.argmin(1)
    return nearest, np.sqrt(square[np.arange(len(codes)), nearest].clip(0))


def _activations(codes: jax.Array, centers: jax.Array, bandwidth: jax.Array) -> jax.Array:
    return jnp.exp(-bandwidth * jnp.square(codes[:, None] - centers).sum(-1))
