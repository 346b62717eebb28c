"""DCGAN generators in the layout of the PyTorch tutorial: ``main.0``, ``main.1`` (batch norm), ``main.3``, ...

Any names that end in the places of layers in a sequence will do, ``0``, ``gen.3``, ``net.2.0``: what counts is that
transposed convolutions follow each other, with batch norms between.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError
from geomgan.generators.activations import HIDDEN, OUTPUT_RANGES, SLOPE
from geomgan.generators.dcgan import Stage, tutorial_stages
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.modules import OTHERWISE, Part, StateDict, forwards
from weights_convert.options import Options, choice, number, shown, whole
from weights_convert.recognise.sequences import kernels_of, path_of, sequence
from weights_convert.table import Layer, Tensors, fill, not_of, shapes

MAX_LAYERS = 10  # each doubles the side: 2048 pixels
MAX_SIDE = 4096

ACTIVATIONS = {  # of torch -> ours
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "SELU": "selu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
}
USUAL = {"alpha": 1.0, "approximate": "none"}  # of ELU and GELU, the only ones that ours have
SILENT = ("Dropout", "Dropout2d", "Identity")  # what does nothing outside of training


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Latent size, width, depth, kernels and channels are read from the tensors' shapes.

    Strides, paddings and activations are in a whole module; elsewhere they are options, by default the tutorial's.
    """
    tensors = states[""]
    for path, part in tensors.parts.items():
        _expect(path, part, part.kind != "PReLU")  # its slopes would be taken for the kernel of a layer
    prefix, places = sequence(tensors)
    kernels = kernels_of(places)
    layers = [path_of(prefix, place) for place in kernels] or ["main.0"]
    layers += ["main.3"] if len(layers) == 1 else []
    norms: list[str | None] = []
    for before, after in itertools.pairwise(kernels):
        between = [place for place, parts in places.items() if before < place < after and "running_mean" in parts]
        norms += [path_of(prefix, between[0]) if between else None]
    norms += [None] * (len(layers) - 1 - len(norms))
    _check_kernels("tutorial DCGAN", tensors, layers, square=True)
    if outside := sorted(set(tensors) - {name for parts in places.values() for name in parts.values()}):
        raise not_of("a tutorial DCGAN", (), outside)  # before anything is asked
    if not tensors.parts:
        _check_places(prefix, kernels, [place for place in places if place not in kernels])
    return dcgan(family, "tutorial DCGAN", tensors, layers, norms, options, _behaviour(tensors, layers, norms, options))


def dcgan(
    family: Family,
    what: str,
    tensors: Tensors,
    layers: Sequence[str],
    norms: Sequence[str | None],
    options: Options,
    behaviour: Mapping[str, Any],
) -> Converted:
    """A DCGAN whose transposed convolutions are ``layers``, all but the last of them followed by ``norms``."""
    _check_kernels(what, tensors, layers, square="stages" in behaviour)
    weights = [tensors[f"{layer}.weight"] for layer in layers]
    config = {
        "latent_dim": weights[0].shape[0],
        "features": [weight.shape[1] for weight in weights[:-1]],
        "channels": weights[-1].shape[1],
        "resolution": _resolution([Stage(*s) for s in behaviour.get("stages", tutorial_stages(len(layers)))]),
        **behaviour,
    }
    targets = [*(f"block{i + 1}" for i in range(len(norms))), "output"]
    epsilon = options.epsilon(tensors)
    rows = [
        Layer(
            target,
            layer,
            "conv_transpose",
            norm=norm,
            bias=f"{layer}.bias" in tensors,
            epsilon=epsilon(norm),
        )
        for target, layer, norm in zip(targets, layers, [*norms, None], strict=True)
    ]
    template = shapes(family.networks["generator"].module(config), (config["latent_dim"],))
    output_range = list(OUTPUT_RANGES[behaviour.get("output", "tanh")])
    card = {"config": config, "output_range": output_range, "prior": "z ~ N(0, I)"}
    return Converted(card, {"generator": fill(tensors, rows, template, f"a {what}")})


def _check_kernels(what: str, tensors: Tensors, layers: Sequence[str], *, square: bool) -> None:
    """Raise unless there are 2 to ``MAX_LAYERS`` kernels, square ones or all of 4 x 4."""
    shapes_ = [np.shape(tensors.get(f"{layer}.weight", ())) for layer in layers]
    four = [len(s) == 4 and s[2] == s[3] > 0 and (square or s[2] == 4) for s in shapes_]
    if not 2 <= len(shapes_) <= MAX_LAYERS or not all(four):
        raise CheckpointError(
            f"no {what}: expected 4 x 4 kernels {layers[0]}.weight, {layers[1]}.weight, ... of 2 to {MAX_LAYERS} "
            f"layers; the file holds {', '.join(list(tensors)[:5])}, .... {OTHERWISE}."
        )


def _resolution(stages: Sequence[Stage]) -> int:
    """The side of the image; ``OptionError`` where a layer makes none."""
    side = 1
    for i, stage in enumerate(stages):
        before, side = side, stage.side(side)
        if not 1 <= side <= MAX_SIDE or stage.padding >= stage.kernel or stage.output_padding >= max(stage.stride, 1):
            raise OptionError(
                f"layer {i + 1} of kernel {stage.kernel}, stride {stage.stride}, padding {stage.padding} and output "
                f"padding {stage.output_padding} makes {side} pixels a side of {before}; expected 1 to {MAX_SIDE}, "
                "less padding than kernel and less output padding than stride."
            )
    return side


# --- Where the layers are ---


def _check_places(prefix: str, kernels: Sequence[tuple[int, ...]], others: Sequence[tuple[int, ...]]) -> None:
    """Raise unless a norm comes at once behind its layer, and one thing without tensors before the next layer.

    That is an activation. More than one may be an upsampling, none is no activation, and one before the norm is an
    activation in another place: what they are, a state dict does not say.
    """
    for before, after in itertools.pairwise(kernels):
        norms = [place for place in others if before < place < after]
        last = (norms or [before])[-1]
        at_once = len(norms) <= 1 and last == (*before[:-1], before[-1] + len(norms))
        k = next(i for i, (a, b) in enumerate(zip(last, after, strict=False)) if a != b)  # where they part
        step = 1 if len(last) > k + 1 else 2  # of a block in the sequence no name tells where it ends
        if not at_once or after[k] != last[k] + step or any(after[k + 1 :]):
            held = ", ".join(path_of(prefix, place) for place in norms) or "nothing"
            raise CheckpointError(
                f"between {path_of(prefix, before)} and {path_of(prefix, after)} the file has {held}; expected a batch "
                "norm at once or none, then one activation. What else lies there (dropout, upsampling, an activation "
                "before it) no tensor says: convert the whole module, torch.save(model, FILE), which does"
            )


# --- What no tensor says ---


def _behaviour(
    tensors: StateDict, layers: Sequence[str], norms: Sequence[str | None], options: Options
) -> dict[str, Any]:
    """Entries of the configuration that are not the tutorial's: ``stages``, ``activation``, ``slope``, ``output``."""
    count = len(layers)
    module = _of_module(tensors, layers, norms)
    if authors := forwards(tensors.parts):
        options.assumed["forward"] = f"{', '.join(authors)} runs its layers one after the other, and nothing else"
    sides = [tensors[f"{layer}.weight"].shape[2] for layer in layers]
    usual = tutorial_stages(count) if set(sides[1:]) == {4} else ()
    columns = list(zip(*usual, strict=True)) if usual else []

    def ask(name: str, column: int, low: int, high: int) -> list[int]:
        assumed = list(columns[column]) if usual else [0] * count if name == "output_padding" else None
        return options.ask(name, whole(low, high, count), known=module.get(name), assumed=assumed)

    stride, padding, more = ask("stride", 1, 1, 16), ask("padding", 2, 0, 64), ask("output_padding", 3, 0, 15)
    stages = tuple(map(Stage, sides, stride, padding, more))
    leaky = "slope" in options and "activation" not in options
    activation = options.ask(
        "activation", choice(*HIDDEN), known=module.get("activation"), assumed="leaky_relu" if leaky else "relu"
    )
    if leaky:
        options.assumed.pop("activation", None)  # a slope says that it is a leaky ReLU
    behaviour: dict[str, Any] = (
        {"stages": [list(stage) for stage in stages]} if stages != tutorial_stages(count) else {}
    )
    if activation != "relu":
        behaviour["activation"] = activation
    if activation == "leaky_relu":
        behaviour["slope"] = options.ask("slope", number(0, 1), known=module.get("slope"), assumed=SLOPE)
    elif "slope" in options:
        raise OptionError(f"slope={options['slope']}, but the activation is {activation}. Leave one of them out.")
    output = options.ask("output", choice(*OUTPUT_RANGES), known=module.get("output"), assumed="tanh")
    return behaviour | ({"output": output} if output != "tanh" else {})


def _of_module(tensors: StateDict, layers: Sequence[str], norms: Sequence[str | None]) -> dict[str, Any]:
    """What a whole module says of strides, paddings and activations; empty for a state dict.

    Raises:
        CheckpointError: it does what this family does not.
    """
    if not tensors.parts:
        return {}
    above = {path.rpartition(".")[0] for path in tensors.parts if path}
    behind: list[list[Part]] = []  # every layer -> its non-linearities
    for path, part in tensors.parts.items():
        if path in layers:
            _expect(path, part, part.kind == "ConvTranspose2d" and part.pair("dilation") == part.pair("groups") == 1)
            behind.append([])
        elif part.kind in ACTIVATIONS:
            _expect(path, part, all(part.attributes.get(k, v) == v for k, v in USUAL.items()) and bool(behind))
            behind[-1].append(part)
        elif part.kind == "Unflatten" and not behind:
            _expect(path, part, tuple(part.attributes.get("unflattened_size") or ())[1:] == (1, 1))
        elif path not in above and part.kind not in SILENT:
            _expect(path, part, path in norms and not behind[-1])  # else the activation comes first
    *hidden, last = behind
    kinds = {(ACTIVATIONS[part.kind], part.attributes.get("negative_slope")) for parts in hidden for part in parts}
    if len(kinds) != 1 or any(len(parts) != 1 for parts in hidden) or len(last) > 1:
        raise CheckpointError(
            f"the module has {sorted(kind for kind, _ in kinds) or 'no activations'} between its layers and "
            f"{len(last)} at its end; expected the same one behind each, and at most one at the end. {OTHERWISE}"
        )
    activation, slope = kinds.pop()
    said = {"activation": activation, "slope": slope}
    for name in ("stride", "padding", "output_padding"):
        said[name] = [_pair(layer, tensors.parts[layer], name) for layer in layers]
    if last:
        said["output"] = ACTIVATIONS[last[0].kind]
        _expect("the end", last[0], said["output"] in OUTPUT_RANGES)
    elif all(tensors.parts[path].kind == "Sequential" for path in above):  # others may call a function at the end
        said["output"] = "linear"
    return said


def _expect(path: str, part: Part, fits: bool) -> None:
    if not fits:
        said = {k: v for k, v in part.attributes.items() if k in ("groups", "dilation", "alpha", "approximate")}
        kind = f"{part.kind} {said}" if said else part.kind
        raise CheckpointError(
            f"the module has {kind} at {path or 'its root'}, which no DCGAN of this family has. {OTHERWISE}"
        )


def _pair(path: str, part: Part, name: str) -> int:
    value = part.pair(name)
    if value is None:
        raise CheckpointError(
            f"the module has {name}={shown(part.attributes.get(name))} at {path}; expected the same for both axes. "
            f"{OTHERWISE}"
        )
    return value
