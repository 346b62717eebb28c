"""Whether a distance of one's own is fit to be pulled back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance, distance_of


@brief
@dataclass(frozen=True)
class DistanceReport:
    """What :func:`check` found; prints as sentences.

    Attributes:
        usable: whether a metric tensor under this distance means something.
        findings: one sentence for each property, those that fail begin with ``PROBLEM``.
    """

    usable: bool
    findings: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.findings)


def check(distance: Distance, x: Any, y: Any) -> DistanceReport:
    """Check a distance on two samples: symmetric, zero on the diagonal, with finite derivatives.

    Args:
        distance: the squared distance.
        x: a sample, ``(H, W, C)`` or of any shape that the distance takes.
        y: another one of the same shape, different from ``x``.

    Raises:
        TypeError, ValueError: the samples cannot be compared at all.
    """
    forward, backward, diagonal = float(distance(x, y)), float(distance(y, x)), float(distance(x, x))
    scale, smallest = max(abs(forward), abs(backward)), min(forward, backward)
    tolerance = 1e-4 * scale
    x, y = (jax.tree.map(jnp.asarray, sample) for sample in (x, y))
    at_x, at_y, curvature = (float(value) for value in _derivatives(distance, x, y))
    named = f"{distance.name}:"
    findings = [
        _say(np.isfinite([forward, backward, diagonal]).all(), f"{named} values are finite", "a value is not finite"),
        _say(scale > 0, f"{named} distinguishes the two samples, d² = {forward:.4g}", "both samples have distance 0"),
        _say(smallest >= 0, f"{named} is not negative", f"a squared distance is {smallest:.4g}"),
        _say(
            abs(forward - backward) <= tolerance,
            f"{named} is symmetric",
            f"d²(x, y) = {forward:.6g} but d²(y, x) = {backward:.6g}: symmetrise it, or say so where you report it",
        ),
        _say(
            abs(diagonal) <= tolerance,
            f"{named} is zero on the diagonal",
            f"d²(x, x) = {diagonal:.4g}, expected 0: subtract it, or the metric is that of another function",
        ),
        _say(
            np.isfinite(at_x) and np.isfinite(at_y),
            f"{named} has finite derivatives at both samples",
            "a derivative is NaN or infinite, often a square root or a norm at zero: guard it with jnp.where",
        ),
        _say(
            np.isfinite(at_x) and at_x <= 1e-3 * max(at_y, 1e-12),
            f"{named} has no slope at x = y",
            f"its slope at x = y is {at_x:.3g} (at the other sample {at_y:.3g}): square it, or remove the kink there",
        ),
        _say(
            curvature != 0 or not scale > 0,
            f"{named} changes with small steps",
            "its second derivative at x = y is exactly zero, although the samples differ: it rounds, casts or is "
            "constant in pieces. Take metric_tensor(..., hvp='finite-difference'), which measures steps",
        ),
        _say(
            np.isfinite(curvature) and curvature >= -1e-6 * max(scale, 1e-12),
            f"{named} curves upwards at x = y, {curvature:.4g} towards the other sample",
            f"its second derivative at x = y towards the other sample is {curvature:.4g}, expected >= 0 and finite",
        ),
    ]  # fmt: skip
    return DistanceReport(not any(text.startswith("PROBLEM") for text in findings), tuple(findings))


def _say(holds: Any, good: str, bad: str) -> str:
    name = good.partition(":")[0]
    return f"{good}." if holds else f"PROBLEM: {name}: {bad}."


@jax.jit
def _derivatives(distance: Distance, x: Any, y: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Length of the slope of ``d²(x, ·)`` at ``x`` and at ``y``, and its second derivative at ``x`` towards ``y``."""
    slope = jax.grad(lambda moved: distance_of(distance, x, moved))
    direction = jax.tree.map(jnp.subtract, y, x)
    at_x, curving = jax.jvp(slope, (x,), (direction,))
    at_y = slope(y)
    return _inner(at_x, at_x) ** 0.5, _inner(at_y, at_y) ** 0.5, _inner(direction, curving)


def _inner(a: Any, b: Any) -> jax.Array:
    products = (jnp.vdot(u, v) for u, v in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    return sum(products, start=jnp.zeros(()))
