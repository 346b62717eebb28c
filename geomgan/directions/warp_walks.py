"""Walks along warps: all codes and all paths by one compiled scan, and the samples of these codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.backend import in_float32
from geomgan.directions.traverse import Traversal, traversal_of
from geomgan.directions.warps import Warps, unit_gradient
from geomgan.errors import OptionError, as_array, check_codes, check_count
from geomgan.generators.generator import Generator

KIND = "warped"


def warp_walks(
    warps: Warps,
    codes: Any,
    *,
    step: float = 0.2,
    steps: int = 16,
    leap: int = 1,
    paths: Sequence[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Codes along warps, ``z ← z ± ε ∇f / |∇f|``, to both sides of each code.

    Args:
        warps: trained.
        codes: ``(m, d)``.
        step: ``ε``, so that ``ε`` times the number of steps is the length of a walk.
        steps: to each side.
        leap: every which step is kept; the code itself is always.
        paths: some of them, by number; all by default.

    Returns:
        Codes ``(m, n, T, d)`` with ``T = 2 (steps // leap) + 1``, the code itself in the middle, and the signed
        lengths ``t (T,)`` from it.

    Raises:
        OptionError: ``step`` is no positive number, a walk would have no step, or there is no such path.
        ValueError: codes are of other dimensions than the warps.
    """
    codes = np.asarray(check_codes(as_array(codes, "codes"), warps.dim), np.float32)
    steps, leap = check_count(steps, np.inf, "steps"), check_count(leap, np.inf, "leap")
    if not 0 < step < np.inf:
        raise OptionError(f"step={step}; expected a positive number, the length of a step in latent units.")
    if leap > steps:
        raise OptionError(f"leap={leap} keeps none of {steps} steps; expected at most {steps}.")
    chosen = np.arange(warps.paths) if paths is None else np.asarray(paths, int)
    if not chosen.size or not ((chosen >= 0) & (chosen < warps.paths)).all():
        raise OptionError(f"paths={list(chosen)}; expected some of 0 to {warps.paths - 1}.")
    sides = np.asarray(_walked(warps, codes, chosen, np.float32(step), steps // leap, leap))  # (n, 2, m, T', d)
    back, forth = np.moveaxis(sides, 1, 0).transpose(0, 2, 1, 3, 4)
    middle = np.broadcast_to(codes[:, None, None], (len(codes), len(chosen), 1, codes.shape[1]))
    t = step * leap * np.arange(-(steps // leap), steps // leap + 1)
    return np.concatenate([back[:, :, ::-1], middle, forth], axis=2), t


def traverse_warps(
    G: Generator,
    warps: Warps,
    codes: Any,
    *,
    step: float = 0.2,
    steps: int = 16,
    leap: int = 1,
    paths: Sequence[int] | None = None,
    keep: Callable[[np.ndarray], Any] | None = None,
    batch: int | None = None,
    progress: bool = False,
) -> Traversal:
    """Samples along warps, of exactly the codes that the result holds; arguments as for :func:`warp_walks`.

    Args:
        G: the generator.
        warps: trained on it.
        codes: ``(m, d)``.
        step: ``ε``.
        steps: to each side.
        leap: every which step is kept.
        paths: some of them.
        keep: what is kept of each sample; by default all of it.
        batch: samples computed together; by default what suits the device.
        progress: show a progress bar, with the time left.

    Raises:
        OptionError, ValueError: as :func:`warp_walks`.
    """
    walked, t = warp_walks(warps, codes, step=step, steps=steps, leap=leap, paths=paths)
    names = tuple(f"warp {k}" for k in (range(warps.paths) if paths is None else paths))
    return walks_of_codes(G, walked, t, names, keep=keep, batch=batch, progress=progress)


def walks_of_codes(G: Generator, walked: np.ndarray, t: np.ndarray, names: tuple[str, ...], **how: Any) -> Traversal:
    """The samples of codes that :func:`warp_walks` found, or of some of their paths."""
    walked = walked.astype(G.dtype)
    chords = (walked[:, :, -1] - walked[:, :, 0]).reshape(-1, walked.shape[-1])
    return traversal_of(G, walked, np.broadcast_to(t, walked.shape[:3]), chords, names, kind=KIND, **how)


def samples_of_codes(G: Generator, codes: np.ndarray, *, progress: bool = False) -> np.ndarray:
    """Samples ``(n, ...)`` of codes ``(n, d)``: what a walk through them shows, to the bit."""
    chord = np.ones((1, codes.shape[1]))
    return traversal_of(
        G, codes[None, None], np.zeros((1, 1, len(codes))), chord, ("codes",), progress=progress
    ).samples[0, 0]


@partial(jax.jit, static_argnames=("kept", "leap"))
def _walked(warps: Warps, codes: jax.Array, paths: jax.Array, step: jax.Array, kept: int, leap: int) -> jax.Array:
    """``(n, 2, m, kept, d)``: for each path, back and forth, the codes that are kept."""

    def along(path: jax.Array) -> jax.Array:
        parts = warps.parts_of(path)
        moved = jax.vmap(jax.vmap(lambda z, way: z + way * step * unit_gradient(z, *parts), (0, None)))

        def onward(z: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            z = lax.fori_loop(0, leap, lambda _, z: moved(z, jnp.asarray([-1.0, 1.0], z.dtype)), z)
            return z, z

        start = jnp.broadcast_to(codes, (2, *codes.shape))
        return jnp.moveaxis(lax.scan(onward, start, None, length=kept)[1], 0, 2)

    with in_float32():
        return lax.map(along, paths)
