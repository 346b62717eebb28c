"""Edits of an activation: GANSpace's components applied where they were found, not carried back to the code.

A component of a layer's activations need not be a direction of codes. It can be added to the activation itself, and
the rest of the network goes on from there (Härkönen et al., 2020; ``edit_type="activation"`` in their files)::

    x ← x + Σ_i u_i v_i

The coordinates ``u`` become a second part of the code: the edited network is a generator of codes ``(z, u)`` like any
other, ``u = 0`` is the network itself, and a component is a direction of these codes. What walks, films, measures and
scores directions does so with components, also beside directions of ``z``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.components import Components
from geomgan.errors import OptionError, check_choice
from geomgan.generators import Generator
from geomgan.generators.generator import sample_of
from geomgan.generators.network import PyTree


@dataclass(frozen=True)
class _Edited:
    """``(params, (z, u)) -> sample`` with ``V u`` added to an activation of ``shape``; equal by value."""

    function: Any
    layer: str
    shape: tuple[int, ...]

    @property
    def space(self) -> str:
        return f"{getattr(self.function, 'space', 'z')}, {self.layer}"

    def __call__(self, params: PyTree, code: jax.Array) -> Any:
        V = params["components"]
        d = len(code) - V.shape[1]
        return self.function.edited(params["whole"], self.layer, (V @ code[d:]).reshape(self.shape), code[:d])


@dataclass(frozen=True)
class _Unedited:
    """The prior of the codes, with ``u = 0``."""

    prior: Callable[..., jax.Array]

    def __call__(self, params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        n, k = shape[0], params["components"].shape[1]
        codes = self.prior(params["whole"], key, (n, shape[1] - k))
        return jnp.concatenate([codes, jnp.zeros((n, k), codes.dtype)], axis=1)


def activation_edits(G: Generator, layer: str, components: Components) -> tuple[Generator, DirectionSet]:
    """A generator that the components of a layer edit, and they as its directions.

    Args:
        G: the generator.
        layer: one of ``G.layers``, whose components they are.
        components: of :func:`geomgan.directions.activation_components` for this layer, ``k`` of them.

    Returns:
        The generator of codes ``(z, u)`` of ``d + k`` numbers, whose prior has ``u = 0``; and ``k`` directions, one for
        each ``u_i``, of which a step is the standard deviation of the activations along it.

    Raises:
        OptionError: there is no such layer; nothing that follows depends on it; or the generator is not made of named
            layers that can be edited.
        ValueError: the components have another size than the layer.
    """
    if not hasattr(G.function, "edited"):
        raise OptionError(
            f"{G.name} has no layers that can be edited; expected a network of this package, or a module of one's own "
            "that goes on with what geomgan.generators.tap returns."
        )
    check_choice(layer, G.layers, "layer")
    shape, vectors = G.at(layer).sample_shape.shape, np.asarray(components.vectors, np.float32)
    if len(vectors) != (size := int(np.prod(shape))):
        raise ValueError(
            f"the components have {len(vectors)} numbers, and {layer} has {size}. Take those of this layer: "
            f"activation_components(G, key, {layer!r})."
        )
    k, d = vectors.shape[1], G.latent_dim
    edited = replace(
        G,
        params={"whole": G.params, "components": jnp.asarray(vectors, G.dtype)},
        function=_Edited(G.function, layer, tuple(shape)),
        prior=_Unedited(G.prior),
        latent_dim=d + k,
    )
    _check_moves(edited, layer)
    found = direction_set(
        edited,
        np.eye(d + k)[:, d:],
        "ganspace",
        names=[f"component {i}" for i in range(k)],
        settings={"layer": layer, "edit": "activation", "samples": components.count},
        scores={
            "act_stdev": components.stdevs,
            "variance_ratio": components.ratios,
            "random_stdev": components.random,
        },
        scales=components.stdevs,
        orthonormal=True,
    )
    return edited, found


def _check_moves(edited: Generator, layer: str) -> None:
    """Raise where an edit changes nothing: some layers are only looked at."""
    code = edited.sample_latent(jax.random.key(0), 1)[0]
    k = edited.params["components"].shape[1]
    moved = jax.jit(lambda G, z, v: jax.jvp(partial(sample_of, G), (z,), (v,))[1])
    if not np.abs(np.asarray(moved(edited, code, code.at[:].set(0).at[-k:].set(1.0)))).any():
        raise OptionError(
            f"nothing that {edited.name} computes after {layer} depends on it; expected a layer that does."
        )
