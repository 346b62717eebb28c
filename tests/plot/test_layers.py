"""Figures of the layers: what they draw."""

import dataclasses
import io
import itertools

import numpy as np
import pytest

from geomgan.analysis import layer_alignment
from geomgan.plot import amplification_curves, layer_matrix, layer_scatter


@pytest.fixture(scope="module")
def tensors():
    J = np.random.default_rng(0).standard_normal((4, 9, 6)) * np.geomspace(1, 0.05, 6)
    return np.einsum("lma,lmb->lab", J, J)


def test_matrix_shows_every_pair_and_writes_the_numbers(tensors):
    a = layer_alignment(tensors)
    for name in ("log", "slope"):
        ax = layer_matrix(a, name).axes[0]
        np.testing.assert_array_equal(ax.images[0].get_array(), getattr(a, name))
        assert [label.get_text() for label in ax.get_yticklabels()] == list(a.names)
        assert len(ax.texts) == 16
        assert float(ax.texts[1].get_text().replace("−", "-")) == pytest.approx(getattr(a, name)[0, 1], abs=0.005)
    with pytest.raises(ValueError, match="'log'"):
        layer_matrix(a, "logarithm")


@pytest.mark.parametrize(("lowest", "expected"), [(0.2, (0, 1)), (-0.2, (-1, 1))])
def test_correlations_have_a_whole_scale(tensors, lowest, expected):
    a = layer_alignment(tensors)
    log = np.full((4, 4), 0.95)
    log[0, 1] = lowest
    assert layer_matrix(dataclasses.replace(a, log=log)).axes[0].images[0].get_clim() == expected


def test_names_at_the_ends_of_curves_stand_apart_in_their_order(tensors):
    fig = amplification_curves(layer_alignment(tensors), 1)
    fig.savefig(io.BytesIO(), format="png")
    ax = fig.axes[0]
    ends = {name: line.get_ydata()[-1] for name, line in zip("1234", ax.lines, strict=False)}
    boxes = {text.get_text()[6]: text.get_window_extent() for text in ax.texts}
    order = sorted(ends, key=ends.__getitem__)
    assert len(boxes) == 4
    assert all(boxes[low].y1 <= boxes[high].y0 + 2 for low, high in itertools.pairwise(order))
    assert all(box.x1 <= fig.bbox.x1 for box in boxes.values())
    assert next(text.get_text() for text in ax.texts if ":" in text.get_text()) == "layer 2: its own eigenvalues"


def test_own_eigenvalues_are_dotted(tensors):
    a = layer_alignment(tensors)
    dotted = [line for line in amplification_curves(a, 0, False, own=True).axes[0].lines if line.get_linestyle() == ":"]
    for line, values in zip(dotted, a.values[1:], strict=True):
        np.testing.assert_allclose(line.get_ydata(), values)


def test_undefined_cells_stay_blank():
    a = layer_alignment(np.stack([np.eye(3), np.diag([3.0, 2, 1])]))
    written = {text.get_position(): text.get_text() for text in layer_matrix(a).axes[0].texts}
    assert (0, 0) not in written  # a sphere has no correlation
    assert written[1, 1] == "1.00"


def test_curves_are_the_amplifications_of_one_frame(tensors):
    a = layer_alignment(tensors)
    lines = amplification_curves(a, "layer 2", normalised=False).axes[0].lines
    for j in range(4):
        np.testing.assert_allclose(lines[j].get_ydata(), a.amplification[1, j])
    np.testing.assert_allclose(lines[1].get_ydata(), a.values[1])
    scaled = amplification_curves(a).axes[0].lines
    assert [line.get_ydata().max() for line in scaled[:4]] == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="Did you mean 'layer 4'"):
        amplification_curves(a, "layer 7")


@pytest.mark.parametrize("source", [False, True])
def test_scatter_draws_points_and_their_regression(tensors, source):
    a = layer_alignment(tensors, source=source)
    panel = layer_scatter(a, 0, [3]).axes[0]
    points = next(line for line in panel.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_xdata(), a.values[0 if source else 3])
    np.testing.assert_allclose(points.get_ydata(), a.amplification[0, 3])
    fit = next(line for line in panel.lines if line.get_label().startswith("regression"))
    slope = np.diff(np.log10(fit.get_ydata())) / np.diff(np.log10(fit.get_xdata()))
    np.testing.assert_allclose(slope, a.slope[0, 3])
    assert f"r = {a.log[0, 3]:.2f}".replace("-", "−") in panel.get_title(loc="left")
    assert len([ax for ax in layer_scatter(a).axes if ax.get_visible()]) == 3
