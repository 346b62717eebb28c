"""How far codes are moved along paths in training: laws of signed magnitudes."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from geomgan.errors import check_choice

Law = Callable[[jax.Array, int, float, float], jax.Array]


def draw_magnitudes(key: jax.Array, n: int, law: str, least: float, most: float) -> jax.Array:
    """``n`` signed magnitudes.

    ``"uniform"``         ``most · U(-1, 1)``, and those below ``least`` at ``±least`` (Voynov and Babenko, 2020);
    ``"normal"``          ``most · N(0, 1)``, likewise;
    ``"balanced"``        a fair sign times ``U(least, most)``;
    ``"warpedganspace"``  what the code of WarpedGANSpace draws: without replacement from ``n`` negative and ``n``
                          positive magnitudes, those later in the list more often, so that 7 of 10 are positive.

    Args:
        key: random key.
        n: how many.
        law: one of these.
        least: smallest absolute value.
        most: largest, or of ``"normal"`` the standard deviation.

    Raises:
        OptionError: ``law`` is unknown.
        ValueError: not ``0 <= least < most``.
    """
    check_choice(law, LAWS, "law")
    check_range(least, most)
    return LAWS[law](key, n, least, most)


def check_range(least: float, most: float) -> None:
    """Raise ``ValueError`` unless magnitudes can be drawn between these."""
    if not 0 <= least < most < float("inf"):
        raise ValueError(f"magnitudes from {least} to {most}; expected 0 <= least < most.")


def _kept_away(x: jax.Array, least: float) -> jax.Array:
    return jnp.where(jnp.abs(x) < least, jnp.sign(x) * least, x)


def _uniform(key: jax.Array, n: int, least: float, most: float) -> jax.Array:
    return _kept_away(jax.random.uniform(key, (n,), minval=-most, maxval=most), least)


def _normal(key: jax.Array, n: int, least: float, most: float) -> jax.Array:
    return _kept_away(most * jax.random.normal(key, (n,)), least)


def _balanced(key: jax.Array, n: int, least: float, most: float) -> jax.Array:
    key_sign, key_size = jax.random.split(key)
    sizes = jax.random.uniform(key_size, (n,), minval=least, maxval=most)
    return jax.random.rademacher(key_sign, (n,), jnp.float32) * sizes


def _warpedganspace(key: jax.Array, n: int, least: float, most: float) -> jax.Array:
    key_size, key_choice = jax.random.split(key)
    sizes = jax.random.uniform(key_size, (2, n), minval=least, maxval=most)
    weights = jnp.arange(2.0 * n)
    chosen = jax.random.choice(key_choice, 2 * n, (n,), replace=False, p=weights / weights.sum())
    return jnp.concatenate([-sizes[0], sizes[1]])[chosen]


LAWS: dict[str, Law] = {
    "uniform": _uniform,
    "normal": _normal,
    "balanced": _balanced,
    "warpedganspace": _warpedganspace,
}
