"""What must agree before anything is timed, asked so that one ReLU at its kink cannot decide.

Two float32 implementations round differently. A pre-activation within that rounding of zero is positive in one and
negative in the other, and the metric at such a code differs by as much as the one unit matters: per mille, now and
then, where everything else agrees to 1e-5. It is a property of the code, not of either implementation, so the median
over codes is held to the tolerance, and no code may be wrong by more than a kink explains.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

KINK = 2e-2  # more than single units were seen to change
CODES = 5  # asked where the case has one code only, and a kink may sit there


def error(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest value; infinite where shapes differ or something is not finite.

    An expectation of zeros is met by zeros alone.
    """
    if got.shape != expected.shape or not np.isfinite(got).all() or not np.isfinite(expected).all():
        return float("inf")
    difference, largest = np.abs(got - expected).max(), np.abs(expected).max()
    return float(difference / largest) if largest else (float("inf") if difference else 0.0)


def agree(what: str, found: float, tolerance: float) -> None:
    """Raises ``SystemExit`` unless an error is within the tolerance."""
    if not found <= tolerance:
        raise SystemExit(f"{what}: differs by {found:.1e}, expected at most {tolerance:.0e}. No comparison.")


def agree_over_codes(what: str, errors: list[float], tolerance: float) -> None:
    """Raises ``SystemExit`` unless the median error of several codes is within the tolerance and each within a kink."""
    agree(f"{what}, worst of {len(errors)} codes", max(errors), KINK)
    agree(f"{what}, median of {len(errors)} codes", float(np.median(errors)), tolerance)


def agree_at(what: str, found: float, tolerance: float, elsewhere: Callable[[], list[float]]) -> None:
    """Raises ``SystemExit`` unless the error at one code is within the tolerance, or a kink that other codes lack.

    Args:
        what: for the message.
        found: the error at the code that is timed.
        tolerance: of it.
        elsewhere: the errors at other codes, computed only if they are needed.
    """
    if not found <= tolerance:
        agree(what, found, KINK)
        agree_over_codes(f"{what}, elsewhere", elsewhere(), tolerance)
