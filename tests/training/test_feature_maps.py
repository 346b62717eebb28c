import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import OptionError
from geomgan.training.datasets import Images
from geomgan.training.feature_maps import feature_map


@pytest.fixture(scope="module")
def images():
    """Two classes: a bright upper and a bright lower half, with noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(np.int32)
    x = rng.integers(0, 80, (200, 28, 28, 1)).astype(np.uint8)
    for image, label in zip(x, labels, strict=True):
        image[14 * label : 14 * label + 14] += 120
    return Images(x[:160], labels[:160], x[160:], labels[160:], ("up", "down"))


@pytest.mark.parametrize(("kind", "size"), [("logreg", 2), ("lenet", 84)])
def test_a_feature_map_tells_classes_apart_and_is_a_distance(images, kind, size):
    D, accuracy = feature_map(kind, images, jax.random.key(0), epochs=8, batch=16, progress=False)
    assert accuracy >= 0.95
    x, y = images.test_images[:2].astype(np.float32) / 127.5 - 1
    embed = np.asarray(D.embed(x))
    assert embed.size == size
    assert float(D(x, y)) == pytest.approx(float(np.sum((embed - np.asarray(D.embed(y))) ** 2)), rel=1e-4)
    if kind == "logreg":
        assert np.exp(embed).sum() == pytest.approx(1, rel=1e-5)
        g = np.asarray(gg.metric_tensor(gg.load("digits-bigan"), D, np.zeros(16, np.float32)), np.float64)
        assert np.linalg.matrix_rank(g, tol=1e-3 * np.trace(g)) == 1  # two classes have one log-ratio


def test_one_class_and_other_kinds_are_refused(images):
    with pytest.raises(OptionError, match=r"kind='lenett' is not known\. Did you mean 'lenet'"):
        feature_map("lenett", images, jax.random.key(0))
    with pytest.raises(ValueError, match="all of the class 'up'; expected at least two"):
        feature_map("logreg", images._replace(classes=("up",)), jax.random.key(0))
