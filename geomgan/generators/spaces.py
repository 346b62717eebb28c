"""Generators whose codes are only a part of what the network takes: classes, truncation, layers of a style."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax

from geomgan.generators.generator import standard_normal
from geomgan.generators.network import FlaxFunction, PyTree


@dataclass(frozen=True)
class Settings:
    """What the options of ``geomgan.load`` make of a model: everything a ``Generator`` needs besides its card.

    Attributes:
        function: ``(params, z) -> sample``, hashable and equal by value: a ``FlaxFunction`` or an :class:`InSpace`.
        params: what ``function`` and ``prior`` take.
        latent_dim: of the chosen space.
        prior: ``(params, key, (n, d)) -> codes`` in the chosen space.
    """

    function: Callable[[PyTree, jax.Array], Any]
    params: PyTree
    latent_dim: int
    prior: Callable[..., jax.Array] = standard_normal


@dataclass(frozen=True)
class InSpace:
    """``(params, z) -> network(*enter(context, z))`` with ``params = {"network": weights, "context": arrays}``.

    ``context`` holds what the user fixed (a class embedding, a mean latent, noise) as arrays: another class is
    another argument of the same compiled program. Equal by value, as :class:`FlaxFunction`.

    Attributes:
        network: takes the full input.
        enter: ``(context, z) -> inputs``, a tuple; a function of a module or a frozen dataclass, so that two equal
            instances share compiled programs.
        space: the latent space of ``z``, by the name that ``geomgan.load`` takes.
    """

    network: FlaxFunction
    enter: Callable[[PyTree, jax.Array], tuple[jax.Array, ...]]
    space: str = "z"

    def __call__(self, params: PyTree, z: jax.Array) -> Any:
        return self.network(params["network"], *self.enter(params["context"], z))

    def check(self, params: PyTree, codes: Any) -> None:
        """Raise where codes ``(..., d)`` cannot be of this space, if ``enter`` can tell."""
        if check := getattr(self.enter, "check", None):
            check(params["context"], codes)

    def activations(self, params: PyTree, z: jax.Array) -> OrderedDict[str, jax.Array]:
        """Every named activation of the network, in its order."""
        return self.network.activations(params["network"], *self.enter(params["context"], z))

    def edited(self, params: PyTree, layer: str, added: jax.Array, z: jax.Array) -> Any:
        """The output, with an array added to the network's activation ``layer``."""
        return self.network.edited(params["network"], layer, added, *self.enter(params["context"], z))

    def first_layers(self, params: PyTree, z: jax.Array) -> OrderedDict[str, jax.Array]:
        """What the network's layers that take the code make of it."""
        return self.network.first_layers(params["network"], *self.enter(params["context"], z))

    def layers(self, params: PyTree, z: Any) -> tuple[str, ...]:
        """Names of the network's activations; runs nothing."""
        return self.network.layers(params["network"], *jax.eval_shape(self.enter, params["context"], z))

    def at(self, layer: str, layers: tuple[str, ...]) -> InSpace:
        """This function cut at ``layer``."""
        return replace(self, network=self.network.at(layer, layers))
