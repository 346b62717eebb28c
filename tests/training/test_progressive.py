"""The progressive GAN: its schedule, its networks, its regulariser, and resumption to the bit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.errors import OptionError
from geomgan.generators.network import FlaxFunction
from geomgan.training import ProgressiveOptions, train_progressive
from geomgan.training.progressive import (
    first_step,
    in_force,
    initial_state,
    layer_penalty,
    old_weight,
    penalty_weight,
    scale_at,
)
from geomgan.training.progressive_networks import (
    discriminate,
    equalised,
    generator_shapes,
    normal_weights,
    pggan_of,
    reals,
)

SMALL = ProgressiveOptions(features=(6, 4), latent=3, batch=4, grow=3, steps=8, penalty=0.1, warm_up=4)


def blobs(n=16, side=8):
    """Discs of light at random places."""
    places = np.random.default_rng(0).uniform(2, side - 2, (n, 2, 1, 1))
    rows, columns = np.mgrid[:side, :side]
    near = np.exp(-((rows - places[:, 0]) ** 2 + (columns - places[:, 1]) ** 2) / 4)
    return (2 * near - 1)[..., None].astype(np.float32)


def test_scales_join_and_fade_in():
    options = ProgressiveOptions(features=(8, 8, 8), grow=10, steps=100)
    assert [scale_at(t, options) for t in (0, 9, 10, 29, 30, 49, 99)] == [1, 1, 2, 2, 3, 3, 3]
    assert [first_step(s, options) for s in (1, 2, 3)] == [0, 10, 30]
    weights = [float(old_weight(t, 2, options)) for t in (10, 15, 20, 29)]
    np.testing.assert_allclose(weights, [1, 0.5, 0, 0], atol=1e-6)
    assert old_weight(5, 1, options) == 0


def test_the_penalty_warms_up():
    options = ProgressiveOptions(penalty=0.4, penalty_start=10, warm_up=20)
    weights = [float(penalty_weight(t, options)) for t in (0, 9, 10, 20, 30, 99)]
    np.testing.assert_allclose(weights, [0, 0, 0, 0.2, 0.4, 0.4], atol=1e-7)
    constant = ProgressiveOptions(penalty=0.4)
    assert penalty_weight(0, constant) == np.float32(0.4)
    assert in_force(9, options) == options._replace(penalty=0.0)  # the program of a run without
    assert in_force(10, options) == options


def test_reals_are_blended_with_their_halves():
    images = blobs(4)
    small = images.reshape(4, 4, 2, 4, 2, 1).mean((2, 4))
    np.testing.assert_allclose(reals(images, 1, 0.0), small, atol=1e-6)
    coarse = small.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(reals(images, 2, 0.25), 0.75 * images + 0.25 * coarse, atol=1e-6)


def test_equalised_layers_keep_the_variance():
    weights = normal_weights(jax.random.key(0), generator_shapes(3, 64, (64, 32)))
    params = equalised(weights)
    kernel = params["scale2"]["conv1"]["kernel"]
    np.testing.assert_allclose(kernel.std(), (2 / (9 * 64)) ** 0.5, rtol=0.02)
    np.testing.assert_allclose(params["rgb1"]["kernel"].std(), 64**-0.5, rtol=0.15)
    np.testing.assert_allclose(params["project"]["kernel"].std(), (2 / 64) ** 0.5 / 4, rtol=0.02)


def test_a_growing_network_begins_as_the_one_before():
    weights = normal_weights(jax.random.key(0), generator_shapes(1, 3, (6, 4)))
    module, params = pggan_of(weights, 2, (6, 4))
    before, smaller = pggan_of(weights, 1, (6, 4))
    z = jnp.asarray([0.3, -1.0, 0.5])
    coarse = np.asarray(before.apply({"params": smaller}, z)).repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(module.apply({"params": params}, z, 1.0), coarse, atol=1e-5)
    state = initial_state(jax.random.key(1), 1, SMALL)
    images = blobs(8)
    coarse = images.reshape(8, 4, 2, 4, 2, 1).mean((2, 4))
    np.testing.assert_allclose(
        discriminate(state.discriminator, images, 1.0), discriminate(state.discriminator, coarse, 0.0), atol=1e-5
    )


def test_the_regulariser_is_the_published_sum_over_layers():
    state, key = initial_state(jax.random.key(1), 1, SMALL), jax.random.key(5)
    codes = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    signs = np.asarray(jax.random.rademacher(key, (2, 2, 3), jnp.float32))
    module, params = pggan_of(state.generator, 2, (6, 4))

    activations = jax.jit(partial(FlaxFunction(module).activations, params))
    total = 0.0
    for scale, weight in ((1, 1.0), (2, 0.75)):
        f = lambda z, scale=scale: np.asarray(activations(z)[f"scale{scale}.normalised"], np.float64)
        second = lambda z, x, f=f: (f(z + x) - 2 * f(z) + f(z - x)) / 0.01
        forms = [[second(z, 0.1 * v) for z, v in zip(codes, of, strict=True)] for of in signs]
        total += weight * np.var(forms, axis=0, ddof=0).max()
    np.testing.assert_allclose(layer_penalty(state.generator, codes, key, 0.25, 2, SMALL), total, rtol=1e-2)


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    images, key, seen = blobs(), jax.random.key(0), []
    whole, _ = train_progressive(images, key, SMALL, progress=False)
    file = tmp_path / "gan.npz"
    options = {"checkpoint": file, "every": 2, "progress": False}
    with pytest.raises(KeyboardInterrupt):
        train_progressive(images, key, SMALL, picture=_interrupt, picture_every=5, **options)
    picture = lambda G, step: seen.append((step, G.sample_shape.shape))
    again, _ = train_progressive(images, key, SMALL, picture=picture, picture_every=8, **options)
    assert seen == [(8, (8, 8, 1))]
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(again.params), strict=True):
        np.testing.assert_array_equal(a, b)
    curve = np.genfromtxt(file.with_suffix(".csv"), delimiter=",", names=True)
    assert set(curve.dtype.names) == {"step", "gap", "lipschitz", "penalty"}
    assert (curve["penalty"] > 0).all()


def _interrupt(G, step):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"batch": 6}, OptionError, "batch is 6; expected a multiple of 4"),
        ({"steps": 5}, OptionError, "steps is 5; expected at least 6"),
        ({"penalised": (3,)}, OptionError, "penalised names scale 3; expected numbers from 1 to 2"),
        ({"k": 1}, OptionError, "k is 1"),
        ({"features": (4, 4, 4)}, OptionError, "expected at least 12"),
        ({"features": (4, 4, 4), "steps": 20}, ValueError, r"shape \(16, 8, 8, 1\); expected \(n, 16, 16, C\)"),
    ],
)
def test_bad_input(change, error, says):
    with pytest.raises(error, match=says):
        train_progressive(blobs(), jax.random.key(0), SMALL._replace(**change), progress=False)
