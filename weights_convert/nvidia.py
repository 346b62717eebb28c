"""What the official pickles of StyleGAN2-ADA and StyleGAN3 share: how they are read, and the mapping network.

They hold whole modules: calls of ``torch_utils.persistence._reconstruct_persistent_obj`` on the program text of a class
and the attributes of its object. The text is ignored and nothing is called; the tensors are collected from the
attributes, under the names that they have in a state dict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError
from geomgan.models.families.stylegan import OFFICIAL, PERSISTENT, PICKLED
from geomgan.restricted_pickle import StandIn, misfit
from weights_convert.convert import state_dict
from weights_convert.stylegan2 import check_resolution, numbered, shape
from weights_convert.table import Computed, Layer, Row, Tensors
from weights_convert.torch_file import read_checkpoint

ARGUMENTS = "init_kwargs"  # of the generator, beside its tensors
MAX_TENSORS, MAX_NAME = 10_000, 256
RATE = 0.01  # learning-rate multiplier of the mapping network, where the file does not say: weights are divided by it
EPSILON = 1e-8  # of the normalisation of a class's embedding
GAIN = math.sqrt(2)  # of the leaky ReLU, folded into what lies before it


def read(path: str | Path, *, stand_ins: tuple[str, ...] = PICKLED) -> dict[str, Any]:
    """``{"G_ema": state dict, "init_kwargs": arguments}`` of an official pickle, or what ``torch.save`` wrote.

    Raises:
        CheckpointError: the file is damaged, or holds no networks.
    """
    tree = read_checkpoint(path, stand_ins=stand_ins, plain_pickle=True)
    try:
        return _networks(tree)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _networks(tree: Any) -> dict[str, Any]:
    if isinstance(tree, StandIn):
        tree = {"G_ema": tree}
    if not isinstance(tree, dict):
        raise misfit(f"a {type(tree).__name__}", OFFICIAL)
    held = tree.get("G_ema")
    if not isinstance(held, StandIn):
        return {name: value for name, value in tree.items() if value is not None}
    tensors = dict(_tensors(held))
    if len(tensors) > MAX_TENSORS:
        raise misfit(f"more than {MAX_TENSORS} tensors in G_ema", "fewer")
    return {"G_ema": tensors, ARGUMENTS: _plain(_attributes(held).get("_init_kwargs"))}


def _tensors(root: StandIn) -> Iterator[tuple[str, np.ndarray]]:
    """Parameters and buffers of a module and all below it, by their names in a state dict."""
    count, modules = 0, [("", root)]
    while modules:
        prefix, module = modules.pop()
        attributes = _attributes(module)
        for name, value in (_plain(attributes.get("_parameters")) | _plain(attributes.get("_buffers"))).items():
            if isinstance(value, np.ndarray):
                yield _joined(prefix, name), value
                count += 1
        for name, value in _plain(attributes.get("_modules")).items():
            if isinstance(value, StandIn):
                modules.append((f"{_joined(prefix, name)}.", value))
                count += 1
        if count > 2 * MAX_TENSORS:  # a short file can share one module many times
            raise misfit(f"more than {2 * MAX_TENSORS} modules and tensors", "fewer")


def _joined(prefix: str, name: Any) -> str:
    if not isinstance(name, str) or len(prefix) + len(name) > MAX_NAME:
        raise misfit("a module whose parts have no names, or long ones", f"text of at most {MAX_NAME} characters")
    return prefix + name


def _attributes(module: StandIn) -> dict[Any, Any]:
    """What the object of a module holds."""
    if module.name == PERSISTENT:
        meta = _plain(module.args[0]) if module.args else {}
        state = meta.get("state")
    else:
        state = module.state
    if not isinstance(state, dict | StandIn):
        raise misfit(f"an object of {module.name} without attributes", "a module")
    return _plain(state)


def _plain(value: Any) -> dict[Any, Any]:
    """A dictionary, also of the repository's class ``EasyDict``; empty for anything else."""
    if isinstance(value, StandIn):
        value = value.items
    return value if isinstance(value, dict) else {}


def generator_of(state: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of the generator, and the arguments of its construction with those of its synthesis network."""
    arguments = _plain(state.get(ARGUMENTS)) if isinstance(state, dict) else {}
    tensors = state_dict(state, "G_ema")
    return tensors, {**arguments, **_plain(arguments.get("synthesis_kwargs"))}


def check_sides(options: Mapping[str, str], arguments: Mapping[str, Any], resolution: int) -> None:
    """Raise if the option ``resolution``, or what the file says it is, contradicts the tensors."""
    check_resolution(options, resolution)
    said = arguments.get("img_resolution")
    if type(said) is int and said > 0 and said != resolution:
        raise CheckpointError(f"the file says img_resolution={said}, but its tensors make images of {resolution}.")


def number(
    name: str, options: Mapping[str, str], arguments: Mapping[str, Any], default: float, zero: bool = False
) -> float:
    """A positive number (or ``zero``): the option, or what the file says, or the published default."""
    value = options.get(name, arguments.get(name, default))
    try:
        result = math.nan if isinstance(value, bool) or not isinstance(value, str | int | float) else float(value)
    except (ValueError, OverflowError):
        result = math.nan
    if not 0 <= result < 1e9 or not (result or zero):
        kind = OptionError if name in options else CheckpointError
        raise kind(f"{name} is {str(value)[:40]!r}; expected a {'non-negative' if zero else 'positive'} number.")
    return result


def mapping_config(tensors: Tensors) -> dict[str, Any]:
    """``latent_dim``, widths of the ``mapping``, number of ``classes`` (0: unconditional), from the tensors."""
    depth = numbered(tensors, "mapping.fc{}.weight")
    embedding = tensors.get("mapping.embed.weight")
    conditions, classes = (embedding.shape[0], embedding.shape[1]) if embedding is not None else (0, 0)
    if embedding is not None and not embedding.size:
        raise CheckpointError("the tensor mapping.embed.weight has no entries. The file is damaged.")
    return {
        "latent_dim": tensors["mapping.fc0.weight"].shape[1] - conditions,
        "mapping": [tensors[f"mapping.fc{i}.weight"].shape[0] for i in range(depth)],
        "classes": classes,
    }


def mapping_rows(
    config: Mapping[str, Any], tensors: Tensors, options: Mapping[str, str], arguments: Mapping[str, Any]
) -> tuple[list[Row], dict[str, Any]]:
    """Rows of the mapping network, the classes and the mean latent, and the templates of the latter two.

    The first layer takes ``z`` and the class's embedding ``y = n(E e_k + b)`` with ``n(y) = y / √(mean y² + ε)``; what
    the embedding adds to its output is one row of ``classes/shift``.
    """
    kwargs = _plain(arguments.get("mapping_kwargs"))
    rate = number("lr_multiplier", options, kwargs, RATE)
    if (activation := kwargs.get("activation", "lrelu")) != "lrelu":
        raise CheckpointError(f"the mapping network has the activation {str(activation)[:40]!r}; expected 'lrelu'.")
    template: dict[str, Any] = {}
    layers = [
        Layer(
            f"generator/mapping/layer{i + 1}",
            f"mapping.fc{i}",
            "dense",
            scale=GAIN * rate / math.sqrt(max(tensors[f"mapping.fc{i}.weight"].shape[1], 1)),
            bias_scale=GAIN * rate,
        )
        for i in range(len(config["mapping"]))
    ]
    rows: list[Row] = [*layers]
    if config["classes"]:
        rows = [*_conditional(layers[0], config["latent_dim"]), *layers[1:]]
        template["classes"] = {"shift": shape(config["classes"], config["mapping"][0])}
    if "mapping.w_avg" in tensors:
        rows.append(Computed("average/latent", ("mapping.w_avg",), np.asarray))
        template["average"] = {"latent": shape(config["mapping"][-1])}
    return rows, template


def _conditional(layer: Layer, latent_dim: int) -> list[Row]:
    """The first layer split into its part for ``z`` and what each class adds to its output."""

    def shifts(weight: np.ndarray, embedding: np.ndarray, bias: np.ndarray) -> np.ndarray:
        y = embedding.T / math.sqrt(embedding.shape[1]) + bias
        y = y / np.sqrt((y**2).mean(axis=1, keepdims=True) + EPSILON)
        return layer.scale * y @ weight[:, latent_dim:].T

    weight, embedding = f"{layer.source}.weight", "mapping.embed"
    return [
        Computed(f"{layer.target}/kernel", (weight,), lambda x: layer.scale * x[:, :latent_dim].T),
        Computed(f"{layer.target}/bias", (f"{layer.source}.bias",), lambda x: layer.bias_scale * x),
        Computed("classes/shift", (weight, f"{embedding}.weight", f"{embedding}.bias"), shifts),
    ]
