"""WaveGAN (Donahue, McAuley and Puckette, 2019): raw audio by a stack of one-dimensional upsampling layers.

The published layers upsample four times, either by repeating every sample and convolving, or by a transposed
convolution. Both are linear and move with their input, so both are exactly one convolution at the *low* rate with four
outputs per position, interleaved in time (Shi et al., 2016): zeros and repeated samples are never made, and the
repeating kind takes 7 multiplications where it took 25. Batch norms are folded into the layers.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from geomgan.errors import check_count
from geomgan.generators.layers import Dense, convolve, products, tap

FRAMES = 16  # of the map that the code is projected to
KERNEL = 25  # of every published layer
REPEATS = 4  # of every sample, before a convolution padded by 12
TRANSPOSED_PADDING = 11  # PyTorch's ``padding`` of the transposed convolutions; their ``output_padding`` is 1


def kernel_positions(factor: int, repeats: bool) -> list[tuple[int, int, int]]:
    """Triples ``(k, r, j)``: element ``k`` of a published kernel takes ``x[q + j]`` to the output ``factor · q + r``.

    Repeating kind: output ``t`` reads the repeated signal at ``4t / factor + k - 12``, that is
    ``x[⌊(4t / factor + k - 12) / 4⌋]``. Transposed kind: ``x[i]`` goes to ``t = factor · i + k - 11``.
    """
    check_count(factor, KERNEL, "factor")  # no weight depends on it
    pairs = [(k, r) for k in range(KERNEL) for r in range(factor)]
    if repeats:
        return [(k, r, (r * REPEATS // factor + k - KERNEL // 2) // REPEATS) for k, r in pairs]
    shifts = [(k, r, r + TRANSPOSED_PADDING - k) for k, r in pairs]
    return [(k, r, shift // factor) for k, r, shift in shifts if shift % factor == 0]


class UpsamplingLayer(nn.Module):
    """``(T, C) -> (factor · T, features)``: a convolution with ``factor`` outputs per position.

    ``y[factor · q + r] = bias + Σ_j x[q + j] kernel[j - j_min, :, r]`` with the ``j`` of :func:`kernel_positions` and
    zeros outside of ``x``; kernel ``(j_max - j_min + 1, C, factor · features)``. The published transposed kind of
    factor 2 is padded for factor 4: it is two samples longer.
    """

    features: int
    factor: int = 4
    repeats: bool = True

    @nn.compact
    def __call__(self, x):
        shifts = [j for _, _, j in kernel_positions(self.factor, self.repeats)]
        before, after = -min(shifts), max(shifts)
        shape = (before + 1 + after, x.shape[-1], self.factor * self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        longer = 0 if self.repeats else 4 // self.factor - 1  # (T - 1) factor - 2 · 11 + 25 + 1 = factor T + 4 - factor
        x = convolve(x, kernel, padding=[(before, after + longer)]).reshape(-1, self.features)
        return x + self.param("bias", nn.initializers.zeros, (self.features,))


class WaveGAN(nn.Module):
    """``z (d,) -> audio (T, channels)`` in ``(-1, 1)``.

    The code is projected to ``(16, features[0])``. Each of the other ``features`` is a layer that makes the signal four
    times as long, and the output one of ``last_factor``: 16384 samples with five layers, 65536 with six, and 32768 with
    six and ``last_factor=2`` (32770 where ``repeats`` is False, as published). The published models are trained on
    16000 samples a second, which ``geomgan.distances.spectrogram`` asks for.

    Activations: ``project``, ``block1``, ... (after the ReLU, and ``.preactivation``), ``output.preactivation``.
    """

    features: tuple[int, ...]
    channels: int = 1
    last_factor: int = 4
    repeats: bool = True

    @nn.compact
    def __call__(self, z):
        first, *others = self.features
        x = Dense(FRAMES * first, name="project")(z).reshape(FRAMES, first)
        x = self._activated("project", x)
        for i, features in enumerate(others, start=1):
            x = UpsamplingLayer(features, repeats=self.repeats, name=f"block{i}")(x)
            x = self._activated(f"block{i}", x)
        x = UpsamplingLayer(self.channels, self.last_factor, self.repeats, name="output")(x)
        return jnp.tanh(tap(self, "output.preactivation", x))

    def first_layers(self, z):
        """The projection to the first map."""
        return {"project": products(self, ["project"], z)}

    def _activated(self, name, x):
        x = tap(self, f"{name}.preactivation", x)
        return tap(self, name, nn.relu(x))
