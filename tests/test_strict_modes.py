"""JAX's strict modes, of a user who has them on: ranks, types and NaN. Results are those of the usual mode."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from tests.small_models import largest_difference, small_dcgan

DISTANCES = {
    "euclidean": gg.distances.euclidean,
    "weighted": lambda: gg.distances.mse(mask=np.ones((16, 16)), channel_weights=[1, 2, 3]),
    "mse": gg.distances.mse,
    "lpips": lambda: gg.distances.lpips("alex", resize=64),
    "ssim": gg.distances.ssim,
    "features": lambda: gg.distances.features(lambda w, x: {"a": w * x, "b": jnp.fft.rfft(x, axis=0)}, jnp.arange(3.0)),
    "own": lambda: gg.distances.from_function(lambda w, x, y: jnp.sum(w * (x - y) ** 2), jnp.arange(3.0)),
}


SMALL = small_dcgan()


@pytest.fixture
def strict():
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.numpy_rank_promotion("raise"))
        stack.enter_context(jax.numpy_dtype_promotion("strict"))
        stack.enter_context(jax.debug_nans(True))
        yield


def metrics(G, D, codes):
    op = gg.metric_operator(G, D, codes[0])
    return {
        "tensor": gg.metric_tensor(G, D, codes[0]),
        "jit": jax.jit(jax.vmap(gg.metric_tensor, (None, None, 0)))(G, D, codes),
        "dense": gg.eigenpairs(op).values,
        "block": gg.eigenpairs(op, k=2, solver="block").values,
        "arpack": gg.eigenpairs(op, k=2, solver="arpack").values,
        "eigh": gg.eigh(op.to_dense().astype(np.float32), 3)[0],
        "field": gg.metric_field(G, D, codes, progress=False).tensors,
        "top": gg.metric_field(G, D, codes, k=2, solver="block", progress=False).values,
        "differences": gg.metric_tensor(G, D, codes[0], hvp="finite-difference"),
        "value": D(G(codes[0]), G(codes[1])),
    }


def usual():
    stack = contextlib.ExitStack()
    stack.enter_context(jax.numpy_rank_promotion("allow"))
    stack.enter_context(jax.numpy_dtype_promotion("standard"))
    stack.enter_context(jax.debug_nans(False))
    return stack


@pytest.mark.parametrize("name", DISTANCES)
def test_a_metric_and_a_value(strict, rng, name):
    D, codes = DISTANCES[name](), rng.standard_normal((2, 8)).astype(np.float32)
    g = gg.metric_tensor(SMALL, D, codes[0])
    assert float(D(SMALL(codes[0]), SMALL(codes[1]))) > 0
    with usual():
        assert largest_difference(g, gg.metric_tensor(SMALL, DISTANCES[name](), codes[0])) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTANCES)
def test_every_way_to_a_metric(strict, rng, name):
    codes = rng.standard_normal((2, 8)).astype(np.float32)
    found = metrics(SMALL, DISTANCES[name](), codes)
    with usual():
        expected = metrics(SMALL, DISTANCES[name](), codes)
    for what, value in expected.items():
        assert largest_difference(found[what], value) < 1e-5, what


def test_audio(strict, rng):
    D = gg.distances.spectrogram(1000)
    G = gg.Generator.from_function(lambda A, z: jnp.tanh(A @ z)[:, None], rng.standard_normal((400, 3)) / 3, 3)
    z = rng.standard_normal(3).astype(np.float32)
    g = gg.metric_tensor(G, D, z)
    with usual():
        assert largest_difference(g, gg.metric_tensor(G, D, z)) < 1e-5


def test_codes_samples_walks_and_statistics(strict, rng):
    G, D = SMALL, gg.distances.mse()
    codes = np.asarray(G.sample_latent(jax.random.key(0), 4))
    assert list(G.activations(codes[0])) == list(G.layers)
    field = gg.metric_field(G, D, codes, progress=False)
    axes = gg.paths.lines(codes[0], np.asarray(field.vectors[0])[:, :2])
    assert np.isfinite(gg.paths.equal_distance_walk(G, D, axes, 2).distances).all()
    assert np.isfinite(gg.paths.constant_speed_walk(G, D, axes, 8).distances).all()
    key = jax.random.key(1)
    shuffled = gg.analysis.shuffle_weights(G, key)
    assert np.isfinite(shuffled(codes[0])).all()
    gg.analysis.mean_spectrum(field)
    gg.analysis.anisotropy(field, key=key)
    gg.analysis.consistency_interval(gg.analysis.consistency(field, progress=False), key, "log")
    gg.analysis.layer_alignment(gg.analysis.layer_metrics(G, D, codes[0]))
    gg.analysis.random_direction_law(field.tensors[0], key)
    gg.analysis.mean_metric(field)
    gg.analysis.compare(field, gg.metric_field(G, gg.distances.euclidean(), codes, progress=False))
    gg.analysis.trust_radius(G, D, codes[0], field.tensors[0])
    hessian = gg.hessian_operator(G, lambda x: (x**2).mean(), codes[0])
    assert np.isfinite(hessian.to_dense()).all()


def test_a_model_that_ships_with_the_package(strict):
    G = gg.load("digits-dcgan")
    z = G.sample_latent(jax.random.key(0), 1)
    assert np.isfinite(gg.metric_tensor(G, gg.distances.classifier_features("digits", "conv3"), z[0])).all()
