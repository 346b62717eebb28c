"""Figures of the null space: what they draw."""

import dataclasses

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan import analysis, plot
from tests.small_models import linear_generator, smooth_generator

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def case():
    G, D = smooth_generator(), gg.distances.mse()
    z = np.asarray(G.sample_latent(KEY, 5))
    return G, D, z, gg.eigenpairs(gg.metric_operator(G, D, z[0]))


@pytest.fixture(scope="module")
def moves(case):
    G, D, z, e = case
    return analysis.null_space(G, D, z[0], e, 2, KEY, np.linspace(0, 2, 5), draws=4, shown=2)


def line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def drawn_image(ax, row, column, side=16, gap=1):
    sheet = ax.images[0].get_array()
    top, left = row * (side + gap), column * (side + gap)
    return sheet[top : top + side, left : left + side]


def as_bytes(sample):
    return np.rint(255 * (np.clip(sample, -1, 1) + 1) / 2)


def test_moves_show_images_distances_and_predictions(moves):
    figure = plot.null_space(moves)
    images, distance, ratio = figure.axes
    assert "bands: range" in " ".join(figure.get_suptitle().split())
    np.testing.assert_array_equal(drawn_image(images, 3, 4), as_bytes(moves.samples[1, 1, 4]))
    labels = [label.get_text() for label in images.get_yticklabels()]
    assert labels == ["top 2 axes, v1", "top 2 axes, v2", "bottom 2 axes, v1", "bottom 2 axes, v2"]
    for i, kind in enumerate(("top", "bottom")):
        measured = line(distance, f"{kind} 2 axes, measured").get_ydata()
        np.testing.assert_allclose(measured, moves.distances[i].mean(axis=0))
        predicted = line(distance, f"{kind} 2 axes, predicted: √(vᵀg v) t").get_ydata()
        np.testing.assert_allclose(predicted, moves.predictions[i].mean(axis=0))
        np.testing.assert_allclose(ratio.lines[i].get_ydata(), 1 + moves.errors[i, :, 1:].mean(axis=0))
        np.testing.assert_array_equal(ratio.lines[i].get_ydata(), moves.ratios[i, 1:])  # what the report tells
    assert "mean of the ratios" in ratio.get_ylabel()


def test_samples_that_are_no_images_are_left_out(moves):
    sound = dataclasses.replace(moves, samples=moves.samples[..., :1, 0], reference=moves.reference[..., :1, 0])
    figure = plot.null_space(sound)
    assert len(figure.axes) == 2
    assert not any(ax.images for ax in figure.axes)


def test_equivalent_directions_show_cosine_and_both_distances(case):
    G, D, z, e = case
    result = analysis.equivalent_directions(G, D, z[0], 1, e, [0, 1, 4], KEY, dims=2, draws=3, shown=1)
    figure = plot.equivalent_directions(result)
    images, cosine, distance = figure.axes
    assert "bands: range" in " ".join(figure.get_suptitle().split())
    np.testing.assert_array_equal(drawn_image(images, 0, 0), as_bytes(result.reference))
    np.testing.assert_array_equal(drawn_image(images, 1, 3), as_bytes(result.control_samples[0, 2]))
    np.testing.assert_allclose(cosine.lines[0].get_ydata(), 1 / np.sqrt([1, 2, 17]))
    np.testing.assert_allclose(line(distance, "u in the bottom 2 axes").get_ydata(), result.distances.mean(axis=0))
    np.testing.assert_allclose(line(distance, "u in any direction").get_ydata(), result.control.mean(axis=0))
    assert distance.lines[2].get_ydata()[0] == result.moved


def test_trust_radii_mark_axes_that_never_leave(case):
    G, D, z, e = case
    result = analysis.trust_radius(G, D, z[0], e, reach=2.0, steps=12)
    result = dataclasses.replace(result, radius=np.array([0.5, 0.25, 1, 2e-2, 0, np.inf]))
    radius, distance = plot.trust_radius(result).axes
    np.testing.assert_allclose(line(radius, "axis").get_ydata(), [0.5, 0.25, 1, 2e-2])
    assert line(radius, "not left within reach").get_xydata().tolist() == [[6, 2]]
    assert line(radius, "left at the first step").get_xydata().tolist() == [[5, pytest.approx(2e-4)]]
    np.testing.assert_allclose(line(distance, "axis").get_ydata()[:2], np.sqrt(e.values[:2]) * [0.5, 0.25])


def test_radii_within_rounding_are_open_and_missing_ranks_are_told(case):
    G, D, z, e = case
    result = analysis.trust_radius(G, D, z[0], e, reach=2.0, steps=12)
    radius = np.array([0.5, 0.25, 1, 2e-2, 0.3, np.inf])
    resolution = 1.01 * result.tolerance * 2e-2 * np.sqrt(result.values[3])
    result = dataclasses.replace(result, radius=radius, resolution=resolution, ranks=np.array([1, 2, 4, 8, 16, 32]))
    faint = 0.1 * np.sqrt(result.values) * np.minimum(radius, 2) < resolution
    drawn = line(plot.trust_radius(result).axes[0], "within rounding")
    assert drawn.get_markerfacecolor() == "white"
    assert drawn.get_xdata().tolist() == result.ranks[:5][faint[:5]].tolist()
    assert 8 in drawn.get_xdata()
    assert plot.trust_radius(result).axes[1].get_xlabel() == "rank of the axis (6 ranks in equal ratios)"
    uneven = dataclasses.replace(result, ranks=np.array([1, 2, 3, 4, 5, 30]))
    assert plot.trust_radius(uneven).axes[1].get_xlabel() == "rank of the axis (6 ranks)"


def test_compression_shows_medians_in_ascending_order_of_k(case):
    G, D, z, e = case
    result = analysis.compression(G, D, z, e, [6, 1, 3], shown=2, key=jax.random.key(0))
    images, curves = plot.compression(result, samples=1).axes
    assert [tick.get_text() for tick in images.get_yticklabels()] == ["code 0, metric axes", "code 0, random axes"]
    named = plot.compression(result, 1, labels=["seed 7"]).axes[0]
    assert named.get_yticklabels()[0].get_text() == "seed 7, metric axes"
    with pytest.raises(ValueError, match="1 labels for 2 codes"):
        plot.compression(result, 2, labels=["seed 7"])
    assert images.images[0].get_array().shape == (2 * 17 - 1, 4 * 17 - 1, 3)
    np.testing.assert_array_equal(drawn_image(images, 0, 0), as_bytes(result.originals[0]))
    np.testing.assert_array_equal(drawn_image(images, 1, 2), as_bytes(result.control_samples[0, 1]))
    drawn = line(curves, "axes of the metric")
    assert drawn.get_xdata().tolist() == [1, 3, 6]
    np.testing.assert_allclose(drawn.get_ydata(), np.median(result.distance, axis=0)[[1, 2, 0]])
    random = line(curves, "random orthonormal axes").get_ydata()
    np.testing.assert_allclose(random, np.median(result.control, axis=(0, 1))[[1, 2, 0]])
    assert len(plot.compression(result, samples=0).axes) == 1


def test_linear_samples_have_curves_alone():
    G, D = linear_generator(np.diag([3.0, 2, 1, 0]).astype(np.float32)), gg.distances.euclidean()
    result = analysis.null_space(G, D, np.ones(4), np.diag([9.0, 4, 1, 0]), 1, KEY, [0.0, 1.0], draws=2)
    distance, ratio = plot.null_space(result).axes
    np.testing.assert_allclose(line(distance, "bottom axis, measured").get_ydata(), [0, 0], atol=1e-6)
    assert len(ratio.lines[1].get_ydata()) == 0  # nothing is predicted there, so nothing is divided
