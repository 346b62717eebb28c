"""How StyleGAN3 samples its signals: widths of maps, factors of resampling, and zeros around them.

A layer's signal has a cutoff frequency below which it passes and a stopband above which nothing is left. Its map has a
power of two of pixels per unit of length, enough for the stopband, and a margin around the unit square that is the
image (Karras et al., 2021, section 3.2 and appendix C).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Waves:
    """The Fourier input: ``features`` plane waves on ``size`` pixels a side, of which ``rate`` make one unit.

    Waves of a frequency above ``bandwidth`` are damped, linearly down to zero at ``rate / 2``.
    """

    features: int
    size: int
    rate: float
    bandwidth: float


@dataclass(frozen=True)
class Filtered:
    """One layer: a modulated convolution, and but for the last a filtered non-linearity.

    Attributes:
        before: channels that it takes.
        features: channels that it makes.
        kernel: side of the convolution.
        up: factor of upsampling before the non-linearity.
        down: factor of downsampling after it.
        up_taps: length of the separable filter behind the upsampling.
        down_taps: length (radial: side) of the filter before the downsampling.
        radial: whether that filter is two-dimensional (configuration R).
        padding: zeros (negative: pixels dropped) before and after the upsampled map.
    """

    before: int
    features: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool
    padding: tuple[int, int]


@dataclass(frozen=True)
class Sampling:
    """The sampling of a network; the defaults are those of the published ones.

    Attributes:
        resolution: side of the images.
        depth: number of layers, with the last, which makes the image.
        num_critical: layers at the end without oversampling.
        first_cutoff: cutoff frequency of the first layer.
        first_stopband: frequency that the first layer's filter stops.
        last_stopband_rel: frequency that the last layer's filter stops, over its cutoff ``resolution / 2``.
        margin_size: pixels around the image.
        lrelu_upsampling: oversampling of the non-linearities.
    """

    resolution: int
    depth: int
    num_critical: float = 2
    first_cutoff: float = 2
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin_size: float = 10
    lrelu_upsampling: float = 2

    @property
    def cutoffs(self) -> np.ndarray:
        """Cutoff frequency of every layer."""
        return self._growing(self.first_cutoff, self.resolution / 2)

    @property
    def rates(self) -> np.ndarray:
        """Pixels per unit of length of what every layer makes."""
        stopbands = self._growing(self.first_stopband, self.resolution / 2 * self.last_stopband_rel)
        return np.exp2(np.ceil(np.log2(np.minimum(2 * stopbands, self.resolution))))

    @property
    def sides(self) -> list[int]:
        """Side of the Fourier input, then of what every layer makes; the last two have no margin."""
        wide = [int(rate + 2 * self.margin_size) for rate in self.rates]
        return [wide[0], *wide[:-2], self.resolution, self.resolution]

    def factors(self, k: int) -> tuple[int, int]:
        """Factors of upsampling before layer ``k``'s non-linearity and of downsampling after it."""
        before, after = self.rates[max(k - 1, 0)], self.rates[k]
        working = max(before, after) * (1 if k == self.depth - 1 else self.lrelu_upsampling)
        return int(np.rint(working / before)), int(np.rint(working / after))

    def waves(self, features: int) -> dict[str, Any]:
        """:class:`Waves`, for a configuration."""
        return asdict(Waves(features, self.sides[0], float(self.rates[0]), float(self.cutoffs[0])))

    def layer(
        self, k: int, before: int, features: int, kernel: int, up_taps: int, down_taps: int, radial: bool
    ) -> dict[str, Any]:
        """:class:`Filtered` of layer ``k``, for a configuration. Samples lie in the middles of pixels."""
        (up, down), (taken, made) = self.factors(k), self.sides[k : k + 2]
        zeros = (made - 1) * down + 1 - (taken + kernel - 1) * up + up_taps + down_taps - 2
        low = (zeros + up) // 2
        layer = Filtered(before, features, kernel, up, down, up_taps, down_taps, radial, (low, zeros - low))
        return {**asdict(layer), "padding": [low, zeros - low]}  # as JSON has it

    def _growing(self, first: float, last: float) -> np.ndarray:
        """From ``first`` to ``last`` geometrically, where critical sampling begins."""
        return first * (last / first) ** np.minimum(np.arange(self.depth) / (self.depth - 1 - self.num_critical), 1)
