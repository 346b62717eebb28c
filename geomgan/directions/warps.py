"""Warps: curved paths, along the gradients of sums of radial basis functions (Tzelepis et al., WarpedGANSpace, 2021).

Path ``k`` has ``2 D`` support vectors ``s_i``, weights ``a_i`` and one width ``γ``, and with them a function of the
code::

    f(z) = Σ_i a_i exp(-γ |z - s_i|²)
    ∇f(z) = -2 γ Σ_i a_i exp(-γ |z - s_i|²) (z - s_i)

A step of size ``ε`` moves the code by ``ε ∇f / |∇f|``; where the gradient vanishes, far from all supports, it stays.
Supports begin as ``D`` dipoles, pairs of opposite vectors with weights 1 and -1, and nothing keeps them so. One pair
far away makes a straight path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.brief import brief
from geomgan.errors import check_count, check_key
from geomgan.paths.curves import Polyline
from geomgan.paths.path import Path

RADII = (1.0, 4.0)  # of the first and (exclusive) the last path's supports


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Warps:
    """Warping functions, as a frozen pytree. Make them with :func:`initial_warps`.

    Attributes:
        learnt: of ``supports (K, 2 D, d)``, ``weights (K, 2 D)`` and ``log_widths (K,)``, ``log γ``, what trains.
        kept: the others.
        paths: ``K``, how many; static.
    """

    learnt: dict[str, Any]
    kept: dict[str, Any]
    paths: int = field(metadata={"static": True})

    def shifts(
        self, codes: Any, indices: jax.Array, magnitudes: jax.Array, *, training: bool = False
    ) -> tuple[jax.Array, Warps]:
        """What to add to codes: ``ε ∇f / |∇f|``.

        Args:
            codes: ``(n, d)``.
            indices: ``(n,)``, the path of each.
            magnitudes: ``(n,)``, ``ε``.
            training: makes no difference.

        Returns:
            ``(n, d)``, and the warps as they are.
        """
        del training
        along = jax.vmap(unit_gradient)(codes, *self.parts_of(indices))
        return magnitudes[:, None] * along, self

    def function(self, z: jax.Array, path: int) -> jax.Array:
        """``f(z)`` of one path at one code ``(d,)``."""
        return _function(z, *self.parts_of(path))

    @property
    def dim(self) -> int:
        """``d``, dimensions of a code."""
        return int(self._parts()[0].shape[-1])

    def parts_of(self, path: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Supports ``(2 D, d)``, weights ``(2 D,)`` and ``log γ`` of one path."""
        supports, weights, log_widths = self._parts()
        return supports[path], weights[path], log_widths[path]

    def _parts(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        parts = {**self.kept, **self.learnt}
        return parts["supports"], parts["weights"], parts["log_widths"]


def _function(z: jax.Array, supports: jax.Array, weights: jax.Array, log_width: jax.Array) -> jax.Array:
    return jnp.sum(weights * jnp.exp(-jnp.exp(log_width) * jnp.square(z - supports).sum(-1)))


def unit_gradient(z: jax.Array, supports: jax.Array, weights: jax.Array, log_width: jax.Array) -> jax.Array:
    """``∇f / |∇f|`` at one code ``(d,)``; zero where the gradient is.

    The largest exponential is taken out of the sum, and with it the factor ``2 γ``: neither changes the direction, and
    far from all supports the others would be zero together.
    """
    away = z - supports
    exponents = -jnp.exp(log_width) * jnp.square(away).sum(-1)
    sizes = weights * jnp.exp(exponents - lax.stop_gradient(exponents.max()))
    gradient = -(sizes @ away)
    square = jnp.square(gradient).sum()
    there = square > 0
    return jnp.where(there, gradient * lax.rsqrt(jnp.where(there, square, 1.0)), 0.0)


def initial_warps(
    key: jax.Array,
    dim: int,
    paths: int,
    dipoles: int,
    *,
    learn_weights: bool = False,
    learn_widths: bool = True,
    width: float | None = None,
) -> Warps:
    """Warps before training: the dipoles of path ``k`` at random on a sphere of radius ``1 + 3 k / K``.

    Args:
        key: random key.
        dim: ``d``, dimensions of a code.
        paths: ``K``.
        dipoles: ``D``, of each path.
        learn_weights: whether the weights train too.
        learn_widths: whether ``γ`` does, one for each path.
        width: ``γ`` at the start; by default ``1 / d``.

    Raises:
        ValueError: a size is no positive integer, or ``width`` is not positive.
    """
    check_key(key)
    dim, paths, dipoles = (
        check_count(n, np.inf, name) for n, name in ((dim, "dim"), (paths, "paths"), (dipoles, "dipoles"))
    )
    width = 1 / dim if width is None else width
    if not 0 < width < np.inf:
        raise ValueError(f"width is {width}; expected a positive number: it is γ of exp(-γ |z - s|²).")
    radii = jnp.linspace(*RADII, paths, endpoint=False)
    ends = jax.random.normal(key, (paths, dipoles, dim))
    ends = radii[:, None, None] * ends / jnp.linalg.norm(ends, axis=-1, keepdims=True)
    parts = {
        "supports": jnp.stack([ends, -ends], axis=2).reshape(paths, 2 * dipoles, dim),
        "weights": jnp.tile(jnp.asarray([1.0, -1.0]), (paths, dipoles)),
        "log_widths": jnp.full(paths, np.log(width), jnp.float32),
    }
    names = {"supports", *(["weights"] if learn_weights else []), *(["log_widths"] if learn_widths else [])}
    learnt = {name: part for name, part in parts.items() if name in names}
    return Warps(learnt, {name: part for name, part in parts.items() if name not in names}, paths)


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Warp:
    """One warp as something that moves codes (:class:`geomgan.directions.Moves`).

    Attributes:
        warps: all of them.
        index: which.
        step: ``ε``, length of a step.
        steps: how many to each side; static.
        name: static.
        space: of the codes; static.
        method: static.
    """

    warps: Warps
    index: Any
    step: Any = 0.2
    steps: int = field(default=16, metadata={"static": True})
    name: str = field(default="warp", metadata={"static": True})
    space: str = field(default="z", metadata={"static": True})
    method: str = field(default="warps", metadata={"static": True})

    def path(self, z: Any, /) -> Path:
        """The path through a code ``(d,)``: ``path(t)`` is the code after the length ``t``, back where it is negative.

        Steps of Euler's rule, ``z ← z ± ε ∇f / |∇f|``, joined by lines: the published way. It reaches ``ε steps`` to
        each side.
        """
        z = jnp.asarray(z, jnp.float32)
        back, forth = (self._walked(z, sign * self.step) for sign in (-1, 1))
        codes = jnp.concatenate([back[::-1], z[None], forth])
        return Polyline(codes, self.step * jnp.arange(-self.steps, self.steps + 1))

    def _walked(self, z: jax.Array, step: Any) -> jax.Array:
        index, steps = jnp.asarray(self.index)[None], jnp.asarray(step, jnp.float32)[None]

        def onward(code: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            code = code + self.warps.shifts(code[None], index, steps)[0][0]
            return code, code

        return lax.scan(onward, z, None, length=self.steps)[1]
