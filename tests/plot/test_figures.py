"""Figures: what they draw, and that the report needs no network."""

import re

import matplotlib
import numpy as np
import pytest

import geomgan as gg
from geomgan import plot
from geomgan.metric.axes import walk
from tests.models import linear_generator, small_dcgan


@pytest.fixture(scope="module")
def field():
    A = np.diag([3.0, 1.0, 0.1, 0.0]).astype(np.float32)
    return gg.metric_field(linear_generator(A), gg.distances.euclidean(), np.zeros((2, 4)), progress=False)


@pytest.fixture(scope="module")
def walks():
    return walk(small_dcgan(), gg.distances.mse(), np.ones(8), np.eye(8)[:, :3], np.linspace(-1, 1, 5))


def test_spectrum_shows_mean_and_noise_floor(field):
    ax = plot.spectrum(field).axes[0]
    assert ax.get_yscale() == "log"
    mean = next(line for line in ax.lines if line.get_label() == "mean")
    np.testing.assert_allclose(mean.get_ydata()[:3], [9, 1, 0.01], rtol=1e-5)
    floor = next(line for line in ax.lines if line.get_label() == "noise floor")
    np.testing.assert_allclose(floor.get_ydata(), field.noise_floor[0])


def test_montage_has_a_row_an_axis_and_the_reference_in_the_middle(walks):
    figure = plot.axes_montage(walks, [3.0, 2.0, 1.0], (-1, 1), step=0.1)
    images = [ax.images[0].get_array() for ax in figure.axes]
    assert len(images) == 15
    for row in range(3):
        np.testing.assert_allclose(images[5 * row + 2], (walks.samples[0, 2] + 1) / 2, atol=1e-6)
    assert [ax.get_title() for ax in figure.axes[:5]] == ["-0.20", "-0.10", "reference", "+0.10", "+0.20"]


def test_distance_curves_draw_measurement_and_prediction(walks):
    figure = plot.distance_curves(walks, [4.0, 2.0, 1.0])
    predicted, measured = figure.axes[0].lines[:2]
    np.testing.assert_allclose(predicted.get_ydata(), 2 * np.abs(np.linspace(-1, 1, 5)), atol=1e-6)
    np.testing.assert_allclose(measured.get_ydata(), walks.distances[0])


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


def test_report_is_one_file_without_a_network(field):
    page = plot.html_report("<Title>", "Found & done", [("Spectrum", plot.spectrum(field), "caption")], {"T": {"a": 1}})
    assert "&lt;Title&gt;" in page
    assert "Found &amp; done" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)


def test_no_figure_stays_open_and_no_setting_changes(field):
    before = dict(matplotlib.rcParams)
    plot.spectrum(field)
    assert dict(matplotlib.rcParams) == before
