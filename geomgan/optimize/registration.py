"""Similarity transforms of images: a sample is scaled, turned and moved until it lies on its target.

A point ``p`` of the sample goes to ``T p = s R(a) p + t`` of the target. Points are in half sides from the centre of
the image, the shorter side's for both directions, x to the right and y down; a positive angle turns x towards y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief

PARAMETERS = 4
WIDTHS = (0.2, 0.2, 0.2, 0.2)  # of log scale, angle in radians and translation, for a change of 1 in an unknown
KINDS = ("sample", "target")


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Similarity:
    """A similarity transform from the sample to the target; arrays have the shape of the runs.

    Attributes:
        scale: ``s``.
        angle: ``a``, radians.
        translation: ``t (..., 2)``, x and y, in half of the shorter side.
    """

    scale: Any
    angle: Any
    translation: Any

    @classmethod
    def of(cls, unknowns: Any) -> Similarity:
        """Of four unknowns ``(..., 4)`` in the units of ``WIDTHS``; zeros are the identity."""
        xp: Any = jnp if isinstance(unknowns, jax.Array) else np
        q = unknowns * xp.asarray(WIDTHS, unknowns.dtype)
        return cls(xp.exp(q[..., 0]), q[..., 1], q[..., 2:])


def onto_target(sample: jax.Array, transform: Similarity) -> tuple[jax.Array, jax.Array]:
    """The sample ``(H, W, C)`` as it lies on its target, and where that is inside of the sample ``(H, W, 1)``."""
    turned = _turned(_grid(sample.shape[:2], sample.dtype) - transform.translation, -transform.angle)
    return _bilinear(sample, turned / transform.scale)


def onto_sample(target: jax.Array, transform: Similarity) -> tuple[jax.Array, jax.Array]:
    """The target as it lies on the sample, and where that is inside of the target."""
    points = transform.scale * _turned(_grid(target.shape[:2], target.dtype), transform.angle)
    return _bilinear(target, points + transform.translation)


def _grid(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """The centres of pixels ``(H, W, 2)`` as points."""
    half = min(shape) / 2
    y, x = (((np.arange(side) + 0.5) - side / 2) / half for side in shape)
    return jnp.asarray(np.stack(np.meshgrid(x, y), axis=-1), dtype)


def _turned(points: jax.Array, angle: jax.Array) -> jax.Array:
    x, y = points[..., 0], points[..., 1]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def _bilinear(image: jax.Array, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Values at points, those of the border beyond it, and a weight that falls from 1 to 0 over the border's pixel."""
    height, width = image.shape[:2]
    half = min(height, width) / 2
    column = points[..., 0] * half + width / 2 - 0.5
    row = points[..., 1] * half + height / 2 - 0.5
    inside = jnp.clip(jnp.minimum(column + 1, width - column), 0, 1) * jnp.clip(
        jnp.minimum(row + 1, height - row), 0, 1
    )
    column, row = jnp.clip(column, 0, width - 1), jnp.clip(row, 0, height - 1)
    left = jnp.clip(jnp.floor(jax.lax.stop_gradient(column)), 0, max(width - 2, 0)).astype(jnp.int32)
    top = jnp.clip(jnp.floor(jax.lax.stop_gradient(row)), 0, max(height - 2, 0)).astype(jnp.int32)
    right, bottom = jnp.minimum(left + 1, width - 1), jnp.minimum(top + 1, height - 1)
    across, down = (column - left)[..., None], (row - top)[..., None]
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
    return upper * (1 - down) + lower * down, inside[..., None]
