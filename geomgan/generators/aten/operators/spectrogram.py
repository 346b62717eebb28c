"""Short-time Fourier transforms: windowed frames of a signal ``(..., T)`` as columns ``(..., frequencies, frames)``."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from geomgan.generators.aten.operators.arguments import Operators
from geomgan.generators.aten.operators.fourier import view_as_real
from geomgan.generators.aten.operators.shape import unfold


def _window(window, n_fft, win_length):
    """The window, ones for none, in the middle of ``n_fft`` zeros."""
    length = n_fft if win_length is None else win_length
    window = jnp.ones(length) if window is None else window
    before = (n_fft - length) // 2
    return jnp.pad(window, (before, n_fft - length - before))


def stft(
    x,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    normalized=False,
    onesided=None,
    return_complex=None,
    align_to_window=None,
):
    frames = unfold(x, -1, n_fft, hop_length or n_fft // 4) * _window(window, n_fft, win_length)
    transform = jnp.fft.fft if onesided is False or jnp.iscomplexobj(frames) else jnp.fft.rfft
    spectra = transform(frames, norm="ortho" if normalized else "backward").mT
    return spectra if return_complex else view_as_real(spectra)


def istft(
    x,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    normalized=False,
    onesided=None,
    length=None,
    return_complex=False,
):
    """Frames added where they overlap, over the sum of their squared windows."""
    hop, weights = hop_length or n_fft // 4, _window(window, n_fft, win_length)
    norm = "ortho" if normalized else "backward"
    if return_complex:
        frames = jnp.fft.ifft(x.mT, norm=norm)
    else:
        frames = jnp.fft.irfft(x[..., : n_fft // 2 + 1, :].mT, n_fft, norm=norm)
    total = n_fft + hop * (frames.shape[-2] - 1)

    def added(frames):
        signal = jax.ShapeDtypeStruct((*frames.shape[:-2], total), frames.dtype)
        return jax.linear_transpose(lambda y: unfold(y, -1, n_fft, hop), signal)(frames)[0]

    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - start
    cut = (..., slice(start, end))
    envelope = added(jnp.broadcast_to(jnp.square(weights), frames.shape[-2:]))
    signal = added(frames * weights)[cut] / envelope[cut]
    return jnp.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(0, max(end - total, 0))])


OPERATORS: Operators = {"stft": stft, "istft": istft}
