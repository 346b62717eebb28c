"""SSIM against scikit-image, MS-SSIM against its definition in scipy, and their derivatives."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal
from skimage.metrics import structural_similarity

import geomgan as gg
from tests.oracles import half_hessian
from tests.small_models import in_float64, largest_difference, smooth_generator

MAKERS = {"ssim": gg.distances.ssim, "ms_ssim": partial(gg.distances.ms_ssim, weights=(0.4, 0.6), window=5)}
both = pytest.mark.parametrize("name", MAKERS)


def picture(rng, height, width, channels):
    """Soft shapes in the whole of ``(0, 1)``, with flat black and white."""
    smooth = ndimage.gaussian_filter(rng.standard_normal((height, width, channels)), (4, 4, 0))
    return np.clip(0.5 + 3 * smooth, 0, 1).astype(np.float32)


def noisy(rng, x, level):
    return np.clip(x + level * rng.standard_normal(x.shape), 0, 1).astype(np.float32)


def by_scikit_image(x, y, sigma=1.5, **constants):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    options = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": -1}
    return 1 - structural_similarity(x, y, sigma=sigma, **options, **constants)


def ms_ssim_by_definition(x, y, weights, size=11, sigma=1.5):
    """Wang et al. 2003 as their code has it, one grey image in ``(0, 1)``, float64."""
    offsets = np.arange(size) - size // 2
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2))
    window /= window.sum()
    similarity = 1.0

    def mean(image):
        return signal.convolve2d(image, window, "valid")

    def covariance(a, b):
        return mean(a * b) - mean(a) * mean(b)

    for scale, weight in enumerate(weights):
        contrast = (2 * covariance(x, y) + 0.03**2) / (covariance(x, x) + covariance(y, y) + 0.03**2)
        luminance = (2 * mean(x) * mean(y) + 0.01**2) / (mean(x) ** 2 + mean(y) ** 2 + 0.01**2)
        last = scale == len(weights) - 1
        similarity *= max((luminance * contrast if last else contrast).mean(), 0) ** weight
        x, y = (ndimage.correlate(i, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2] for i in (x, y))
    return 1 - similarity


@pytest.mark.parametrize("level", [0.003, 0.05, 0.5])
@pytest.mark.parametrize("shape", [(64, 64, 3), (47, 90, 1), (11, 11, 2)])
def test_ssim_is_that_of_scikit_image(rng, shape, level):
    x = picture(rng, *shape)
    y = noisy(rng, x, level)
    assert float(gg.distances.ssim(input_range=(0, 1))(x, y)) == pytest.approx(by_scikit_image(x, y), abs=1e-5)


def test_other_constants_and_windows_are_those_of_scikit_image(rng):
    x = picture(rng, 40, 40, 3)
    y = noisy(rng, x, 0.1)
    D = gg.distances.ssim(input_range=(0, 1), window=15, sigma=2.0, k1=0.02, k2=0.05)
    assert float(D(x, y)) == pytest.approx(by_scikit_image(x, y, 2.0, K1=0.02, K2=0.05), abs=1e-5)


def test_small_distances_keep_their_digits(rng):
    """In float32 one minus the similarity would be off by a hundredth here."""
    x = picture(rng, 48, 48, 3)
    y = (x + 1e-4 * rng.standard_normal(x.shape)).astype(np.float32)
    expected = by_scikit_image(x, y)
    assert expected < 1e-5
    assert float(gg.distances.ssim(input_range=(0, 1))(x, y)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("level", [0.01, 0.3])
@pytest.mark.parametrize(("height", "width"), [(176, 161), (167, 203)])
def test_ms_ssim_is_its_definition(rng, height, width, level):
    x = picture(rng, height, width, 3)
    y = noisy(rng, x, level)
    channels = [np.asarray(image, np.float64).transpose(2, 0, 1) for image in (x, y)]
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    expected = np.mean([ms_ssim_by_definition(*pair, weights) for pair in zip(*channels, strict=True)])
    assert float(gg.distances.ms_ssim(input_range=(0, 1))(x, y)) == pytest.approx(expected, abs=1e-5)


def test_ms_ssim_where_a_factor_is_negative(rng):
    """A negative is as different as can be, and the derivative stays finite."""
    x = noisy(rng, picture(rng, 48, 48, 1), 0.2)
    D = gg.distances.ms_ssim(input_range=(0, 1), weights=(0.3, 0.7))
    assert ms_ssim_by_definition(*np.asarray([x, 1 - x], np.float64)[..., 0], (0.3, 0.7)) == 1
    assert float(D(x, 1 - x)) == 1
    assert np.isfinite(jax.grad(D, argnums=1)(x, 1 - x)).all()


@both
def test_input_ranges_are_mapped(rng, name):
    x = picture(rng, 32, 32, 3)
    y = noisy(rng, x, 0.1)
    expected = float(MAKERS[name](input_range=(0, 1))(x, y))
    assert float(MAKERS[name]()(2 * x - 1, 2 * y - 1)) == pytest.approx(expected, abs=1e-6)
    assert float(MAKERS[name](input_range=(0, 255))(255 * x, 255 * y)) == pytest.approx(expected, abs=1e-6)


@both
@pytest.mark.parametrize("limits", [(-1, 1), (0, 1), (0, 255), (-3.3, 2.1)])
def test_it_is_symmetric_and_exactly_flat_on_the_diagonal(rng, name, limits):
    low, high = limits
    D = MAKERS[name](input_range=limits)
    x = picture(rng, 24, 20, 3)
    x, y = (low + (high - low) * image for image in (x, noisy(rng, x, 0.2)))
    assert float(D(x, y)) == pytest.approx(float(D(y, x)), rel=1e-6)
    slope = jax.jit(jax.grad(D, argnums=1))
    for image in (x, y, *(np.full_like(x, low + level * (high - low)) for level in (0, 0.3, 0.5, 1))):
        assert float(D(image, image)) == 0
        assert np.abs(slope(image, image)).max() == 0


@both
@pytest.mark.parametrize("value", [-1.0, 0.0, 0.3, 1.0])
def test_second_derivatives_are_finite_and_positive_on_constant_images(rng, name, value):
    D, image = MAKERS[name](), jnp.full((16, 16, 3), value)
    for direction in (jnp.ones_like(image), jnp.asarray(rng.standard_normal(image.shape), jnp.float32)):
        product = jax.jvp(lambda y: jax.grad(D, argnums=1)(image, y), (image,), (direction,))[1]
        assert np.isfinite(product).all()
        assert float(jnp.vdot(direction, product)) > 0


@both
def test_metric_is_half_the_hessian_in_float64(rng, float64, name):
    G, D = in_float64(smooth_generator()), MAKERS[name]()
    z = rng.standard_normal(6)
    g = gg.metric_tensor(G, D, z)
    assert g.dtype == jnp.float64
    assert largest_difference(g, half_hessian(G, D, z)) < 1e-6
    assert np.linalg.eigvalsh(g).min() > 0


def test_metric_predicts_the_distances_of_scikit_image(rng, float64):
    G = in_float64(smooth_generator())
    z, v = rng.standard_normal((2, 6))
    x, before, after = (np.asarray(G(z + step * v)) / 2 + 0.5 for step in (0, -1e-4, 1e-4))
    measured = (by_scikit_image(x, before) + by_scikit_image(x, after)) / 2e-8
    assert float(v @ gg.metric_tensor(G, gg.distances.ssim(), z) @ v) == pytest.approx(measured, rel=1e-5)


@both
def test_metric_in_float32(rng, name):
    G, D = smooth_generator(), MAKERS[name]()
    z = rng.standard_normal(6).astype(np.float32)
    single = gg.metric_operator(G, D, z).to_dense()
    with jax.enable_x64(True):
        assert largest_difference(single, gg.metric_tensor(in_float64(G), D, z.astype(np.float64))) < 1e-4


@both
def test_transformations(rng, name):
    D = MAKERS[name]()
    x, y, v = rng.uniform(-1, 1, (3, 2, 16, 18, 3)).astype(np.float32)
    expected = [float(D(*pair)) for pair in zip(x, y, strict=True)]
    np.testing.assert_allclose(jax.jit(jax.vmap(D))(x, y), expected, rtol=1e-5)
    slope = float(jax.jvp(lambda y: D(x[0], y), (y[0],), (v[0],))[1])
    assert float(jnp.vdot(jax.grad(D, argnums=1)(x[0], y[0]), v[0])) == pytest.approx(slope, rel=1e-4)
    ahead, behind = (float(D(x[0], y[0] + step * v[0])) for step in (1e-2, -1e-2))
    assert slope == pytest.approx((ahead - behind) / 2e-2, rel=2e-2)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (
            gg.distances.ssim,
            (10, 64, 3),
            r"10 x 64 pixels; expected at least 11 a side.*What fits: ssim\(window=9\), mse\(\);",
        ),
        (gg.distances.ssim, (64, 64), r"\(64, 64\); expected one image \(H, W, C\).*None"),
        (gg.distances.ssim, (2, 64, 64, 3), "vmap"),
        (gg.distances.ms_ssim, (160, 200, 3), "at least 161 a side for a window of 11 pixels on 5 scales.*of 4 scales"),
        (gg.distances.ms_ssim, (160, 200, 3), r"ms_ssim\(window=9\), mse\(\)"),
        (gg.distances.ms_ssim, (16, 16, 3), r"What fits: ssim\(\), mse\(\); or resize the images"),
        (gg.distances.ms_ssim, (32, 32, 1), r"What fits: ms_ssim\(weights=\(0.0448, 0.2856\)\), of 2 scales, mse\(\);"),
        (gg.distances.ms_ssim, (9, 9, 1), r"What fits: ssim\(window=9\), mse\(\);"),
    ],
)
def test_images_that_do_not_fit(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 10}, "window is 10; expected an odd"),
        ({"window": 1}, "3 or more"),
        ({"sigma": 0}, "sigma is 0; expected a positive"),
        ({"k1": -0.01}, "k1 is -0.01"),
        ({"k2": 0.0}, "k2 is 0; expected a positive number"),
        ({"input_range": (1, 0)}, "low < high"),
    ],
)
@pytest.mark.parametrize("make", [gg.distances.ssim, gg.distances.ms_ssim])
def test_bad_options(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_bad_scales_and_values():
    with pytest.raises(ValueError, match="weights is empty"):
        gg.distances.ms_ssim(weights=())
    with pytest.raises(ValueError, match="every weight of ms_ssim is -1"):
        gg.distances.ms_ssim(weights=(1, -1))
    with pytest.raises(ValueError, match="from 0 to 255; expected about -1 to 1"):
        gg.distances.ssim()(np.zeros((16, 16, 1)), np.linspace(0, 255, 256).reshape(16, 16, 1))
    with pytest.raises(TypeError, match="uint8"):
        gg.distances.ssim()(np.zeros((16, 16, 1), np.uint8), np.zeros((16, 16, 1), np.uint8))


@pytest.mark.parametrize("side", [9, 11, 16, 32, 100, 160])
def test_what_a_refusal_says_fits(side):
    x = jnp.zeros((side, side, 1))
    with pytest.raises(ValueError, match="What fits") as refused:
        gg.distances.ms_ssim()(x, x)
    calls = re.findall(r"(?:ms_ssim|ssim|mse)\((?:[^()]|\([^()]*\))*\)", str(refused.value).partition("What fits: ")[2])
    assert len(calls) >= 2
    for call in calls:
        assert float(eval(f"gg.distances.{call}")(x, x)) == 0
