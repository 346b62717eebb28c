"""Attributes of pictures whose attributes are known."""

import numpy as np
import pytest

from geomgan.directions.attributes import measure_attributes, named_attributes
from geomgan.errors import OptionError


def disc(x, y, rx, ry, degrees=0.0, side=64, colour=(1.0, 1.0, 1.0)):
    """A smooth-edged ellipse on black; positions and radii in sides."""
    places = (np.arange(side) + 0.5) / side - 0.5
    across, down = places[None, :] - x, places[:, None] - y
    turn = np.radians(degrees)
    u, v = np.cos(turn) * across + np.sin(turn) * down, -np.sin(turn) * across + np.cos(turn) * down
    inside = np.clip((1 - np.hypot(u / rx, v / ry)) * min(rx, ry) * side + 0.5, 0, 1)
    return inside[..., None] * np.asarray(colour)


def values(images, *names):
    found = measure_attributes(np.stack(images), named_attributes(names), (0, 1))
    return found.values.T


def test_where_how_large_and_which_way():
    x, y, size, angle = values(
        [disc(0.1, -0.2, 0.2, 0.2), disc(0, 0, 0.3, 0.1, 30), disc(-0.1, 0.05, 0.1, 0.25, 0)],
        "centroid", "size", "orientation",
    )  # fmt: skip
    np.testing.assert_allclose(x, [0.1, 0, -0.1], atol=1e-3)
    np.testing.assert_allclose(y, [-0.2, 0, 0.05], atol=1e-3)
    np.testing.assert_allclose(size, [0.2 / 2**0.5, np.hypot(0.3, 0.1) / 2, np.hypot(0.1, 0.25) / 2], rtol=0.03)
    assert np.isnan(angle[0])  # a circle has no longest axis
    np.testing.assert_allclose(angle[1], 30, atol=0.5)
    np.testing.assert_allclose(abs(angle[2]), 90, atol=0.5)


def test_light_and_colour():
    images = [np.full((8, 8, 3), colour) for colour in ([1, 0, 0], [0, 1, 0], [0.2, 0.2, 0.8], [0.5, 0.5, 0.5])]
    light, hue, saturation, contrast = values(images, "brightness", "hue", "saturation", "contrast")
    np.testing.assert_allclose(light, [0.2126, 0.7152, 0.2 + 0.6 * 0.0722, 0.5], rtol=1e-5)
    np.testing.assert_allclose(hue, [0, 1 / 3, 2 / 3, np.nan], atol=1e-6)
    np.testing.assert_allclose(saturation, [1, 1, 0.75, 0], atol=1e-6)
    np.testing.assert_allclose(contrast, 0, atol=1e-7)
    board = np.indices((8, 8)).sum(0)[..., None] % 2 * np.ones(3)
    assert values([board], "contrast")[0, 0] == pytest.approx(0.5)
    assert values([board], "sharpness")[0, 0] == pytest.approx(16)  # the Laplacian is ±4


def test_symmetry_is_that_of_left_and_right():
    ramp = np.tile(np.linspace(0, 1, 16)[None, :, None], (16, 1, 3))
    np.testing.assert_allclose(values([ramp, ramp.swapaxes(0, 1)], "symmetry")[0], [-1, 1], atol=1e-6)


@pytest.mark.parametrize("width", [3.0, 6.0])
def test_thickness_of_a_long_stroke(width):
    side = 64
    profile = np.clip(width / 2 + 0.5 - np.abs(np.arange(side) - 31.5), 0, 1)
    stroke = np.zeros((side, side, 3))
    stroke[4:60] = profile[None, :, None]
    length = 56
    found = values([stroke], "thickness")[0, 0]
    assert found == pytest.approx(2 * width * length / (2 * length + 2 * width), rel=0.03)


def test_the_digit_classifier_knows_a_one():
    one = np.zeros((28, 28, 3))
    one[5:23, 13:15] = 1
    found = measure_attributes(one[None], named_attributes(["digit", "digits"]), (0, 1))
    row = dict(zip(found.names, found.values[0], strict=True))
    assert row["digit"] == 1
    assert row["digit 1"] > 0.9
    assert sum(row[f"digit {i}"] for i in range(10)) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="pictures have 64 x 64 pixels; the digit classifier knows"):
        values([disc(0, 0, 0.2, 0.2)], "digit")


def test_ones_own_attribute_relative_ones_and_missing_values():
    from geomgan.directions.attributes import Attribute

    rng = np.random.default_rng(0)
    walks = rng.uniform(-1, 1, (2, 3, 5, 4, 4, 1)).astype(np.float32)
    cut = lambda images: np.where(images[:, 0, 0, 0] > 0.5, images[:, 0, 0, 0], np.nan)
    same = Attribute(lambda images: images.reshape(len(images), -1), ("like",), ((0.0, 1.0),), relative=True)
    found = measure_attributes(walks, {"corner": cut, "identity": same}, centre=2)
    assert found.values.shape == (2, 3, 5, 2)
    assert found.missing == {"corner": int((walks[..., 0, 0, 0] <= 0).sum()), "like": 0}
    np.testing.assert_allclose(found.values[:, :, 2, 1], 1, rtol=1e-6)  # the code itself
    assert (found.values[:, :, [0, 4], 1] < 1).all()
    with pytest.raises(ValueError, match=r"the attribute 'bad' returned shape \(2,\) for 30 pictures"):
        measure_attributes(walks, {"bad": lambda images: np.zeros(2)})
    with pytest.raises(ValueError, match="two attributes are called 'like'"):
        measure_attributes(walks, {"a": same, "b": same})
    with pytest.raises(OptionError, match=r"attribute='brightnes' is not known\. Did you mean 'brightness'"):
        named_attributes(["brightnes"])
