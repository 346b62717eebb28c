"""Complex features, of Fourier transforms: real and imaginary parts count, wherever an embedding is taken."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import distances
from tests.small_models import largest_difference, linear_generator, smooth_generator

EUCLIDEAN = distances.euclidean()


def fft(params, x):
    return jnp.fft.fftn(x)


def rfft(params, x):
    """Half a spectrum, weighted so that Parseval's theorem holds for it."""
    n = x.shape[-1]
    weights = np.full(n // 2 + 1, 2.0)
    weights[0] = 1
    weights[-1] = 1 if n % 2 == 0 else 2
    return jnp.fft.rfft(x) * jnp.sqrt(jnp.asarray(weights, x.dtype))


def mixed(params, x):
    return {"spectrum": jnp.fft.fft(x), "samples": [2 * x, x[:1] * 1j]}


def complex_weights(params, x):
    return params @ x


@pytest.mark.parametrize(("fn", "factor"), [(fft, 20), (rfft, 20), (mixed, 24)])
def test_parseval(rng, fn, factor):
    """``|F x - F y|² = N |x - y|²``; mixed trees add 4 for real leaves; the third leaf only sees ``x[0]``."""
    x, y = rng.standard_normal((2, 20)).astype(np.float32)
    x[0] = y[0]
    D = distances.features(fn)
    assert float(D(x, y)) == pytest.approx(factor * ((x - y) ** 2).sum(), rel=1e-5)
    assert D.embed(x).dtype == np.float32
    assert float(((D.embed(x) - D.embed(y)) ** 2).sum()) == pytest.approx(float(D(x, y)), rel=1e-5)


@pytest.mark.parametrize("hvp", ["exact", "finite-difference"])
def test_metrics_are_those_of_both_parts(rng, hvp):
    A = rng.standard_normal((20, 6)).astype(np.float32)
    G, D, z = linear_generator(A), distances.features(rfft), rng.standard_normal((2, 6)).astype(np.float32)
    expected = 20 * A.T @ A
    assert largest_difference(gg.metric_tensor(G, D, z[0], hvp=hvp), expected) < 1e-4
    op = gg.metric_operator(G, D, z[0], hvp=hvp)
    assert largest_difference(op.matmat(np.eye(6)), expected) < 1e-4
    assert largest_difference(op.to_dense(), expected) < 1e-4
    field = gg.metric_field(G, D, z, hvp=hvp, progress=False)
    assert largest_difference(field.tensors, np.stack([expected] * 2)) < 1e-4
    if hvp == "exact":
        few = gg.metric_field(G, D, z, k=2, solver="block", progress=False)
        np.testing.assert_allclose(few.values, np.stack([np.linalg.eigvalsh(expected)[::-1][:2]] * 2), rtol=1e-4)


def test_complex_weights_and_curved_generators_agree_with_the_hermitian_product(rng):
    W = (rng.standard_normal((30, 768)) + 1j * rng.standard_normal((30, 768))).astype(np.complex64) / 30
    G = smooth_generator()
    D = distances.features(lambda W, x: W @ x.ravel(), W)
    z = rng.standard_normal(6).astype(np.float32)
    J = W @ np.asarray(jax.jacfwd(lambda z: G(z).ravel())(z))
    assert largest_difference(gg.metric_tensor(G, D, z), (J.conj().T @ J).real) < 1e-5
    general = distances.from_function(lambda W, x, y: jnp.vdot(W @ (x - y).ravel(), W @ (x - y).ravel()).real, W)
    assert largest_difference(gg.metric_tensor(G, general, z), (J.conj().T @ J).real) < 1e-5


def test_double_precision_weights_follow_the_sample(float64, rng):
    W = (rng.standard_normal((5, 4)) + 1j * rng.standard_normal((5, 4))).astype(np.complex64)
    x, y = rng.standard_normal((2, 4))
    assert float(distances.features(complex_weights, W)(x, y)) == pytest.approx((np.abs(W @ (x - y)) ** 2).sum())


def test_gaussian_decoders_under_a_fourier_transform(rng):
    """``|F μ_p - F μ_q|² + Σ w (σ_p - σ_q)²`` with ``w = N`` for every entry."""
    mean, std = rng.standard_normal((2, 2, 12)).astype(np.float32)
    p, q = (gg.Gaussian(jnp.asarray(m), jnp.asarray(s**2)) for m, s in zip(mean, std, strict=True))
    D = distances.gaussian(distances.features(fft))
    expected = 12 * (((mean[0] - mean[1]) ** 2).sum() + ((std[0] ** 2 - std[1] ** 2) ** 2).sum())
    assert float(D(p, q)) == pytest.approx(expected, rel=1e-5)


def test_walks_measure_what_the_distance_says(rng):
    A = rng.standard_normal((16, 3)).astype(np.float32)
    z, v = rng.standard_normal(3), np.eye(3)[:, :1]
    walks = gg.paths.walk(linear_generator(A), distances.features(fft), gg.paths.lines(z, v), np.linspace(-1, 1, 5))
    expected = 4 * np.linalg.norm(A[:, 0]) * np.abs(np.linspace(-1, 1, 5))
    np.testing.assert_allclose(walks.distances[0], expected, rtol=1e-4, atol=1e-5)


def test_complex_distances_of_ones_own_are_refused(rng):
    x, y = rng.standard_normal((2, 8)).astype(np.float32)
    D = distances.from_function(lambda params, x, y: jnp.vdot(jnp.fft.fft(x - y), jnp.fft.fft(x - y)))
    for call in (
        lambda: D(x, y),
        lambda: gg.metric_tensor(linear_generator(np.eye(8, 3)), D, np.ones(3)),
        lambda: gg.metric_field(linear_generator(np.eye(8, 3)), D, np.ones((1, 3)), progress=False),
    ):
        with pytest.raises(TypeError, match=r"complex64 of shape \(\).*real.*\.real"):
            call()
    several = dataclasses.replace(D, function=lambda params, x, y: (x - y) ** 2)
    with pytest.raises(TypeError, match=r"float32 of shape \(8,\).*sum it"):
        several(x, y)
