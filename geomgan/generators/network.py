"""Flax modules as pure functions, cut at any named activation."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

import flax.linen as nn
import jax
from flax import traverse_util

from geomgan.backend import usual_promotion
from geomgan.brief import brief
from geomgan.errors import called, check_choice
from geomgan.generators.layers import ACTIVATIONS, EDITS

PyTree = Any


@brief
@dataclass(frozen=True)
class FlaxFunction:
    """``(params, *inputs) -> output`` of a Flax module, or its activation ``layer``.

    Two instances that are equal by value share every compiled program, which a bound ``module.apply`` does not.
    """

    module: nn.Module
    layer: str | None = None

    @usual_promotion()
    def __call__(self, params: PyTree, *inputs: jax.Array) -> Any:
        if self.layer is None:
            return self.module.apply({"params": params}, *inputs)
        return self.activations(params, *inputs)[self.layer]

    @usual_promotion()
    def activations(self, params: PyTree, *inputs: jax.Array) -> OrderedDict[str, jax.Array]:
        """Every named activation, in the order in which the network computes them."""
        _, state = self.module.apply({"params": params}, *inputs, mutable=[ACTIVATIONS])
        # a plain dictionary would sort its keys when it leaves a trace
        return OrderedDict(traverse_util.flatten_dict(state.get(ACTIVATIONS, {}), sep="."))

    @usual_promotion()
    def edited(self, params: PyTree, layer: str, added: jax.Array, *inputs: jax.Array) -> Any:
        """The output, with an array of its shape added to the activation ``layer`` where the network computes it."""
        seen = lambda params, *inputs: self.module.apply({"params": params}, *inputs, mutable=[ACTIVATIONS])[1]
        places = traverse_util.flatten_dict(jax.eval_shape(seen, params, *inputs)[ACTIVATIONS])
        (place,) = (place for place in places if ".".join(place) == layer)
        edits = traverse_util.unflatten_dict({place: added})
        if self.layer is None:
            return self.module.apply({"params": params, EDITS: edits}, *inputs)
        _, state = self.module.apply({"params": params, EDITS: edits}, *inputs, mutable=[ACTIVATIONS])
        return traverse_util.flatten_dict(state[ACTIVATIONS], sep=".")[self.layer]

    @usual_promotion()
    def first_layers(self, params: PyTree, *inputs: jax.Array) -> OrderedDict[str, jax.Array]:
        """What the layers that take the code make of it; see :mod:`geomgan.generators.first_layers`."""
        outputs: Any = self.module.apply({"params": params}, *inputs, method="first_layers")
        return OrderedDict(outputs)

    def layers(self, params: PyTree, *inputs: Any) -> tuple[str, ...]:
        """Names of the activations, in the order in which the network computes them; runs nothing."""
        return tuple(jax.eval_shape(self.activations, params, *inputs))

    def at(self, layer: str, layers: tuple[str, ...]) -> FlaxFunction:
        """This function cut at ``layer``, one of ``layers``."""
        check_choice(layer, layers, "layer")
        return replace(self, layer=layer)


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)  # compared by identity: hashable, so jax.jit takes it
class Network:
    """A network that is not a generator (an encoder, a discriminator, a classifier), as a frozen pytree.

    Attributes:
        params: the weights.
        function: ``(params, *inputs) -> output``, static.
        input_shapes: the shape of each input of one sample, static.
        name: static.
    """

    params: PyTree
    function: FlaxFunction = field(metadata={"static": True})
    input_shapes: tuple[tuple[int, ...], ...] = field(metadata={"static": True})
    name: str = field(default="network", metadata={"static": True})

    def __call__(self, *inputs: jax.Array) -> Any:
        """Output of the network for one sample; use ``jax.vmap`` for many.

        Raises:
            ValueError: the inputs do not have ``input_shapes``.
        """
        self._check(inputs)
        return _run(self, *inputs)

    def activations(self, *inputs: jax.Array) -> dict[str, jax.Array]:
        """All named activations of one sample, in the order of ``layers``; one pass, compiled once.

        Raises:
            ValueError: as ``__call__``.
        """
        self._check(inputs)
        return _activations(self, *inputs)

    def _check(self, inputs: tuple[Any, ...]) -> None:
        shapes = tuple(tuple(getattr(x, "shape", ())) for x in inputs)
        if shapes != self.input_shapes:
            raise ValueError(
                f"{self.name} got inputs of shapes {shapes}; expected {self.input_shapes}: "
                "one sample, channels last. Use jax.vmap for a stack of samples."
            )

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the activations that :meth:`at` can reach."""
        inputs = [jax.ShapeDtypeStruct(shape, jax.numpy.float32) for shape in self.input_shapes]
        return self.function.layers(self.params, *inputs)

    def at(self, layer: str) -> Network:
        """The same network, cut at the activation ``layer``."""
        return replace(self, function=self.function.at(layer, self.layers))


@jax.jit
def _run(network: Network, *inputs: jax.Array) -> Any:
    with jax.default_matmul_precision("highest"):
        return network.function(network.params, *inputs)


@jax.jit
def _activations(network: Network, *inputs: jax.Array) -> OrderedDict[str, jax.Array]:
    with jax.default_matmul_precision("highest"):
        return network.function.activations(network.params, *inputs)


def check_named(function: Any, name: str) -> None:
    """Raise ``ValueError`` unless the function names its activations."""
    if not hasattr(function, "activations"):
        raise ValueError(
            f"{called(name)} was made from a plain function, which has no named layers. Make it with "
            "Generator.from_module and name activations in the module with geomgan.generators.tap."
        )
