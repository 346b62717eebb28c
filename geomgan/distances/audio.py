"""Audio compared by its log-magnitude spectrograms at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance, PyTree, Range, checked_range, from_embedding

AUDIO_RANGE: Range = (-1.0, 1.0)
SHORTEST_WINDOW = 8  # samples: four frequencies above zero


def spectrogram(
    sample_rate: float,
    *,
    windows: Sequence[float] = (0.008, 0.032, 0.128),
    overlap: float = 0.75,
    floor: float = 1e-4,
    input_range: Range | None = None,
) -> Distance:
    """Mean squared difference of log-magnitude spectrograms at ``R`` resolutions, in nepers² (1 neper = 8.686 dB).

    ``d²(x, y) = 1/R Σ_r 1/N_r Σ_tfc (L_r(x) - L_r(y))²`` with ``L_r = ½ log(|S_r|² + ε²)``, where ``S_r`` is the
    short-time Fourier transform in the ``r``-th Hann window, scaled so that a sine of amplitude one reads one, and
    ``N_r`` counts its frames, frequencies and channels. The embedding is ``L_r / √(R N_r)``, smooth everywhere: at
    silence ``S = 0`` and its derivative is zero. Short windows hear when, long ones which pitch; polarity and the
    phase of steady tones are not heard.

    Signals are continued by silence at both ends, so that every sample is covered by the same number of frames.

    Args:
        sample_rate: of the samples, in hertz; there is no default, because no value is right for all.
        windows: lengths of the Hann windows in seconds, so that they mean the same at every sample rate. In samples
            they are rounded to a multiple of twice the number of frames that overlap.
        overlap: of consecutive frames, ``1 - 1/k`` for a whole ``k >= 2``: then ``k`` frames cover each sample.
        floor: ``ε``, the amplitude (of full scale one) below which sounds count as silence; 1e-4 is -80 dB, above what
            float32 rounds. Of 1e-5, 1e-4, 1e-3 and 1e-2 it finds a speaker's same digit most often (600 recordings).
        input_range: range of the samples' values; None takes the generator's in ``metric_*``, else ``(-1, 1)``.

    Raises:
        TypeError: no ``sample_rate``.
        ValueError: an argument out of its bounds. The distance raises for samples that are not ``(T, C)``, or shorter
            than the longest window.

    Source: the multi-scale spectral loss of Engel et al., "DDSP" (ICLR 2020), and the multi-resolution STFT loss of
    Yamamoto et al., "Parallel WaveGAN" (ICASSP 2020); here the log-magnitude term alone, squared and with a smooth
    floor, so that it has an embedding.
    """
    rate = _positive(sample_rate, "sample_rate", "hertz, for example 16000")
    if not 0.5 <= overlap < 1 or abs(1 / (1 - overlap) - round(1 / (1 - overlap))) > 1e-6:
        raise ValueError(f"overlap is {overlap}; expected 1 - 1/k for a whole k: 0.5, 0.75 or 0.875, for example.")
    frames = round(1 / (1 - overlap))
    hops = tuple(_hop(seconds, rate, frames) for seconds in np.atleast_1d(windows).ravel().tolist())
    if not hops:
        raise ValueError("windows is empty; expected lengths in seconds, for example (0.008, 0.032, 0.128).")
    return from_embedding(
        LogSpectrograms(hops, frames, _positive(floor, "floor", "an amplitude, for example 1e-4")),
        (),
        "spectrogram",
        expects=AUDIO_RANGE,
        input_range=checked_range(input_range),
        check_shape=ShapeCheck(frames * max(hops), rate),
    )


@dataclass(frozen=True)
class LogSpectrograms:
    """``(params, x) -> log(1 + |S_r|²/ε²) / 2√(R N_r)`` at every resolution.

    It differs from the definition by the constant ``log ε``, which no distance sees: silence is exactly zero.
    """

    hops: tuple[int, ...]
    frames: int
    floor: float

    def __call__(self, params: PyTree, x: jax.Array) -> list[jax.Array]:
        del params
        return [self._at(hop, x.T) for hop in self.hops]

    def _at(self, hop: int, x: jax.Array) -> jax.Array:
        """One resolution of a signal ``(C, T)``: ``(C, frames, frequencies)``."""
        spectrum = jnp.fft.rfft(_frames(x, hop, self.frames) * _hann(hop * self.frames, x.dtype))
        power = (spectrum.real**2 + spectrum.imag**2) * self.floor**-2
        return jnp.log1p(power) * (0.5 * (len(self.hops) * power.size) ** -0.5)


@dataclass(frozen=True)
class ShapeCheck:
    """Raises for samples that are not audio, or too short for the longest window."""

    shortest: int
    rate: float

    def __call__(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(
                f"spectrogram got a sample of shape {shape}; expected audio (T, C), channels last. Use x[:, None] for "
                "one channel, and jax.vmap for a stack of signals."
            )
        if shape[0] < self.shortest:
            raise ValueError(
                f"spectrogram got {shape[0]} samples, {shape[0] / self.rate:.3g} s; expected at least {self.shortest}, "
                f"the longest window ({self.shortest / self.rate:.3g} s at {self.rate:g} Hz). Give shorter windows, in "
                "seconds; the shape is (T, C), time first."
            )


def _frames(x: jax.Array, hop: int, count: int) -> jax.Array:
    """Frames of ``count`` hops, one every hop, of ``(C, T)`` between silences: ``(C, n, count * hop)``.

    Each is a row of blocks side by side: slices, and no gather, whose derivative would scatter.
    """
    channels, length = x.shape
    margin = (count - 1) * hop
    blocks = jnp.pad(x, ((0, 0), (margin, margin + -length % hop))).reshape(channels, -1, hop)
    n = blocks.shape[1] - count + 1
    return jnp.concatenate([blocks[:, i : i + n] for i in range(count)], axis=-1)


def _hann(length: int, dtype: jnp.dtype) -> jax.Array:
    """A periodic Hann window whose response to a sine of amplitude one is one."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return jnp.asarray(window * (2 / window.sum()), dtype)


def _hop(seconds: float, rate: float, frames: int) -> int:
    """The hop of a window, in samples: an even one keeps ``hop * frames`` a good length for the transform."""
    samples, shortest = _positive(seconds, "a window", "seconds") * rate, max(SHORTEST_WINDOW, 2 * frames)
    if samples < shortest:
        raise ValueError(
            f"a window of {seconds:g} s is {samples:.3g} samples at {rate:g} Hz; expected at least {shortest}. "
            "Give a longer one; windows are in seconds."
        )
    return 2 * round(samples / (2 * frames))


def _positive(value: float, what: str, unit: str) -> float:
    if value is None or not 0 < float(value) < np.inf:
        raise ValueError(f"{what} is {value}; expected a positive number: {unit}.")
    return float(value)
