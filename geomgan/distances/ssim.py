"""SSIM (Wang et al., 2004) and MS-SSIM (Wang et al., 2003) as distances: one minus the similarity.

Both are written in ``m = (x + y)/2`` and ``e = x - y``. With ``F`` the Gaussian window, ``μ = F m``, ``δ = F e`` and
the windowed variances ``σ²_m = F m² - μ²``, ``σ²_e = F e² - δ²``, the two factors of SSIM are, as algebra,

    luminance           (2 μ_x μ_y + C1) / (μ_x² + μ_y² + C1)  =  1 - δ² / (2 μ² + δ²/2 + C1)          =  1 - a
    contrast-structure  (2 σ_xy + C2) / (σ_x² + σ_y² + C2)     =  1 - σ²_e / (2 σ²_m + σ²_e/2 + C2)    =  1 - b

so ``1 - SSIM = a + b - ab``. Nothing here is one minus something near one: small distances keep all their digits, and
where ``x = y`` both the value and the gradient are exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import always_float32
from geomgan.distances.distance import Distance, PyTree, Range, checked_range

UNIT_RANGE: Range = (0.0, 1.0)  # samples are mapped to it, so the data range L of the papers is 1
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2; finest scale first


def ssim(
    input_range: Range | None = None, window: int = 11, sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03
) -> Distance:
    """Structural dissimilarity, ``d²(x, y) = 1 - SSIM(x, y)``, in ``[0, 2]``.

    SSIM is the mean over channels and over all places where the window lies inside the image. It equals
    scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)``, whose
    border is cropped by as much. There is no embedding: the metric takes second derivatives.

    Args:
        input_range: range of the samples' values; None takes the generator's in ``metric_*``, else ``(-1, 1)``.
        window: side of the Gaussian window in pixels, odd; scikit-image takes ``2 int(3.5 σ + 0.5) + 1``.
        sigma: its standard deviation in pixels.
        k1: ``C1 = k1²`` steadies the luminance factor.
        k2: ``C2 = k2²`` steadies the contrast-structure factor.

    Raises:
        ValueError: an argument out of its bounds. The distance raises for samples that are not one image
            ``(H, W, C)`` of at least ``window`` pixels a side.

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity" (2004), equations 13 and 17; the window and constants of its section III-C.
    """
    comparison = Comparison(_window(window, sigma), _positive(k1, "k1") ** 2, _positive(k2, "k2") ** 2)
    return _distance("ssim", SSIM(comparison), input_range, ShapeCheck("ssim", int(window), 1))


def ms_ssim(
    input_range: Range | None = None,
    weights: tuple[float, ...] = SCALE_WEIGHTS,
    window: int = 11,
    sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Distance:
    """Structural dissimilarity at several scales, ``d²(x, y) = 1 - MS-SSIM(x, y)``, in ``[0, 1]``.

    ``MS-SSIM = Π_{j<M} (mean_hw (1 - b_j))^{w_j} · (mean_hw SSIM_M)^{w_M}`` for each channel, then the mean over
    channels. Scale ``j + 1`` is scale ``j`` averaged over 2 x 2 pixels; an odd side repeats its last row, as the
    authors' code does. Where a factor is not positive the similarity of its channel is zero, with zero derivative:
    such images are as different as can be. There is no embedding: the metric takes second derivatives.

    Args:
        input_range: as in :func:`ssim`.
        weights: the exponents ``w_j``, finest scale first; as many scales as weights.
        window: as in :func:`ssim`, at every scale.
        sigma: as in :func:`ssim`.
        k1: as in :func:`ssim`.
        k2: as in :func:`ssim`.

    Raises:
        ValueError: an argument out of its bounds. The distance raises for samples that are not one image
            ``(H, W, C)``, or of which the coarsest scale is smaller than the window: below 161 pixels a side with
            five scales.

    Source: Wang, Simoncelli and Bovik, "Multi-Scale Structural Similarity for Image Quality Assessment" (2003),
    equation 7 and section 3.2.
    """
    scales = tuple(_positive(weight, "every weight of ms_ssim") for weight in np.atleast_1d(weights).ravel())
    if not scales:
        raise ValueError("weights is empty; expected one exponent for each scale. Leave it out for the published five.")
    comparison = Comparison(_window(window, sigma), _positive(k1, "k1") ** 2, _positive(k2, "k2") ** 2)
    check_shape = ShapeCheck("ms-ssim", int(window), len(scales))
    return _distance("ms-ssim", MultiScaleSSIM(comparison, scales), input_range, check_shape)


@dataclass(frozen=True)
class Comparison:
    """``(x, y) -> (a, b)``: what the luminance and contrast-structure factors lack to one, ``(H', W', C)`` each."""

    taps: tuple[float, ...]
    c1: float
    c2: float

    def __call__(self, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        # A variance does not depend on the origin; about mid-grey its two terms are small, and cancel the least. The
        # origin moves before the difference is taken, or XLA fuses that with the samples' scaling, `x * s - y * s`,
        # and rounds the two products differently: no longer zero at x = y.
        x, y = x - 0.5, y - 0.5
        middle, difference = (x + y) / 2, x - y
        maps = jnp.stack([middle, difference, middle**2, difference**2])
        mean, delta, mean_square, delta_square = _filter(maps, self.taps)
        spread, spread_of_difference = mean_square - mean**2, delta_square - delta**2
        a = delta**2 / (2 * (mean + 0.5) ** 2 + delta**2 / 2 + self.c1)
        b = spread_of_difference / (2 * spread + spread_of_difference / 2 + self.c2)
        return a, b


@dataclass(frozen=True)
class SSIM:
    """``(params, x, y) -> 1 - SSIM`` of images in ``(0, 1)``."""

    comparison: Comparison

    def __call__(self, params: PyTree, x: jax.Array, y: jax.Array) -> jax.Array:
        del params
        a, b = self.comparison(x, y)
        return jnp.mean(a + b - a * b)


@dataclass(frozen=True)
class MultiScaleSSIM:
    """``(params, x, y) -> 1 - MS-SSIM`` of images in ``(0, 1)``."""

    comparison: Comparison
    weights: tuple[float, ...]

    def __call__(self, params: PyTree, x: jax.Array, y: jax.Array) -> jax.Array:
        del params
        finer = []
        for _ in self.weights[1:]:
            finer.append(jnp.mean(self.comparison(x, y)[1], axis=(0, 1)))
            x, y = _halve(x), _halve(y)
        a, b = self.comparison(x, y)
        losses = jnp.stack([*finer, jnp.mean(a + b - a * b, axis=(0, 1))])  # (scales, C)
        # 1 - Π (1 - loss)^w without cancellation; the inner `where` keeps log(0) out of the derivative as well.
        positive = losses < 1
        logs = jnp.log1p(-jnp.where(positive, losses, 0.0))
        exponents = jnp.asarray(self.weights, losses.dtype)[:, None]
        return jnp.mean(jnp.where(positive.all(axis=0), -jnp.expm1(jnp.sum(exponents * logs, axis=0)), 1.0))


@dataclass(frozen=True)
class ShapeCheck:
    """Raises for samples that are not one image, or too small for the window at the coarsest scale."""

    name: str
    window: int
    scales: int

    def __call__(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise ValueError(
                f"{self.name} got a sample of shape {shape}; expected one image (H, W, C), channels last. Use "
                "image[..., None] for a grey image without channels, and jax.vmap for a stack of images."
            )
        smallest = (self.window - 1) * 2 ** (self.scales - 1) + 1  # halving rounds up
        if min(shape[:2]) < smallest:
            on = f" on {self.scales} scales" if self.scales > 1 else ""
            raise ValueError(
                f"{self.name} got an image of {shape[0]} x {shape[1]} pixels; expected at least {smallest} a side for "
                f"a window of {self.window} pixels{on}. What fits: {self._fitting(min(shape[:2]))}; or resize "
                "the images."
            )

    def _fitting(self, side: int) -> str:
        """What fits images of so many pixels, as calls."""
        scales = sum((self.window - 1) * 2**scale < side for scale in range(self.scales))
        own, one = ((side - 1) // 2 ** (of - 1) + 1 for of in (self.scales, 1))
        own, one = (window - (window % 2 == 0) for window in (own, one))  # the largest that are odd
        name = self.name.replace("-", "_")
        ways = [f"{name}(weights={SCALE_WEIGHTS[:scales]}), of {scales} scales"] if scales > 1 else []
        ways += [f"{name}(window={own})"] if own >= 3 else []
        ways += ["ssim()"] if scales == 1 else [f"ssim(window={one})"] if not scales and one >= 3 > own else []
        return ", ".join([*ways, "mse()"])


def _distance(
    name: str, function: SSIM | MultiScaleSSIM, input_range: Range | None, check_shape: ShapeCheck
) -> Distance:
    source = checked_range(input_range)
    return Distance((), None, function, name, expects=UNIT_RANGE, input_range=source, check_shape=check_shape)


def _filter(maps: jax.Array, taps: tuple[float, ...]) -> jax.Array:
    """Weighted sums over the window of maps ``(n, H, W, C)``, only where all of it lies inside.

    As products with two banded matrices: more operations than a convolution of one channel, yet its second
    derivatives are about three times as fast (128 x 128 pixels, CPU).
    Always in full precision: a variance is the difference of two such sums.
    """
    rows, columns = (_band(taps, side, maps.dtype) for side in maps.shape[1:3])
    with always_float32():
        return jnp.einsum("ih,jw,nhwc->nijc", rows, columns, maps, precision="highest")


def _band(taps: tuple[float, ...], side: int, dtype: jnp.dtype) -> jax.Array:
    """``(side - len(taps) + 1, side)``: each row holds the taps, one pixel further than the row above."""
    rows = side - len(taps) + 1
    return jnp.asarray(sum(tap * np.eye(rows, side, i) for i, tap in enumerate(taps)), dtype)


def _halve(x: jax.Array) -> jax.Array:
    """The mean of every 2 x 2 pixels of ``(H, W, C)``; an odd side is continued by its last row."""
    height, width, channels = x.shape
    x = jnp.pad(x, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return x.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, channels).mean(axis=(1, 3))


def _window(window: int, sigma: float) -> tuple[float, ...]:
    """The taps of a Gaussian window, normalised to sum to one."""
    if isinstance(window, bool) or int(window) != window or window < 3 or window % 2 == 0:
        raise ValueError(f"window is {window!r}; expected an odd whole number of pixels, 3 or more. The usual is 11.")
    offsets = np.arange(int(window)) - int(window) // 2
    taps = np.exp(-0.5 * (offsets / _positive(sigma, "sigma")) ** 2)
    return tuple((taps / taps.sum()).tolist())


def _positive(value: float, what: str) -> float:
    value = float(value)
    if not 0 < value < np.inf:
        raise ValueError(f"{what} is {value:g}; expected a positive number. Leave it out for the published one.")
    return value
