"""How far the directions of a method are the factors of a generator whose factors are known.

A method's directions are the columns of ``V (d, k)``; they give a code the coordinates ``c = Vᵀ z``. The factors of a
model like ``shapes`` are monotone functions of ``u = Tᵀ z``, ``T (d, F)`` with orthonormal columns. Four measures
compare ``c`` with ``u`` for codes from N(0, I), by this protocol:

``cosines``        ``|v̂ · t|`` of the best direction for each factor.
``factor_vae``     FactorVAE's score (Kim and Mnih, 2018, section 4): in a group of codes one factor is the same; the
                   coordinate whose variance, relative to that over all codes, is least votes for it. The accuracy of
                   the majority vote, on other groups than those that the votes were counted on.
``mig``            mutual information gap (Chen et al., 2018): ``I(c_j; u_k) / H(u_k)`` of the best coordinate less that
                   of the second, averaged over factors; histograms of bins with equal counts, so that monotone
                   functions of coordinates and factors have the same score.
``dci``            disentanglement, completeness and informativeness (Eastwood and Williams, 2018): importances are
                   the magnitudes of a lasso's weights (penalty 0.02 for coordinates and factors of variance 1, their
                   setting), informativeness the share of variance ``R²`` that it predicts on codes it has not seen.

All are in ``[0, 1]``, 1 is best. They agree on one thing: a coordinate for each factor. They differ in what else
counts: cosines ignore superfluous directions, MIG fails twins, disentanglement fails a direction of two factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.brief import brief
from geomgan.errors import check_count, check_finite, check_key

BINS, PENALTY, SWEEPS = 20, 0.02, 200
GROUPS, GROUP = 400, 64  # of the votes, and as many again that the accuracy is measured on; codes in a group
FLOOR = 1e-6  # of a coordinate's deviation, relative to the largest: below, it is constant, and has no vote


@brief
@dataclass(frozen=True)
class Factors:
    """The ground truth of a generator: ``u = directionsᵀ z`` decides the factors.

    Attributes:
        names: of the factors.
        directions: ``(d, F)``, orthonormal columns.
    """

    names: tuple[str, ...]
    directions: np.ndarray


@brief
@dataclass(frozen=True)
class Disentanglement:
    """What the measures say of one set of directions.

    Attributes:
        factors: their names.
        cosines: ``(F,)``, of the best direction for each factor.
        best: ``(F,)``, which one that is.
        factor_vae, mig, disentanglement, completeness, informativeness: in ``[0, 1]``, 1 is best.
    """

    factors: tuple[str, ...]
    cosines: np.ndarray
    best: np.ndarray
    factor_vae: float
    mig: float
    disentanglement: float
    completeness: float
    informativeness: float


def known_factors(card: Mapping[str, Any]) -> Factors | None:
    """The ground truth that a model's card holds (``geomgan.zoo.card("shapes")``); None where it holds none."""
    truth = card.get("factors")
    if truth is None:
        return None
    names = tuple(truth["names"])
    return Factors(names, np.asarray(truth["directions"], np.float64)[: len(names)].T)


def disentanglement(
    directions: Any, truth: Factors, key: jax.Array, *, codes: int = 10_000, bins: int = BINS, penalty: float = PENALTY
) -> Disentanglement:
    """Score directions against known factors, with the protocol above.

    Args:
        directions: ``(d, k)``, as columns, of any length; at least two.
        truth: The factors.
        key: Random key of the codes.
        codes: Drawn from N(0, I) for MIG and DCI; DCI's lasso sees the first half.
        bins: Of the histograms.
        penalty: Of the lasso.

    Raises:
        ValueError: the directions are no columns of the length of a code, fewer than two, or zero.
    """
    check_key(key)
    V, T = np.asarray(directions, np.float64), np.asarray(truth.directions, np.float64)
    if V.ndim != 2 or len(V) != len(T) or V.shape[1] < 2:
        raise ValueError(f"directions have shape {V.shape}; expected ({len(T)}, k), k at least 2: one in each column.")
    check_finite(V, "directions")
    lengths = np.linalg.norm(V, axis=0)
    if not lengths.all():
        raise ValueError(f"directions {np.flatnonzero(lengths == 0).tolist()} are zero; expected none. Leave them out.")
    V = V / lengths
    count = check_count(codes, np.inf, "codes")
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    z = random.standard_normal((count, len(T)))
    cosines = np.abs(V.T @ T)
    of_dci = dci(z @ V, z @ T, penalty=penalty)
    return Disentanglement(
        truth.names,
        cosines.max(axis=0),
        cosines.argmax(axis=0),
        factor_vae_score(lambda z: z @ V, T, random),
        mutual_information_gap(z @ V, z @ T, bins=bins),
        *of_dci,
    )


def factor_vae_score(
    represent: Callable[[np.ndarray], np.ndarray],
    truth: np.ndarray,
    random: np.random.Generator,
    *,
    groups: int = GROUPS,
    size: int = GROUP,
) -> float:
    """FactorVAE's score of a representation ``(n, d) -> (n, k)`` for factors ``truthᵀ z``, ``truth (d, F)``.

    ``groups`` groups of ``size`` codes give the votes, as many others the accuracy. Coordinates that are constant have
    no vote.
    """
    d, F = truth.shape
    spread = represent(random.standard_normal((max(size * F, 10_000), d))).var(axis=0)
    alive = spread > FLOOR**2 * spread.max()

    def votes() -> tuple[np.ndarray, np.ndarray]:
        fixed = random.integers(0, F, groups)
        z = random.standard_normal((groups, size, d))
        t = truth.T[fixed][:, None, :]
        value = random.standard_normal((groups, 1, 1))
        z += (value - (z * t).sum(axis=-1, keepdims=True)) * t
        within = represent(z.reshape(-1, d)).reshape(groups, size, -1).var(axis=1)
        return np.where(alive, within / np.where(alive, spread, 1.0), np.inf).argmin(axis=1), fixed

    table = np.zeros((len(spread), F), int)
    np.add.at(table, votes(), 1)
    coordinate, fixed = votes()
    return float((table.argmax(axis=1)[coordinate] == fixed).mean())


def mutual_information_gap(coordinates: np.ndarray, factors: np.ndarray, *, bins: int = BINS) -> float:
    """MIG of coordinates ``(n, k)`` and factors ``(n, F)``, in bins with equal counts."""
    c, u = (np.stack([_bins(column, bins) for column in x.T]) for x in (coordinates, factors))
    shared = np.array([[_information(a, b, bins) for b in u] for a in c])  # (k, F), in nats
    entropy = np.array([_information(b, b, bins) for b in u])
    first, second = np.sort(shared, axis=0)[::-1][:2]
    return float(((first - second) / entropy).mean())


def dci(coordinates: np.ndarray, factors: np.ndarray, *, penalty: float = PENALTY) -> tuple[float, float, float]:
    """Disentanglement, completeness and informativeness of coordinates ``(n, k)`` and factors ``(n, F)``.

    With importances ``R (k, F)``: ``D = Σ_j ρ_j (1 - H_F(R_j / Σ_k R_jk))``, ``ρ_j`` coordinate ``j``'s share of all
    importance; ``C`` the mean over factors of ``1 - H_k(R_·k / Σ_j R_jk)``; entropies to the base of their length.
    The lasso sees the first half of the rows, ``R²`` is that of the second, not below 0.
    """
    half = len(coordinates) // 2
    scale = coordinates[:half].std(axis=0)
    alive = scale > FLOOR * scale.max()
    x = (coordinates - coordinates[:half].mean(axis=0)) / np.where(alive, scale, np.inf)
    y = (factors - factors[:half].mean(axis=0)) / factors[:half].std(axis=0)
    weights = lasso(x[:half], y[:half], penalty)
    R = np.abs(weights)
    by_row, by_column, total = R.sum(axis=1), R.sum(axis=0), R.sum()
    D = 0.0 if total == 0 else float((by_row / total * (1 - _entropy(R, axis=1))).sum())
    C = float((1 - _entropy(R, axis=0))[by_column > 0].sum() / R.shape[1])
    errors = np.square(y[half:] - x[half:] @ weights).mean(axis=0) / y[half:].var(axis=0)
    return D, C, float(np.maximum(1 - errors, 0).mean())


def lasso(x: np.ndarray, y: np.ndarray, penalty: float, sweeps: int = SWEEPS) -> np.ndarray:
    """``argmin_w |y - x w|² / (2 n) + penalty |w|₁`` for each column of ``y``: ``(k, F)``, by coordinate descent."""
    gram, shared = x.T @ x / len(x), x.T @ y / len(x)
    w = np.zeros_like(shared)
    for _ in range(sweeps):
        before = w.copy()
        for j in np.flatnonzero(np.diag(gram) > 0):
            rest = shared[j] - gram[j] @ w + gram[j, j] * w[j]
            w[j] = np.sign(rest) * np.maximum(np.abs(rest) - penalty, 0) / gram[j, j]
        if np.abs(w - before).max() < 1e-10:
            break
    return w


def _bins(x: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each number: bins have equal counts."""
    return np.argsort(np.argsort(x, kind="stable"), kind="stable") * bins // len(x)


def _information(a: np.ndarray, b: np.ndarray, bins: int) -> float:
    """``Σ p(a, b) log(p(a, b) / (p(a) p(b)))`` in nats, of two rows of bins."""
    joint = np.bincount(a * bins + b, minlength=bins**2).reshape(bins, bins) / len(a)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())


def _entropy(R: np.ndarray, axis: int) -> np.ndarray:
    """The entropy of the shares along an axis, to the base of its length; 1 where all are zero."""
    total = R.sum(axis=axis, keepdims=True)
    p = np.where(total > 0, R / np.where(total > 0, total, 1), 1 / R.shape[axis])
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=axis) / np.log(max(R.shape[axis], 2))
