"""What the benchmarks ask before they time anything."""

import numpy as np
import pytest

from benchmarks.agreement import CODES, KINK, agree, agree_at, agree_over_codes, error

FINE, KINKED, WRONG = 1e-5, 3.2e-3, 2 * KINK
never = lambda: pytest.fail("other codes are not needed")


def test_errors_are_relative_to_the_largest_value():
    assert error(np.array([3.0, 1.0]), np.array([4.0, 1.0])) == 0.25
    assert error(np.zeros(2), np.zeros(2)) == 0
    assert error(np.ones(2), np.zeros(2)) == np.inf
    assert error(np.ones(2), np.ones((1, 2))) == np.inf
    assert error(np.array([np.nan]), np.ones(1)) == np.inf


def test_one_kink_does_not_decide():
    agree_at("metric", FINE, 2e-3, never)
    agree_at("metric", KINKED, 2e-3, lambda: [FINE] * (CODES - 1) + [KINKED])
    agree_over_codes("field", [KINKED, FINE, FINE], 2e-3)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: agree("images", KINKED, 1e-4), "images: differs by 3.2e-03, expected at most 1e-04. No comparison."),
        (lambda: agree_at("metric", WRONG, 2e-3, never), "metric: differs by 4.0e-02"),
        (lambda: agree_at("metric", np.inf, 2e-3, never), "metric: differs by inf"),
        (lambda: agree_at("metric", KINKED, 2e-3, lambda: [KINKED] * CODES), "metric, elsewhere, median of 5 codes"),
        (lambda: agree_over_codes("field", [FINE, FINE, WRONG], 2e-3), "field, worst of 3 codes: differs by 4.0e-02"),
        (lambda: agree_over_codes("field", [FINE, KINKED, KINKED], 2e-3), "field, median of 3 codes: differs by 3.2e"),
    ],
)
def test_what_is_wrong_is_said(ask, says):
    with pytest.raises(SystemExit, match=says):
        ask()
