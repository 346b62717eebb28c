"""Figures that compare metrics: what is drawn where."""

import jax
import numpy as np
import pytest

from geomgan import plot
from geomgan.analysis.compare import compare, eigenspaces
from tests.analysis.tensors import field_of
from tests.plot.test_spectrum import assert_readable, field, line

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def pair():
    return field(0, codes=8), field(1, codes=8)


def test_bars_are_means_over_codes_with_their_range(pair):
    c = compare(*pair)
    ax = plot.comparison(c, ("MSE", "SSIM")).axes[0]
    expected = [
        [c.tensor_r, c.spectrum_r, c.cross_ab_r, c.cross_ba_r],
        [c.log_tensor_r, c.log_spectrum_r, c.cross_ab_log_r, c.cross_ba_log_r],
    ]
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(2, 4)
    np.testing.assert_allclose(widths, np.mean(expected, axis=-1))
    ranges = [each.get_xdata() for each in ax.lines if each.get_label() == "5 to 95 % of codes"]
    np.testing.assert_allclose(ranges, np.percentile(expected, (5, 95), axis=-1).transpose(1, 2, 0).reshape(8, 2))
    names = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    assert names == ["entries of tensors", "spectra by rank", "SSIM along axes of MSE", "MSE along axes of SSIM"]


def test_spectra_are_drawn_rank_by_rank_with_the_fitted_line(pair):
    a, b = pair
    b = 4 * a @ a  # λ_b = 4 λ_a², the slope of the logarithms is 2
    ax = plot.comparison(compare(a, b), ("a", "b"), (a, b)).axes[0]
    values = np.linalg.eigvalsh(a)[:, ::-1]
    points, _, bars = ax.containers[0]
    np.testing.assert_allclose(points.get_xdata(), np.median(values, axis=0))
    np.testing.assert_allclose(points.get_ydata(), np.median(4 * values**2, axis=0))
    across = np.array([segment[:, 0] for segment in bars[0].get_segments()])
    np.testing.assert_allclose(across, np.percentile(values, (5, 95), axis=0).T)
    x, y = line(ax, "median line, slope 2.00").get_data()
    np.testing.assert_allclose(y, 4 * x**2, rtol=1e-6)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_what_is_below_a_floor_is_open_on_it_and_does_not_bend_the_line(lost):
    codes, values = np.zeros((4, 6)), 10.0 ** np.arange(0, -6, -1)
    other = 2 * values
    other[6 - lost :] = -1e-17  # rounding, of a metric that is zero there
    a, b = (np.stack([np.diag(each)] * 4) for each in (values, other))
    a, b = field_of(a, codes), field_of(b, codes, floor=1e-12)
    ax = plot.comparison(compare(a, b), ("a", "b"), (a, b)).axes[0]
    known, open_ = (container[0] for container in ax.containers)
    np.testing.assert_allclose(known.get_xdata(), values[: 6 - lost])
    np.testing.assert_allclose(known.get_ydata(), 2 * values[: 6 - lost])
    np.testing.assert_allclose(open_.get_xdata(), values[6 - lost :])
    np.testing.assert_array_equal(open_.get_ydata(), 1e-12)
    assert open_.get_markerfacecolor() == "white"
    x, y = line(ax, "median line, slope 1.00").get_data()
    np.testing.assert_allclose(y, 2 * x, rtol=1e-6)
    assert line(ax, "noise floor").get_ydata() == [1e-12, 1e-12]
    assert ax.containers[1].get_label() == "below a noise floor, drawn there"


def test_the_median_of_a_rank_counts_codes_below_the_floor_as_low():
    """A rank that is rounding at 2 of 5 codes has its median among the other three, as ranks have it."""
    values = np.array([[1, 1e-3], [1, 1e-4], [1, 1e-5], [1, 1e-14], [1, -1e-15]])
    tensors = np.stack([np.diag(each) for each in values])
    a = field_of(tensors, np.zeros((5, 2)), floor=1e-12)
    ax = plot.comparison(compare(a, a), ("a", "b"), (a, a)).axes[0]
    np.testing.assert_allclose(ax.containers[0][0].get_xdata(), [1, 1e-5])
    assert len(ax.containers) == 1


def test_what_is_undefined_at_some_codes_is_left_out(pair):
    a = np.array(pair[0])
    a[0] = 2 * np.eye(5)  # a sphere correlates with nothing
    c = compare(a, pair[1])
    assert np.isnan(c.spectrum_r[0])
    assert plot.comparison(c).axes[0].patches[1].get_width() == pytest.approx(c.spectrum_r[1:].mean())


def test_principal_angles_in_degrees_and_correlations_as_angles():
    t = np.radians([10, 50])
    a, b = np.zeros((2, 6, 2))
    a[0, 0] = a[1, 1] = 1
    b[[0, 2], 0], b[[1, 3], 1] = (np.cos(t[0]), np.sin(t[0])), (np.cos(t[1]), np.sin(t[1]))
    c = eigenspaces(a, b, KEY)
    fig = plot.eigenspaces(c, ("a", "b"))
    ax = fig.axes[0]
    np.testing.assert_allclose(line(ax, "principal angle").get_ydata(), [10, 50])
    np.testing.assert_allclose(np.cos(np.radians(line(ax, "canonical correlation").get_ydata())), c.cca, atol=1e-9)
    chance = line(ax, "its mean for random spaces").get_ydata()
    np.testing.assert_allclose(np.cos(np.radians(chance)), c.cca_chance)
    overlap = np.mean(np.cos(t) ** 2)
    assert f"overlap {overlap:.2f}, of random spaces 0.33" in fig._suptitle.get_text().replace("\n", " ")


def test_every_figure_is_readable(pair):
    assert_readable(plot.comparison(compare(*pair), ("LPIPS alex", "MS-SSIM"), pair))
    assert_readable(plot.comparison(compare(*pair), ("LPIPS alex", "MS-SSIM")))
    assert_readable(plot.eigenspaces(eigenspaces(*pair, KEY, 3), ("LPIPS alex", "MS-SSIM")))
