"""The order in which a walk is shown: positions from -1 to 1 over its frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geomgan.errors import check_choice, check_count

STEEPNESS = 10.0  # of the sigmoid, as in the films of Hessian Penalty


def schedule(name: str, count: int) -> np.ndarray:
    """``count`` positions in ``[-1, 1]``: multiply them by how far a walk is to go.

    - ``"linear"``: from -1 to 1 at equal steps.
    - ``"smooth"``: the same way, slow at its ends: ``2 s(u) - 1``, ``s`` the sigmoid ``1 / (1 + e^(-10 (u - 1/2)))``
      stretched to ``[0, 1]``.
    - ``"centred"``: 0, 1, 0, -1, 0, each part smooth: it ends where it began, and starts at the code itself.

    Source: ``smooth``, ``smooth_center`` and ``linear`` of Hessian Penalty (Peebles et al., ECCV 2020).

    Raises:
        ValueError: the name is unknown, or ``count`` is no positive integer.
    """
    check_choice(name, SCHEDULES, "schedule")
    u = np.linspace(0.0, 1.0, check_count(count, np.inf, "count", ", the number of positions"))
    return SCHEDULES[name](u)


def _smooth(u: np.ndarray) -> np.ndarray:
    sigmoid = lambda x: 1 / (1 + np.exp(-STEEPNESS * (x - 0.5)))
    low, high = sigmoid(0.0), sigmoid(1.0)
    return (sigmoid(u) - low) / (high - low)


def _centred(u: np.ndarray) -> np.ndarray:
    quarter, part = np.minimum((4 * u).astype(int), 3), 4 * u - np.minimum((4 * u).astype(int), 3)
    eased = _smooth(part)
    return np.choose(quarter, [eased, 1 - eased, -eased, eased - 1])


SCHEDULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda u: 2 * u - 1,
    "smooth": lambda u: 2 * _smooth(u) - 1,
    "centred": _centred,
}
