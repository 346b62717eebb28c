"""Local methods by name, with the steps and the patience that suit them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geomgan.errors import check_choice
from geomgan.optimize.gradient import adam, lbfgs, sgd
from geomgan.optimize.least_squares import levenberg_marquardt
from geomgan.optimize.local import Method


@dataclass(frozen=True)
class Named:
    """A method with its defaults.

    Attributes:
        make: makes it.
        steps: at most.
        patience: steps without progress after which a run ends.
        says: what it is.
    """

    make: Callable[[], Method]
    steps: int
    patience: int
    says: str


METHODS = {
    "levenberg-marquardt": Named(
        lambda: levenberg_marquardt(), 40, 6, "Gauss-Newton with damping, the whole Jacobian at each step"
    ),
    "lm-subspace": Named(
        lambda: levenberg_marquardt("subspace", every=5), 60, 12, "the same in the metric's top 32 eigenvectors"
    ),
    "lm-cg": Named(lambda: levenberg_marquardt("cg"), 60, 10, "the same by conjugate gradients, for many dimensions"),
    "lm-metric": Named(
        lambda: levenberg_marquardt("metric"), 200, 30, "exact gradients and the metric at the start, with damping"
    ),
    "natural": Named(
        lambda: sgd(0.5, metric="own", scale=1.0), 500, 50, "natural gradient, with the metric at the start"
    ),
    "adam": Named(lambda: adam(0.1), 500, 50, "Adam in the code"),
    "adam-eigenbasis": Named(lambda: adam(0.1, metric="own"), 500, 50, "Adam in the eigenbasis of the metric"),
    "adam-half": Named(lambda: adam(0.1, metric="own", scale=0.5), 500, 50, "the same, half whitened"),
    "adam-whitened": Named(lambda: adam(0.05, metric="own", scale=1.0), 500, 50, "the same, whitened"),
    "sgd": Named(lambda: sgd(1.0), 500, 50, "gradient descent"),
    "lbfgs": Named(lambda: lbfgs(), 200, 30, "L-BFGS with backtracking"),
}
"""Local methods by the names that :func:`invert` takes, with their steps and patience."""
DEFAULT = "levenberg-marquardt"
SHORT = {"lm": DEFAULT}


def named_method(method: str | Method, steps: int | None, patience: int | None) -> tuple[str, Method, int, int | None]:
    """Name, method, steps and patience: of a name with its defaults, or of a method of one's own."""
    if isinstance(method, str):
        method = SHORT.get(method, method)
        check_choice(method, METHODS, "method")
        named = METHODS[method]
        return method, named.make(), steps or named.steps, named.patience if patience is None else patience
    return type(method).__name__, method, steps or 200, patience
