"""Ensembles of decoders: one network under several sets of weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.generators.generator import Generator
from geomgan.generators.network import PyTree, check_named
from geomgan.generators.outputs import Members

MEMBER = "a member of the ensemble"


@dataclass(frozen=True)
class EnsembleFunction:
    """``(stacked params, z) -> Members``: one function under every member's weights."""

    function: Callable[[PyTree, jax.Array], Any]

    @property
    def space(self) -> str:
        """The latent space of the members."""
        return str(getattr(self.function, "space", "z"))

    def __call__(self, params: PyTree, z: jax.Array) -> Members:
        return Members(jax.vmap(self.function, (0, None))(params, z))

    def activations(self, params: PyTree, z: jax.Array) -> OrderedDict[str, Members]:
        """Every named activation, of all members."""
        check_named(self.function, MEMBER)
        stacked = jax.vmap(self.function.activations, (0, None))(params, z)  # type: ignore[attr-defined]
        return OrderedDict((name, Members(values)) for name, values in stacked.items())

    def layers(self, params: PyTree, z: Any) -> tuple[str, ...]:
        """Activations of the members."""
        layers = getattr(self.function, "layers", None)
        first = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), params)
        return layers(first, z) if layers else ()

    def at(self, layer: str, layers: tuple[str, ...]) -> EnsembleFunction:
        """The ensemble cut at ``layer``."""
        check_named(self.function, MEMBER)
        return EnsembleFunction(self.function.at(layer, layers))  # type: ignore[attr-defined]


def ensemble(G: Generator, params: PyTree) -> Generator:
    """An ensemble of decoders: one network under ``E`` sets of weights.

    Its sample is the mean over members, its metric the expected one, ``g(z) = 1/E Σ_e g_e(z)``.

    Args:
        G: one member, for everything but the weights.
        params: the weights of all members, stacked: every leaf of ``G.params`` with a first axis ``E``.

    Raises:
        ValueError: ``params`` is not a stack of ``G``'s weights.
    """
    params = jax.tree.map(jnp.asarray, params)
    stacked, single = jax.tree.flatten(params), jax.tree.flatten(G.params)
    sizes = {leaf.shape[:1] for leaf in stacked[0]}
    fits = str(stacked[1]) == str(single[1]) and len(sizes) == 1 and sizes != {()}
    if not fits or any(a.shape[1:] != b.shape for a, b in zip(stacked[0], single[0], strict=True)):
        raise ValueError(
            f"params is not a stack of the weights of {G.name}: expected the same tree with one more first axis, "
            "for example jax.tree.map(lambda *p: jnp.stack(p), G1.params, G2.params)."
        )
    return replace(G, params=params, function=EnsembleFunction(G.function), name=f"ensemble of {G.name}")
