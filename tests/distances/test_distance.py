"""The Distance type, pixels, and distances of one's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan import distances


def halves(params, x):
    return {"a": params * x[:2], "b": x[2:] ** 2}


def quartic(params, x, y):
    return params * jnp.sum((x - y) ** 2) + jnp.sum((x - y) ** 4)


def test_pixel_distances(rng):
    x, y = rng.standard_normal((2, 5, 4, 3)).astype(np.float32)
    assert float(distances.euclidean()(x, y)) == pytest.approx(((x - y) ** 2).sum(), rel=1e-6)
    assert float(distances.mse()(x, y)) == pytest.approx(((x - y) ** 2).mean(), rel=1e-6)


@pytest.mark.parametrize("make", [distances.euclidean, distances.mse, lambda: distances.features(halves, 3.0)])
def test_the_distance_is_the_squared_difference_of_embeddings(rng, make):
    D = make()
    x, y = rng.standard_normal((2, 6)).astype(np.float32)
    assert D.embed(x).ndim == 1
    assert float(D(x, y)) == pytest.approx(float(((D.embed(x) - D.embed(y)) ** 2).sum()), rel=1e-5)
    assert float(D(x, x)) < 1e-14


def test_a_function_of_ones_own_takes_its_weights(rng):
    x, y = rng.standard_normal((2, 6)).astype(np.float32)
    D = distances.from_function(quartic, 2.0)
    assert float(D(x, y)) == pytest.approx(2 * ((x - y) ** 2).sum() + ((x - y) ** 4).sum(), rel=1e-6)
    with pytest.raises(ValueError, match="no embedding"):
        D.embed(x)


def test_batches_are_vmap(rng):
    x, y = rng.standard_normal((2, 3, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(jax.vmap(distances.mse())(x, y), ((x - y) ** 2).mean((1, 2, 3)), rtol=1e-6)


def test_bad_samples_raise():
    D = distances.mse()
    with pytest.raises(ValueError, match=r"\(4, 4, 3\) and \(5, 4, 3\)"):
        D(np.zeros((4, 4, 3)), np.zeros((5, 4, 3)))
    with pytest.raises(TypeError, match="uint8"):
        D(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="1 NaN"):
        D(np.zeros(3), np.array([0.0, np.nan, 0.0]))
    with pytest.raises(TypeError, match="expected a function"):
        distances.features(3)


@pytest.mark.parametrize(
    "make",
    [
        distances.lpips,
        distances.ssim,
        lambda input_range: distances.spectrogram(8000, input_range=input_range),
        lambda input_range: distances.fisher("bernoulli", input_range=input_range),
    ],
    ids=["lpips", "ssim", "spectrogram", "fisher"],
)
def test_an_impossible_range_is_refused_alike(make):
    with pytest.raises(ValueError, match=r"input_range is \(1, 0\); expected \(low, high\) with low < high"):
        make(input_range=(1, 0))
