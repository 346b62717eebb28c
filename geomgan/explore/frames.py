"""What is shown of a code: a picture, or the wave and the sound of an audio sample, as bytes of files."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError
from geomgan.generators import Generator
from geomgan.generators.generator import sample_of
from geomgan.pictures import is_image

SMALL = 128  # pixels of a frame while a slider moves, at most
WAVE = (96, 384)  # pixels of the picture of a wave
RATE = 16000  # hertz, of audio whose rate nobody said: that of the published WaveGANs


@dataclass(frozen=True)
class Frame:
    """A picture as PNG, the sound if there is one as WAV, and whether all values are finite."""

    png: bytes
    sound: bytes
    finite: bool
    sharp: bool


def check_shown(G: Generator) -> str:
    """``"image"`` or ``"audio"``; ``OptionError`` for samples that are neither."""
    shape = G.sample_shape.shape
    if is_image(shape):
        return "image"
    if len(shape) == 2 and shape[1] in (1, 2):
        return "audio"
    raise OptionError(
        f"samples of {G.name} have shape {shape}; the explorer shows images (H, W, 1) or (H, W, 3) and audio (T, 1) "
        "or (T, 2). Wrap the generator in one that returns such, with geomgan.Generator.from_function."
    )


@partial(jax.jit, static_argnames="stride")
def _pixels(G: Generator, z: jax.Array, bounds: jax.Array, stride: int) -> tuple[jax.Array, jax.Array]:
    """Every ``stride``-th pixel in bytes, and whether the whole sample is finite."""
    with jax.default_matmul_precision("highest"):
        sample = sample_of(G, z)
    finite = jnp.isfinite(sample).all()
    shown = (sample[::stride, ::stride] - bounds[0]) / (bounds[1] - bounds[0])
    return jnp.rint(255 * jnp.clip(jnp.nan_to_num(shown), 0, 1)).astype(jnp.uint8), finite


def frame(G: Generator, z: np.ndarray, bounds: tuple[float, float], stride: int, rate: int = RATE) -> Frame:
    """The frame of a code ``(d,)``: one call of a compiled program, and a file of its bytes.

    Args:
        G: the generator.
        z: a code.
        bounds: values of black and white.
        stride: every ``stride``-th pixel, of :func:`stride_of`; 1 for a sharp one, 0 for audio.
        rate: of audio, in hertz.
    """
    code = jnp.asarray(z, G.dtype)
    if stride:
        pixels, finite = _pixels(G, code, jnp.asarray(bounds, jnp.float32), stride)
        return Frame(png(np.asarray(pixels)), b"", bool(finite), stride == 1)
    sample = np.asarray(G(code), np.float32)
    return Frame(png(_drawn(sample, bounds)), _wav(sample, rate), bool(np.isfinite(sample).all()), True)


def picture(sample: np.ndarray, bounds: tuple[float, float]) -> bytes:
    """A sample that is an image, as a file."""
    shown = (np.asarray(sample, np.float64) - bounds[0]) / (bounds[1] - bounds[0])
    return png(np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8))


def stride_of(G: Generator) -> int:
    """Which pixels a small frame has, at most ``SMALL`` to a side; 0 of audio."""
    shape = G.sample_shape.shape
    return max(1, -(-max(shape[:2]) // SMALL)) if is_image(shape) else 0


def png(pixels: np.ndarray) -> bytes:
    """Bytes ``(H, W, 1)`` or ``(H, W, 3)`` as a PNG, written fast."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _drawn(sample: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """A wave ``(T, C)`` as a picture: in each column the range of its values."""
    height, width = WAVE
    parts = np.array_split(np.nan_to_num(sample).mean(axis=1), min(width, len(sample)))
    low, high = np.array([part.min() for part in parts]), np.array([part.max() for part in parts])
    row = lambda x: np.clip((1 - (x - bounds[0]) / (bounds[1] - bounds[0])) * (height - 1), 0, height - 1).round()
    at = np.arange(height)[:, None]
    inside = (at >= row(high)) & (at <= row(low))
    return np.where(inside, 31, 255).astype(np.uint8)[..., None]


def _wav(sample: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(sample.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((32767 * np.clip(np.nan_to_num(sample), -1, 1)).astype("<i2").tobytes())
    return buffer.getvalue()


def bounds_of(G: Generator, z: Any) -> tuple[float, float]:
    """Values of black and white: the generator's range, or that of the first sample."""
    if G.output_range is not None:
        return G.output_range
    sample = np.asarray(G(np.asarray(z, G.dtype)))
    low, high = float(np.nanmin(sample)), float(np.nanmax(sample))
    return (low, high) if high > low else (low, low + 1)
