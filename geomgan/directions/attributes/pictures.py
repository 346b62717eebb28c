"""Attributes of any picture, without a network.

Light is luma, ``0.2126 R + 0.7152 G + 0.0722 B``. What is drawn is how far the luma is from that of the ground, the
median of the picture's border; positions are in sides of the picture, from its middle, right and down.

``brightness``   mean luma;
``contrast``     standard deviation of the luma;
``hue``          direction of the mean chroma, in turns: red 0, green 1/3, blue 2/3; none for grey pictures;
``saturation``   mean of ``(max - min) / max`` of the three channels;
``sharpness``    variance of the luma's Laplacian (Pech-Pacheco et al., 2000);
``centroid``     mean position of what is drawn, ``x`` and ``y``;
``size``         root mean square distance of what is drawn from its centroid;
``orientation``  of its longest axis, in degrees from right towards down, within ±90; none where it has no longest;
``symmetry``     correlation of the luma with that of the mirrored picture;
``thickness``    of strokes, in pixels: twice their area over their perimeter, ``2 Σ I / Σ |∇I|`` of what is drawn.
"""

from __future__ import annotations

import numpy as np

from geomgan.directions.attributes.attribute import Attribute

LUMA = np.array([0.2126, 0.7152, 0.0722])
GREY, ROUND, BLANK = 1e-3, 1e-3, 1e-3  # chroma, difference of axes, and strength below which there is nothing to say


def luma(images: np.ndarray) -> np.ndarray:
    """``(n, H, W)``, in float64."""
    return np.asarray(images, np.float64) @ LUMA


def drawn(images: np.ndarray) -> np.ndarray:
    """How far each pixel is from the ground, ``(n, H, W)``."""
    light = luma(images)
    border = np.concatenate([light[:, 0], light[:, -1], light[:, :, 0], light[:, :, -1]], axis=1)
    return np.abs(light - np.median(border, axis=1)[:, None, None])


def brightness(images: np.ndarray) -> np.ndarray:
    """Mean luma."""
    return luma(images).mean(axis=(1, 2))


def contrast(images: np.ndarray) -> np.ndarray:
    """Standard deviation of the luma."""
    return luma(images).std(axis=(1, 2))


def hue(images: np.ndarray) -> np.ndarray:
    """Direction of the mean chroma, in turns."""
    red, green, blue = np.moveaxis(np.asarray(images, np.float64).mean(axis=(1, 2)), -1, 0)
    across, up = red - (green + blue) / 2, np.sqrt(3) / 2 * (green - blue)
    turns = np.arctan2(up, across) / (2 * np.pi) % 1
    return np.where(np.hypot(across, up) > GREY, turns, np.nan)


def saturation(images: np.ndarray) -> np.ndarray:
    """Mean of ``(max - min) / max``."""
    images = np.asarray(images, np.float64)
    most = images.max(axis=-1)
    share = (most - images.min(axis=-1)) / np.where(most > 0, most, 1)
    return share.mean(axis=(1, 2))


def sharpness(images: np.ndarray) -> np.ndarray:
    """Variance of the luma's Laplacian."""
    x = luma(images)
    inner = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:] - 4 * x[:, 1:-1, 1:-1]
    return inner.var(axis=(1, 2))


def moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroid ``(n, 2)`` and covariance ``(n, 2, 2)`` of what is drawn; NaN where nothing is."""
    ink = drawn(images)
    places = [(np.arange(size) + 0.5) / size - 0.5 for size in ink.shape[1:]]
    grid = np.stack(np.broadcast_arrays(places[1][None, :], places[0][:, None]), axis=-1)
    total = ink.sum(axis=(1, 2))
    weights = ink / np.where(ink.mean(axis=(1, 2)) > BLANK, total, np.nan)[:, None, None]
    centre = np.einsum("nhw,hwi->ni", weights, grid)
    second = np.einsum("nhw,hwi,hwj->nij", weights, grid, grid)
    return centre, second - centre[:, :, None] * centre[:, None, :]


def centroid(images: np.ndarray) -> np.ndarray:
    """``(n, 2)``: mean position of what is drawn."""
    return moments(images)[0]


def size(images: np.ndarray) -> np.ndarray:
    """Root mean square distance of what is drawn from its centroid."""
    return np.sqrt(np.trace(moments(images)[1], axis1=1, axis2=2))


def orientation(images: np.ndarray) -> np.ndarray:
    """Angle of the longest axis of what is drawn, in degrees."""
    _, covariance = moments(images)
    difference, mixed = covariance[:, 0, 0] - covariance[:, 1, 1], 2 * covariance[:, 0, 1]
    longest = np.hypot(difference, mixed) > ROUND * np.trace(covariance, axis1=1, axis2=2)
    return np.where(longest, np.degrees(np.arctan2(mixed, difference)) / 2, np.nan)


def symmetry(images: np.ndarray) -> np.ndarray:
    """Correlation of the luma with that of the mirrored picture."""
    x = luma(images)
    x = x - x.mean(axis=(1, 2), keepdims=True)
    power = np.square(x).mean(axis=(1, 2))
    return (x * x[:, :, ::-1]).mean(axis=(1, 2)) / np.where(power > BLANK**2, power, np.nan)


def thickness(images: np.ndarray) -> np.ndarray:
    """Mean width of strokes, in pixels."""
    ink = np.pad(drawn(images), ((0, 0), (1, 1), (1, 1)))
    down, right = np.diff(ink, axis=1)[:, :, :-1], np.diff(ink, axis=2)[:, :-1]
    edges = np.hypot(down, right).sum(axis=(1, 2))
    return 2 * ink.sum(axis=(1, 2)) / np.where(edges > BLANK, edges, np.nan)


_UNIT = (0.0, 1.0)
PICTURES = {
    "brightness": Attribute(brightness, ("brightness",), (_UNIT,)),
    "contrast": Attribute(contrast, ("contrast",), ((0.0, 0.5),)),
    "hue": Attribute(hue, ("hue",), (_UNIT,), (1.0,)),
    "saturation": Attribute(saturation, ("saturation",), (_UNIT,)),
    "sharpness": Attribute(sharpness, ("sharpness",), (_UNIT,)),
    "centroid": Attribute(centroid, ("centroid x", "centroid y"), ((-0.5, 0.5),) * 2),
    "size": Attribute(size, ("size",), ((0.0, 0.5),)),
    "orientation": Attribute(orientation, ("orientation",), ((-90.0, 90.0),), (180.0,)),
    "symmetry": Attribute(symmetry, ("symmetry",), ((-1.0, 1.0),)),
    "thickness": Attribute(thickness, ("thickness",), ((0.0, 8.0),)),
}
