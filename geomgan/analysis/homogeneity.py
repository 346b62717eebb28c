"""Homogeneity: how alike the metric tensors are at different codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.analysis.bootstrap import Interval, check_resampling, key_after, percentile_interval, random_of
from geomgan.analysis.correlation import correlation_matrix, rate_correlations
from geomgan.analysis.spectra_of import spectra_of
from geomgan.backend import backend, top_level_jit, usual_promotion
from geomgan.brief import brief
from geomgan.errors import check_choice

NAMES = ("log", "linear", "vectorised")
DOUBLE_WORK = 2e11  # multiplications up to which products are made in double precision, in a few seconds


@brief
@dataclass(frozen=True)
class Summary:
    """Mean, median and standard deviation off the diagonal, of ``count`` ordered pairs of distinct codes."""

    mean: float
    median: float
    std: float
    count: int


@brief
@dataclass(frozen=True)
class Consistency:
    """How well the metric at one code predicts that at another, for every ordered pair of ``P`` codes.

    Attributes:
        log: ``(P, P)``, Pearson's r of ``log10 diag(U_iᵀ g_j U_i)`` and ``log10 λ_j``; not symmetric.
        linear: ``(P, P)``, the same without logarithms.
        vectorised: ``(P, P)``, Pearson's r of the entries of ``g_i`` and ``g_j``; symmetric.
        left_out: codes of the field that were pending or failed.
        dropped: ``(P, P)``, ranks that the logarithm leaves out.
        codes: ``(P, d)``, or None for a stack of tensors.
        indices: ``(P,)``, place of each code in what was given.
    """

    log: np.ndarray
    linear: np.ndarray
    vectorised: np.ndarray
    left_out: int
    dropped: np.ndarray
    codes: np.ndarray | None
    indices: np.ndarray

    def matrix(self, name: str = "log") -> np.ndarray:
        """One of the three matrices by its name."""
        check_choice(name, NAMES, "name")
        return getattr(self, name)

    def off_diagonal(self, name: str = "log") -> np.ndarray:
        """Its ``P (P - 1)`` entries off the diagonal (which is 1 by definition), without undefined ones."""
        matrix = self.matrix(name)
        entries = matrix[~np.eye(len(matrix), dtype=bool)]
        return entries[np.isfinite(entries)]

    def summary(self, name: str = "log") -> Summary:
        """Mean, median and standard deviation off the diagonal; NaN where every pair is undefined."""
        entries = self.off_diagonal(name)
        if not len(entries):
            return Summary(float("nan"), float("nan"), float("nan"), 0)
        return Summary(float(entries.mean()), float(np.median(entries)), float(entries.std()), len(entries))


def consistency(field: Any, progress: bool = False, *, above_floor: bool = False) -> Consistency:
    """The consistency matrices of a metric field.

    Entry ``(i, j)`` takes the frame of code ``i`` to the metric of code ``j``: with ``U_i`` the eigenvectors of
    ``g_i``, it correlates ``α = diag(U_iᵀ g_j U_i) = (M ∘ M) λ_j``, ``M = U_iᵀ U_j``, with the eigenvalues ``λ_j``,
    both in descending order of their own tensor. It is 1 where the metrics share their axes and the order of these.

    Positive terms are summed, so small ``α`` lose nothing to cancellation; and ``M`` serves ``(i, j)`` and ``(j, i)``:
    ``P² d³`` operations for all pairs, as products of many matrices with one. Nothing of size ``P² d`` is kept; the
    tensors and eigenvectors of the field are held twice, the latter once more in single precision. Correlations are
    summed in double precision. So are the products up to ``P² d³ = 2e11``; beyond, single precision moves correlations
    by less than 1e-6 (by more only where all eigenvalues are within a factor of two of each other).

    The logarithm leaves out ranks where ``α`` or ``λ`` is not positive, as the original does; they are counted in
    ``dropped``. An entry is NaN where ``α`` or ``λ`` is constant to six digits, as for a sphere, or fewer than two
    ranks are left. The original's variant for layers, which correlates with ``λ_i``, is in ``layer_alignment``.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 3. Its loop over pairs is here one matrix product for
    many; its log correlations also weigh eigenvalues that are rounding noise: see ``above_floor``.

    Args:
        field: a :class:`MetricField` with all eigenpairs, or symmetric tensors ``(P, d, d)``, also indefinite ones.
        progress: show a progress bar.
        above_floor: whether the logarithm also leaves out ranks where ``α`` or ``λ_j`` is below the noise floor of
            ``g_j``.

    Raises:
        ValueError: fewer than two finished codes; see also :func:`spectra_of`.
    """
    from tqdm import tqdm

    spectra = spectra_of(field, "consistency", least=2, progress=progress)
    count, dim = spectra.values.shape
    scale = np.abs(spectra.values).max(axis=1, keepdims=True)
    scale[scale == 0] = 1  # correlations do not see the scale; single precision would underflow without it
    budget = backend().consistency_bytes
    dtype = np.float64 if count**2 * dim**3 <= DOUBLE_WORK else np.float32
    width = int(np.clip(budget // (4 * dim**2), 1, count))
    blocks = -(-count // width)
    padded = lambda x: np.concatenate([x, np.zeros((blocks * width - count, *x.shape[1:]), x.dtype)])
    floor = spectra.noise_floor / scale[:, 0] if above_floor else np.zeros(count)
    result = np.empty((6, count, count))
    with (
        jax.enable_x64(True),
        tqdm(total=count * (count + 1) // 2, desc="pairs of codes", unit="pair", disable=not progress) as bar,
    ):
        frames = jnp.asarray(padded(np.swapaxes(spectra.vectors, 1, 2).astype(dtype)))
        values, floors = jnp.asarray(padded(spectra.values / scale)), jnp.asarray(padded(floor))
        for i in range(count):
            starts = range(width * (i // width), count, width)
            steps = [_correlate(frames, values, floors, i, start, width) for start in starts]
            for start, entries in zip(starts, map(np.asarray, steps), strict=True):
                stop = min(start + width, count)
                result[:3, i, start:stop] = entries[:3, : stop - start]
                result[3:, start:stop, i] = entries[3:, : stop - start]
            bar.update(count - i)
    half = np.tril_indices(count, -1)
    result[:3, half[0], half[1]] = result[3:, half[0], half[1]]
    linear, log, dropped = result[:3]
    vectorised = correlation_matrix(spectra.tensors.reshape(count, -1))
    return Consistency(
        log, linear, vectorised, spectra.left_out, dropped.astype(np.int64), spectra.codes, spectra.indices
    )


@key_after(1, "name", "draws", "level")
def consistency_interval(
    c: Consistency, key: jax.Array | None = None, name: str = "log", draws: int = 1000, level: float = 0.95
) -> Interval:
    """Mean consistency off the diagonal, with a percentile bootstrap over codes.

    Pairs share codes, so it is codes that are drawn with replacement; a pair of one code with itself, which a draw
    can hold, is left out. Percentiles are somewhat narrow for few codes: of normal effects of both codes of a pair, an
    interval of 95 % covered the mean in 93 % of simulations with 16 codes, in 83 % with 6. There is none
    for fewer than 6 codes.

    Args:
        c: of :func:`consistency`.
        key: a ``jax.random.key``; without one a ``DeprecationWarning``, and that of seed 0.
        name: ``"log"``, ``"linear"`` or ``"vectorised"``.
        draws: of the bootstrap.
        level: of the interval.

    Returns:
        estimate, low, high; the ends are NaN for too few codes.
    """
    return _pair_interval(c.matrix(name), draws, level, random_of(key))


@key_after(1, "draws", "level")
def pair_interval(matrix: np.ndarray, key: jax.Array | None = None, draws: int = 1000, level: float = 0.95) -> Interval:
    """:func:`consistency_interval` of any ``matrix (P, P)``: the mean of its defined entries off the diagonal."""
    return _pair_interval(matrix, draws, level, random_of(key))


def _pair_interval(matrix: np.ndarray, draws: int, level: float, rng: np.random.Generator) -> Interval:
    check_resampling(draws, level)
    count = len(matrix)
    defined = np.isfinite(matrix) & ~np.eye(count, dtype=bool)
    entries = np.where(defined, matrix, 0.0)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
    weight = ((drawn @ defined) * drawn).sum(axis=1)
    means = ((drawn @ entries) * drawn).sum(axis=1) / np.where(weight > 0, weight, np.nan)
    mean = float(entries.sum() / defined.sum()) if defined.any() else float("nan")
    return mean, *percentile_interval(means, level, count)


def quadratic_forms(frame: np.ndarray, vectors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``diag(Uᵀ g U)`` of a frame ``U (d, k)``, for ``g = V diag(λ) Vᵀ``: ``((Uᵀ V) ∘ (Uᵀ V)) λ``, ``(k,)``.

    Stacks ``(..., d, k)``, ``(..., d, d)``, ``(..., d)`` broadcast.
    """
    cosines = np.swapaxes(frame, -1, -2) @ vectors
    return ((cosines * cosines) @ values[..., None])[..., 0]


@partial(top_level_jit, static_argnames="width")
def _correlate(frames: jax.Array, values: jax.Array, floors: jax.Array, i: Any, start: Any, width: int) -> jax.Array:
    """Correlations between code ``i`` and the ``width`` codes from ``start`` on.

    Args:
        frames: ``(n, d, d)``, rows are eigenvectors; their type is that of the products.
        values: ``(n, d)`` double precision.
        floors: ``(n,)``.
        i: the code.
        start: the first of the others.
        width: how many others are multiplied together.

    Returns:
        ``(6, width)``: linear, log and dropped for ``(i, j)``, then the same for ``(j, i)``.
    """
    dim = values.shape[1]
    rows = lambda x: jax.lax.dynamic_slice_in_dim(x, start, width)
    others, weights = rows(values), values.astype(frames.dtype)
    products = jnp.matmul(rows(frames).reshape(width * dim, dim), frames[i].T, precision="highest")
    squares = (products * products).reshape(width, dim, dim)  # of u_ja · u_ib, indexed (j, a, b)
    of_others = (squares * rows(weights)[:, :, None]).sum(axis=1)
    of_own = jnp.matmul(squares, weights[i], precision="highest")
    there = _correlations(of_others, others, rows(floors)[:, None])
    return jnp.concatenate([there, _correlations(of_own, values[i], floors[i])])


@jax.jit
@usual_promotion()
def _correlations(alpha: jax.Array, values: jax.Array, floor: jax.Array | float) -> jax.Array:
    """Linear r, logarithmic r and dropped ranks, ``(3, n)``, of ``alpha (n, d)`` and ``values``, in float64."""
    return jnp.stack(rate_correlations(alpha.astype(jnp.float64), values, floor))
