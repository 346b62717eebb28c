import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.runs.loop import run
from geomgan.training import batch_norm, gan
from geomgan.training.convolutions import transposed_convolution
from geomgan.training.data import Digits

OPTIONS = gan.GanOptions(steps=4, batch=8, width=4)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (32, 32, 32, 1)).astype(np.float32)
    labels = np.arange(32, dtype=np.int32) % 10
    return Digits(images, labels, images, labels)


def random_generator(rng):
    """Generator parameters and statistics with nothing at its initial value."""
    params = gan.initial_gan(jax.random.key(0), OPTIONS).generator
    statistics = {}
    for name, block in params.items():
        if name != "output":
            n = block["bias"].shape[0]
            block["scale"] = jnp.asarray(rng.uniform(0.5, 1.5, n), jnp.float32)
            statistics[name] = {
                "mean": jnp.asarray(rng.normal(size=n), jnp.float32),
                "var": jnp.asarray(rng.uniform(0.2, 2, n), jnp.float32),
            }
        block["bias"] = jnp.asarray(0.3 * rng.normal(size=block["bias"].shape), jnp.float32)
    return params, statistics


def test_folding_gives_the_inference_network(rng):
    params, statistics = random_generator(rng)
    codes = jnp.asarray(rng.normal(size=(6, gan.LATENT)), jnp.float32)
    trained, used = batch_norm.generate(params, codes, statistics)
    folded = batch_norm.fold(params, statistics)
    inference = jax.vmap(lambda z: gan.GENERATOR.apply({"params": folded}, z))(codes)
    assert used == statistics
    assert inference.shape == (6, 32, 32, 1)
    assert float(trained.std()) > 0.05
    np.testing.assert_allclose(inference, trained, atol=1e-5)


def test_folded_parameters_have_the_inference_networks_names_and_shapes(rng):
    folded = batch_norm.fold(*random_generator(rng))
    init = jax.eval_shape(gan.GENERATOR.init, jax.random.key(0), jnp.zeros(gan.LATENT))["params"]
    assert jax.tree.map(jnp.shape, folded) == jax.tree.map(jnp.shape, init)


def test_batch_norm_standardises_with_the_batchs_own_moments(rng):
    params, _ = random_generator(rng)
    codes = jnp.asarray(rng.normal(size=(16, gan.LATENT)), jnp.float32)
    x = transposed_convolution(codes[:, None, None, :], params["block1"]["kernel"])
    moments = batch_norm.generate(params, codes)[1]["block1"]
    np.testing.assert_allclose(moments["mean"], np.asarray(x, np.float64).mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(moments["var"], np.asarray(x, np.float64).var((0, 1, 2)), rtol=1e-4)


def test_population_statistics_are_the_mean_over_batches(rng):
    params, _ = random_generator(rng)
    batches = [jnp.asarray(rng.normal(size=(8, gan.LATENT)), jnp.float32) for _ in range(3)]
    each = [batch_norm.generate(params, codes)[1] for codes in batches]
    mean = batch_norm.population_statistics(batch_norm.generate, params, batches)
    for block in ("block1", "block2", "block3"):
        expected = np.mean([moments[block]["var"] for moments in each], axis=0)
        np.testing.assert_allclose(mean[block]["var"], expected, rtol=1e-4)


def test_one_step_is_deterministic_and_moves_every_parameter(data):
    def once():
        state = gan.initial_gan(jax.random.key(3), OPTIONS)
        return state, *gan.gan_step(state, data.train_images, data.train_labels, OPTIONS)

    (start, first, scalars), (_, second, _) = once(), once()
    for a, b in zip(jax.tree.leaves(first.generator), jax.tree.leaves(second.generator), strict=True):
        np.testing.assert_array_equal(a, b)
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), start.generator, first.generator)
    assert all(jax.tree.leaves(moved)), moved
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), start.discriminator, first.discriminator)
    assert all(jax.tree.leaves(moved)), moved
    assert int(first.step) == 1
    assert np.isfinite(float(scalars["hinge"]))


def test_steps_teach_the_discriminator(data):
    options = OPTIONS._replace(steps=1000)
    state, hinges = gan.initial_gan(jax.random.key(0), options), []
    for _ in range(12):
        state, scalars = gan.gan_step(state, data.train_images, data.train_labels, options)
        hinges.append(float(scalars["hinge"]))
    assert hinges[-1] < 0.8 * hinges[0], hinges


def test_a_resumed_run_equals_an_uninterrupted_one(data, tmp_path):
    file = tmp_path / "gan.npz"

    def step(state):
        return gan.gan_step(state, data.train_images, data.train_labels, OPTIONS)

    def start():
        return gan.initial_gan(jax.random.key(1), OPTIONS)

    run(step, start(), 2, checkpoint=file, progress=False)
    resumed, _ = run(step, start(), 4, checkpoint=file, progress=False)
    whole, _ = run(step, start(), 4, progress=False)
    assert int(resumed.step) == 4
    for a, b in zip(jax.tree.leaves(resumed.averaged), jax.tree.leaves(whole.averaged), strict=True):
        np.testing.assert_array_equal(a, b)
    folded = gan.finished_generator(resumed, batches=2, batch=4)
    images = gan.sample(folded, jax.random.key(2), 3)
    assert images.shape == (3, 32, 32, 1)
    assert np.abs(images).max() < 1


def test_spectral_normalisation_gives_kernels_the_norm_gain(rng):
    params = {"block1": {"kernel": jnp.asarray(rng.normal(size=(2, 2, 3, 5)), jnp.float32), "bias": jnp.zeros(5)}}
    vectors = {"block1": jnp.asarray(rng.normal(size=5), jnp.float32)}
    for _ in range(100):
        vectors = gan.power_iteration(params, vectors)
    kernel = gan.spectral_normalise(params, vectors, gain=2.0)["block1"]["kernel"]
    np.testing.assert_allclose(np.linalg.norm(np.asarray(kernel).reshape(-1, 5), ord=2), 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        (np.zeros((10, 10)), 0.0),  # undecided images
        (1e3 * np.eye(10), np.log(10)),  # ten clear classes, equally often
        (1e3 * np.eye(10)[[0] * 10], 0.0),  # one clear class
    ],
)
def test_mutual_information(logits, expected):
    assert float(gan.mutual_information(jnp.asarray(logits, jnp.float32))) == pytest.approx(expected, abs=1e-4)
