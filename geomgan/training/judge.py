"""What the digit classifier, trained apart, says of images: are they digits, are they all of them, are they alike.

It is the judge of the small models. For photographs the usual judge is Inception's network, and the distance the FID.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.classifiers import load_digits
from geomgan.errors import check_finite
from geomgan.generators.layers import ACTIVATIONS
from geomgan.models.digit_classifier import DigitClassifier

CONFIDENT = 0.9  # an image counts as a digit when the classifier's largest probability is above
FEATURES = "dense1"
_SIDES = {28: 2, 32: 0}  # the border of background that makes them 32


def judged(images: Any, classifier: Any = None) -> dict[str, Any]:
    """How the digit classifier judges grey images in ``(-1, 1)``.

    Args:
        images: ``(n, 32, 32, 1)`` or ``(n, 28, 28, 1)``.
        classifier: its ``params``; by default of the one that ships with geomgan.

    Returns:
        ``samples``, how many; ``confident_share``, of those with a largest probability above 0.9; ``digit_shares``,
        for each digit the share of images whose most probable class it is; ``digit_entropy``, that of these shares as
        a fraction of ``log 10``: 1 where all digits are equally frequent, 0 where there is only one.

    Raises:
        ValueError: the images have another shape, or are not finite.
    """
    likely = probabilities(images, classifier)
    shares = np.bincount(likely.argmax(1), minlength=10) / len(likely)
    seen = shares[shares > 0]
    return {
        "samples": len(likely),
        "confident_share": round(float((likely.max(1) > CONFIDENT).mean()), 4),
        "digit_shares": [round(float(share), 4) for share in shares],
        "digit_entropy": round(float(-(seen * np.log(seen)).sum() / np.log(10)) + 0.0, 4),
    }


def digit_features(images: Any, classifier: Any = None) -> np.ndarray:
    """The 128 features ``dense1`` of the digit classifier for images as in :func:`judged`: ``(n, 128)`` float32."""
    return _pass(images, classifier)[0]


def probabilities(images: Any, classifier: Any = None) -> np.ndarray:
    """The digit classifier's probabilities ``(n, 10)`` for images as in :func:`judged`."""
    return _pass(images, classifier)[1]


def frechet_distance(a: Any, b: Any) -> float:
    """The Fréchet distance between two sets of features, as between two normal laws.

    ``‖m_a - m_b‖² + tr(S_a + S_b - 2 (S_a^½ S_b S_a^½)^½)`` with means and covariances (divided by ``n - 1``), in
    float64. On the features of the digit classifier it judges digits; on Inception's it is the FID. It is not
    free of the number of images: compare sets of one size.

    Args:
        a: features ``(n, k)``.
        b: features ``(m, k)``.

    Raises:
        ValueError: they are not two stacks of features of one length with at least two rows, or not finite.

    Source:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, equation 6.
    """
    x, y = (np.asarray(features, np.float64) for features in (a, b))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1:] != y.shape[1:] or min(len(x), len(y)) < 2:
        raise ValueError(
            f"features have shapes {x.shape} and {y.shape}; expected (n, k) and (m, k), at least two rows each. "
            "digit_features makes them of images."
        )
    check_finite(x, "a")
    check_finite(y, "b")
    ours, theirs = np.cov(x, rowvar=False).reshape(x.shape[1], -1), np.cov(y, rowvar=False).reshape(x.shape[1], -1)
    root = _root(ours)
    product = np.linalg.eigvalsh(root @ theirs @ root)  # of the same trace as (S_a S_b)^½, and symmetric
    apart = float(np.sum((x.mean(0) - y.mean(0)) ** 2))
    spread = np.trace(ours) + np.trace(theirs) - 2 * np.sqrt(product.clip(0)).sum()
    return apart + max(0.0, float(spread))


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _pass(images: Any, classifier: Any, batch: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """Features and class probabilities, ``batch`` images at a time."""
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or images.shape[1] not in _SIDES or images.shape[1:] != (images.shape[1],) * 2 + (1,):
        raise ValueError(
            f"images have shape {images.shape}; expected (n, 32, 32, 1) or (n, 28, 28, 1): grey digits in (-1, 1)."
        )
    if len(images) == 0:
        raise ValueError("there are no images; expected at least one.")
    check_finite(images, "images")
    border = _SIDES[images.shape[1]]
    images = np.pad(images, ((0, 0), (border, border), (border, border), (0, 0)), constant_values=-1)
    params = load_digits() if classifier is None else classifier
    parts = [_features_and_probabilities(params, images[i : i + batch]) for i in range(0, len(images), batch)]
    features, likely = zip(*parts, strict=True)
    return np.concatenate(features), np.concatenate(likely)


@jax.jit
def _features_and_probabilities(params: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    def one(image):
        logits, state = DigitClassifier().apply({"params": params}, image, mutable=[ACTIVATIONS])
        return state[ACTIVATIONS][FEATURES], jax.nn.softmax(logits)

    return jax.vmap(one)(jnp.asarray(images))
