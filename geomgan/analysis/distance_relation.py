"""Whether metrics are more alike at codes that are closer together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.analysis.bootstrap import check_resampling, random_of
from geomgan.analysis.homogeneity import Consistency
from geomgan.errors import check_finite


@dataclass(frozen=True)
class DistanceRelation:
    """Consistency of pairs of codes against their distance, over ``N`` pairs ``i < j``.

    Attributes:
        distances: ``(N,)``, ``‖z_i - z_j‖``.
        consistencies: ``(N,)``, mean of the entries ``(i, j)`` and ``(j, i)``.
        r: Pearson's correlation of the two.
        p: of a two-sided Mantel test: the share of permutations of codes with at least this ``|r|``.
        p_independent: of Pearson's test, which takes pairs for independent. They are not, as each code is in ``P - 1``
            of them: it is too small, and here for comparison with the original.
        name: which consistency.
        draws: permutations.
    """

    distances: np.ndarray
    consistencies: np.ndarray
    r: float
    p: float
    p_independent: float
    name: str
    draws: int


def consistency_and_distance(
    c: Consistency, codes: Any = None, name: str = "log", *, draws: int = 999, key: jax.Array | None = None
) -> DistanceRelation:
    """The relation of consistency to latent distance; pairs of undefined consistency are left out.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021): close to none, r = 0.09 for DCGAN.

    Args:
        c: of :func:`geomgan.analysis.consistency`.
        codes: ``(P, d)``, those of ``c``; by default the finished codes of its field.
        name: ``"log"``, ``"linear"`` or ``"vectorised"``.
        draws: permutations of the Mantel test; ``p`` is at least ``1 / (draws + 1)``.
        key: a ``jax.random.key``; without one a ``DeprecationWarning``, and that of seed 0.

    Raises:
        ValueError: there are no codes or they do not fit, or fewer than three of them; consistencies or distances are
            constant.
    """
    check_resampling(draws, 0.5)
    matrix, rng = c.matrix(name), random_of(key)
    count = len(matrix)
    codes = c.codes if codes is None else np.asarray(codes, np.float64)
    if codes is None:
        raise ValueError("the consistency of a stack of tensors has no codes; expected some. Pass codes=.")
    if np.ndim(codes) != 2 or len(codes) != count:
        fix = "leave out codes that failed, codes[c.indices]" if c.left_out else "one row for each tensor"
        raise ValueError(f"codes have shape {np.shape(codes)}; expected ({count}, d): {fix}.")
    check_finite(codes, "codes")
    if count < 3:
        raise ValueError(f"there are {count} codes; expected at least 3, as two have one pair. Compute more of them.")
    codes = np.asarray(codes, np.float64)
    between = np.stack([np.linalg.norm(codes - code, axis=1) for code in codes])
    alike = 0.5 * (matrix + matrix.T)
    first, second = np.triu_indices(count, 1)
    defined = np.isfinite(alike[first, second])
    first, second = first[defined], second[defined]
    x, y = between[first, second], alike[first, second]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError(f"{len(x)} pairs have constant distance or consistency; their correlation is undefined.")
    r = _correlation(x, y - y.mean())
    as_extreme = 1
    for _ in range(draws):
        order = rng.permutation(count)
        as_extreme += abs(_correlation(between[order[first], order[second]], y - y.mean())) >= abs(r) - 1e-12
    independent = _p_of_correlation(r, len(x)) if len(x) > 2 else float("nan")
    return DistanceRelation(x, y, r, as_extreme / (draws + 1), independent, name, draws)


def _p_of_correlation(r: float, n: int) -> float:
    """Probability of a correlation as large as ``|r|`` between ``n`` independent pairs of normal numbers.

    Its square is then beta distributed (Pearson): ``I_{1 - r²}(n/2 - 1, 1/2)``. ``scipy.stats`` has the same and takes
    a second to import.
    """
    from scipy.special import betainc

    return float(betainc(n / 2 - 1, 0.5, max(1 - r * r, 0.0)))


def _correlation(x: np.ndarray, centred: np.ndarray) -> float:
    x = x - x.mean()
    return float(x @ centred / (np.linalg.norm(x) * np.linalg.norm(centred)))
