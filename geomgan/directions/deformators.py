"""Latent deformators: which shift of a code a path and a magnitude mean, linear or not, the same for every code.

With ``x = t e_k`` for path ``k`` and magnitude ``t``, ``n`` paths and ``d`` dimensions:

``"id"``          ``x``: the axes of the code;
``"linear"``      ``W x + b``: path ``k`` is column ``k`` of ``W``;
``"projective"``  ``|x| / |W x + b| · (W x + b)``: columns whose lengths do not count;
``"ortho"``       ``expm(L - Lᵀ) x``: a rotation, so that paths are orthonormal, and as many as dimensions;
``"fc"``          ``x`` plus a network of four layers of 1024 with batch norms and skips: paths that bend with ``t``;
``"random"``      ``Q x`` with fixed orthonormal columns, which nothing trains.

What has too few dimensions for a code is padded by zeros, what has too many is cut.

Source: Voynov and Babenko, Unsupervised Discovery of Interpretable Directions in the GAN Latent Space (ICML 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.directions.batch_layers import Norms, initial_layers, initial_norms, linear
from geomgan.errors import OptionError, check_choice, check_count, check_key

KINDS = ("id", "linear", "projective", "ortho", "fc", "random")
MATRICES = ("id", "linear", "ortho", "random")  # whose shifts are proportional to the magnitude, but for a bias
INNER = 1024  # of the layers of "fc"
FC = ("fc1", "fc2", "fc3", "fc4")


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Deformator:
    """A latent deformator, as a frozen pytree. Make one with :func:`initial_deformator`.

    Attributes:
        learnt: the weights that train; their shapes depend on the kind.
        kept: what does not train: the matrix of ``"random"``, running statistics of ``"fc"``.
        kind: one of :data:`KINDS`; static.
        paths: how many; static.
        dim: dimensions of a code; static.
    """

    learnt: dict[str, Any]
    kept: dict[str, Any]
    kind: str = field(metadata={"static": True})
    paths: int = field(metadata={"static": True})
    dim: int = field(metadata={"static": True})

    def shifts(
        self, codes: Any, indices: jax.Array, magnitudes: jax.Array, *, training: bool = False
    ) -> tuple[jax.Array, Deformator]:
        """What to add to codes.

        Args:
            codes: ``(n, d)``; deformators do not look at them.
            indices: ``(n,)``, the path of each.
            magnitudes: ``(n,)``, how far along it.
            training: whether batch norms take the batch's statistics, and update the running ones.

        Returns:
            ``(n, d)``, and the deformator with the new statistics.
        """
        del codes
        if self.kind in MATRICES:
            columns, bias = self.matrix()
            return magnitudes[:, None] * columns.T[indices] + bias, self
        return self._deformed(magnitudes[:, None] * jax.nn.one_hot(indices, self.paths), training)

    def matrix(self) -> tuple[jax.Array, jax.Array | float]:
        """Of kinds whose shifts are ``t w_k + b``: the columns ``w (d, paths)``, and ``b``."""
        bias: jax.Array | float = 0.0
        if self.kind == "id":
            columns = jnp.eye(self.dim, self.paths)
        elif self.kind == "ortho":
            columns = rotation(self.learnt["log_half"])
        elif self.kind == "linear":
            columns, bias = self.learnt["linear"]["kernel"].T, _fitted(self.learnt["linear"]["bias"], self.dim)
        else:
            columns = self.kept["columns"]
        return _fitted(columns.T, self.dim).T, bias

    def _deformed(self, x: jax.Array, training: bool) -> tuple[jax.Array, Deformator]:
        if self.kind == "projective":
            y = linear(self.learnt["linear"], x)
            length = lambda v: jnp.linalg.norm(v, axis=-1, keepdims=True)
            return _fitted(length(x) / length(y) * y, self.dim), self
        norms = Norms(self.learnt, self.kept, training)
        y, before = x, jnp.zeros(())
        for i in (1, 2, 3):
            before = linear(self.learnt[f"fc{i}"], y) + before  # the sum of all layers up to here
            y = jax.nn.elu(norms(f"norm{i}", before))
        y = linear(self.learnt["fc4"], y)
        y = _fitted(y + _fitted(x, y.shape[-1]), self.dim)
        return y, replace(self, kept=norms.running)

    def vectors(self, at: float = 1.0) -> np.ndarray:
        """The paths as straight directions, columns ``(d, paths)``: ``(A(t e_k) - A(-t e_k)) / 2t`` at ``t = at``.

        Of a matrix its columns; of ``"projective"`` and ``"fc"`` the chord.
        """
        if self.kind in MATRICES:
            return np.asarray(self.matrix()[0])
        x = np.float32(at) * jnp.eye(self.paths)
        forth, back = self._deformed(x, False)[0], self._deformed(-x, False)[0]
        return np.asarray((forth - back).T / np.float32(2 * at))


def rotation(log_half: jax.Array) -> jax.Array:
    """``expm(L - Lᵀ)``."""
    from jax.scipy.linalg import expm  # scipy comes with it

    return expm(log_half - log_half.T)


def initial_deformator(
    key: jax.Array,
    kind: str,
    dim: int,
    paths: int | None = None,
    *,
    random_start: bool = True,
    width: int | None = None,
) -> Deformator:
    """A deformator before training.

    Args:
        key: random key.
        kind: one of :data:`KINDS`.
        dim: dimensions of a code.
        paths: how many; by default as many as dimensions.
        random_start: begin ``"ortho"`` at a random rotation (``L ~ N(0, 1)``) and ``"linear"`` and ``"projective"`` at
            ``N(0, 0.1²)``; otherwise near and at the axes of the code.
        width: dimensions of a shift before it is padded or cut to ``dim``; by default ``dim``.

    Raises:
        OptionError: ``kind`` is unknown, or ``"ortho"`` with another number of paths than dimensions.
        ValueError: a size is no positive integer.
    """
    check_key(key)
    check_choice(kind, KINDS, "kind")
    dim = check_count(dim, np.inf, "dim")
    paths = dim if paths is None else check_count(paths, np.inf, "paths")
    width = dim if width is None else check_count(width, np.inf, "width")
    if kind == "ortho" and paths != width:
        raise OptionError(
            f"kind='ortho' with {paths} paths in {width} dimensions: a rotation has as many. Take kind='linear', or "
            f"paths={width}."
        )
    learnt: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    if kind == "ortho":
        learnt = {"log_half": (1.0 if random_start else 1e-3) * jax.random.normal(key, (paths, paths))}
    elif kind in ("linear", "projective"):
        start = 0.1 * jax.random.normal(key, (paths, width)) if random_start else jnp.eye(paths, width)
        learnt = {"linear": {"kernel": start, "bias": jnp.zeros(width)}}
    elif kind == "random":
        kept = {"columns": _orthonormal(key, width, paths)}
    elif kind == "fc":
        sizes = [paths, INNER, INNER, INNER, width]
        norms, kept = initial_norms({f"norm{i}": INNER for i in (1, 2, 3)})
        learnt = initial_layers(key, dict(zip(FC, pairwise(sizes), strict=True))) | norms
    return Deformator(learnt, kept, kind, paths, dim)


def fixed_deformator(vectors: Any) -> Deformator:
    """Directions as a deformator that nothing trains: columns ``(d, n)``, for a predictor to tell them apart."""
    columns = jnp.asarray(vectors, jnp.float32)
    dim, paths = columns.shape
    return Deformator({}, {"columns": columns}, "random", paths, dim)


def _orthonormal(key: jax.Array, dim: int, paths: int) -> jax.Array:
    """Random orthonormal columns ``(dim, paths)``, of Haar's law; orthonormal rows where there are more columns."""
    tall = jax.random.normal(key, (max(dim, paths), min(dim, paths)))
    q, r = jnp.linalg.qr(tall)
    q = q * jnp.sign(jnp.diagonal(r))
    return q if dim >= paths else q.T


def _fitted(rows: jax.Array, dim: int) -> jax.Array:
    """``(..., m)`` as ``(..., dim)``: padded by zeros, or cut."""
    short = max(dim - rows.shape[-1], 0)
    return jnp.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, short)])[..., :dim]
