"""Maps sampled at coordinates: -1 and 1 are the middles of the first and last pixel, or their outer edges.

A grid is ``(N, ..., axes)``, and has the last axis of the map first: (x, y) or (x, y, z).
"""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp

from geomgan.generators.aten.operators.arguments import Operators
from geomgan.generators.aten.operators.resampling import cubic_weights

NEAREST, BICUBIC = 1, 2  # 0 is linear
BORDER, REFLECTION = 1, 2  # 0 is zeros


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """Nearest, linear or (of images) cubic samples ``(N, C, ...)``; beyond the map zeros, its border or its mirror."""

    def place(at, side):
        return _placed(at, side, padding_mode, align_corners)

    def taps(at, side):
        """Pixels along one axis and their weights."""
        if interpolation_mode == BICUBIC:  # every tap finds its own place
            low = jnp.floor(at)
            return [(place(low + n, side), cubic_weights(at - low - n, -0.75)) for n in range(-1, 3)]
        at = place(at, side)
        if interpolation_mode == NEAREST:
            return [(jnp.round(at), jnp.ones_like(at))]
        low = jnp.floor(at)
        return [(low, 1 - (at - low)), (low + 1, at - low)]

    sides = input.shape[2:]
    axes = len(sides)
    along = [taps(_pixel(grid[..., -1 - n], side, align_corners), side) for n, side in enumerate(sides)]

    def spread(parts, n):
        """What one axis has for its taps, over the taps of all axes: ``(N, ..., taps, ..., samples)``."""
        return jnp.expand_dims(jnp.stack(parts, 1), [1 + k for k in range(axes) if k != n])

    places = [spread([at for at, _ in tap], n) for n, tap in enumerate(along)]
    weights = prod(spread([weight for _, weight in tap], n) for n, tap in enumerate(along))
    return jnp.sum(_pixels(input, places) * weights[:, None], tuple(range(2, 2 + axes)))


def _pixel(x, side, align_corners):
    return (x + 1) / 2 * (side - 1) if align_corners else ((x + 1) * side - 1) / 2


def _placed(at, side, padding_mode, align_corners):
    if padding_mode == REFLECTION:
        low, span = (0, side - 1) if align_corners else (-0.5, side)
        distance = jnp.abs(at - low)
        turned = distance % (2 * span) if span else distance * 0
        at = jnp.where(turned > span, 2 * span - turned, turned) + low
    return jnp.clip(at, 0, side - 1) if padding_mode in (BORDER, REFLECTION) else at


def _pixels(input, at):
    """``input (N, C, ...)`` at whole coordinates ``(N, ...)``, zero beyond the map: ``(N, C, ...)``."""
    sides = input.shape[2:]
    inside = prod((x >= 0) & (x < side) for x, side in zip(at, sides, strict=True))
    places = tuple(jnp.clip(x, 0, side - 1).astype(int) for x, side in zip(at, sides, strict=True))
    found = jax.vmap(lambda image, index: image[(slice(None), *index)])(input, places)
    return found * inside[:, None]


def affine_grid(theta, size, align_corners):
    """The grid of the affine map ``theta (N, axes, axes + 1)`` for samples of ``size (N, C, ...)``."""
    lines = [jnp.linspace(-1, 1, side) * (1 if align_corners else (side - 1) / side) for side in size[2:]]
    coordinates = jnp.meshgrid(*lines, indexing="ij")[::-1]
    grid = jnp.stack([*coordinates, jnp.ones(size[2:])], -1)
    return jnp.einsum("...j,nij->n...i", grid, theta)


OPERATORS: Operators = {
    "grid_sampler": grid_sampler,
    "grid_sampler_2d": grid_sampler,
    "grid_sampler_3d": grid_sampler,
    "affine_grid_generator": affine_grid,
}
