"""The decoder of an autoencoder at encoded images: its axes, how far they hold, and what noise in a latent costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.analysis.latent_maps import MapAxes, image_areas, map_axes
from geomgan.brief import brief
from geomgan.distances.distance import Distance, distance_of
from geomgan.eigen.pairs import Eigenpairs, eigenpairs
from geomgan.errors import check_codes, check_key
from geomgan.generators.generator import Generator, check_convention, sample_of
from geomgan.generators.patches import map_shape
from geomgan.metric.operator import metric_operator
from geomgan.metric.pair import bind, check_types

DENSE = 2048  # latent dimensions up to which all pairs are computed
TOP, AREAS, PROBES, DRAWS = 64, 16, 16, 8
NOISE = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # deviations; a sampler's last step leaves about the first
STEPS = tuple(float(x) for x in np.geomspace(0.05, 20, 12))
RANDOM = "random"


@brief
@dataclass(frozen=True)
class DecoderGeometry:
    """What a decoder does around ``n`` encoded images; ``k`` pairs of each.

    Attributes:
        codes: ``(n, d)``.
        decoded: ``(n, H, W, 3)``.
        psnr: ``(n,)``, of the decoded images against the encoded ones, in decibels.
        values: ``(n, k)``, eigenvalues.
        residuals: ``(n,)``, the worst of each, over the largest eigenvalue.
        trace: ``(n,)``, of the metric; of ``complete`` pairs exact, else estimated from random tangents.
        channels: ``(n, C)``, each channel's share of the pairs' sum.
        area: ``(n, k)``, latent pixels that an axis covers.
        frequency: ``(n, k)``, cycles per latent pixel.
        image_area: ``(n, m)``, the share of the image's pixels that each of the first ``m`` axes covers.
        steps: ``(T,)``, lengths along axes, in latent units.
        axes: ranks of the axes that were walked, from 1, and ``"random"``.
        holding: ``(n, len(axes), T)``, ``d² / (t² vᵀ g v)``, mean of both sides: 1 where the quadratic holds,
            NaN for axes below the noise floor.
        noise: ``(S,)``, deviations of noise that was added to every entry.
        predicted: ``(n, S)``, ``σ² tr g``.
        measured: ``(n, S)``, mean ``d²`` over draws.
        noise_psnr: ``(n, S)``, of the decoded noisy codes against the decoded clean ones.
        shape: ``(C, h, w)`` of the codes.
        complete: whether the pairs are all.
        prior_trace: ``(P,)``, traces at codes of N(0, I) of the latents' own mean and deviation.
    """

    codes: np.ndarray
    decoded: np.ndarray
    psnr: np.ndarray
    values: np.ndarray
    residuals: np.ndarray
    trace: np.ndarray
    channels: np.ndarray
    area: np.ndarray
    frequency: np.ndarray
    image_area: np.ndarray
    steps: np.ndarray
    axes: tuple[str, ...]
    holding: np.ndarray
    noise: np.ndarray
    predicted: np.ndarray
    measured: np.ndarray
    noise_psnr: np.ndarray
    shape: tuple[int, int, int]
    complete: bool
    prior_trace: np.ndarray

    @property
    def dimensions(self) -> np.ndarray:
        """``(n,)``, pairs that have 90 % of the trace; of incomplete pairs NaN where they have less together."""
        shares = np.cumsum(self.values, axis=1) / self.trace[:, None]
        reached = shares >= 0.9
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.nan)

    @property
    def trusted(self) -> np.ndarray:
        """``(n, len(axes))``, the longest step up to which ``d²`` is within 20 % of the quadratic; 0 if none is."""
        holds = np.logical_and.accumulate(np.abs(self.holding - 1) <= 0.2, axis=2)
        return np.where(holds.any(axis=2), self.steps[np.maximum(holds.sum(axis=2) - 1, 0)], 0.0)


def decoder_geometry(
    G: Generator,
    D: Distance,
    codes: Any,
    images: Any,
    *,
    key: jax.Array,
    top: int = TOP,
    noise: Sequence[float] = NOISE,
    progress: bool = False,
) -> DecoderGeometry:
    """The geometry of a decoder at codes of images.

    All pairs where the codes have at most ``DENSE`` dimensions, else the first ``top``, by block Lanczos.

    Args:
        G: a decoder whose codes are maps.
        D: the squared distance, with an embedding.
        codes: ``(n, d)``, the encoded images.
        images: ``(n, H, W, 3)``, the images, in the decoder's range.
        key: of random tangents and noise, a ``jax.random.key``.
        top: pairs of larger codes.
        noise: deviations of the noise on each entry of a code.
        progress: show a progress bar, with the time left.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
    """
    check_types(G, D)
    check_key(key)
    shape, codes = map_shape(G), np.asarray(check_codes(codes, G.latent_dim), np.float32)
    images = np.asarray(images, np.float32)
    if images.shape != (len(codes), *G.sample_shape.shape):
        raise ValueError(
            f"images have shape {images.shape}; expected {(len(codes), *G.sample_shape.shape)}: one for each code, of "
            "the decoder's size."
        )
    check_convention(G, codes)
    D, complete = bind(G, D), G.latent_dim <= DENSE
    span = 2.0 if G.output_range is None else G.output_range[1] - G.output_range[0]
    noise_key, probe_key, prior_key = jax.random.split(key, 3)
    found: dict[str, list[Any]] = {name: [] for name in _COLLECTED}
    levels = np.asarray(noise, np.float32)
    for z, image in zip(tqdm(codes, "codes", unit="code", disable=not progress), images, strict=True):
        op = metric_operator(G, D, z)
        pairs = eigenpairs(op, None if complete else top, solver="dense" if complete else "block")
        axes = map_axes(pairs, shape)
        trace = float(pairs.values.sum()) if complete else _trace(op, probe_key)
        ranks = [r for r in (1, 8, 64, 256, 1024) if r <= len(pairs.values)]
        decoded, apart, error = _noisy(G, D, z, levels, noise_key)
        found["decoded"].append(decoded)
        found["psnr"].append(_psnr(np.mean((np.asarray(decoded) - image) ** 2), span))
        found["holding"].append(_holding(G, D, op, z, pairs, ranks, probe_key))
        found["measured"].append(apart)
        found["noise_psnr"].append(_psnr(np.asarray(error), span))
        found["predicted"].append(levels.astype(float) ** 2 * trace)
        _add(found, pairs, axes, trace, image_areas(G, z, pairs.vectors[:, :AREAS]) / image[..., 0].size)
    mean, deviation = codes.mean(), codes.std()
    draws = mean + deviation * np.asarray(jax.random.normal(prior_key, (min(len(codes), 4), G.latent_dim)))
    arrays: dict[str, Any] = {name: np.asarray(rows) for name, rows in found.items()}
    return DecoderGeometry(
        codes=codes,
        steps=np.asarray(STEPS),
        axes=(*map(str, ranks), RANDOM),
        noise=levels,
        shape=shape,
        complete=complete,
        prior_trace=np.array([_trace(metric_operator(G, D, z), probe_key) for z in draws]),
        **arrays,
    )


_COLLECTED = (
    *("decoded", "psnr", "values", "residuals", "trace", "channels", "area", "frequency", "image_area"),
    *("holding", "predicted", "measured", "noise_psnr"),
)


def _add(found: dict[str, list[Any]], pairs: Eigenpairs, axes: MapAxes, trace: float, image_area: np.ndarray) -> None:
    found["values"].append(np.maximum(pairs.values, 0.0))
    found["residuals"].append((pairs.residuals / pairs.values[0]).max())
    found["trace"].append(trace)
    found["channels"].append(axes.channel_shares)
    found["area"].append(axes.area)
    found["frequency"].append(axes.frequency)
    found["image_area"].append(image_area)


def _trace(op: Any, key: jax.Array) -> float:
    """``tr g`` from random signs ``v``: the mean of ``vᵀ g v`` (Hutchinson)."""
    V = np.asarray(jax.random.rademacher(key, (op.dim, PROBES), np.float32))
    return float((V * np.asarray(op.matmat(V), np.float64)).sum() / PROBES)


def _holding(
    G: Generator, D: Distance, op: Any, z: np.ndarray, pairs: Eigenpairs, ranks: Sequence[int], key: jax.Array
) -> np.ndarray:
    """``d² / (t² vᵀ g v)`` along some axes and a random direction ``(len(ranks) + 1, T)``."""
    random = np.asarray(jax.random.normal(key, (op.dim, 1)))
    random = random / np.linalg.norm(random)
    V = np.concatenate([pairs.vectors[:, [rank - 1 for rank in ranks]], random], axis=1).astype(np.float32)
    drawn = float((V[:, -1] * np.asarray(op.matvec(V[:, -1]), np.float64)).sum())
    quadratic = np.append(pairs.values[[rank - 1 for rank in ranks]], drawn)
    quadratic = np.where(quadratic > 10 * pairs.noise_floor, quadratic, np.nan)  # below there is nothing to compare
    steps = np.asarray(STEPS, np.float32)
    moves = np.concatenate([steps, -steps])[:, None, None] * V.T
    apart = np.asarray(_apart(G, D, jnp.asarray(z), jnp.asarray(moves.reshape(-1, op.dim))), np.float64)
    apart = apart.reshape(2, len(steps), -1).mean(axis=0)
    rows: np.ndarray = (apart / (steps.astype(float)[:, None] ** 2 * quadratic)).T
    return rows


@jax.jit
def _apart(G: Generator, D: Distance, z: jax.Array, moves: jax.Array) -> jax.Array:
    """``d²`` from the sample of ``z`` to those of ``z + moves (m, d)``."""
    with jax.default_matmul_precision("highest"):
        x = sample_of(G, z)
        return jax.lax.map(lambda move: distance_of(D, x, sample_of(G, z + move)), moves, batch_size=8)


@jax.jit
def _noisy(
    G: Generator, D: Distance, z: jax.Array, levels: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The sample of ``z``; and of noisy codes the mean ``d²`` and mean squared error to it, by level."""
    with jax.default_matmul_precision("highest"):
        x = sample_of(G, z)
        noise = jax.random.normal(key, (DRAWS, z.size), z.dtype)

        def one(move: jax.Array) -> tuple[jax.Array, jax.Array]:
            y = sample_of(G, z + move)
            return distance_of(D, x, y), jnp.mean((x - y) ** 2)

        moves = (levels[:, None, None] * noise).reshape(-1, z.size)
        apart, error = jax.lax.map(one, moves, batch_size=8)
        return x, apart.reshape(len(levels), DRAWS).mean(axis=1), error.reshape(len(levels), DRAWS).mean(axis=1)


def _psnr(error: Any, span: float) -> Any:
    """``10 log10(span² / error)``."""
    return 10 * np.log10(span**2 / np.maximum(np.asarray(error, np.float64), 1e-30))
