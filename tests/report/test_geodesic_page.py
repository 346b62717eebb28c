"""The words of the pages of paths: what is to be doubted of a result is said, with what was done."""

import numpy as np

from geomgan.geodesics import Convergence, Shortest
from geomgan.report.geodesic import Geodesics, first_pairs, pair_columns
from tests.plot.gallery import ways


def shortest(status=("converged", "straight", "limit"), singular=(False, True, False)):
    lengths = np.array([8.0, 10.0, 9.0])
    return Shortest(
        np.zeros((3, 5, 2)), np.tile(np.linspace(0, 1, 5), (3, 1)), lengths, np.full(3, 10.0), lengths**2,
        np.array([4, 0, 60]), status, np.array(singular), "gauss-newton",
    )  # fmt: skip


def said(found):
    return str(Geodesics(found, ways(), None, Convergence(*[np.zeros(1)] * 4, "chords"), "mse"))


def test_what_was_found_and_what_is_to_be_doubted():
    text = said(shortest())
    lines = "Under mse the straight lines between 3 pairs are 10 long in the mean"
    assert text.startswith(f"{lines}, the paths found 9: 10 % shorter (0 to 20 %).")
    assert "The metric is singular along 1 of 3" in text
    assert "steps were damped" in text
    assert "For 1 of 3 nothing shorter than the straight line was found" in text
    assert "1 of 3 may become shorter still" in text
    assert said(shortest(("converged",) * 3, (False,) * 3)).endswith("(0 to 20 %).")


def test_one_pair_is_told_as_one():
    text = said(first_pairs(shortest(), 1))
    assert text == "Under mse the straight line between the pair is 10 long, the path found 8: 20 % shorter."


def test_a_row_for_each_pair():
    columns = pair_columns(("a", "b", "c"), shortest())
    np.testing.assert_allclose(columns["shorter by, %"], [20, 0, 10])
    assert columns["metric"] == ["", "singular", ""]
    assert columns["ended"] == ["converged", "straight", "limit"]
