"""The layers of a Keras model in the order in which they run, models inside of it included, as one program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, said
from geomgan.generators.aten.program import Program, Tensor, Value
from weights_convert.keras_layers import activations, linear, maps, merging, norms
from weights_convert.keras_layers.calls import MAX_NESTING, all_places, arguments, channels_first, places, shape_of
from weights_convert.keras_layers.network import Call, Network, finished

MODELS = ("Sequential", "Functional", "Model")
IDENTITIES = (
    *("InputLayer", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise"),
    *("GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity"),
)
LAYERS: dict[str, Callable[..., Value]] = {
    **linear.LAYERS,
    **norms.LAYERS,
    **activations.LAYERS,
    **maps.LAYERS,
    **merging.LAYERS,
    **dict.fromkeys(IDENTITIES, lambda _call, x: x),
}
WRAPPERS = ("SpectralNormalization",)  # its kernel is kept normalised
MAX_LAYERS, MAX_NAME = 2000, 128
ADVICE = (
    "Cut the model before it, keras.Model(model.input, model.get_layer(NAME).output), or analyse the whole as a "
    "function: docs/own_generator.md, From Keras"
)


@dataclass(frozen=True)
class Layer:
    """A layer of a configuration.

    Attributes:
        name, kind: its own name, and that of its class.
        config: its settings; of a model its layers.
        inbound: what it is called with, as the file says it.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    inbound: Sequence[Any]


def layers_of(config: Mapping[str, Any]) -> list[Layer]:
    """The layers of a model in the file's order.

    Raises:
        CheckpointError: there are none, too many, or two of one name.
    """
    entries = config.get("layers")
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_LAYERS:
        raise CheckpointError(f"the model has no layers, or more than {MAX_LAYERS}; expected a configuration of Keras.")
    layers = [_layer(entry) for entry in entries]
    if len({layer.name for layer in layers}) < len(layers):
        raise CheckpointError("the model has two layers of one name; expected one each.")
    return layers


def _layer(entry: Any) -> Layer:
    entry = entry if isinstance(entry, dict) else {}
    kind, config = entry.get("class_name"), entry.get("config")
    registered = entry.get("registered_name")
    name = config.get("name", entry.get("name")) if isinstance(config, dict) else None
    if not isinstance(kind, str) or not isinstance(config, dict) or not isinstance(name, str):
        raise CheckpointError(f"the model has a layer without class, name or settings ({str(entry)[:60]!a}).")
    if not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        raise CheckpointError(f"the model has a layer of the name {name[:60]!a}; expected 1 to {MAX_NAME} letters.")
    inbound = entry.get("inbound_nodes")
    if kind in WRAPPERS:
        inner = _layer(config.get("layer"))
        return Layer(name, inner.kind, inner.config, inbound if isinstance(inbound, list) else [])
    own = registered if isinstance(registered, str) and ">" in registered else kind  # of a user's program
    return Layer(name, own, config, inbound if isinstance(inbound, list) else [])


def program_of(
    model: Mapping[str, Any], variables: Mapping[str, Sequence[np.ndarray]], old: bool = False
) -> tuple[Program, dict[str, np.ndarray]]:
    """The program of a model, and its weights in torch's layout.

    Args:
        model: its configuration, ``{"class_name", "config"}``.
        variables: path of a layer, ``/`` behind the models it is in -> its variables in Keras's order.
        old: whether Keras 2 wrote it.

    Raises:
        CheckpointError: it has other layers than common ones, several outputs, or weights that do not fit.
    """
    kind, config = model.get("class_name"), model.get("config")
    if kind not in MODELS or not isinstance(config, dict):
        raise CheckpointError(
            f"the model is of the class {str(kind)[:60]!a}, whose call is a program; expected {MODELS[0]} or "
            f"{MODELS[1]}. Save the part of it that makes samples: model.decoder.save('decoder.keras')."
        )
    walker = _Walker(Network(channels_first(config), old), variables)
    output = walker.run(config, kind, "", walker.inputs(config, kind), 0)
    return walker.network.program(output), walker.network.tensors


@dataclass(frozen=True)
class _Walker:
    """Walks through a model and the models inside of it."""

    network: Network
    variables: Mapping[str, Sequence[np.ndarray]]

    def inputs(self, config: Mapping[str, Any], kind: str) -> list[Value]:
        """The inputs of the whole model: of the program the one of floating point comes first, as the code."""
        layers = layers_of(config)
        if kind == "Sequential":
            shape = shape_of(layers[0].config, config.get("build_input_shape"))
            labels = layers[0].kind == "Embedding"
            return [self._input(layers[0].name if layers[0].kind == "InputLayer" else "input", shape, labels)]
        named = {layer.name: layer for layer in layers}
        found = {}
        for name, _, _ in places(config.get("input_layers")):
            if name not in named:
                raise CheckpointError(f"the model has no input layer {name[:60]!a}.")
            settings = named[name].config
            takers = {layer.kind for layer in layers for taken, _, _ in all_places(layer.inbound) if taken == name}
            whole_numbers = str(settings.get("dtype")).startswith(("int", "uint")) or takers == {"Embedding"}
            found[name] = shape_of(settings), whole_numbers
        order = sorted(found, key=lambda name: found[name][1])
        values = {name: self._input(name, *found[name]) for name in order}
        return [values[name] for name in found]

    def _input(self, name: str, shape: tuple[int, ...], labels: bool) -> Value:
        axes = self.network.axes(len(shape) + 1)
        kept = tuple((1, *shape)[axes.index(i)] for i in range(len(axes)))
        return self.network.input(Tensor(name, kept, "int32" if labels else "float32"))

    def run(self, config: Mapping[str, Any], kind: str, scope: str, inputs: Sequence[Value], depth: int) -> Value:
        """The output of a model."""
        if depth > MAX_NESTING:
            raise CheckpointError(f"the model has models nested more than {MAX_NESTING} deep; expected fewer.")
        layers = layers_of(config)
        if kind == "Sequential":
            if len(inputs) != 1:
                raise CheckpointError(f"a Sequential model takes {len(inputs)} values; expected one.")
            x = inputs[0]
            for layer in layers:
                x = self.called(layer, scope, [x], depth)
            return x
        return self._functional(config, layers, scope, inputs, depth)

    def _functional(
        self, config: Mapping[str, Any], layers: Sequence[Layer], scope: str, inputs: Sequence[Value], depth: int
    ) -> Value:
        outputs = places(config.get("output_layers"))
        if len(outputs) != 1:
            raise CheckpointError(
                f"the model has {len(outputs)} outputs; expected one. Name the one that is the sample: "
                "keras.Model(model.input, model.outputs[0]).save('decoder.keras')."
            )
        entries = [name for name, _, _ in places(config.get("input_layers"))]
        if len(entries) != len(inputs):
            raise CheckpointError(f"a model inside takes {len(entries)} inputs and gets {len(inputs)}.")
        made: dict[tuple[str, int], Value] = {(name, 0): x for name, x in zip(entries, inputs, strict=True)}
        first = int(self.network.old)  # of a model inside Keras 2 counts its own making as a call
        calls = {
            (layer.name, i): (layer, said)
            for layer in layers
            for i, said in enumerate(layer.inbound, first if layer.kind in MODELS else 0)
        }
        needs = {place: {taken[:2] for taken in all_places([said])} for place, (_, said) in calls.items()}
        try:
            for place in TopologicalSorter(needs).static_order():
                if place not in made:
                    if place not in calls:
                        raise CheckpointError(f"the model takes a value of {place[0][:60]!a} that nothing makes.")
                    layer, said = calls[place]
                    made[place] = self.called(layer, scope, arguments(said, made, layer.name), depth)
        except CycleError:
            raise CheckpointError("the layers of the model wait for each other; expected no loops.") from None
        name, node, _ = outputs[0]
        if (name, node) not in made:
            raise CheckpointError(f"the model's output {name[:60]!a} is nothing that it makes.")
        return made[name, node]

    def called(self, layer: Layer, scope: str, taken: Sequence[Any], depth: int) -> Value:
        """The value of one layer."""
        path = f"{scope}{layer.name}"
        self.network.count_call()
        if layer.kind in MODELS:
            values = taken[0] if taken and isinstance(taken[0], list) else taken
            if not all(isinstance(x, Value) for x in values):
                raise CheckpointError(f"the model {path} is called with {str(values)[:60]!a}; expected values alone.")
            return self.run(layer.config, layer.kind, f"{path}/", values, depth + 1)
        operator = "trainable" not in layer.config and layer.kind in merging.OPERATIONS  # ``x + y``, and no layer Add
        known = merging.OPERATIONS if operator else LAYERS
        if layer.kind not in known:
            raise CheckpointError(f"the layer {path} is a {layer.kind[:60]}, which is not read as data. {ADVICE}.")
        dotted = path.replace("/", ".")
        network = self.network
        call = Call(network, dotted, network.unique(dotted), layer.config, self.variables.get(path, ()))
        before = len(network.nodes)
        try:
            return finished(call, before, known[layer.kind](call, *taken))
        except CheckpointError:
            raise
        except Exception as error:  # whatever a configuration of another kind of numbers leads to
            raise CheckpointError(f"the layer {path} ({layer.kind}) does not fit: {said(error)}.") from None
