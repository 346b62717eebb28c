"""The images that ``shapes`` learns: a pin on a grey ground, drawn from factors that are known.

Five components of a rotated code decide what everybody sees, two more what hardly shows, the others nothing::

    u = Qᵀ z ~ N(0, I),  factor_i = low_i + (high_i - low_i) Φ(u_i)

with ``Φ`` the law of N(0, 1) and ``Q`` a random rotation: no coordinate of ``z`` is a factor. The pin is a disc on a
stem, so that a turn shows. It has a mirror axis, and its colours lie on a circle around grey: averaged over codes the
pixels' changes by any two factors are nearly orthogonal. The ranges give every factor another mean speed, so that
the mean metric has axes at all: of equal eigenvalues it has none.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

SIDE, LATENT = 32, 10
SOFT = 3.0  # pixels over which an edge goes from outside to inside
STEM, HEAD, HEAD_RADIUS, STEM_RADIUS = -0.83, 0.57, 0.52, 0.22  # in sizes: heights of the ends, radii
CHROMA, LIGHT, STRIPES, PERIOD = 0.9, 0.1, 0.05, 8.0


class Factor(NamedTuple):
    """What one component of ``u`` decides: its name, its range and its unit."""

    name: str
    low: float
    high: float
    unit: str


FACTORS = (
    Factor("x", -5.0, 5.0, "pixels"),
    Factor("y", -3.0, 3.0, "pixels"),
    Factor("size", 7.0, 12.0, "pixels"),
    Factor("hue", 0.0, 3.5, "radians"),
    Factor("rotation", -1.0, 1.0, "radians"),
)
NUISANCES = (Factor("shade", -0.55, -0.35, "range (-1, 1)"), Factor("stripes", -1.5, 1.5, "radians"))


def rotation(key: jax.Array) -> np.ndarray:
    """``Q (10, 10)``, uniform among the rotations and reflections; its first columns are the factors' directions."""
    q, r = np.linalg.qr(np.asarray(jax.random.normal(key, (LATENT, LATENT)), np.float64))
    return q * np.sign(np.diag(r))


def factors_of(codes: jax.Array, Q: jax.Array) -> jax.Array:
    """All seven factors ``(..., 7)`` of codes ``(..., 10)``, each uniform in its range for codes from N(0, I)."""
    every = (*FACTORS, *NUISANCES)
    low, high = (jnp.asarray([getattr(factor, end) for factor in every]) for end in ("low", "high"))
    return low + (high - low) * norm.cdf(codes @ Q[:, : len(every)])


def render(factors: jax.Array) -> jax.Array:
    """The image ``(32, 32, 3)`` in ``(-1, 1)`` of seven factors ``(7,)``."""
    x, y, size, hue, turn, shade, phase = factors
    places = jnp.arange(SIDE) - (SIDE - 1) / 2
    right, up = places[None, :] - x, -places[:, None] - y
    across = (jnp.cos(turn) * right + jnp.sin(turn) * up) / size
    along = (jnp.cos(turn) * up - jnp.sin(turn) * right) / size
    disc = _length(across, along - HEAD) - HEAD_RADIUS
    stem = _length(across, along - jnp.clip(along, STEM, HEAD)) - STEM_RADIUS
    inside = jnp.clip(0.5 - size * jnp.minimum(disc, stem) / SOFT, 0, 1)
    inside = (inside**2 * (3 - 2 * inside))[..., None]
    stripes = STRIPES * jnp.sin(2 * jnp.pi * (places[None, :] + places[:, None]) / PERIOD + phase)
    axes = jnp.asarray([[2, -1, -1], [0, 3**0.5, -(3**0.5)]]) / 6**0.5  # of the plane of colours, orthonormal
    colour = LIGHT + CHROMA * (jnp.cos(hue) * axes[0] + jnp.sin(hue) * axes[1])
    return inside * colour + (1 - inside) * (shade + stripes)[..., None]


def _length(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.sqrt(x**2 + y**2 + 1e-12)
