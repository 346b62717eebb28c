"""Two metrics side by side: at the same codes, and by the spaces that their eigenvectors span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.analysis.bootstrap import check_resampling, key_after, random_of
from geomgan.analysis.correlation import pearson, rate_correlations, regression
from geomgan.analysis.homogeneity import quadratic_forms
from geomgan.analysis.spectra_of import Spectra, spectra_of
from geomgan.brief import brief
from geomgan.eigen.dense import largest_pairs
from geomgan.errors import check_count, check_finite, check_floating
from geomgan.fields.field import MetricField


@brief
@dataclass(frozen=True)
class Comparison:
    """How alike two metrics ``a`` and ``b`` are at each of ``P`` codes; all ``(P,)`` but the last.

    Attributes:
        tensor_r: Pearson's r of the entries of the tensors.
        log_tensor_r: of the entries of their logarithms ``U log10|λ| Uᵀ``, as in the original. The unit of either
            distance changes it: a factor adds to the diagonal of a logarithm.
        log_tensor_cosine: cosine between the logarithms without their traces, which no unit changes.
        spectrum_r: of the eigenvalues by rank.
        log_spectrum_r: of ``log10|λ|`` by rank, raised to the noise floor where below.
        slope: of the line that predicts ``log10|λ_b|`` from ``log10|λ_a|``, over the ranks above both noise floors:
            what is raised to a floor would bend it. NaN where these are fewer than two.
        intercept: of that line.
        cross_ab_r: Pearson's r of ``diag(U_aᵀ b U_a)`` and the eigenvalues of ``b``: how well the frame of ``a``
            explains ``b``.
        cross_ab_log_r: of their logarithms, where both are above the noise floor of ``b``.
        cross_ba_r: Pearson's r of ``diag(U_bᵀ a U_b)`` and the eigenvalues of ``a``.
        cross_ba_log_r: of their logarithms, where both are above the noise floor of ``a``.
        axis_cosines: ``(P, top)``, ``|cos|`` of the angle between eigenvectors of equal rank.
        indices: place of each code in what was given.
        left_out: codes that are pending or failed in ``a`` or ``b``.
    """

    tensor_r: np.ndarray
    log_tensor_r: np.ndarray
    log_tensor_cosine: np.ndarray
    spectrum_r: np.ndarray
    log_spectrum_r: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray
    cross_ab_r: np.ndarray
    cross_ab_log_r: np.ndarray
    cross_ba_r: np.ndarray
    cross_ba_log_r: np.ndarray
    axis_cosines: np.ndarray
    indices: np.ndarray
    left_out: int


@brief
@dataclass(frozen=True)
class Correspondence:
    """How far two eigenspaces of dimension ``k`` in ``d`` dimensions coincide.

    Attributes:
        angles: ``(k,)``, principal angles in radians, ascending.
        overlap: mean squared cosine of the angles: 1 for the same space.
        chance_overlap: its mean for random spaces, ``k / d``.
        cca: ``(n,)``, canonical correlations of the two sets of eigenvectors over their ``d`` components, descending:
            cosines of the angles, but that CCA centres each vector first. ``n = min(k, d - 1)``.
        cca_chance: ``(n,)``, their means for random spaces.
    """

    angles: np.ndarray
    overlap: float
    chance_overlap: float
    cca: np.ndarray
    cca_chance: np.ndarray


def compare(a: Any, b: Any, top: int | None = None) -> Comparison:
    """Two metrics at the same codes: of two distances on one generator, or of two generators with one latent space.

    Logarithms of tensors and spectra take ``|λ|``, as the original does, raised to the noise floor where it is below:
    the logarithm of rounding noise would decide the result otherwise. (The original adds 1e-8 to ``|λ|`` in spectra,
    whatever their scale; its correlations of eigenvectors subtract the mean component, these are cosines.) The line
    between the spectra and the cross terms leave out ranks that are not above it.

    Args:
        a: a :class:`MetricField` with all eigenpairs, or tensors ``(P, d, d)``.
        b: likewise, at the same codes.
        top: ranks that the spectra, the cross terms and the axes take into account; by default all ``d``. Entries of
            tensors always count in full.

    Raises:
        ValueError: the fields are at different codes or of different dimension, no code is finished in both, ``top`` is
            out of range; see also :func:`spectra_of`.
    """
    first, second = (spectra_of(field, "compare") for field in (a, b))
    total = len(first.indices) + first.left_out
    _check_same_codes(first, second, a, b)
    common, rows_a, rows_b = np.intersect1d(first.indices, second.indices, return_indices=True)
    if not len(common):
        raise ValueError("no code is finished in both fields. Call metric_field again to finish them.")
    dim = first.values.shape[1]
    top = _check_top(top, dim, "top")
    floors_a, floors_b = _floors(first, rows_a), _floors(second, rows_b)
    sizes_a, sizes_b = np.abs(first.values[rows_a]), np.abs(second.values[rows_b])
    seen_a, seen_b = np.maximum(sizes_a, floors_a), np.maximum(sizes_b, floors_b)
    known = ((sizes_a > floors_a) & (sizes_b > floors_b))[:, :top]
    _, slopes, intercepts = regression(seen_a[:, :top], seen_b[:, :top], known, log=True)
    log_spectrum_r = pearson(seen_a[:, :top], seen_b[:, :top], log=True)
    rows: list[dict[str, Any]] = []
    for p, (i, j) in enumerate(zip(rows_a, rows_b, strict=True)):
        values_a, values_b = first.values[i, :top], second.values[j, :top]
        frame_a, frame_b = first.vectors[i], second.vectors[j]
        ab = rate_correlations(quadratic_forms(frame_a[:, :top], frame_b, second.values[j]), values_b, floors_b[p])
        ba = rate_correlations(quadratic_forms(frame_b[:, :top], frame_a, first.values[i]), values_a, floors_a[p])
        log_tensors = [(u * np.log10(x)) @ u.T for u, x in ((frame_a, seen_a[p]), (frame_b, seen_b[p]))]
        shapes = [g - np.trace(g) / dim * np.eye(dim) for g in log_tensors]
        rows.append(
            {
                "tensor_r": pearson(first.tensors[i].ravel(), second.tensors[j].ravel()),
                "log_tensor_r": pearson(*(g.ravel() for g in log_tensors)),
                "log_tensor_cosine": _cosine(*shapes),
                "spectrum_r": pearson(values_a, values_b),
                "log_spectrum_r": log_spectrum_r[p],
                "slope": slopes[p],
                "intercept": intercepts[p],
                "cross_ab_r": ab[0],
                "cross_ab_log_r": ab[1],
                "cross_ba_r": ba[0],
                "cross_ba_log_r": ba[1],
                "axis_cosines": np.abs((frame_a[:, :top] * frame_b[:, :top]).sum(axis=0)),
            }
        )
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Comparison(**columns, indices=common, left_out=total - len(common))


@key_after(2, "k")
def eigenspaces(
    a: Any, b: Any, key: jax.Array | None = None, k: int | None = None, *, draws: int = 100
) -> Correspondence:
    """Principal angles and canonical correlations between the top eigenspaces of two metrics.

    Args:
        a: columns ``(d, m)`` that span the space (eigenvectors, the largest eigenvalue first); or a
            :class:`MetricField` or tensors ``(P, d, d)``, which stand for the eigenvectors of their arithmetic mean.
        b: likewise, in the same ``d`` dimensions.
        key: of the random spaces, a ``jax.random.key``; without one a ``DeprecationWarning``, and that of seed 0.
        k: eigenvectors of each; by default all columns that both have.
        draws: pairs of random spaces that the chance level of the canonical correlations is the mean of.

    Raises:
        ValueError: dimensions differ, ``k`` is out of range, or columns are linearly dependent; see also
            :func:`spectra_of`.
    """
    check_resampling(draws, 0.5)
    rng = random_of(key)
    first, second = (_columns(x, name) for x, name in ((a, "a"), (b, "b")))
    dim = len(first)
    if len(second) != dim:
        raise ValueError(f"a has {dim} dimensions and b has {len(second)}; expected two spaces in the same dimensions.")
    most = min(first.shape[1], second.shape[1])
    k = _check_top(k, most, "k")
    cosines, angles = _principal(first[:, :k], second[:, :k])
    if k < dim:
        chance = np.mean([_canonical(*rng.standard_normal((2, dim, k))) for _ in range(draws)], axis=0)
        cca = _canonical(first[:, :k], second[:, :k])
    else:
        chance = cca = np.ones(max(dim - 1, 0))
    return Correspondence(angles, float((cosines**2).mean()), k / dim, cca, chance)


def _check_same_codes(first: Spectra, second: Spectra, a: Any, b: Any) -> None:
    dims = first.values.shape[1], second.values.shape[1]
    if dims[0] != dims[1]:
        raise ValueError(f"a has {dims[0]} dimensions and b has {dims[1]}; expected fields of one latent space.")
    totals = [len(s.indices) + s.left_out for s in (first, second)]
    if totals[0] != totals[1]:
        raise ValueError(f"a holds {totals[0]} codes and b holds {totals[1]}; expected fields at the same codes.")
    if isinstance(a, MetricField) and isinstance(b, MetricField):
        different = ~np.isclose(a.codes, b.codes, rtol=1e-5, atol=1e-6).all(axis=1)
        if different.any():
            raise ValueError(
                f"{int(different.sum())} of {totals[0]} codes differ between the fields; expected the same codes. "
                "Compute both with metric_field(..., codes) from one array."
            )


def _check_top(top: int | None, most: int, name: str) -> int:
    return most if top is None else check_count(top, most, name, ", the eigenvectors that there are")


def _floors(spectra: Spectra, rows: np.ndarray) -> np.ndarray:
    """The noise floors of some codes, ``(P, 1)``, above zero."""
    return np.maximum(spectra.noise_floor[rows], np.finfo(np.float64).tiny)[:, None]


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    """Cosine between two arrays as vectors; NaN where either is zero."""
    x, y = x.ravel(), y.ravel()
    scale = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / scale) if scale > 0 else float("nan")


def _columns(x: Any, name: str) -> np.ndarray:
    """Eigenvectors ``(d, k)``, or those of the mean of a field."""
    if not isinstance(x, MetricField) and np.ndim(x) == 2:
        check_floating(x, name)
        check_finite(x, name)
        columns = np.asarray(x, np.float64)
        if columns.shape[1] > columns.shape[0] or np.linalg.matrix_rank(columns) < columns.shape[1]:
            raise ValueError(f"{name} has shape {columns.shape} and dependent columns; expected eigenvectors (d, k).")
        return columns
    spectra = spectra_of(x, "eigenspaces", partial=True)
    mean = spectra.tensors.mean(axis=0)
    return largest_pairs(mean, spectra.values.shape[1])[1]


def _principal(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of the principal angles between the spans of columns, and the angles, ascending."""
    from scipy.linalg import subspace_angles

    angles = subspace_angles(a, b)[::-1]  # accurate for small angles too, whose cosines are 1
    return np.cos(angles), angles


def _canonical(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Canonical correlations of two sets of variables, columns ``(d, k)``, with ``k < d``."""
    bases = [np.linalg.qr(x - x.mean(axis=0))[0] for x in (a, b)]
    return np.minimum(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False), 1.0)
