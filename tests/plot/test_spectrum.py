"""Figures of spectra: what is drawn where."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

import geomgan as gg
from geomgan import plot
from geomgan.analysis import mean_spectrum
from geomgan.plot.style import CYCLE, colours
from tests.small_models import linear_generator


def field(seed=0, codes=6, dim=5, decades=4.0):
    """Positive tensors with spectra over some decades in random frames."""
    rng = np.random.default_rng(seed)
    frames = np.linalg.qr(rng.standard_normal((codes, dim, dim)))[0]
    values = 10.0 ** (-np.linspace(0, decades, dim) + 0.3 * rng.standard_normal((codes, dim)))
    return np.einsum("pik,pk,pjk->pij", frames, values, frames)


def line(ax, label):
    return next(each for each in ax.lines if each.get_label() == label)


def band(ax, number=0):
    """Lower and upper ends of a drawn band, by rank."""
    vertices = ax.collections[number].get_paths()[0].vertices
    ranks = np.arange(1, int(vertices[:, 0].max()) + 1)
    ends = [[vertices[vertices[:, 0] == rank, 1].min(), vertices[vertices[:, 0] == rank, 1].max()] for rank in ranks]
    return np.array(ends).T


def assert_readable(fig):
    """Text of at least 8 points, inside the figure, the title above and the legend below all axes."""
    fig.savefig(io.BytesIO(), format="png")
    assert min(text.get_fontsize() for text in fig.findobj(Text) if text.get_text() and text.get_visible()) >= 8
    boxes = [ax.get_tightbbox() for ax in fig.axes]
    title, legends = fig._suptitle.get_window_extent(), [legend.get_window_extent() for legend in fig.legends]
    for box in (title, *legends, *boxes):
        assert box.x0 >= -1
        assert box.x1 <= fig.bbox.x1 + 1
    assert title.y0 >= max(box.y1 for box in boxes) - 2
    assert all(legend.y1 <= min(box.y0 for box in boxes) + 2 for legend in legends)


def test_spectrum_draws_mean_and_band_of_a_stack():
    tensors = field()
    values = np.linalg.eigvalsh(tensors)[:, ::-1]
    ax = plot.spectrum(tensors).axes[0]
    np.testing.assert_allclose(line(ax, "mean").get_ydata(), values.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(line(ax, "mean").get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(band(ax), np.percentile(values, (5, 95), axis=0), rtol=1e-9)


def test_where_the_lower_end_is_not_positive_the_mean_stands_for_it():
    tensors = np.array([np.diag([2.0, 0.4]), np.diag([1.0, -0.2]), np.diag([3.0, -0.1])])
    low, _ = band(plot.spectrum(tensors).axes[0])
    np.testing.assert_allclose(low, [np.percentile([1, 2, 3], 5), 0.1 / 3], rtol=1e-9)


def test_a_noise_floor_is_drawn_where_the_axis_reaches_it_and_named_where_not():
    tensors = field().astype(np.float32)
    tensors = (tensors + tensors.transpose(0, 2, 1)) / 2
    floor = mean_spectrum(tensors).noise_floor
    for figure in (plot.spectrum(tensors), plot.spectra({"A": tensors}, normalised=False)):
        assert f"{floor:.1e}" in figure.axes[0].get_xlabel()
        assert "below the axis" in figure.axes[0].get_xlabel()
        assert not any("noise" in text.get_text() for text in figure.legends[0].get_texts())
    deep = np.array([np.diag([1.0, 1e-3, 1e-9])] * 2, np.float32)
    ax = plot.spectrum(deep).axes[0]
    np.testing.assert_allclose(line(ax, "noise floor").get_ydata(), 3 * np.finfo(np.float32).eps)
    assert ax.get_ylim()[0] == pytest.approx(0.3 * np.finfo(np.float32).eps)  # what lies deeper is rounding


def test_spectra_are_divided_by_the_largest_mean_and_controls_share_a_colour():
    fields = {"A": field(0), "A shuffled": 7 * field(1), "B": field(2, dim=8)}
    ax = plot.spectra(fields).axes[0]
    for label, tensors in fields.items():
        mean = np.linalg.eigvalsh(tensors)[:, ::-1].mean(axis=0)
        np.testing.assert_allclose(line(ax, label).get_ydata(), mean / mean.max(), rtol=1e-9)
    assert [line(ax, label).get_color() for label in fields] == [CYCLE[0], CYCLE[0], CYCLE[1]]
    assert [line(ax, label).get_linestyle() for label in fields] == ["-", "--", "-"]
    assert ax.get_xlim() == (1, 8)


def test_spectra_in_their_own_units_and_by_rank_of_a_logarithm():
    tensors = field(3)
    ax = plot.spectra({"A": mean_spectrum(tensors)}, normalised=False, rank="log").axes[0]
    mean = np.linalg.eigvalsh(tensors)[:, ::-1].mean(axis=0)
    np.testing.assert_allclose(line(ax, "A").get_ydata(), mean, rtol=1e-9)
    assert ax.get_xscale() == "log"


def test_a_control_without_its_model_has_a_colour_of_its_own():
    assert colours(["A shuffled", "B"]) == {"A shuffled": (CYCLE[0], False), "B": (CYCLE[1], False)}


def test_a_field_without_change_has_no_spectrum_to_draw():
    with pytest.raises(ValueError, match="does not change with the code"):
        plot.spectra({"A": np.zeros((2, 3, 3))})


def test_what_has_no_spectrum_is_named():
    F = gg.metric_field(linear_generator(np.eye(3, dtype=np.float32)), gg.distances.euclidean(), np.zeros((2, 3)),
                        progress=False)  # fmt: skip
    with pytest.raises(TypeError, match=r"fields is a MetricField; expected a mapping .* such as {'model': F}"):
        plot.spectra(F)
    pairs = gg.eigenpairs(np.diag([3.0, 2.0, 1.0]))
    with pytest.raises(TypeError, match=r"field is an Eigenpairs; expected a MetricField, a stack"):
        plot.spectrum(pairs)


def test_nothing_is_mutated_and_no_setting_changes():
    tensors, before = field(), dict(matplotlib.rcParams)
    copy = tensors.copy()
    plot.spectra({"A": tensors})
    np.testing.assert_array_equal(tensors, copy)
    assert dict(matplotlib.rcParams) == before


def test_text_is_readable_at_the_width_of_a_column_and_covers_no_data():
    fig = plot.spectra({f"a model with quite a long name {i}": field(i) for i in range(5)})
    assert fig.get_figwidth() == 3.5
    assert_readable(fig)
    assert_readable(plot.spectrum(field(), title="a title " * 20))
    assert_readable(plot.spectra({"A": field()}))


def test_the_title_of_several_spectra_says_how_many_codes():
    fig = plot.spectra({"A": field(codes=4), "B": field(codes=9)})
    assert "bands of 5 to 95 % of 4 to 9 codes" in " ".join(fig._suptitle.get_text().split())
