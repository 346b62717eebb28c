"""Activation maximisation: closed forms, units of networks, gradients and scores alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.optimize import Status, adam, cma, hess_cma, maximise, unit
from tests.small_models import linear_generator, small_dcgan

KEY = jax.random.key(0)
A = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)


@pytest.mark.parametrize("method", [adam(0.1), cma(4, 0.5)], ids=["adam", "cma"])
def test_a_unit_of_a_linear_map_has_its_maximum_in_closed_form(method):
    """``a·z - p/d ‖z‖²`` is largest at ``z = d a / 2p``."""
    G, p = linear_generator(A), 2.0
    found = maximise(G, unit(3), method, np.zeros((2, 4)), KEY, budget=3000, penalty=p, progress=False)
    np.testing.assert_allclose(found.codes, np.broadcast_to(4 * A[3] / (2 * p), (2, 4)), atol=2e-3)
    np.testing.assert_allclose(found.score, (A @ found.code)[3], rtol=1e-5)
    np.testing.assert_allclose(found.sample, A @ found.code, rtol=1e-4)
    np.testing.assert_allclose(np.nanmax(found.history, axis=1), (A[3] @ A[3]) * 4 / (4 * p), rtol=1e-5)
    assert found.passes <= 2 * 3000


def test_units_of_a_classifier_by_gradients_and_by_scores():
    G = small_dcgan()
    objective = gg.distances.activation("digits", "dense1.preactivation", 5, resize=32)
    G = gg.Generator.from_function(grey, G, 8, name="grey")
    starts = np.asarray(G.sample_latent(KEY, 2))
    before = [float(objective[0](objective[1], G(z))) for z in starts]
    for method in (adam(0.05), hess_cma((np.ones(8), np.eye(8)), 0.5)):
        found = maximise(G, objective, method, starts, KEY, budget=150, penalty=0.1, progress=False)
        assert (found.scores > before).all()
        assert found.score == found.scores.max()
        np.testing.assert_allclose(found.score, objective[0](objective[1], found.sample), rtol=1e-4, atol=1e-5)
        assert set(found.status) == {Status.BUDGET}
        assert found.passes <= 2 * 150


def grey(params, z):
    return params.function(params.params, z).mean(axis=-1, keepdims=True)


def test_any_function_of_a_sample_and_a_layer_of_the_generator():
    G = small_dcgan()
    layer = G.layers[1]
    z = np.asarray(G.sample_latent(KEY, 1))
    found = maximise(G.at(layer), unit(2), adam(0.05), z, KEY, budget=60, progress=False)
    assert found.score > np.mean(G.activations(z[0])[layer][..., 2])
    brightness = lambda x: jnp.mean(x)
    found = maximise(G, brightness, adam(0.05), z[0], KEY, budget=60, progress=False)
    assert found.score > np.mean(G(z[0]))
    np.testing.assert_allclose(found.score, found.sample.mean(), rtol=1e-4)


def test_bad_input_is_said():
    G = linear_generator(A)
    with pytest.raises(ValueError, match=r"codes have shape \(1, 5\); expected \(n, 4\)"):
        maximise(G, unit(3), adam(0.1), np.zeros(5), KEY, budget=100)
    with pytest.raises(ValueError, match="penalty is -1; expected a number from 0"):
        maximise(G, unit(3), adam(0.1), np.zeros(4), KEY, budget=100, penalty=-1)
    found = maximise(G, lambda x: jnp.nan * x[0], cma(4, 0.5), np.zeros(4), KEY, budget=100, progress=False)
    assert found.status == (Status.NO_SCORES,)
