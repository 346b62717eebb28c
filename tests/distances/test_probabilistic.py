"""Probabilistic decoders: expected metrics, Fisher information, ensembles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

import geomgan as gg
from tests.fixtures import ASSETS, golden, needs_assets
from tests.oracles import half_hessian
from tests.small_models import in_float64, largest_difference, linear_generator, small_dcgan, smooth_generator

D = gg.distances


def stochastic_decoder(params, z):
    first, second = params
    return gg.Gaussian(jnp.tanh(first @ z).reshape(4, 4, 1), jnp.exp(0.3 * (second @ z)).reshape(4, 4, 1))


def stochastic(rng):
    params = tuple(jnp.asarray(rng.standard_normal((16, 5)), jnp.float32) for _ in range(2))
    return gg.Generator.from_function(stochastic_decoder, params, 5)


def jacobians(G, z):
    """Those of the mean and of the standard deviation, ``(pixels, d)``."""
    J = jax.jacfwd(lambda z: G.function(G.params, z))(z)
    return J.mean.reshape(-1, z.size), J.std.reshape(-1, z.size)


def cubic(params, x):
    return jnp.concatenate([params * x.ravel() ** 3, jnp.sin(x.ravel())])


def test_expected_metric_of_a_gaussian_decoder(rng):
    G, z = stochastic(rng), jnp.asarray(rng.standard_normal(5), jnp.float32)
    mean, std = jacobians(G, z)
    assert largest_difference(gg.metric_tensor(G, D.gaussian(), z), mean.T @ mean + std.T @ std) < 1e-5
    assert largest_difference(gg.metric_tensor(G, D.euclidean(), z), mean.T @ mean) < 1e-5


def test_expected_metric_under_features(rng):
    G, z = stochastic(rng), jnp.asarray(rng.standard_normal(5), jnp.float32)
    features = D.features(cubic, 0.7)
    mean, std = jacobians(G, z)
    Jf = jax.jacfwd(lambda x: cubic(0.7, x))(G(z).ravel())
    weights = jnp.diag(jnp.diag(Jf.T @ Jf))
    expected = mean.T @ Jf.T @ Jf @ mean + std.T @ weights @ std
    assert largest_difference(gg.metric_tensor(G, D.gaussian(features), z), expected) < 1e-5


@pytest.mark.parametrize("features", [None, D.mse(), D.features(cubic, 0.7)], ids=["plain", "mse", "features"])
def test_half_the_hessian_of_its_own_distance(rng, float64, features):
    G, z = in_float64(stochastic(rng)), jnp.asarray(rng.standard_normal(5))
    distance = in_float64(D.gaussian(features))
    reference = G.distribution(z)
    half = jax.hessian(lambda moved: distance(reference, G.distribution(moved)))(z) / 2
    assert largest_difference(gg.metric_tensor(G, distance, z), half) < 1e-6


def test_wasserstein_distance_of_two_gaussians():
    p = gg.Gaussian(jnp.array([0.0, 1.0]), jnp.array([1.0, 2.0]))
    q = gg.Gaussian(jnp.array([3.0, 1.0]), jnp.array([1.0, 0.5]))
    assert float(D.gaussian()(p, q)) == pytest.approx(9 + 2.25)
    assert float(D.gaussian()(p, p)) == 0


@needs_assets
def test_induced_metric_of_the_original_on_the_vae(tmp_path):
    from weights_convert.convert import convert

    vae = gg.load(convert("generative-latent-space-vae", ASSETS / "generative-latent-space", tmp_path / "vae"))
    _, arrays = golden("metric_vae")
    for i, z in enumerate(arrays["z"]):
        g = gg.metric_tensor(vae, D.gaussian(), z)
        assert largest_difference(g, arrays["jtj_mean"][i] + arrays["jtj_std"][i]) < 1e-4
        assert largest_difference(g + 1e-6 * np.eye(16), arrays["induced_metric_float32"][i]) < 1e-4
    at_zero = np.linalg.eigvalsh(gg.metric_tensor(vae, D.gaussian(), np.zeros(16)))[::-1]
    np.testing.assert_allclose(at_zero[:3], [109.3, 77.5, 66.5], atol=0.06)
    np.testing.assert_allclose(at_zero.sum(), 433.86, atol=0.02)


def logits_decoder(params, z):
    return (params @ z).reshape(6, 3)


def probabilities_decoder(params, z):
    return jax.nn.softmax((params @ z).reshape(6, 3), axis=-1)


def test_fisher_metric_of_a_categorical_decoder(rng):
    """The Fisher information is the Hessian of the Kullback-Leibler divergence."""
    A, z = jnp.asarray(rng.standard_normal((18, 4)), jnp.float32), jnp.asarray(rng.standard_normal(4), jnp.float32)

    def divergence(moved):
        p, q = logits_decoder(A, z), logits_decoder(A, moved)
        p, q = (x - logsumexp(x, axis=-1, keepdims=True) for x in (p, q))
        return jnp.sum(jnp.exp(p) * (p - q))

    expected = jax.hessian(divergence)(z)
    by_logits = gg.Generator.from_function(logits_decoder, A, 4, output_range=None)
    by_probabilities = gg.Generator.from_function(probabilities_decoder, A, 4, output_range=(0, 1))
    assert largest_difference(gg.metric_tensor(by_logits, D.fisher("categorical", logits=True), z), expected) < 1e-4
    assert largest_difference(gg.metric_tensor(by_probabilities, D.fisher("categorical"), z), expected) < 1e-4


def test_fisher_metric_of_a_bernoulli_decoder(rng):
    A, z = jnp.asarray(rng.standard_normal((10, 4)), jnp.float32), jnp.asarray(rng.standard_normal(4), jnp.float32)
    p = jax.nn.sigmoid(A @ z)
    expected = A.T @ jnp.diag(p * (1 - p)) @ A
    by_logits = linear_generator(A)
    assert largest_difference(gg.metric_tensor(by_logits, D.fisher("bernoulli", logits=True), z), expected) < 1e-5
    tanh = gg.Generator.from_function(lambda A, z: jnp.tanh(A @ z / 2), A, 4)
    assert largest_difference(gg.metric_tensor(tanh, D.fisher("bernoulli", input_range=(-1, 1)), z), expected) < 1e-5


def test_fisher_distances_are_finite_where_probabilities_vanish():
    distance = D.fisher("bernoulli")
    certain, unsure = jnp.array([0.0, 1.0]), jnp.array([0.5, 0.5])
    assert float(distance(certain, unsure)) == pytest.approx(2 * 4 * ((1 - 0.5**0.5) ** 2 + 0.5))
    assert np.isfinite(jax.grad(lambda x: distance(unsure, x))(certain)).all()
    far = jnp.array([300.0, -300.0])
    assert np.isfinite(jax.jvp(D.fisher("bernoulli", logits=True).embed, (far,), (jnp.ones(2),))[1]).all()


@pytest.mark.parametrize(
    "distance", [D.mse(), D.from_function(lambda p, x, y: ((x - y) ** 2).mean())], ids=["embedded", "general"]
)
def test_an_ensemble_has_the_expected_metric(rng, distance):
    members = [smooth_generator(seed=seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *p: jnp.stack(p), *(m.params for m in members))
    E = gg.ensemble(members[0], stacked)
    z = jnp.asarray(rng.standard_normal(6), jnp.float32)
    expected = np.mean([gg.metric_tensor(m, D.mse(), z) for m in members], axis=0)
    assert largest_difference(gg.metric_tensor(E, distance, z), expected) < 1e-5
    assert largest_difference(gg.metric_operator(E, distance, z).matvec(np.ones(6)), expected @ np.ones(6)) < 1e-5
    np.testing.assert_allclose(E(z), np.mean([m(z) for m in members], axis=0), atol=1e-6)


def test_an_ensemble_of_stochastic_decoders(rng):
    members = [stochastic(rng) for _ in range(2)]
    E = gg.ensemble(members[0], jax.tree.map(lambda *p: jnp.stack(p), *(m.params for m in members)))
    z = jnp.asarray(rng.standard_normal(5), jnp.float32)
    expected = np.mean([gg.metric_tensor(m, D.gaussian(), z) for m in members], axis=0)
    assert largest_difference(gg.metric_tensor(E, D.gaussian(), z), expected) < 1e-5


def test_an_ensemble_can_be_cut_at_a_layer():
    members = [small_dcgan(seed=seed) for seed in range(2)]
    E = gg.ensemble(members[0], jax.tree.map(lambda *p: jnp.stack(p), *(m.params for m in members)))
    assert E.layers == members[0].layers
    np.testing.assert_allclose(
        E.at("block1")(np.ones(8)), np.mean([m.at("block1")(np.ones(8)) for m in members], axis=0), atol=1e-6
    )


def test_misuse_is_explained(rng):
    with pytest.raises(ValueError, match="small-dcgan is deterministic"):
        gg.metric_tensor(small_dcgan(), D.gaussian(), np.zeros(8))
    with pytest.raises(TypeError, match="expected a Gaussian"):
        D.gaussian()(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="no embedding"):
        D.gaussian(D.from_function(lambda p, x, y: x.sum()))
    with pytest.raises(ValueError, match="'bernoulli'"):
        D.fisher("bernouli")
    with pytest.raises(ValueError, match=r"expects samples in \(0.0, 1.0\)"):
        gg.metric_tensor(small_dcgan(), D.fisher("bernoulli"), np.zeros(8))
    with pytest.raises(ValueError, match="not a stack of the weights"):
        gg.ensemble(small_dcgan(), small_dcgan().params)


def probabilities(rng, n):
    return jnp.asarray(rng.uniform(0.05, 0.95, (n, 4)), jnp.float32)


def gaussians(rng, n):
    means, deviations = rng.standard_normal((n, 4)), rng.uniform(0.5, 2, (n, 4))
    return gg.Gaussian(jnp.asarray(means, jnp.float32), jnp.asarray(deviations, jnp.float32))


CASES = {
    "bernoulli": (D.fisher("bernoulli"), probabilities),
    "categorical": (D.fisher("categorical", logits=True), probabilities),
    "gaussian": (D.gaussian(), gaussians),
    "gaussian-features": (D.gaussian(D.features(cubic, 0.7)), gaussians),
}


@pytest.mark.parametrize("name", CASES)
def test_transformations(rng, name):
    distance, draw = CASES[name]
    xs, ys = draw(rng, 3), draw(rng, 3)
    x, y = (jax.tree.map(lambda leaf: leaf[0], stack) for stack in (xs, ys))
    value = float(distance(x, y))
    assert value > 0
    assert float(jax.jit(distance)(x, y)) == pytest.approx(value, rel=1e-5)
    assert float(jax.vmap(distance)(xs, ys)[0]) == pytest.approx(value, rel=1e-5)
    slope = jax.grad(lambda moved: distance(x, moved))(y)
    tangent = jax.tree.map(jnp.ones_like, y)
    along = jax.jvp(lambda moved: distance(x, moved), (y,), (tangent,))[1]
    assert float(along) == pytest.approx(float(sum(leaf.sum() for leaf in jax.tree.leaves(slope))), rel=1e-3)
    at_rest = jax.tree.leaves(jax.grad(lambda moved: distance(x, moved))(x))
    assert max(float(jnp.abs(leaf).max()) for leaf in at_rest) < 1e-5


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("family", ["bernoulli", "categorical"])
def test_fisher_metric_is_half_the_hessian_of_its_own_distance(rng, float64, family, logits):
    A, z = jnp.asarray(rng.standard_normal((18, 4))), jnp.asarray(rng.standard_normal(4))
    decoder = logits_decoder if logits else probabilities_decoder
    G = gg.Generator.from_function(decoder, A, 4, output_range=(0, 1))
    distance = D.fisher(family, logits=logits)
    assert largest_difference(gg.metric_tensor(G, distance, z), half_hessian(G, distance, z)) < 1e-6
