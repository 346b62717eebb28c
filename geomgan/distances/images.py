"""Samples as image networks take them."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

SHIFT = (-0.030, -0.088, -0.188)  # ImageNet's mean and deviation per channel, of images in (-1, 1)
SCALE = (0.458, 0.448, 0.450)


@dataclass(frozen=True)
class ImageInput:
    """Which samples a network takes, and what it makes of them; called with a shape, it raises if that does not fit.

    Attributes:
        name: of the distance, for messages.
        sides: the smallest side that the network takes, and the largest (None: any).
        channels: 3 for networks of colour images, which also take grey ones; 1 for networks of grey images.
        size: ``(height, width)`` to which samples are interpolated first; None: taken as they are.
        standardise: subtract ImageNet's mean and divide by its deviation, both for images in ``(-1, 1)``.
    """

    name: str
    sides: tuple[int, int | None]
    channels: int = 3
    size: tuple[int, int] | None = None
    standardise: bool = True

    def __call__(self, shape: tuple[int, ...]) -> None:
        """Raise ``ValueError`` for samples that are no images, or too small or large for the network."""
        if len(shape) != 3 or shape[-1] not in (1, self.channels):
            kinds = "(H, W, 3) or (H, W, 1)" if self.channels == 3 else "(H, W, 1)"
            raise ValueError(
                f"{self.name} got a sample of shape {shape}; expected one image {kinds}, "
                "channels last. Use jax.vmap for a stack of images."
            )
        if self.size is None and not self._fits(shape[:2]):
            raise ValueError(
                f"{self.name} got an image of {shape[0]} x {shape[1]} pixels; expected {self._expected} a side. "
                f"Interpolate it to the network's size with resize={self.sides[1] or 64}."
            )

    def prepare(self, x: jax.Array) -> jax.Array:
        """The network's input ``(h, w, channels)`` of one sample: resized, grey repeated, standardised."""
        if self.size is not None:
            x = jax.image.resize(x, (*self.size, x.shape[-1]), "linear", antialias=False)
        x = jnp.broadcast_to(x, (*x.shape[:2], self.channels))
        return (x - jnp.asarray(SHIFT, x.dtype)) / jnp.asarray(SCALE, x.dtype) if self.standardise else x

    def resized(self, resize: Any) -> ImageInput:
        """The same for samples that are interpolated first (bilinear, half-pixel centres).

        Args:
            resize: side, or ``(height, width)``; None: not at all.

        Raises:
            ValueError: no size, or one that the network does not take.
        """
        if resize is None:
            return self
        try:
            height, width = map(operator.index, resize if isinstance(resize, (tuple, list)) else (resize, resize))
        except (TypeError, ValueError):
            raise ValueError(f"resize is {resize!r}; expected a number of pixels, or (height, width).") from None
        if not self._fits((height, width)):
            raise ValueError(f"resize is {resize}; expected {self._expected} for {self.name}.")
        return replace(self, size=(height, width))

    def _fits(self, sides: tuple[int, ...]) -> bool:
        smallest, largest = self.sides
        return min(sides) >= smallest and (largest is None or max(sides) <= largest)

    @property
    def _expected(self) -> str:
        smallest, largest = self.sides
        return f"at least {smallest}" if largest is None else f"{smallest}"
