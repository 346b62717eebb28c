"""Pictures of axes: what they draw."""

import dataclasses

import numpy as np
import pytest

import geomgan as gg
from geomgan import plot
from geomgan.paths.axes import equal_distance_walk, walk
from geomgan.plot.images import pixels
from tests.small_models import linear_generator, small_dcgan, smooth_generator

MSE = gg.distances.mse()
BYTE = 1.01 / 510  # half of the distance between two shades on the screen


@pytest.fixture(scope="module")
def G():
    return small_dcgan()


@pytest.fixture(scope="module")
def walks(G):
    return walk(G, MSE, np.ones(8), np.eye(8)[:, :3], np.linspace(-1, 1, 5))


def cells(figure, rows, columns):
    """The images ``(rows, columns, h, w, 3)`` of a sheet, in [0, 1]."""
    sheet = np.asarray(figure.axes[0].images[0].get_array()) / 255
    height, width = (-(-sheet.shape[0] // rows), -(-sheet.shape[1] // columns))
    padded = np.ones((rows * height, columns * width, 3))
    padded[: sheet.shape[0], : sheet.shape[1]] = sheet
    gap = rows * height - sheet.shape[0]
    grid = padded.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
    return grid[:, :, : height - gap, : width - gap]


def labels(figure):
    ax = figure.axes[0]
    return [tick.get_text() for tick in ax.get_xticklabels()], [tick.get_text() for tick in ax.get_yticklabels()]


def test_montage_has_a_row_an_axis_and_equal_distances(walks):
    figure = plot.axes_montage(walks, [3.0, 2.0, 0.00123], (-1, 1), step=0.1)
    np.testing.assert_allclose(cells(figure, 3, 5), (walks.samples + 1) / 2, atol=BYTE)
    assert labels(figure) == (
        ["−0.20", "−0.10", "0", "+0.10", "+0.20"],
        ["axis 1\nλ = 3", "axis 2\nλ = 2", "axis 3\nλ = 0.00123"],
    )
    (frame,) = figure.axes[0].patches  # around the reference
    assert frame.get_x() < figure.axes[0].get_xticks()[2] < frame.get_x() + frame.get_width()
    assert "signed distance from the framed reference, in equal steps of 0.1" in figure.axes[0].get_xlabel()
    assert figure.get_suptitle() == "Walks z + t v along eigenvectors v of the metric tensor under mse"
    assert [text.get_text() for text in figure.axes[0].texts][:3] == ["−1.0 to +1.0"] * 3


def bars(figure, rows, columns):
    """Which images have a bar under them, ``(rows, columns)``."""
    ax = figure.axes[0]
    found = np.zeros((rows, columns), bool)
    for collection in ax.collections:
        for (left, y), (right, _) in collection.get_segments():
            column = np.abs(np.array(ax.get_xticks()) - (left + right) / 2).argmin()
            row = np.flatnonzero(np.array(ax.get_yticks()) < y)[-1]
            found[row, column] = True
    return found


def test_each_row_says_how_many_trust_radii_it_goes_and_marks_what_is_beyond(walks):
    sides = np.array([[0.25, 0.5], [0.6, np.inf], [0.0, 2.0]])  # steps are -1, -0.5, 0, 0.5, 1
    figure = plot.axes_montage(walks, [3.0, 2.0, 1.0], (-1, 1), step=0.1, trust=sides)
    ax = figure.axes[0]
    assert [text.get_text().split("\n")[1] for text in ax.texts[:3]] == [
        "4 and 2 radii",
        "1.7 and <1 radii",
        "∞ and 0.5 radii",
    ]
    assert "trust radii" in ax.texts[3].get_text()
    assert "beyond the trust radius" in " ".join(ax.get_xlabel().split())
    expected = np.abs(walks.steps) > np.where(walks.steps < 0, sides[:, :1], sides[:, 1:])
    assert expected.tolist() == [[True, True, False, False, True], [True, False, False, False, False],
                                 [True, True, False, False, False]]  # fmt: skip
    np.testing.assert_array_equal(bars(figure, 3, 5), expected)
    assert not plot.axes_montage(walks, [3.0, 2.0, 1.0], (-1, 1), step=0.1).axes[0].collections
    for wrong in (sides[:2], sides[:, 0], -sides):
        with pytest.raises(ValueError, match=r"expected \(3, 2\), radii towards"):
            plot.axes_montage(walks, [3.0, 2.0, 1.0], trust=wrong)


def test_curves_mark_the_trust_radius_where_it_is_in_sight(walks):
    sides = np.array([[0.25, 0.5], [0.6, np.inf], [3.0, 2.0]])
    figure = plot.distance_curves(walks, [4.0, 2.0, 1.0], trust=sides)
    marked = [[x for one in ax.lines if one.get_label() == "trust radius" for x in one.get_xdata()[:1]]
              for ax in figure.axes]  # fmt: skip
    assert marked == [[-0.25, 0.5], [-0.6], []]


def test_montage_labels_steps_where_distances_differ(walks):
    figure = plot.axes_montage(walks, [3.0, 2.0, 1.0], ranks=(62, 63, 64))
    assert labels(figure)[0] == ["−1.00", "−0.50", "0", "+0.50", "+1.00"]
    assert labels(figure)[1][0] == "axis 62\nλ = 3"
    assert figure.axes[0].get_xlabel() == "step t (latent units); the reference is framed"
    first, last = walks.distances[0, [0, -1]]
    assert figure.axes[0].texts[0].get_text() == f"{first:#.2g}, {last:#.2g}"


def test_spherical_montage_says_so(G):
    walks = equal_distance_walk(G, MSE, np.ones(8), np.eye(8)[:, :2], 2, path="spherical")
    figure = plot.axes_montage(walks, [2.0, 1.0])
    assert "on the sphere" in figure.get_suptitle()
    assert f"in equal steps of {walks.gaps[0]:.3g}" in figure.axes[0].get_xlabel()
    assert "radians" in figure.axes[0].texts[-1].get_text()


def test_a_grid_without_a_range_has_one_scale(walks):
    shown = cells(plot.axes_montage(walks, [3.0, 2.0, 1.0], None), 3, 5)
    low, high = walks.samples.min(), walks.samples.max()
    np.testing.assert_allclose(shown, (walks.samples - low) / (high - low), atol=BYTE)


def test_one_axis_on_many_references(G, rng):
    v, codes = rng.standard_normal(8), rng.standard_normal((4, 8))
    walks = equal_distance_walk(G, MSE, codes, v[:, None], 2, reach=1.0)
    figure = plot.references_montage(walks, G.output_range, rank=3)
    np.testing.assert_allclose(cells(figure, 4, 5), np.clip((walks.samples + 1) / 2, 0, 1), atol=BYTE)
    np.testing.assert_allclose(cells(figure, 4, 5)[:, 2], [(np.asarray(G(z)) + 1) / 2 for z in codes], atol=BYTE)
    assert labels(figure)[1] == ["code 0", "code 1", "code 2", "code 3"]
    assert "rank 3" in figure.get_suptitle()
    walks = walk(G, MSE, codes, v[:, None], np.linspace(-0.5, 0.5, 5), path="spherical")
    equal = plot.references_montage(walks, labels="abcd")
    assert labels(equal) == (["−0.50", "−0.25", "0", "+0.25", "+0.50"], list("abcd"))
    with pytest.raises(ValueError, match="3 labels for 4 references"):
        plot.references_montage(walks, labels="abc")


def test_what_walked_and_drew_is_a_walk_and_a_figure(G, rng):
    v, codes = rng.standard_normal(8), rng.standard_normal((4, 8))
    names = r"paths\.axes\.equal_distance_walk\(G, D, codes, .*plot\.references_montage\(walks, G\.output_range\)"
    for spacing in ("distance", "step"):
        with pytest.warns(DeprecationWarning, match=names):
            figure = plot.axis_on_many(G, MSE, v, codes, side=2, rank=3, reach=1.0, spacing=spacing, progress=False)
        walks = (equal_distance_walk(G, MSE, codes, v[:, None], 2, reach=1.0) if spacing == "distance"
                 else walk(G, MSE, codes, v[:, None], np.linspace(-1, 1, 5)))  # fmt: skip
        expected = plot.references_montage(walks, G.output_range, rank=3)
        np.testing.assert_array_equal(cells(figure, 4, 5), cells(expected, 4, 5))
        assert labels(figure) == labels(expected)
        assert figure.get_suptitle() == expected.get_suptitle()


def test_the_whole_spectrum_page_by_page(G):
    with pytest.warns(
        DeprecationWarning, match=r"paths\.axes\.walk\(G, D, z, .*plot\.axes_montage\(walks, values\[part\]"
    ):
        pages = plot.spectrum_pages(G, MSE, np.ones(8), np.eye(8), np.arange(8, 0, -1), rows=3, side=1, progress=False)
    assert [len(labels(page)[1]) for page in pages] == [3, 3, 2]
    expected = walk(G, MSE, np.ones(8), np.eye(8)[:, 6:], [-3, 0, 3])
    np.testing.assert_allclose(cells(pages[2], 2, 3), np.clip((expected.samples + 1) / 2, 0, 1), atol=BYTE)
    assert labels(pages[2])[1] == ["axis 7\nλ = 2", "axis 8\nλ = 1"]
    assert "page 3 of 3" in pages[2].get_suptitle()


def test_large_images_are_reduced():
    ramp = np.linspace(0, 1, 90)[None, :, None] * np.ones((60, 1, 1))
    image = pixels(ramp, (0, 1), 30)
    assert image.shape == (20, 30, 3)
    np.testing.assert_allclose(image[10, 2:-2, 0] / 255, ramp[0, 7:-6:3, 0], atol=2 * BYTE)


def test_distance_curves_draw_measurement_and_prediction(walks):
    figure = plot.distance_curves(walks, [4.0, 2.0, 1.0])
    _, predicted, measured = figure.axes[0].lines
    np.testing.assert_allclose(predicted.get_ydata(), 2 * np.abs(np.linspace(-1, 1, 5)), atol=1e-6)
    np.testing.assert_allclose(measured.get_ydata(), walks.distances[0])
    assert figure.axes[0].get_title(loc="left") == "axis 1, λ = 4"


def test_spherical_curves_predict_only_what_is_known():
    G, z, t = smooth_generator(), np.ones(6), np.linspace(-0.5, 0.5, 9)
    walks = walk(G, MSE, z, np.eye(6)[:, :5], t, path="spherical")
    unknown = plot.distance_curves(walks, np.ones(5))
    assert [len(ax.lines) for ax in unknown.axes] == [2] * 5 + [0]
    known = plot.distance_curves(walks, np.ones(5), speeds=[2.0, 1, 1, 1, 1])
    np.testing.assert_allclose(known.axes[0].lines[1].get_ydata(), 2 * np.abs(t), rtol=1e-6)
    assert known.axes[3].get_xlabel() == "angle t (radians)"
    with pytest.raises(ValueError, match="2 speeds for 5 axes"):
        plot.distance_curves(walks, np.ones(5), speeds=[1.0, 2.0])


def test_samples_that_are_no_images():
    G = linear_generator(np.ones((20, 4), np.float32))
    walks = walk(G, MSE, np.zeros(4), np.eye(4), [-1.0, 0, 1])
    message = r"samples have shape \(20,\); expected images .*plot.distance_curves"
    with pytest.raises(ValueError, match=message):
        plot.axes_montage(walks, np.ones(4))
    with pytest.raises(ValueError, match=message):
        plot.references_montage(walks)
    with (
        pytest.raises(ValueError, match=message),
        pytest.warns(DeprecationWarning, match="walks and draws"),
    ):
        plot.axis_on_many(G, MSE, np.ones(4), np.zeros((2, 4)))
    with (
        pytest.raises(ValueError, match=message),
        pytest.warns(DeprecationWarning, match="walks and draws"),
    ):
        plot.spectrum_pages(G, MSE, np.zeros(4), np.eye(4), np.ones(4))
    assert len(plot.distance_curves(walks, np.ones(4)).axes) == 4


def test_bad_pictures_are_explained(G, walks):
    with pytest.raises(ValueError, match=r"values of shape \(2,\)"):
        plot.axes_montage(walks, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"ranks of shape \(1,\)"):
        plot.axes_montage(walks, np.ones(3), ranks=[1])
    with pytest.raises(ValueError, match="integers from 1"):
        plot.distance_curves(walks, np.ones(3), ranks=[0, 1, 2])
    with pytest.raises(ValueError, match="not in the middle"):
        plot.axes_montage(walk(G, MSE, np.ones(8), np.eye(8)[:, :1], [0.0, 1, 2]), [1.0], step=0.1)
    with (
        pytest.raises(ValueError, match=r"take a column, vectors\[:, i\]"),
        pytest.warns(DeprecationWarning, match="walks and draws"),
    ):
        plot.axis_on_many(G, MSE, np.eye(8), np.ones((2, 8)))
    with (
        pytest.raises(ValueError, match="3 labels for 2 references"),
        pytest.warns(DeprecationWarning, match="walks and draws"),
    ):
        plot.axis_on_many(G, MSE, np.ones(8), np.ones((2, 8)), labels="abc")
    with (
        pytest.raises(ValueError, match="spacing='equal' is not known"),
        pytest.warns(DeprecationWarning, match="walks and draws"),
    ):
        plot.axis_on_many(G, MSE, np.ones(8), np.ones((2, 8)), spacing="equal")
    with pytest.raises(ValueError, match="rows is 0"), pytest.warns(DeprecationWarning, match="walks and draws"):
        plot.spectrum_pages(G, MSE, np.ones(8), np.eye(8), np.ones(8), rows=0)


def test_paths_of_another_kind_are_named(walks):
    other = dataclasses.replace(walks, path="Spline")
    assert "along paths (Spline)" in plot.axes_montage(other, [3.0, 2, 1]).get_suptitle()
    assert plot.axes_montage(other, [3.0, 2, 1]).axes[0].get_xlabel().startswith("t along the path")
