"""The options of style-based generators, checked: truncation, driven layers, base code, noise maps."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError, check_choice


def noise_maps(noise: Any, sides: Sequence[int], stored: Sequence[np.ndarray] | None = None) -> list[jax.Array]:
    """The noise maps of a generator, ``(side, side)`` each.

    Args:
        noise: ``"checkpoint"`` for the stored maps, ``"zero"``, a ``jax.random.key`` (map ``i`` is standard normal
            from the ``i``-th of its ``len(sides)`` splits), or a list of arrays ``(H, W)`` or ``(1, 1, H, W)``. None
            for the stored maps, or, where there are none, those of ``jax.random.key(0)``.
        sides: in network order.
        stored: the maps of the checkpoint.

    Raises:
        OptionError: unknown value, or maps of another number or size.
    """
    if noise is None:
        noise = jax.random.key(0) if stored is None else "checkpoint"
    if isinstance(noise, str):
        check_choice(noise, ("checkpoint", "zero"), "noise")
        if noise == "zero":
            return [jnp.zeros((side, side), jnp.float32) for side in sides]
        if stored is None:
            raise OptionError("noise='checkpoint', but this model stores no noise maps. Give a key, or leave it out.")
        noise = list(stored)
    if isinstance(noise, jax.Array) and jnp.issubdtype(noise.dtype, jax.dtypes.prng_key) and noise.shape == ():
        keys = jax.random.split(noise, len(sides))
        return [jax.random.normal(key, (side, side), jnp.float32) for key, side in zip(keys, sides, strict=True)]
    if not isinstance(noise, list | tuple) or len(noise) != len(sides):
        got = f"{len(noise)} maps" if isinstance(noise, list | tuple) else _shown(noise)
        raise OptionError(f"noise is {got}; expected 'checkpoint', 'zero', one jax.random.key or {len(sides)} maps.")
    maps = [numbers_of(x, f"noise map {i}") for i, x in enumerate(noise)]
    for i, (x, n) in enumerate(zip(maps, sides, strict=True)):
        if x.shape not in ((n, n), (1, 1, n, n)):
            raise OptionError(f"noise map {i} has shape {x.shape}; expected ({n}, {n}) or (1, 1, {n}, {n}).")
    return [jnp.asarray(x.reshape(n, n)) for x, n in zip(maps, sides, strict=True)]


def numbers_of(value: Any, what: str) -> np.ndarray:
    """A finite float32 array; raises ``OptionError``."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError("text")
        array = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{what} is {_shown(value)}; expected numbers.") from error
    if not np.isfinite(array).all():
        raise OptionError(f"{what} is or holds NaN or infinity; expected finite numbers.")
    return array


def truncation_of(value: Any, depth: int) -> np.ndarray:
    """``ψ (depth,)`` from one number in ``[-1, 1]`` or one per style layer; raises ``OptionError``."""
    psi = numbers_of(value, "truncation")
    if isinstance(value, bool | np.bool_) or psi.shape not in ((), (depth,)) or (np.abs(psi) > 1).any():
        raise OptionError(
            f"truncation={value!r}; expected a number from -1 to 1 (1: no truncation, 0: the mean latent), or {depth} "
            "of them, one per style layer."
        )
    return np.broadcast_to(psi, (depth,)).copy()


def layers_of(value: Any, depth: int) -> tuple[int, int] | None:
    """``(a, b)`` with ``0 <= a < b <= depth``, None where that is all of them; raises ``OptionError``."""
    if value is None:
        return None
    pair = tuple(value) if isinstance(value, list | tuple | np.ndarray) else ()
    whole = all(isinstance(x, numbers.Integral) and not isinstance(x, bool) for x in pair)
    if len(pair) != 2 or not whole or not 0 <= pair[0] < pair[1] <= depth:
        raise OptionError(f"layers={value!r}; expected (a, b), 0 <= a < b <= {depth}: there are {depth} style layers.")
    return None if pair == (0, depth) else (int(pair[0]), int(pair[1]))


def mean_latent_of(value: Any, depth: int, width: int) -> np.ndarray:
    """``(width,)`` from ``(width,)`` or ``(1, width)``, or one per style layer; raises ``OptionError``."""
    mean = numbers_of(value, "mean_latent")
    if mean.shape not in ((width,), (1, width), (depth, width)):
        raise OptionError(
            f"mean_latent has shape {mean.shape}; expected ({width},), (1, {width}) or ({depth}, {width})."
        )
    return mean if len(mean) == depth and mean.ndim == 2 else mean.reshape(width)


def base_of(value: Any, depth: int, width: int, style_size: int | None = None) -> np.ndarray:
    """``(depth, width)`` from one ``w``, one per style layer, or these flattened; ``(style_size,)`` as it is.

    Raises:
        OptionError: another shape.
    """
    base = numbers_of(value, "base")
    if base.shape == (style_size,):
        return base
    if base.shape in ((width,), (1, width)):
        return np.broadcast_to(base.reshape(1, width), (depth, width)).copy()
    if base.shape not in ((depth, width), (depth * width,)):
        styles = f", or ({style_size},) style vectors" if style_size else ""
        raise OptionError(
            f"base has shape {base.shape}; expected ({width},), ({depth}, {width}) or that flattened{styles}."
        )
    return base.reshape(depth, width)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array {value.dtype} of shape {value.shape}"
    return repr(value)[:60]
