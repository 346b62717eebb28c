"""Axes of decoders whose codes are maps ``(C, h, w)``: their channels, how local they are, how fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.eigen.pairs import Eigenpairs
from geomgan.errors import as_array, check_finite
from geomgan.generators.generator import Generator, sample_of
from geomgan.metric.chunks import map_chunks

PUSHED = 32  # tangents together


@brief
@dataclass(frozen=True)
class MapAxes:
    """Where eigenvectors lie in the latent map.

    Attributes:
        values: ``(k,)``, eigenvalues.
        channels: ``(k, C)``, the share of each axis in each channel; rows sum to 1.
        area: ``(k,)``, latent pixels that an axis covers: ``(Σ e)² / Σ e²`` of its squares ``e`` in each, from 1 to
            ``h w``.
        frequency: ``(k,)``, mean spatial frequency in cycles per latent pixel, weighted with the power spectrum: 0 for
            an even map, 0.5 for stripes of single pixels, 0.71 for a chessboard.
        shape: ``(C, h, w)``.
    """

    values: np.ndarray
    channels: np.ndarray
    area: np.ndarray
    frequency: np.ndarray
    shape: tuple[int, int, int]

    @property
    def channel_shares(self) -> np.ndarray:
        """``(C,)``, what each channel has of the sum of all eigenvalues: of the trace, where all are there."""
        shares: np.ndarray = self.values @ self.channels / self.values.sum()
        return shares


def map_axes(pairs: Eigenpairs | tuple[Any, Any], shape: Sequence[int]) -> MapAxes:
    """Channels, area and spatial frequency of each axis.

    Args:
        pairs: eigenpairs, or their values ``(k,)`` and vectors ``(d, k)``.
        shape: ``(C, h, w)``, as ``geomgan.generators.patches.map_shape`` gives it.

    Raises:
        ValueError: the vectors are not of that shape.
    """
    values, vectors = (pairs.values, pairs.vectors) if isinstance(pairs, Eigenpairs) else pairs
    values, vectors = np.asarray(values, np.float64), np.asarray(vectors, np.float64)
    size = tuple(map(int, shape))
    if len(size) != 3 or vectors.ndim != 2 or vectors.shape != (np.prod(size), len(values)):
        raise ValueError(
            f"vectors have shape {vectors.shape} and values {values.shape} for a map of {size}; expected "
            f"({int(np.prod(size))}, k) and (k,): one column for each axis, C · h · w numbers."
        )
    check_finite(vectors, "vectors")
    maps = vectors.T.reshape(-1, *size)
    squares = maps**2
    total = squares.sum(axis=(1, 2, 3))
    power = (np.abs(np.fft.fft2(maps)) ** 2).sum(axis=1)
    radius = np.hypot(np.fft.fftfreq(size[1])[:, None], np.fft.fftfreq(size[2]))
    return MapAxes(
        values=values,
        channels=squares.sum(axis=(2, 3)) / total[:, None],
        area=_participation(squares.sum(axis=1)),
        frequency=(power * radius).sum(axis=(1, 2)) / power.sum(axis=(1, 2)),
        shape=(size[0], size[1], size[2]),
    )


def image_areas(G: Generator, z: Any, vectors: Any) -> np.ndarray:
    """``(k,)``, pixels of the image that each of ``vectors (d, k)`` moves at the code ``z``, as ``MapAxes.area``.

    Raises:
        ValueError: the vectors are not of the generator's codes.
    """
    vectors = as_array(vectors, "vectors")
    if vectors.ndim != 2 or vectors.shape[0] != G.latent_dim:
        raise ValueError(f"vectors have shape {vectors.shape}; expected ({G.latent_dim}, k): one column for each axis.")
    pushed = _pushed(G, jnp.asarray(z, G.dtype), jnp.asarray(vectors.T, G.dtype))
    return _participation((np.asarray(pushed, np.float64) ** 2).sum(axis=-1))


@jax.jit
def _pushed(G: Generator, z: jax.Array, tangents: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        _, push = jax.linearize(lambda z: [sample_of(G, z)], z)
        return map_chunks(push, tangents, PUSHED)[0]


def _participation(maps: np.ndarray) -> np.ndarray:
    """``(Σ e)² / Σ e²`` of each map ``(k, h, w)``; 0 of one that is zero."""
    squares = (maps**2).sum(axis=(1, 2))
    return np.where(squares > 0, maps.sum(axis=(1, 2)) ** 2 / np.where(squares > 0, squares, 1), 0.0)
