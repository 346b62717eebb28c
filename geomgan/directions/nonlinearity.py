"""How far walks are from straight lines that are the same at every code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.errors import as_array, check_finite


@brief
@dataclass(frozen=True)
class Nonlinearity:
    """Of walks along ``n`` paths from ``m`` codes.

    Attributes:
        arc_over_chord: ``(m, n)``, length of a walk over the distance between its ends; 1 for a line.
        turning: ``(m, n)``, degrees through which a walk turns altogether, ``Σ ∠(v_i, v_(i+1))``; 0 for a line.
        sharpest: ``(m, n)``, the largest of these angles.
        bend: ``(m, n)``, degrees between the first and the last step.
        spread: ``(n,)``, how the direction at the code differs between codes, ``1 - |Σ u| / m`` of unit steps there: 0
            where it is the same at all codes, near 1 where it is any.
        angle: ``(n,)``, mean angle in degrees between the directions at two codes.
    """

    arc_over_chord: np.ndarray
    turning: np.ndarray
    sharpest: np.ndarray
    bend: np.ndarray
    spread: np.ndarray
    angle: np.ndarray


def nonlinearity(codes: Any) -> Nonlinearity:
    """Arc over chord, turning, and how directions vary, of walks.

    Args:
        codes: ``(m, n, T, d)``, such as ``traversal.codes``: from ``m`` codes along ``n`` paths, ``T`` at least 3.

    Raises:
        ValueError: shapes do not fit, or a walk stands still.
    """
    codes = np.asarray(as_array(codes, "codes"), np.float64)
    if codes.ndim != 4 or codes.shape[2] < 3:
        raise ValueError(f"codes have shape {codes.shape}; expected (m, n, T, d) with T of at least 3.")
    check_finite(codes, "codes")
    steps = np.diff(codes, axis=2)
    sizes = np.linalg.norm(steps, axis=-1)
    if not sizes.all():
        raise ValueError("a walk stands still between two of its codes; expected steps that move the code.")
    unit = steps / sizes[..., None]
    turns = _angles(unit[:, :, :-1], unit[:, :, 1:])
    chord = np.linalg.norm(codes[:, :, -1] - codes[:, :, 0], axis=-1)
    with np.errstate(divide="ignore"):
        ratio = sizes.sum(axis=-1) / chord
    here = unit[:, :, unit.shape[2] // 2]  # the step that leaves the middle, the code itself
    m = len(here)
    spread = 1 - np.linalg.norm(here.mean(axis=0), axis=-1)
    i, j = np.triu_indices(m, 1)
    between = _angles(here[i], here[j]).mean(axis=0) if m > 1 else np.full(here.shape[1], np.nan)
    return Nonlinearity(
        ratio, turns.sum(axis=-1), turns.max(axis=-1), _angles(unit[:, :, 0], unit[:, :, -1]), spread, between
    )


def _angles(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Between unit vectors, in degrees; exact where they are nearly parallel, too."""
    return np.degrees(2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1)))
