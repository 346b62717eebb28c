"""The latent spaces of style-based generators: ``z``, ``w``, ``w+`` and the style space ``s``.

``z`` is mapped to ``w``, truncated, and repeated for each of ``L`` style layers: that stack is ``w+ (L, w)``, flattened
row by row. One affine map per layer makes the style vectors; all of them one after another, in network order, are
``s`` (Wu, Lischinski and Shechtman, 2021). Codes may drive the style layers ``a`` to ``b - 1`` only; the others stay at
a base code.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError, check_choice
from geomgan.generators.layers import tap
from geomgan.generators.network import FlaxFunction, PyTree
from geomgan.generators.spaces import InSpace, Settings
from geomgan.generators.style_layers import Styles, split_styles
from geomgan.generators.style_options import base_of, layers_of, mean_latent_of, truncation_of

SPACES = ("z", "w", "w+", "s")
MEAN_DRAWS = 4096  # codes of jax.random.key(0) behind the mean latent of a model that stores none


class StyleNetwork(nn.Module):
    """``(code, context) -> sample`` of a style-based generator, in one of its spaces.

    ``context`` holds arrays: ``truncation (L,)``, ``mean_latent (w,)`` or ``(L, w)``, ``inputs`` (what the synthesis
    takes besides styles: noise maps) and, where codes drive some layers only, ``base`` (``(L, w)``, in ``s`` ``(S,)``).
    Activations: those of the three networks, ``w_plus (L, w)`` and ``s (S,)``.

    Attributes:
        mapping: ``z -> w``.
        styles: ``w+ -> s``.
        synthesis: ``(s, **inputs) -> sample``.
        space: one of :data:`SPACES`.
        layers: ``(a, b)``: codes drive the style layers from ``a`` to ``b - 1``; None for all.
    """

    mapping: nn.Module
    styles: Styles
    synthesis: nn.Module
    space: str = "z"
    layers: tuple[int, int] | None = None

    def __call__(self, code, context):
        if self.space == "s":
            s = self._among(context, code, self.style_range)
        else:
            s = self.styles(tap(self, "w_plus", self._among(context, self._driven(code, context), self.rows)))
        return self.synthesis(tap(self, "s", s), **context["inputs"])

    def mapped(self, z, context):
        """The code of this space that ``z`` makes, mapped and truncated; of space ``z``, ``z`` itself."""
        if self.space == "z":
            return z
        driven = self._truncated(z, context)
        if self.space != "s":
            return driven[0] if self.space == "w" else driven.ravel()
        others = jnp.zeros((self.styles.depth, driven.shape[1]), driven.dtype)
        return self.styles(others.at[slice(*self.rows)].set(driven))[slice(*self.style_range)]

    def first_layers(self, code, context):
        """The affine map of each row of ``w+``, of a code of ``w`` for all of them.

        Where two layers share a row, as StyleGAN2's convolutions and image layers do, it is the convolution's; the last
        row has the last image layer alone (Shen and Zhou, 2021).
        """
        if self.space not in ("w", "w+"):
            raise OptionError(f"the style layers take codes of w, not of {self.space}; load with space='w' or 'w+'.")
        w_plus = self._among(context, self._driven(code, context), self.rows)
        vectors = split_styles(self.styles(w_plus), self.styles.styles)
        last = {style.row: style.name for style in self.styles.styles}
        return {last[row]: vectors[last[row]] for row in range(*self.rows)}

    @property
    def stacked(self) -> int:
        """How many codes of ``w`` a code is made of."""
        return self.rows[1] - self.rows[0] if self.space == "w+" else 1

    @property
    def rows(self) -> tuple[int, int]:
        """First and last (exclusive) style layer that codes drive."""
        return self.layers or (0, self.styles.depth)

    @property
    def style_range(self) -> tuple[int, int]:
        """Where the style vectors of ``rows`` lie in ``s``: in one piece, because rows never fall along a network."""
        start, stop = (sum(s.size for s in self.styles.styles if s.row < row) for row in self.rows)
        return start, stop

    def _driven(self, code: jax.Array, context: PyTree) -> jax.Array:
        """The rows ``(b - a, w)`` of ``w+`` that a code of ``z``, ``w`` or ``w+`` makes."""
        if self.space == "z":
            return self._truncated(code, context)
        (first, last), width = self.rows, context["mean_latent"].shape[-1]
        return jnp.broadcast_to(code.reshape(-1, width), (last - first, width))

    def _truncated(self, z: jax.Array, context: PyTree) -> jax.Array:
        """``w̄ + ψ_l (w - w̄)`` for every layer that codes drive."""
        psi, mean = context["truncation"][slice(*self.rows), None], context["mean_latent"]
        mean = mean if mean.ndim == 1 else mean[slice(*self.rows)]
        return mean + psi * (self.mapping(z) - mean)

    def _among(self, context: PyTree, driven: jax.Array, where: tuple[int, int]) -> jax.Array:
        """The base with what codes drive in its place."""
        return driven if self.layers is None else context["base"].at[slice(*where)].set(driven)


@dataclass(frozen=True)
class MappedPrior:
    """The prior of a space: ``z ~ N(0, I)``, mapped there with the truncation."""

    network: StyleNetwork
    latent_dim: int

    def __call__(self, params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        return _mapped(self.network, params, jax.random.normal(key, (shape[0], self.latent_dim)))


@partial(jax.jit, static_argnums=0)
def _mapped(network: StyleNetwork, params: PyTree, z: jax.Array) -> jax.Array:
    def one(z: jax.Array) -> Any:
        return network.apply({"params": params["network"]}, z, params["context"], method="mapped")

    with jax.default_matmul_precision("highest"):
        return jax.vmap(one)(z)


def _with_context(context: PyTree, code: jax.Array) -> tuple[jax.Array, PyTree]:
    return code, context


def settings(
    networks: tuple[nn.Module, Styles, nn.Module],
    weights: PyTree,
    inputs: Dictionary[str, Any],
    latent_dim: int,
    *,
    space: str,
    truncation: Any,
    mean_latent: Any,
    layers: Any,
    base: Any,
) -> Settings:
    """A style-based generator in one of its spaces.

    Args:
        networks: mapping ``z -> w``, styles ``w+ -> s``, synthesis ``(s, **inputs) -> sample``.
        weights: ``{"mapping": ..., "styles": ..., "synthesis": ...}``.
        inputs: what the synthesis takes besides styles, arrays.
        latent_dim: of ``z``.
        space: one of :data:`SPACES`.
        truncation: ``ψ`` in ``[-1, 1]`` of ``w̄ + ψ (w - w̄)``, for the ``w`` that ``z`` is mapped to: in space ``z``
            and in every prior. One number, or one per style layer. Codes of ``w``, ``w+`` and ``s`` are used as given.
        mean_latent: ``w̄``, ``(w,)``, ``(1, w)`` or ``(L, w)``; None for the mean of ``w`` over :data:`MEAN_DRAWS`
            codes ``z``.
        layers: ``(a, b)``, the style layers that codes drive; None for all. In ``w+`` a code then has ``(b - a) w``
            entries, in ``s`` it has the style vectors that come from these layers.
        base: the code of the other layers: ``(w,)``, ``(L, w)`` or that flattened, in ``s`` also ``(S,)``; None for
            the mean latent.

    Raises:
        OptionError: an option is out of range or of another shape.
    """
    check_choice(space, SPACES, "space")
    mapping, styles, _ = networks
    depth, total = styles.depth, sum(style.size for style in styles.styles)
    network = StyleNetwork(*networks, space=space, layers=layers_of(layers, depth))
    width = np.shape(weights["styles"][styles.styles[0].name]["kernel"])[0]
    truncation = truncation_of(truncation, depth)
    if mean_latent is None:
        mean_latent = average_latent(mapping, weights["mapping"], latent_dim)
    mean = mean_latent_of(mean_latent, depth, width)
    context = {"truncation": truncation, "mean_latent": mean, "inputs": dict(inputs)}
    if network.layers is not None:
        others = base_of(mean if base is None else base, depth, width, total if space == "s" else None)
        context["base"] = _styles(styles, weights["styles"], others) if space == "s" and others.ndim == 2 else others
    elif base is not None:
        raise OptionError("base is for the style layers that codes do not drive; here they drive all. Give layers=.")
    rows, (start, stop) = network.rows[1] - network.rows[0], network.style_range
    dims = {"z": latent_dim, "w": width, "w+": rows * width, "s": stop - start}
    params = {"network": weights, "context": context}
    function = InSpace(FlaxFunction(network), _with_context, space)
    return Settings(function, params, dims[space], MappedPrior(network, latent_dim))


def template(
    networks: tuple[nn.Module, Styles, nn.Module], latent_dim: int, inputs: Dictionary[str, Any]
) -> dict[str, Any]:
    """The weights of the three networks as shapes; runs nothing."""
    mapping, styles, synthesis = networks
    key = jax.random.key(0)

    def run(inputs: Any) -> dict[str, Any]:
        w, of_mapping = mapping.init_with_output(key, jnp.zeros(latent_dim))
        s, of_styles = styles.init_with_output(key, jnp.broadcast_to(w, (styles.depth, *w.shape)))
        weights = {"mapping": of_mapping, "styles": of_styles, "synthesis": synthesis.init(key, s, **inputs)}
        return {name: variables["params"] for name, variables in weights.items()}

    return jax.eval_shape(run, inputs)


def average_latent(mapping: nn.Module, weights: PyTree, latent_dim: int) -> np.ndarray:
    """The mean of ``w`` over :data:`MEAN_DRAWS` codes ``z ~ N(0, I)`` of ``jax.random.key(0)``, ``(w,)``."""
    z = jax.random.normal(jax.random.key(0), (MEAN_DRAWS, latent_dim), jnp.float32)
    return np.asarray(_many(mapping, weights, z)).mean(axis=0, dtype=np.float64)


def _styles(styles: Styles, weights: PyTree, w_plus: np.ndarray) -> np.ndarray:
    return np.asarray(_many(styles, weights, w_plus[None]))[0]


@partial(jax.jit, static_argnums=0)
def _many(module: nn.Module, weights: PyTree, inputs: jax.Array) -> Any:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(lambda x: module.apply({"params": weights}, x))(inputs)
