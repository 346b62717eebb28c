"""Figures: what they draw."""

import matplotlib
import numpy as np
import pytest

import geomgan as gg
from geomgan import plot
from tests.small_models import linear_generator


@pytest.fixture(scope="module")
def field():
    A = np.diag([3.0, 1.0, 0.1, 0.0]).astype(np.float32)
    return gg.metric_field(linear_generator(A), gg.distances.euclidean(), np.zeros((2, 4)), progress=False)


def test_spectrum_shows_mean_and_noise_floor(field):
    ax = plot.spectrum(field).axes[0]
    assert ax.get_yscale() == "log"
    mean = next(line for line in ax.lines if line.get_label() == "mean")
    np.testing.assert_allclose(mean.get_ydata()[:3], [9, 1, 0.01], rtol=1e-5)
    floor = next(line for line in ax.lines if line.get_label() == "noise floor")
    np.testing.assert_allclose(floor.get_ydata(), field.noise_floor[0])


def test_images_are_clipped_only_for_display():
    shown = plot.displayable(np.array([[[-3.0], [0.0], [1.0]]]), (-1, 1))
    assert shown.shape == (1, 3, 3)
    np.testing.assert_allclose(shown[0, :, 0], [0, 0.5, 1])
    assert plot.displayable(np.full((2, 2, 3), 127.5), (0, 255)).max() == 0.5
    with pytest.raises(ValueError, match="expected an image"):
        plot.displayable(np.zeros((3, 4)), (-1, 1))


def test_grid_places_images_in_reading_order():
    samples = np.linspace(-1, 1, 6)[:, None, None, None] * np.ones((6, 4, 4, 1))
    sheet = plot.image_grid(samples, columns=3).axes[0].images[0].get_array()
    assert sheet.shape == (10, 16, 3)
    np.testing.assert_allclose(sheet[0, ::6, 0], [0, 0.2, 0.4], atol=1e-9)
    np.testing.assert_allclose(sheet[6, ::6, 0], [0.6, 0.8, 1.0], atol=1e-9)


def test_no_figure_stays_open_and_no_setting_changes(field):
    before = dict(matplotlib.rcParams)
    plot.spectrum(field)
    assert dict(matplotlib.rcParams) == before
