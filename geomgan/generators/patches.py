"""A part of the latent map as a generator of its own: metrics of a patch, or of some channels.

Any metric of a patch is the block of the whole one that belongs to its entries, of a distance that sees its pixels
alone, for less: fewer tangents, and of a decoder without norms behind its first blocks a part of its maps only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.generators.generator import Generator, checked_code
from geomgan.generators.latent_maps import EnterMap
from geomgan.generators.network import PyTree
from geomgan.generators.spaces import InSpace
from geomgan.generators.windows import Ends, Window


@dataclass(frozen=True)
class EnterPatch:
    """``(context, z) -> (map,)``: ``z`` in the place of the patch, all other entries as in ``context["base"]``.

    Attributes:
        whole: enters all codes.
        channels, rows, columns: of the latents that ``z`` is of.
    """

    whole: EnterMap
    channels: tuple[int, ...]
    rows: Ends
    columns: Ends

    def __call__(self, context: PyTree, z: jax.Array) -> tuple[jax.Array]:
        (top, bottom), (left, right) = self.rows, self.columns
        patch = z.reshape(len(self.channels), bottom - top, right - left)
        base = context["base"].astype(z.dtype)
        at = np.asarray(self.channels)
        return self.whole(context, base.at[at, top:bottom, left:right].set(patch))


@dataclass(frozen=True)
class PatchFunction(InSpace):
    """:class:`InSpace` whose samples are cropped to ``window``, ``((top, bottom), (left, right))`` in pixels."""

    window: Window | None = None

    def __call__(self, params: PyTree, z: jax.Array) -> Any:
        x = super().__call__(params, z)
        if self.window is None or self.network.layer is not None or hasattr(self.network.module, "window"):
            return x
        return x[tuple(slice(*ends) for ends in self.window)]


@dataclass(frozen=True)
class PatchPrior:
    """Codes of the patch, from the whole map's prior."""

    whole: Callable[..., jax.Array]
    enter: EnterPatch

    def __call__(self, params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        maps = self.whole(params, key, (shape[0], int(np.prod(self.enter.whole.shape))))
        return _cut(maps.reshape(shape[0], *self.enter.whole.shape), self.enter).reshape(shape)


def _cut(maps: Any, enter: EnterPatch) -> Any:
    return maps[:, np.asarray(enter.channels)][:, :, slice(*enter.rows), slice(*enter.columns)]


def map_shape(G: Generator) -> tuple[int, int, int]:
    """``(C, h, w)`` of a generator whose codes are maps.

    Raises:
        ValueError: its codes are none.
    """
    enter = getattr(G.function, "enter", None)
    if isinstance(enter, EnterPatch):
        return len(enter.channels), enter.rows[1] - enter.rows[0], enter.columns[1] - enter.columns[0]
    if not isinstance(enter, EnterMap):
        raise ValueError(
            f"the codes of {G.name} are no maps (C, h, w). Expected the decoder of a diffusion model's autoencoder, "
            "opened by geomgan.load."
        )
    return enter.shape


def patch(
    G: Generator,
    z: Any,
    rows: Ends | None = None,
    columns: Ends | None = None,
    channels: Sequence[int] | None = None,
    *,
    crop: bool = True,
) -> tuple[Generator, jax.Array]:
    """The generator of a patch of the latent map, or of some channels, around a code; and the patch's own code.

    Its codes are the entries of the patch, all others stay as in ``z``; its samples are the pixels under the patch.

    Args:
        G: a decoder whose codes are maps, from ``geomgan.load``.
        z: the code ``(d,)``.
        rows: first latent row and the one behind the last; all by default.
        columns: as ``rows``.
        channels: numbers of the channels; all by default.
        crop: False to keep the whole image as the sample.

    Returns:
        ``(patch generator, its code (channels · rows · columns,))``.

    Raises:
        ValueError: ``G`` has no map, or the patch does not lie in it.
    """
    shape, whole = map_shape(G), G.function.enter  # type: ignore[attr-defined]
    if isinstance(whole, EnterPatch):
        raise ValueError("G is a patch already; expected the whole decoder: cut the patch out of that.")
    ends = (_ends("rows", rows, shape[1]), _ends("columns", columns, shape[2]))
    chosen = tuple(range(shape[0])) if channels is None else tuple(map(int, channels))
    if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= c < shape[0] for c in chosen):
        raise ValueError(f"channels are {chosen}; expected different numbers from 0 to {shape[0] - 1}.")
    base = jnp.asarray(checked_code(G, z), G.dtype).reshape(shape)
    enter = EnterPatch(whole, chosen, *ends)
    network, window = G.function.network, None  # type: ignore[attr-defined]
    if crop:
        window = (_scaled(ends[0], whole.unit), _scaled(ends[1], whole.unit))
        if hasattr(network.module, "window"):
            network = replace(network, module=network.module.clone(window=window))
    code = _cut(base[None], enter).ravel()
    part = replace(
        G,
        params={**G.params, "context": {**G.params["context"], "base": base}},
        function=PatchFunction(network, enter, G.space, window),
        prior=PatchPrior(G.prior, enter),
        latent_dim=code.size,
        name=f"{G.name}[{','.join(f'{low}:{high}' for low, high in ends)}]",
    )
    return part, code


def _ends(name: str, given: Ends | None, side: int) -> Ends:
    low, high = (0, side) if given is None else map(int, given)
    if not 0 <= low < high <= side:
        raise ValueError(f"{name} are {low} to {high}; expected first < last within 0 to {side}, the latent map's.")
    return low, high


def _scaled(ends: Ends, unit: int) -> Ends:
    return ends[0] * unit, ends[1] * unit
