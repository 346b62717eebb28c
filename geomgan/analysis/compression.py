"""Compression: how many axes of the metric a code needs to keep its sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.analysis.bootstrap import random_of
from geomgan.analysis.eigenspaces_at import check_series
from geomgan.analysis.spectra_of import spectra_of
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.eigen.pairs import Eigenpairs, eigenpairs
from geomgan.errors import check_codes, check_count, check_finite
from geomgan.fields.field import MetricField
from geomgan.generators.generator import Generator
from geomgan.metric.pair import bind, check_types
from geomgan.paths import measure
from geomgan.paths.measure import check_overflow


@brief
@dataclass(frozen=True)
class Compression:
    """Distance of the samples of projected codes to the originals, for ``P`` codes and ``K`` numbers of axes.

    Attributes:
        ks: ``(K,)``, numbers of axes.
        distance: ``(P, K)``, with the given axes.
        control: ``(draws, P, K)``, with random orthonormal axes.
        kept: ``(K,)``, share of the codes' variance about the centre that the axes keep.
        control_kept: ``(draws, K)``, the same for the random axes.
        centre: ``(d,)``, where every code is with no axis.
        originals: ``(shown, ...)``, samples of the first codes.
        samples: ``(shown, K, ...)``, with the given axes.
        control_samples: ``(shown, K, ...)``, with the first random ones.
        measure: name of the distance.
    """

    ks: np.ndarray
    distance: np.ndarray
    control: np.ndarray
    kept: np.ndarray
    control_kept: np.ndarray
    centre: np.ndarray
    originals: np.ndarray
    samples: np.ndarray
    control_samples: np.ndarray
    measure: str


def compression(
    G: Generator,
    D: Distance,
    codes: Any,
    vectors: Any,
    ks: Sequence[int] | np.ndarray,
    key: jax.Array | None = None,
    *,
    centre: Any = None,
    draws: int = 3,
    shown: int = 4,
    progress: bool = False,
) -> Compression:
    """Codes projected on the first ``k`` axes about a centre, and how far their samples are from the originals.

    ``z_k = c + V_k V_kᵀ (z - c)``, compared by ``d(G(z_k), G(z))``; with all ``d`` axes it is zero.

    Args:
        G: the generator.
        D: the squared distance.
        codes: ``(P, d)``.
        vectors: the axes, orthonormal columns ``(d, m)`` in descending order of importance, :class:`Eigenpairs`, or a
            :class:`MetricField`, whose mean tensor's eigenvectors are taken.
        ks: numbers of axes, each from 0 to ``m``.
        key: of the random axes, a ``jax.random.key``; without one a ``DeprecationWarning``, and that of seed 0.
        centre: ``c (d,)``; by default the mean of the codes.
        draws: sets of random axes.
        shown: codes whose samples are kept.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: shapes do not fit, the axes are not orthonormal, some ``k`` is beyond them, or one code is given
            without a centre.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), on the null space; the random control is added here.
    """
    check_types(G, D)
    z = np.asarray(check_codes(codes, G.latent_dim), np.float64)
    D = bind(G, D)
    axes = _axes(vectors, G.latent_dim)
    counts = np.asarray(ks)
    integers = counts.ndim == 1 and counts.size and counts.dtype.kind in "iu"
    if not integers or counts.min() < 0 or counts.max() > axes.shape[1]:
        raise ValueError(
            f"ks is {counts.tolist()}; expected integers from 0 to {axes.shape[1]}: so many axes are given. "
            "Compute all of them with k=None."
        )
    draws, shown = check_count(draws, np.inf, "draws"), check_count(shown, np.inf, "shown")
    centre = _centre(centre, z)

    random = _random_frames(random_of(key), draws, G.latent_dim, int(counts.max()))
    projected = np.stack([_projected(z - centre, frame, counts) for frame in (axes, *random)])  # (1 + draws, P, K, d)
    spread = ((z - centre) ** 2).sum()
    kept = (projected**2).sum(axis=(1, 3)) / spread if spread > 0 else np.full((1 + draws, len(counts)), np.nan)
    moved = np.moveaxis(centre + projected, 0, 1).reshape(-1, len(counts), G.latent_dim)  # code by code, every frame
    few = (np.arange(len(z)) < shown)[:, None] & (np.arange(1 + draws) < 2)
    measured = measure(G, D, np.repeat(z, 1 + draws, axis=0), moved, keep=few.ravel(), progress=progress)
    check_overflow(measured.distances, G.dtype)
    distances = np.moveaxis(measured.distances.astype(np.float64).reshape(len(z), 1 + draws, -1), 1, 0)
    return Compression(
        ks=counts,
        distance=distances[0],
        control=distances[1:],
        kept=kept[0],
        control_kept=kept[1:],
        centre=centre,
        originals=measured.references[::2],
        samples=measured.samples[::2],
        control_samples=measured.samples[1::2],
        measure=D.name,
    )


def _projected(offsets: np.ndarray, frame: np.ndarray, ks: np.ndarray) -> np.ndarray:
    """``V_k V_kᵀ x`` for every offset and ``k``: ``(P, K, d)``."""
    coefficients = offsets @ frame
    return np.stack([coefficients[:, :k] @ frame[:, :k].T for k in ks], axis=1)


def _axes(vectors: Any, dim: int) -> np.ndarray:
    if isinstance(vectors, MetricField):
        vectors = eigenpairs(spectra_of(vectors, "compression", partial=True).tensors.mean(axis=0), solver="dense")
    axes = np.asarray(vectors.vectors if isinstance(vectors, Eigenpairs) else vectors, np.float64)
    if axes.ndim != 2 or axes.shape[0] != dim or not 1 <= axes.shape[1] <= dim:
        raise ValueError(f"vectors have shape {axes.shape}; expected ({dim}, m): axes are columns, at most {dim}.")
    check_finite(axes, "the axes")
    overlap = np.abs(axes.T @ axes - np.eye(axes.shape[1])).max()
    if overlap > 1e-3:
        raise ValueError(
            f"vectors are not orthonormal: VᵀV differs from the identity by {overlap:.3g}; expected less than 1e-3. "
            "Orthonormalise them with numpy.linalg.qr."
        )
    return axes


def _centre(centre: Any, z: np.ndarray) -> np.ndarray:
    if centre is None:
        if len(z) == 1:
            raise ValueError(
                "one code is its own mean, so every projection would return it; expected two or more codes, or a "
                "centre: centre=numpy.zeros(d) is the mean of a normal prior."
            )
        return z.mean(axis=0)
    return check_series(centre, "centre", z.shape[1])


def _random_frames(rng: np.random.Generator, draws: int, dim: int, count: int) -> np.ndarray:
    """Orthonormal columns ``(draws, d, count)`` whose spans are uniform: by QR of normal matrices."""
    return np.linalg.qr(rng.standard_normal((draws, dim, max(count, 1)))).Q
