"""What the digit classifier that ships with geomgan says of pictures of digits."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import in_float32
from geomgan.directions.attributes.attribute import Attribute
from geomgan.distances.classifiers import DIGIT_SIDE, classifier_features
from geomgan.distances.distance import Distance, embed_tree

PUBLISHED_SIDE = 28  # of MNIST, whose digits have a border of two pixels more here


def probabilities(images: np.ndarray) -> np.ndarray:
    """``(n, 10)``, how probable each digit is in grey pictures of 28 or 32 pixels a side.

    Raises:
        ValueError: pictures are of another size.
    """
    side = images.shape[1]
    if images.shape[1:3] not in ((DIGIT_SIDE,) * 2, (PUBLISHED_SIDE,) * 2):
        raise ValueError(
            f"pictures have {images.shape[1]} x {images.shape[2]} pixels; the digit classifier knows digits of 28 or "
            "32 pixels a side. Leave the attributes 'digit' and 'digits' out."
        )
    border = (DIGIT_SIDE - side) // 2
    grey = np.pad(2 * images[..., :1] - 1, ((0, 0), (border,) * 2, (border,) * 2, (0, 0)), constant_values=-1)
    return np.asarray(jax.nn.softmax(_logits(_classifier(), grey.astype(np.float32))))


def digit(images: np.ndarray) -> np.ndarray:
    """The most probable digit."""
    return probabilities(images).argmax(axis=1)


@functools.cache
def _classifier() -> Distance:
    return classifier_features("digits", "logits")


@jax.jit
def _logits(D: Distance, images: Any) -> jax.Array:
    with in_float32():
        return jnp.stack(jax.tree.leaves(jax.vmap(functools.partial(embed_tree, D))(images)))[0]


DIGITS = {
    "digit": Attribute(digit, ("digit",), ((0.0, 9.0),)),
    "digits": Attribute(probabilities, tuple(f"digit {i}" for i in range(10)), ((0.0, 1.0),) * 10),
}
