"""Figures: what they draw."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import geomgan as gg
from geomgan import plot
from geomgan.plot.style import TEXT
from tests.plot.gallery import figures
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
    sheet = plot.image_grid(samples, columns=3).axes[0].images[0].get_array() / 255
    assert sheet.shape == (10, 16, 3)
    np.testing.assert_allclose(sheet[0, ::6, 0], [0, 0.2, 0.4], atol=1e-9)
    np.testing.assert_allclose(sheet[6, ::6, 0], [0.6, 0.8, 1.0], atol=1e-9)


def test_no_figure_stays_open_and_no_setting_changes(field):
    before = dict(matplotlib.rcParams)
    plot.spectrum(field)
    assert dict(matplotlib.rcParams) == before


FIGURES = figures()
ONE_PANEL = {
    "image_grid": {}, "axes_montage": {}, "references_montage": {}, "spectrum": {}, "spectra": {},
    "consistency_matrix": {"name": "log"}, "consistency_scatter": {}, "consistency_synopsis": {},
    "consistency_against_distance": {},
    "layer_matrix": {}, "amplification_curves": {}, "layer_scatter": {"targets": [3]}, "compression": {"samples": 0},
    "comparison of bars": {}, "eigenspaces": {}, "reconstructions": {}, "loss_curves": {}, "volume": {},
    "traversal": {}, "direction_previews": {}, "directions_montage": {}, "factor_cosines": {},
    "image_sequences": {}, "distance_gone": {}, "improvement_histogram of one": {}, "improvement_bars": {},
}  # fmt: skip


def written(fig):
    return [text for text in fig.findobj(Text) if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("name", FIGURES)
def test_all_text_has_one_size_and_is_inside(name):
    fig = FIGURES[name]()
    plot.png(fig)
    assert {text.get_fontsize() for text in written(fig)} == {TEXT}
    box = fig.get_tightbbox()
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= fig.get_figwidth() + 0.01
    assert box.y1 <= fig.get_figheight() + 0.01


@pytest.mark.parametrize("name", ONE_PANEL)
def test_a_figure_of_one_axes_is_drawn_into_those_that_are_given(name):
    own = Figure(figsize=(9, 4), layout="constrained")
    left, right = own.subplots(1, 2)
    assert FIGURES[name](ax=right, **ONE_PANEL[name]) is own
    assert not left.has_data()
    assert right.has_data()
    assert len(own.axes) <= 3  # with a colour bar
    alone = FIGURES[name](**ONE_PANEL[name]).axes[0]
    assert len(right.lines) == len(alone.lines)
    assert len(right.images) == len(alone.images)
    assert (right.get_xlabel().split(), right.get_ylabel()) == (alone.get_xlabel().split(), alone.get_ylabel())
    assert right.get_title(loc="left")
    assert own.get_suptitle() == ""
    assert not own.legends
    plot.png(own)
    assert {text.get_fontsize() for text in written(right)} == {TEXT}


@pytest.mark.parametrize(("name", "fix"), [
    ("consistency_matrix", "one name"), ("consistency_histogram", "one consistency"), ("layer_scatter", "one target"),
    ("comparison", "without fields"), ("compression", "samples=0"), ("distance_curves", "along one axis"),
])  # fmt: skip
def test_a_figure_of_several_axes_says_how_to_draw_one(name, fix):
    with pytest.raises(ValueError, match=rf"ax is one axes, and this figure has \d; expected .*{fix}"):
        FIGURES[name](ax=Figure().subplots())
