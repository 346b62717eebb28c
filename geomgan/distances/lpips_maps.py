"""Where and in which layer LPIPS finds a difference: its sum before it is summed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance, embed_tree
from geomgan.distances.lpips import Embedding, upsample


def lpips_layers(D: Distance, x: Any, y: Any) -> jax.Array:
    """The part of each layer in ``D(x, y)``: ``(layers,)``, with sum ``D(x, y)``.

    Args:
        D: an LPIPS distance of any net and options.
        x: one sample ``(H, W, C)``.
        y: another of the same shape.

    Raises:
        TypeError: ``D`` is another distance.
        ValueError: the samples do not fit, as in ``D(x, y)``.
    """
    _check(D, x, y)
    return _layers(D, x, y)


def lpips_map(D: Distance, x: Any, y: Any) -> jax.Array:
    """Where the samples differ: ``(H, W)``, the pixels of the samples (the original's ``spatial=True``).

    ``map = Σ_l up(Σ_c w_lc (f̂_lc(x) - f̂_lc(y))²)``, bilinear interpolation with half-pixel centres. ``D``'s mask has
    no part in it: the masked mean of this map is the distance of ``lpips(..., mask=mask)``.

    Args:
        D: an LPIPS distance of any net and options.
        x: one sample ``(H, W, C)``.
        y: another of the same shape.

    Raises:
        TypeError: ``D`` is another distance.
        ValueError: the samples do not fit, as in ``D(x, y)``.
    """
    _check(D, x, y)
    return _map(D, x, y)


def _check(D: Distance, x: Any, y: Any) -> None:
    if not isinstance(D, Distance) or not isinstance(D.embedding, Embedding):
        got = D.name if isinstance(D, Distance) else type(D).__name__
        raise TypeError(f"D is {got}; expected an LPIPS distance, for example geomgan.distances.lpips('alex').")
    if np.shape(x) != np.shape(y):
        raise ValueError(
            f"{D.name} got samples of shapes {np.shape(x)} and {np.shape(y)}; expected one shape for both. "
            "Resize or crop one of them first; for stacks of samples use jax.vmap."
        )
    D.check(x)
    D.check(y)


@jax.jit
def _layers(D: Distance, x: jax.Array, y: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jnp.stack([jnp.sum((a - b) ** 2) for a, b in _features(D, x, y)])


@jax.jit
def _map(D: Distance, x: jax.Array, y: jax.Array) -> jax.Array:
    assert isinstance(D.embedding, Embedding)
    D = replace(D, embedding=replace(D.embedding, averaged=False))
    with jax.default_matmul_precision("highest"):
        maps = [upsample(jnp.sum((a - b) ** 2, axis=-1), x.shape[:2]) for a, b in _features(D, x, y)]
    return sum(maps[1:], start=maps[0])


def _features(D: Distance, x: jax.Array, y: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
    return list(zip(embed_tree(D, x), embed_tree(D, y), strict=True))
