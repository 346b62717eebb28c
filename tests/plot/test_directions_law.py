"""The figure of the random-direction law: what is drawn where."""

import jax
import numpy as np
import pytest

from geomgan import plot
from geomgan.analysis.random_directions import random_direction_law
from tests.plot.test_spectrum import assert_readable, field, line


@pytest.fixture(scope="module")
def law():
    return random_direction_law(field(dim=12)[0], jax.random.key(0), 500)


def test_histograms_hold_eigenvalues_and_draws_with_their_medians(law):
    top = plot.isotropy_illusion(law, bins=10).axes[0]
    values, samples = np.log10(law.values), np.log10(law.samples)
    edges = np.linspace(values.min(), values.max(), 11)
    heights = np.array([patch.get_height() for patch in top.patches]).reshape(2, 10)
    np.testing.assert_allclose(heights[0], 100 * np.histogram(values, edges)[0] / 12, atol=1e-9)
    np.testing.assert_allclose(heights[1], 100 * np.histogram(samples, edges)[0] / 500, atol=1e-9)
    medians = [each.get_xdata()[0] for each in top.lines if each.get_linestyle() == ":" and len(each.get_xdata())]
    np.testing.assert_allclose(medians, [np.median(values), np.median(samples)])
    assert "rate of change α" in top.get_xlabel()
    np.testing.assert_allclose(line(top, "arithmetic mean of both").get_xdata(), np.log10(law.values.mean()))


def test_variances_are_those_of_the_law(law):
    bottom = plot.isotropy_illusion(law).axes[1]
    drawn = {each.get_ydata()[0]: each.get_xdata()[0] for each in bottom.lines if each.get_marker() == "o"}
    assert drawn[2] == pytest.approx(np.var(law.values))
    assert drawn[1] == pytest.approx(2 / 14 * np.var(law.values))
    assert drawn[0] == pytest.approx(np.var(law.samples))
    np.testing.assert_allclose(line(bottom, "95% interval of the draws").get_xdata(), law.interval)
    low, high = bottom.get_xlim()
    assert low <= min(law.interval[0], drawn[1])
    assert drawn[2] < high


def test_an_indefinite_and_an_isotropic_tensor_are_drawn():
    law = random_direction_law(np.diag([3.0, 1.0, -0.1]), jax.random.key(0), 50)
    first = plot.isotropy_illusion(law, bins=5).axes[0].patches[:5]
    assert sum(patch.get_height() for patch in first) == pytest.approx(100)
    law = random_direction_law(2 * np.eye(4), jax.random.key(0), 50)
    low, high = plot.isotropy_illusion(law).axes[1].get_xlim()
    assert 0 < low < high


def test_the_figure_is_readable(law):
    assert_readable(plot.isotropy_illusion(law))
