"""Masks and channel weights of the pixel distances, against their sums in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.distances import basic
from tests.oracles import half_hessian
from tests.small_models import in_float64, largest_difference, smooth_generator

SHAPE = (16, 16, 3)
LUMA = (0.299, 0.587, 0.114)
MASK = np.linspace(0, 1, 256).reshape(16, 16)
WEIGHTS = {
    "mask": {"mask": MASK},
    "sample-shaped": {"mask": MASK[..., None] * [1.0, 0.5, 0.0]},
    "a row": {"mask": MASK[:1, :, None]},
    "yes or no": {"mask": MASK > 0.5},
    "luma": {"channel_weights": LUMA},
    "both": {"mask": MASK, "channel_weights": LUMA},
}
weighted = pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS.keys())
both = pytest.mark.parametrize("make", [gg.distances.mse, gg.distances.euclidean])


def products(mask=1.0, channel_weights=1.0):
    """``m w`` for every value of a sample of ``SHAPE``."""
    mask = np.asarray(mask, float)
    return np.broadcast_to((mask[..., None] if mask.ndim == 2 else mask) * np.asarray(channel_weights), SHAPE)


@weighted
def test_weighted_sums_and_means(rng, weights):
    x, y = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    m = products(**weights)
    total = (m * (x - y) ** 2).sum()
    assert float(gg.distances.euclidean(**weights)(x, y)) == pytest.approx(total, rel=1e-5)
    assert float(gg.distances.mse(**weights)(x, y)) == pytest.approx(total / m.sum(), rel=1e-5)


def test_the_masked_mse_of_gan_geometry(rng):
    x, y = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    expected = (((x - y) ** 2).mean(axis=-1) * MASK).sum() / MASK.sum()
    assert float(gg.distances.mse(mask=MASK)(x, y)) == pytest.approx(expected, rel=1e-5)


def test_masks_of_audio_and_of_vectors(rng):
    x, y = rng.standard_normal((2, 50, 2)).astype(np.float32)
    half = np.arange(50) < 25
    expected = ((x - y)[:25] ** 2).sum()
    assert float(gg.distances.euclidean(mask=half)(x, y)) == pytest.approx(expected, rel=1e-5)
    expected = ((x - y)[:25, 0] ** 2).sum()
    assert float(gg.distances.euclidean(mask=half)(x[:, 0], y[:, 0])) == pytest.approx(expected, rel=1e-5)


def test_without_arguments_nothing_has_changed():
    for D, name, embedding in (
        (gg.distances.mse(), "mse", basic._scaled),
        (gg.distances.euclidean(), "euclidean", basic._identity),
    ):
        assert (D.name, D.embedding, D.params, D.check_shape) == (name, embedding, (), None)


@both
def test_ones_are_no_weights(rng, make):
    x, y = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    assert float(make(np.ones((16, 16)), np.ones(3))(x, y)) == pytest.approx(float(make()(x, y)), rel=1e-6)


@both
@weighted
def test_embedding_symmetry_and_diagonal(rng, make, weights):
    D = make(**weights)
    x, y = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    assert float(D(x, y)) == pytest.approx(float(((D.embed(x) - D.embed(y)) ** 2).sum()), rel=1e-6)
    assert float(D(x, y)) == pytest.approx(float(D(y, x)), rel=1e-6)
    assert float(D(x, x)) < 1e-13 * float(D(x, y))


@both
@weighted
def test_metric_is_half_the_hessian_in_float64(rng, float64, make, weights):
    G, D = in_float64(smooth_generator()), make(**weights)
    z = rng.standard_normal(6)
    g = gg.metric_tensor(G, D, z)
    assert largest_difference(g, half_hessian(G, D, z)) < 1e-6
    m = products(**weights)
    J = jax.jacfwd(lambda z: G(z).ravel())(z)
    scale = m.sum() if make is gg.distances.mse else 1
    assert largest_difference(g, J.T @ (m.reshape(-1, 1) * J) / scale) < 1e-6


@both
@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_derivatives_are_finite_on_constant_images_and_in_the_weights(make, value):
    D, image = make(**WEIGHTS["both"]), jnp.full(SHAPE, value)
    assert np.abs(jax.grad(D, argnums=1)(image, image)).max() < 1e-6
    assert np.isfinite(jax.jvp(D.embed, (image,), (jnp.ones_like(image),))[1]).all()
    slopes = jax.grad(lambda D: D(image, image + 0.1))(D).params
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


@both
def test_transformations(rng, make):
    D = make(**WEIGHTS["both"])
    x, y, v = rng.standard_normal((3, 2, *SHAPE)).astype(np.float32)
    expected = [float(D(*pair)) for pair in zip(x, y, strict=True)]
    np.testing.assert_allclose(jax.jit(jax.vmap(D))(x, y), expected, rtol=1e-5)
    slope = float(jax.jvp(lambda y: D(x[0], y), (y[0],), (v[0],))[1])
    assert float(jnp.vdot(jax.grad(D, argnums=1)(x[0], y[0]), v[0])) == pytest.approx(slope, rel=1e-4)


def test_masks_are_arguments_of_compiled_programs(rng):
    x, y = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    compiled = jax.jit(lambda D, x, y: D(x, y))
    values = [float(compiled(gg.distances.mse(mask=mask), x, y)) for mask in (MASK, 1 - MASK, MASK**2)]
    assert compiled._cache_size() == 1
    assert len(set(values)) == 3


@both
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"mask": MASK - 0.5}, "the mask of .*-weighted has values from -0.5 to 0.5; expected 0 to 1"),
        ({"mask": 255 * MASK}, "from 0 to 255; expected 0 to 1"),
        ({"mask": np.zeros((16, 16))}, "the mask .* has no value above zero"),
        ({"mask": np.full((16, 16), np.nan)}, "nan"),
        ({"channel_weights": (1, -1, 0)}, "channel_weights .* from -1 to 1; expected 0 or more"),
        ({"channel_weights": (0, 0, 0)}, "no value above zero"),
        ({"channel_weights": ()}, "no value above zero"),
        ({"channel_weights": (1, np.inf)}, "from 1 to inf"),
        ({"channel_weights": np.ones((16, 3))}, r"\(16, 3\); expected \(C,\)"),
    ],
)
def test_bad_weights(make, weights, message):
    with pytest.raises(ValueError, match=message):
        make(**weights)


@both
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"channel_weights": (1, 1)}, r"\(16, 16, 3\); expected 2 channels"),
        ({"mask": np.ones((8, 16))}, r"its mask \(8, 16\) expected that shape"),
        ({"mask": np.ones((16, 16, 1, 1))}, "Resize or transpose the mask"),
        ({"mask": np.ones(16)}, r"its mask \(16,\)"),
        ({"mask": np.ones(SHAPE) * [0, 1, 1], "channel_weights": (1, 0, 0)}, "nothing to compare"),
    ],
)
def test_samples_that_do_not_fit(make, weights, message):
    D = make(**weights)
    with pytest.raises(ValueError, match=message):
        D(np.zeros(SHAPE), np.zeros(SHAPE))
    with pytest.raises(ValueError, match=message):
        gg.metric_tensor(smooth_generator(), D, np.zeros(6))
