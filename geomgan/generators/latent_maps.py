"""Codes that are maps ``(C, h, w)``: the latents of diffusion models, their conventions and priors.

A diffusion model sees latents ``z``; its autoencoder was trained on ``raw`` ones, ``z = (raw - shift) · scaling``. The
codes here are flat ``(C · h · w,)`` in either convention. As decoders are convolutional, ``h`` and ``w`` are free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError, check_choice, warn
from geomgan.generators.network import FlaxFunction, PyTree
from geomgan.generators.spaces import InSpace, Settings

SPACES = ("latent", "raw")
LARGEST_SIDE = 1 << 13  # pixels
WIDE, NARROW = 2.25, 0.3  # of codes against encoded photographs; published conventions differ by 2.8 and more
STRONGEST = 0.98  # correlation of neighbours that a prior has


@dataclass(frozen=True)
class EnterMap:
    """``(context, z (C h w,)) -> (map (h, w, C),)`` in the convention that the network takes.

    Attributes:
        shape: ``(C, h, w)``.
        unit: pixels of the image a latent pixel.
        space: of the codes, for messages.
    """

    shape: tuple[int, int, int]
    unit: int
    space: str

    def __call__(self, context: PyTree, z: jax.Array) -> tuple[jax.Array]:
        x = z.reshape(self.shape).transpose(1, 2, 0)
        return (x * context["scale"] + context["shift"] if "scale" in context else x,)

    def check(self, context: PyTree, codes: np.ndarray) -> None:
        """Raise, or warn, where codes ``(..., d)`` are not as wide as those of photographs.

        Raises:
            ValueError: they are more than ``WIDE`` times as wide, as in another convention.
        """
        if "prior" not in context:
            return
        mean = np.asarray(context["prior"]["mean"], np.float64)[:, None, None]
        mixing = np.asarray(context["prior"]["mixing"], np.float64)
        variance = (mixing**2).sum(axis=1)[:, None, None]
        latents = (np.asarray(codes, np.float64) - context["to_space"][1]) / context["to_space"][0]
        away = latents.reshape(-1, *self.shape) - mean
        if not away.size or not codes.any():
            return
        width = float(np.sqrt((away**2 / variance).mean(axis=(1, 2, 3)).max()))
        other = next(space for space in SPACES if space != self.space)
        if width > WIDE:
            raise ValueError(
                f"the latent is {width:.2g} times as wide as those of photographs in the space {self.space!r} "
                f"(root mean square of its entries' distance from their mean, in deviations; expected about 1). It may "
                f"be of another convention: open the model with space={other!r}, or scale the latent as its card says."
            )
        if width < NARROW:
            warn(
                f"the latent is {width:.2g} times as wide as those of photographs in the space {self.space!r}; "
                f"expected about 1. If it is no even picture it may be of another convention: see space={other!r}."
            )


@dataclass(frozen=True)
class LatentPrior:
    """Codes as encoded photographs have them, in the convention of the space.

    Random parts of encoded photographs, ``context["prior"]["codes"] (n, H, W, C)``, where the map is no larger than
    those; else ``mean + mixing · e``, whose components ``e`` are Gaussian fields of unit variance: component ``k`` has
    the correlation ``r_k^(|a| + |b|)`` between latent pixels that are ``(a, b)`` apart, a first-order autoregression
    along both axes. Without a prior in the context codes are N(0, I).
    """

    shape: tuple[int, int, int]

    def __call__(self, params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        context = params["context"]
        prior = context.get("prior")
        if prior is None:
            return jax.random.normal(key, shape)
        fits = all(mine <= theirs for mine, theirs in zip(self.shape[1:], prior["codes"].shape[1:3], strict=True))
        maps = self._parts(prior, key, shape[0]) if fits else self._fields(prior, key, shape[0])
        scale, shift = context["to_space"]
        return (maps * scale + shift).reshape(shape)

    def _parts(self, prior: PyTree, key: jax.Array, n: int) -> jax.Array:
        _, height, width = self.shape
        codes = prior["codes"].transpose(0, 3, 1, 2)
        images, *free = codes.shape[0], codes.shape[2] - height + 1, codes.shape[3] - width + 1
        keys = jax.random.split(key, 3)
        starts = [jax.random.randint(k, (n,), 0, most) for k, most in zip(keys, (images, *free), strict=True)]
        cut = lambda i, top, left: jax.lax.dynamic_slice(codes, (i, 0, top, left), (1, *self.shape))[0]
        return jax.vmap(cut)(*starts)

    def _fields(self, prior: PyTree, key: jax.Array, n: int) -> jax.Array:
        noise = jax.random.normal(key, (n, *self.shape))
        rows, columns = (_autoregression(prior["correlation"], side) for side in self.shape[1:])
        fields = jnp.einsum("cij,ncjq->nciq", rows, noise, precision="highest")
        fields = jnp.einsum("cpq,nciq->ncip", columns, fields, precision="highest")
        maps = jnp.einsum("kc,ncip->nkip", prior["mixing"], fields, precision="highest")
        return maps + prior["mean"][:, None, None]


def _autoregression(correlation: jax.Array, side: int) -> jax.Array:
    """``L (C, side, side)`` with ``(L Lᵀ)_ij = r^|i - j|``."""
    i, j = np.arange(side)[:, None], np.arange(side)
    powers = correlation[:, None, None] ** np.maximum(i - j, 0)
    scale = jnp.where(j == 0, 1.0, jnp.sqrt(1 - correlation[:, None, None] ** 2))
    return jnp.where(i >= j, powers * scale, 0.0)


def fitted_prior(maps: np.ndarray) -> dict[str, np.ndarray]:
    """What :class:`LatentPrior` takes, of encoded images ``(n, h, w, C)``."""
    maps = np.asarray(maps, np.float64)
    rows = maps.reshape(-1, maps.shape[-1])
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False, bias=True))
    deviations = np.sqrt(np.maximum(values, 1e-12))
    fields = (maps - rows.mean(axis=0)) @ vectors / deviations
    along = [(fields[:, 1:] * fields[:, :-1]).mean((0, 1, 2)), (fields[:, :, 1:] * fields[:, :, :-1]).mean((0, 1, 2))]
    correlation = np.clip(np.mean(along, axis=0), 0, STRONGEST)
    fitted = {"mean": rows.mean(axis=0), "mixing": vectors * deviations, "correlation": correlation, "codes": maps}
    return {name: value.astype(np.float32) for name, value in fitted.items()}


def settings(
    network: Any, config: Mapping[str, Any], params: Mapping[str, Any], space: str, resolution: Any
) -> Settings:
    """A decoder in one of its conventions, at a resolution.

    Args:
        network: the module.
        config: with ``latent_channels``, ``factor`` (pixels a latent pixel), ``resolution``, ``native`` (the space that
            the network takes), and ``scaling`` and ``shift``, null where nothing said them.
        params: part -> weights; ``"prior"``, of the latents, where there is one.
        space: ``"latent"`` or ``"raw"``.
        resolution: of the images, a side or ``(height, width)``; None: the configuration's.

    Raises:
        OptionError: an option has a value that it cannot take.
    """
    check_choice(space, SPACES, "space")
    height, width = sides(config, resolution)
    channels, unit = config["latent_channels"], config["factor"]
    shape = (channels, height // unit, width // unit)
    scaling, shift = config["scaling"], config["shift"] or 0.0
    if scaling is None and space != config["native"]:
        raise OptionError(
            f"space={space!r}, but nothing said how raw latents are scaled when this model was converted. Leave space "
            f"out, or convert again with --option scaling=... --option shift=..."
        )
    context: dict[str, Any] = {}
    prior = params.get("prior")
    if space != config["native"]:  # raw = latent / scaling + shift
        to_raw = space == "latent"
        context["scale"] = np.float32(1 / scaling if to_raw else scaling)
        context["shift"] = np.float32(shift if to_raw else -shift * scaling)
    if prior is not None:
        context["prior"] = prior
        affine = (1 / scaling, shift) if space == "raw" else (1.0, 0.0)
        context["to_space"] = tuple(map(np.float32, affine))
    function = InSpace(FlaxFunction(network), EnterMap(shape, unit, space), space)
    weights = {"network": params["generator"], "context": context}
    return Settings(function, weights, int(np.prod(shape)), LatentPrior(shape))


def sides(config: Mapping[str, Any], resolution: Any = None) -> tuple[int, int]:
    """Height and width of images, checked against what a latent pixel covers.

    Raises:
        OptionError: ``resolution`` is no side, or does not divide.
    """
    unit = config["factor"]
    asked = config["resolution"] if resolution is None else resolution
    both = asked if isinstance(asked, tuple | list) else (asked, asked)
    whole = len(both) == 2 and all(isinstance(x, int | np.integer) and not isinstance(x, bool) for x in both)
    if not whole or not all(unit <= x <= LARGEST_SIDE for x in both):
        raise OptionError(
            f"resolution={resolution!r}; expected the side of the images, or (height, width), from {unit} to "
            f"{LARGEST_SIDE} pixels."
        )
    if any(x % unit for x in both):
        below = [max(unit, x // unit * unit) for x in both]
        near = [(b, b + unit) if x % unit else (x,) for x, b in zip(both, below, strict=True)]
        raise OptionError(
            f"resolution={resolution!r} does not divide: a latent pixel is {unit} pixels of the image. Take "
            f"{' or '.join(map(str, near[0] if len(near[0]) > 1 else near[1]))}."
        )
    return int(both[0]), int(both[1])


def flat_code(x: jax.Array, factor: Any = 1.0, shift: Any = 0.0) -> jax.Array:
    """A map ``(h, w, C)`` as a code, ``(x - shift) · factor``."""
    return ((x - shift) * factor).transpose(2, 0, 1).ravel()
