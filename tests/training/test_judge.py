import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan import training
from tests.fixtures import ASSETS, needs_assets


@pytest.fixture(scope="module")
def images():
    G = gg.load("digits-dcgan")
    return np.asarray(jax.jit(jax.vmap(G.function, (None, 0)))(G.params, G.sample_latent(jax.random.key(5), 100)))


def test_the_judgement_is_the_classifiers(images):
    classifier = gg.load("digits-classifier")
    p = np.asarray(jax.nn.softmax(jax.vmap(classifier)(images)))
    said = training.judged(images)
    assert said["samples"] == 100
    assert said["confident_share"] == round((p.max(1) > 0.9).mean(), 4)
    counts = np.bincount(p.argmax(1), minlength=10)
    assert said["digit_shares"] == [round(count / 100, 4) for count in counts]
    shares = counts[counts > 0] / 100
    assert said["digit_entropy"] == pytest.approx(-(shares * np.log10(shares)).sum(), abs=1e-4)
    alike = training.judged(np.repeat(images[:1], 3, 0))
    assert (alike["digit_entropy"], max(alike["digit_shares"])) == (0, 1)


def test_images_of_28_pixels_get_a_border_of_background(images):
    inner = np.full_like(images, -1)
    inner[:, 2:30, 2:30] = images[:, 2:30, 2:30]
    np.testing.assert_array_equal(training.digit_features(images[:, 2:30, 2:30]), training.digit_features(inner))


def test_the_frechet_distance_of_normal_laws(rng):
    """Diagonal covariances: ``Σ (m_a - m_b)² + Σ (s_a - s_b)²``; it does not depend on the frame."""
    k, n = 5, 400_000
    mean_a, mean_b = rng.normal(size=(2, k))
    scale_a, scale_b = rng.uniform(0.5, 2, (2, k))
    a, b = (m + s * rng.standard_normal((n, k)) for m, s in ((mean_a, scale_a), (mean_b, scale_b)))
    expected = ((mean_a - mean_b) ** 2).sum() + ((scale_a - scale_b) ** 2).sum()
    assert training.frechet_distance(a, b) == pytest.approx(expected, rel=0.01)
    Q, _ = np.linalg.qr(rng.normal(size=(k, k)))
    assert training.frechet_distance(a @ Q, b @ Q) == pytest.approx(training.frechet_distance(a, b), rel=1e-9)
    assert training.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert training.frechet_distance(a, a + 3) == pytest.approx(9 * k, rel=1e-9)


def test_the_frechet_distance_of_one_feature_and_of_fewer_rows_than_features(rng):
    a, b = rng.normal(size=(50, 1)), 2 + 3 * rng.normal(size=(40, 1))
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert training.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    few = rng.normal(size=(4, 20))
    assert training.frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


@needs_assets
def test_real_digits_are_nearer_to_real_digits_than_to_samples(images):
    real = training.load_mnist(ASSETS / "mnist").test_images
    a, b, samples = (training.digit_features(x) for x in (real[::100], real[50::100], images))
    assert training.frechet_distance(a, b) < 0.7 * training.frechet_distance(a, samples)


@pytest.mark.parametrize(
    ("shape", "message"), [((3, 30, 30, 1), r"expected \(n, 32, 32, 1\) or"), ((0, 28, 28, 1), "no images")]
)
def test_other_images_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        training.judged(np.zeros(shape))
    with pytest.raises(ValueError, match="images holds 1 NaN"):
        training.judged(np.pad([[[[np.nan]]]], ((0, 0), (0, 27), (0, 27), (0, 0))))


@pytest.mark.parametrize("shapes", [((3, 4), (3, 5)), ((1, 4), (3, 4)), ((3,), (3, 4))])
def test_other_features_are_refused(shapes):
    with pytest.raises(ValueError, match=r"expected \(n, k\) and \(m, k\), at least two rows"):
        training.frechet_distance(*map(np.zeros, shapes))
