"""Pictures of directions: what they draw, and what films hold."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from geomgan import plot
from tests.plot.gallery import traversed, with_previews
from tests.plot.test_axes import BYTE, bars, labels


def images(figure, rows, columns, side=64, gap=3):
    """The images ``(rows, columns, h, w, 3)`` of a sheet, in [0, 1]."""
    sheet = np.asarray(figure.axes[0].images[0].get_array()) / 255
    places = [[(i * (side + gap), j * (side + gap)) for j in range(columns)] for i in range(rows)]
    return np.array([[sheet[y : y + side, x : x + side] for y, x in row] for row in places])


def test_a_strip_has_a_row_a_direction_and_says_how_far_it_leaves_the_prior():
    walked = traversed()
    figure = plot.traversal(walked, code=1)
    np.testing.assert_allclose(images(figure, 3, 7)[..., 0], (walked.samples[1, ..., 0] + 1) / 2, atol=BYTE)
    shown, rows = labels(figure)
    assert rows == ["smile", "hair colour", "axis 3"]
    assert (shown[0], shown[3], shown[-1]) == ("−4.0", "0", "+4.0")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[0] == "−3.2 to 4.8"
    np.testing.assert_array_equal(bars(figure, 3, 7), np.abs(walked.sigmas[1]) > 3)
    assert "beyond 3 σ of the prior" in figure.axes[0].get_xlabel()
    inside = plot.traversal(dataclasses.replace(walked, sigmas=0.1 * walked.sigmas))
    assert "bar" not in inside.axes[0].get_xlabel()


def test_columns_in_distance_say_the_distance():
    figure = plot.traversal(traversed("distance"))
    assert labels(figure)[0][0] == "−0.100"
    assert "signed distance from the code under lpips-alex" in figure.axes[0].get_xlabel()
    with pytest.raises(ValueError, match="code is 2; expected one from 0 to 1"):
        plot.traversal(traversed(), code=2)


def test_previews_come_with_their_scores():
    found = with_previews()
    figure = plot.direction_previews(found, ["axis 3", 0])
    np.testing.assert_allclose(images(figure, 2, 5), found.previews[[2, 0]] / 255, atol=BYTE)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "score"]
    with pytest.raises(ValueError, match="no previews; make some with"):
        plot.direction_previews(dataclasses.replace(found, previews=None, preview_steps=None))


def test_a_film_has_codes_as_columns_and_directions_as_rows(tmp_path):
    walked = traversed()
    file = plot.traversal_film(tmp_path / "film.png", walked, size=64, caption="", progress=False)
    with Image.open(file) as film:
        assert film.n_frames == 2 * 7 - 1  # there and back
        film.seek(2)
        frame = np.asarray(film.convert("RGB"), float)
    assert frame.shape[1] == 2 * 64 + 3 * 10
    tops = [[_top(frame[:, 10 + 74 * i :][:, :64], walked.samples[i, j, 2, ..., 0]) for i in (0, 1)] for j in range(3)]
    assert all(left == right for left, right in tops)
    assert np.diff(np.array(tops)[:, 0]).min() > 64
    closed = dataclasses.replace(walked, steps=np.tile([0, 3, 4, 3, 0, -4, 0], (2, 3, 1)))
    with Image.open(plot.traversal_film(tmp_path / "closed.png", closed, size=64, progress=False)) as film:
        assert film.n_frames == 7


def _top(column, sample):
    """The row at which the only image of a column that looks like a sample begins."""
    fits = [
        top
        for top in range(len(column) - 63)
        if np.allclose(column[top : top + 64, :, 0] / 127.5 - 1, sample, atol=0.01)
    ]
    assert len(fits) == 1
    return fits[0]
