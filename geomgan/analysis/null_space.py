"""The null space of a generator: directions that hardly change its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.analysis.bootstrap import random_of
from geomgan.analysis.eigenspaces_at import check_series, checked_code, pairs_of, random_units
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.eigen.ranks import axes_of_rank
from geomgan.errors import check_count
from geomgan.generators.generator import Generator
from geomgan.paths import leaving, measure
from geomgan.paths.measure import check_overflow

KINDS = ("top", "bottom")


@brief
@dataclass(frozen=True)
class NullSpace:
    """Equal moves in the top and in the bottom eigenspace of the metric at one code.

    First axes are the two ``kinds``, then random directions, then lengths.

    Attributes:
        kinds: ``("top", "bottom")``.
        dims: dimensions of each eigenspace.
        lengths: ``(T,)``, latent lengths ``t``, along the arc on the sphere.
        directions: ``(2, draws, d)``, unit vectors.
        distances: ``(2, draws, T)``, of the samples from the reference.
        predictions: ``(2, draws, T)``, the quadratic approximation ``√(vᵀ g v) |t|``.
        log_density: ``(2, draws, T)``, of the prior ``N(0, I)`` relative to the reference.
        samples: ``(2, shown, T, ...)``, of the first directions.
        reference: the sample of the code.
        path: ``"linear"`` or ``"spherical"``; see :mod:`geomgan.paths.path`.
        measure: name of the distance.
    """

    kinds: tuple[str, str]
    dims: int
    lengths: np.ndarray
    directions: np.ndarray
    distances: np.ndarray
    predictions: np.ndarray
    log_density: np.ndarray
    samples: np.ndarray
    reference: np.ndarray
    path: str
    measure: str

    @property
    def errors(self) -> np.ndarray:
        """``(2, draws, T)``, of the quadratic approximation relative to it; NaN where it is zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.predictions > 0, self.distances / self.predictions - 1, np.nan)

    @property
    def ratios(self) -> np.ndarray:
        """``(2, T)``, how many times as far as predicted the samples are: the mean over directions of the ratios.

        NaN where nothing is predicted along one of them.
        """
        return 1 + self.errors.mean(axis=1)


@brief
@dataclass(frozen=True)
class EquivalentDirections:
    """Directions ``v + μ u`` that point elsewhere than ``v`` and do the same to the sample.

    Attributes:
        mus: ``(M,)``.
        dims: dimensions of the bottom eigenspace that the ``u`` are drawn from.
        length: ``t``.
        cosine: ``(draws, M)``, between ``v + μ u`` and ``v``.
        distances: ``(draws, M)``, between the ends ``G(z + t v)`` and ``G(z + t (v + μ u))``.
        control: ``(draws, M)``, the same for ``u`` drawn from all directions orthogonal to ``v``.
        moved: the distance from ``G(z)`` to ``G(z + t v)``.
        samples: ``(shown, M, ...)``, the ends.
        control_samples: ``(shown, M, ...)``, those of the control.
        reference: ``G(z)``.
        end: ``G(z + t v)``.
        measure: name of the distance.
    """

    mus: np.ndarray
    dims: int
    length: float
    cosine: np.ndarray
    distances: np.ndarray
    control: np.ndarray
    moved: float
    samples: np.ndarray
    control_samples: np.ndarray
    reference: np.ndarray
    end: np.ndarray
    measure: str


def null_space(
    G: Generator,
    D: Distance,
    z: Any,
    g: Any,
    dims: int,
    key: jax.Array,
    lengths: Any,
    draws: int = 8,
    *,
    path: str = "linear",
    shown: int = 3,
    progress: bool = False,
) -> NullSpace:
    """Samples at equal latent length, so at equal prior density, in the bottom and the top eigenspace of the metric.

    Directions ``v`` are uniform among the unit vectors of each eigenspace that are orthogonal to ``z``. All codes of
    one length then have the same density under ``N(0, I)``: that of ``|z|² + t²`` on lines ``z + t v``, and that of
    the reference itself on great circles, ``z cos(t / |z|) + |z| v sin(t / |z|)``. (With ``dims=1`` a line follows the
    eigenvector itself; ``log_density`` tells what that does.)

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code ``(d,)``.
        g: the metric at ``z``: a tensor ``(d, d)``, an operator, or all its eigenpairs.
        dims: dimensions of each eigenspace, at most ``d / 2``.
        key: a ``jax.random.key``.
        lengths: ``(T,)``.
        draws: directions in each eigenspace.
        path: ``"linear"``, or ``"spherical"``: on the sphere ``|z| = const``.
        shown: directions whose samples are kept.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: shapes do not fit, eigenpairs are missing, or a great circle is asked for where there is none
            (``z = 0``) or none that stays in the eigenspace (``dims=1``).

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), on the null space; its code shows axes one by one.
    """
    D, z = checked_code(G, D, z)
    pairs = pairs_of(g, G.latent_dim, every=True)
    dims = check_count(dims, G.latent_dim // 2, "dims")
    draws, shown = check_count(draws, np.inf, "draws"), check_count(shown, np.inf, "shown")
    lengths, rng = check_series(lengths, "lengths"), random_of(key)
    if path == "spherical" and dims == 1:
        raise ValueError("dims is 1; expected 2 or more on a sphere, which one axis leaves. Take path='linear'.")
    directions = np.stack([random_units(rng, pairs.vectors[:, s], z, draws) for s in (np.s_[:dims], np.s_[-dims:])])
    steps = lengths if path == "linear" else lengths / max(float(np.linalg.norm(z)), np.finfo(float).tiny)
    codes = np.stack([one(steps) for one in leaving(z, directions.reshape(2 * draws, -1).T, path)])
    kept = np.arange(2 * draws) % draws < shown
    measured = measure(G, D, np.broadcast_to(z, codes[:, 0].shape), codes, keep=kept, progress=progress)
    check_overflow(measured.distances, G.dtype)
    curvature = (directions @ pairs.vectors) ** 2 @ pairs.values
    by_kind = lambda x: x.reshape(2, -1, *x.shape[1:])
    return NullSpace(
        kinds=KINDS,
        dims=dims,
        lengths=lengths,
        directions=directions,
        distances=by_kind(measured.distances).astype(np.float64),
        predictions=np.sqrt(np.maximum(curvature, 0.0))[..., None] * np.abs(lengths),
        log_density=by_kind(0.5 * (z @ z - (codes**2).sum(axis=-1))),
        samples=by_kind(measured.samples),
        reference=measured.references[0],
        path=path,
        measure=D.name,
    )


def equivalent_directions(
    G: Generator,
    D: Distance,
    z: Any,
    v: Any,
    g: Any,
    mus: Any,
    key: jax.Array,
    *,
    length: float = 1.0,
    dims: int | None = None,
    draws: int = 8,
    shown: int = 2,
    progress: bool = False,
) -> EquivalentDirections:
    """Directions that are far from ``v`` and equivalent to it: ``v + μ u`` with ``u`` in the bottom eigenspace.

    ``u`` is a random unit vector of the bottom eigenspace orthogonal to ``v``, so the cosine is ``1 / √(1 + μ²)``:
    two methods may find one and the same change along directions that are almost orthogonal. The control draws ``u``
    from all directions orthogonal to ``v``.

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code ``(d,)``.
        v: the direction ``(d,)``, made a unit vector, or the rank of an eigenvector, from 1.
        g: the metric at ``z``: a tensor ``(d, d)``, an operator, or all its eigenpairs.
        mus: ``(M,)``.
        key: a ``jax.random.key``.
        length: ``t``, how far to go along ``v``.
        dims: dimensions of the bottom eigenspace; by default a quarter of all.
        draws: vectors ``u``.
        shown: vectors whose samples are kept.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: shapes do not fit, eigenpairs are missing, ``v`` is zero or a rank beyond them.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), on interpretable directions and the null space.
    """
    D, z = checked_code(G, D, z)
    pairs = pairs_of(g, G.latent_dim, every=True)
    dims = check_count(max(1, G.latent_dim // 4) if dims is None else dims, G.latent_dim, "dims")
    draws, shown = check_count(draws, np.inf, "draws"), check_count(shown, np.inf, "shown")
    mus, rng = check_series(mus, "mus"), random_of(key)
    v = axes_of_rank(pairs.vectors, pairs.values, v)[0][:, 0] if np.ndim(v) == 0 else _unit(v, G.latent_dim)
    spans = (pairs.vectors[:, -dims:], np.eye(G.latent_dim))
    drawn = np.concatenate([random_units(rng, span, v, draws) for span in spans])
    directions = v + mus[:, None] * drawn[:, None]  # (2 draws, M, d)
    codes, end = z + length * directions, z + length * v
    kept = np.arange(2 * draws) % draws < shown
    measured = measure(G, D, np.broadcast_to(end, drawn.shape), codes, keep=kept, progress=progress)
    moved = measure(G, D, z[None], end[None, None], keep=True)
    check_overflow(measured.distances, G.dtype)
    return EquivalentDirections(
        mus=mus,
        dims=dims,
        length=float(length),
        cosine=directions[:draws] @ v / np.linalg.norm(directions[:draws], axis=-1),
        distances=measured.distances[:draws].astype(np.float64),
        control=measured.distances[draws:].astype(np.float64),
        moved=float(moved.distances[0, 0]),
        samples=measured.samples[: min(shown, draws)],
        control_samples=measured.samples[min(shown, draws) :],
        reference=moved.references[0],
        end=measured.references[0],
        measure=D.name,
    )


def _unit(v: Any, dim: int) -> np.ndarray:
    v = check_series(v, "v", dim)
    if not np.linalg.norm(v) > 0:
        raise ValueError("v is zero; expected a direction of the latent space, or the rank of an eigenvector.")
    return v / np.linalg.norm(v)
