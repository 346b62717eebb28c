"""LPIPS against the original's numbers, and its derivative where the original has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.distances.lpips import unit_normalise
from tests.fixtures import ASSETS, golden, needs_assets
from tests.small_models import largest_difference, small_dcgan

EXAMPLES = {"alex": (0.72188, 0.13757), "vgg": (0.56861, 0.42166)}


@pytest.mark.parametrize("net", ["alex", "vgg"])
@pytest.mark.parametrize("side", [64, 256])
@pytest.mark.parametrize("scaling", ["gan-geometry", "standard"])
def test_published_fixtures(net, side, scaling):
    _, arrays = golden(f"lpips_{net}")
    pairs = [arrays[f"image{i}_{side}"].transpose(0, 2, 3, 1).astype(np.float32) / 255 for i in (0, 1)]
    D = gg.distances.lpips(net, input_range=(0, 1), scaling=scaling)
    expected = arrays[f"distance_{side}_normalize{int(scaling == 'standard')}"]
    np.testing.assert_allclose(jax.vmap(D)(*pairs), expected, rtol=1e-5)


@needs_assets
@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_example_images(net):
    from PIL import Image

    def read(name):
        return np.asarray(Image.open(ASSETS / "lpips-example-images" / f"{name}.png").convert("RGB")) / 127.5 - 1

    D = gg.distances.lpips(net)
    measured = [float(D(read("ex_ref"), read(name))) for name in ("ex_p0", "ex_p1")]
    np.testing.assert_allclose(measured, EXAMPLES[net], atol=1e-5)


def test_embedding_gives_the_distance(rng):
    x, y = rng.uniform(-1, 1, (2, 40, 36, 3)).astype(np.float32)
    D = gg.distances.lpips("alex")
    assert float(D(x, y)) == pytest.approx(float(((D.embed(x) - D.embed(y)) ** 2).sum()), rel=1e-5)


def test_input_ranges_are_mapped(rng):
    x, y = rng.uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)
    D = gg.distances.lpips("alex")
    for low, high in ((0, 1), (0, 255)):
        scaled = [low + (image + 1) / 2 * (high - low) for image in (x, y)]
        other = gg.distances.lpips("alex", input_range=(low, high))
        assert float(other(*scaled)) == pytest.approx(float(D(x, y)), rel=1e-4)


def test_grey_images_are_repeated(rng):
    x, y = rng.uniform(-1, 1, (2, 40, 40, 1)).astype(np.float32)
    D = gg.distances.lpips("alex")
    assert float(D(x, y)) == pytest.approx(float(D(np.repeat(x, 3, -1), np.repeat(y, 3, -1))), rel=1e-6)


def test_resize_is_bilinear_with_half_pixel_centres(rng):
    import torch

    x = rng.uniform(-1, 1, (28, 28, 1)).astype(np.float32)
    resized = torch.nn.functional.interpolate(torch.from_numpy(x.transpose(2, 0, 1)[None]), (64, 64), mode="bilinear")
    by_torch = resized[0].permute(1, 2, 0).numpy()
    embedded = gg.distances.lpips("alex", resize=64).embed(x)
    assert largest_difference(embedded, gg.distances.lpips("alex").embed(by_torch)) < 1e-5


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_derivative_is_finite_on_a_constant_image(value):
    D = gg.distances.lpips("alex")
    image = jnp.full((64, 64, 3), value)
    assert np.isfinite(jax.grad(lambda x: D(image, x))(image)).all()
    assert np.isfinite(jax.jvp(D.embed, (image,), (jnp.ones_like(image),))[1]).all()


def test_normalisation_at_zero_and_elsewhere(rng):
    f = jnp.asarray(rng.standard_normal((3, 3, 5)), jnp.float32).at[1, 1].set(0.0)
    expected = np.asarray(f) / (np.linalg.norm(f, axis=-1, keepdims=True) + 1e-10)
    np.testing.assert_allclose(unit_normalise(f), expected, rtol=1e-6)
    tangent = jax.jvp(unit_normalise, (f,), (jnp.ones_like(f),))[1]
    assert np.isfinite(tangent).all()


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({}, (30, 64, 3), r"30 x 64 pixels; expected at least 31.*resize=64"),
        ({}, (64, 64, 4), r"\(H, W, 3\)"),
        ({}, (2, 64, 64, 3), "vmap"),
    ],
)
def test_images_that_do_not_fit(options, shape, message):
    D = gg.distances.lpips("alex", **options)
    with pytest.raises(ValueError, match=message):
        D(np.zeros(shape), np.zeros(shape))


def test_smallest_images_of_each_network():
    for net, side in (("alex", 31), ("vgg", 16)):
        D = gg.distances.lpips(net)
        assert np.isfinite(float(D(np.zeros((side, side, 3)), np.full((side, side, 3), 0.5))))
        with pytest.raises(ValueError, match=f"at least {side}"):
            D(np.zeros((side - 1, side, 3)), np.zeros((side - 1, side, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"net": "vg"}, "'vgg'"),
        ({"scaling": "gan"}, "gan-geometry"),
        ({"input_range": (1, 0)}, "low < high"),
        ({"resize": 8}, "at least 31"),
    ],
)
def test_bad_options(arguments, message):
    with pytest.raises(ValueError, match=message):
        gg.distances.lpips(**arguments)


def test_values_that_cannot_be_right():
    D = gg.distances.lpips("alex")
    with pytest.raises(ValueError, match=r"from 0 to 255; expected about -1 to 1"):
        D(np.zeros((64, 64, 3)), np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3))


def test_negative_heads_are_refused():
    weights = gg.distances.lpips_weights.load_weights("alex")
    heads = [*weights["heads"][:4], -weights["heads"][4]]
    with pytest.raises(ValueError, match="LPIPS head 4 has a negative weight"):
        gg.distances.lpips("alex", weights={"trunk": weights["trunk"], "heads": heads})


def test_the_generators_range_is_taken_and_another_one_refused(rng):
    G = small_dcgan(features=(16, 8, 8))
    z = rng.standard_normal(8)
    taken = gg.metric_tensor(G, gg.distances.lpips("alex"), z)
    said = gg.metric_tensor(G, gg.distances.lpips("alex", input_range=(-1, 1)), z)
    np.testing.assert_array_equal(taken, said)
    with pytest.raises(ValueError, match=r"expects samples in \(0.0, 1.0\).*makes them in \(-1.0, 1.0\)"):
        gg.metric_tensor(G, gg.distances.lpips("alex", input_range=(0, 1)), z)
