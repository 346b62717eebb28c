"""What the official pickles of StyleGAN2-ADA and StyleGAN3 share: how they are read, and the mapping network.

They hold whole modules: calls of ``torch_utils.persistence._reconstruct_persistent_obj`` on the program text of a class
and the attributes of its object. The text is ignored and nothing is called; the tensors are collected from the
attributes, under the names that they have in a state dict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError
from geomgan.models.families.stylegan import OFFICIAL, PICKLED
from geomgan.restricted_pickle import StandIn, misfit
from weights_convert.families.stylegan2 import check_latent_dim, check_resolution, numbered, shape
from weights_convert.files import read_tree
from weights_convert.modules import MAX_TENSORS, StateDict, attributes_of, module_state, plain
from weights_convert.options import Options
from weights_convert.table import Computed, Layer, Row, Tensors

ARGUMENTS = "init_kwargs"  # of the generator, beside its tensors
RATE = 0.01  # learning-rate multiplier of the mapping network, where the file does not say: weights are divided by it
EPSILON = 1e-8  # of the normalisation of a class's embedding
GAIN = math.sqrt(2)  # of the leaky ReLU, folded into what lies before it


def read(path: str | Path) -> dict[str, Any]:
    """``{"G_ema": state dict, "init_kwargs": arguments}`` of an official pickle, or what ``torch.save`` wrote.

    Raises:
        CheckpointError: the file is damaged, or holds no networks.
    """
    tree = read_tree(path, stand_ins=PICKLED)
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
    tensors = module_state(held)
    if len(tensors) > MAX_TENSORS:
        raise misfit(f"more than {MAX_TENSORS} tensors in G_ema", "fewer")
    return {"G_ema": tensors, ARGUMENTS: plain(attributes_of(held).get("_init_kwargs"))}


def arguments_of(state: Any) -> dict[str, Any]:
    """The arguments of the generator's construction with those of its synthesis network; none in tensors alone."""
    arguments = plain(state.get(ARGUMENTS)) if isinstance(state, dict) else {}
    return {**arguments, **plain(arguments.get("synthesis_kwargs"))}


def check_sides(options: Mapping[str, str], arguments: Mapping[str, Any], resolution: int) -> None:
    """Raise if the option ``resolution``, or what the file says it is, contradicts the tensors."""
    check_resolution(options, resolution)
    said = arguments.get("img_resolution")
    if type(said) is int and said > 0 and said != resolution:
        raise CheckpointError(f"the file says img_resolution={said}, but its tensors make images of {resolution}.")


def number(
    name: str, options: Options, arguments: Mapping[str, Any], default: float, whole: bool, zero: bool = False
) -> float:
    """A positive number (or ``zero``): what the file says, else the option, else the published default.

    A ``whole`` module of the official repository that does not say it has the default; of tensors alone it is assumed.
    """

    def read(name: str, value: Any, kind: type[Exception] = OptionError) -> float:
        try:
            result = math.nan if isinstance(value, bool) or not isinstance(value, str | int | float) else float(value)
        except (ValueError, OverflowError):
            result = math.nan
        if not 0 <= result < 1e9 or not (result or zero):
            raise kind(f"{name} is {str(value)[:40]!r}; expected a {'non-negative' if zero else 'positive'} number.")
        return result

    known = read(name, arguments[name], CheckpointError) if name in arguments else None
    if known is None and whole and name not in options:
        return default
    return options.ask(name, read, known=known, assumed=default)


def mapping_config(tensors: Tensors, options: Options, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """``latent_dim``, widths of the ``mapping``, number of ``classes`` (0: unconditional), from the tensors.

    Raises:
        CheckpointError: the class embedding is missing, or the file says other sizes.
        OptionError: it cannot be told whether a class embedding is missing.
    """
    depth = numbered(tensors, "mapping.fc{}.weight")
    embedding = tensors.get("mapping.embed.weight")
    conditions, classes = (embedding.shape[0], embedding.shape[1]) if embedding is not None else (0, 0)
    if embedding is not None and not embedding.size:
        raise CheckpointError("the tensor mapping.embed.weight has no entries. The file is damaged.")
    latent_dim = tensors["mapping.fc0.weight"].shape[1] - conditions
    widths = [tensors[f"mapping.fc{i}.weight"].shape[0] for i in range(depth)]
    said = {name: arguments.get(name) for name in ("z_dim", "c_dim")}
    z_dim, c_dim = (value if type(value) is int and value > 0 else None for value in said.values())
    if c_dim and c_dim != classes:
        raise CheckpointError(
            f"the file says c_dim={c_dim} classes, but has an embedding mapping.embed.weight of {classes}. Get the "
            "whole file: without its classes a conditional network cannot be evaluated."
        )
    if z_dim is not None and z_dim != latent_dim:
        raise CheckpointError(
            f"the file says z_dim={z_dim}, but mapping.fc0.weight takes {latent_dim} numbers of a code. Where "
            "the network has classes, their embedding mapping.embed.weight is missing."
        )
    said_so = z_dim is not None or said["c_dim"] == 0  # by the file: its codes, or that it has no classes
    check_latent_dim(options, latent_dim, widths[-1], known=said_so or embedding is not None)
    return {"latent_dim": latent_dim, "mapping": widths, "classes": classes}


def mapping_rows(
    config: Mapping[str, Any], tensors: StateDict, options: Options, arguments: Mapping[str, Any]
) -> tuple[list[Row], dict[str, Any]]:
    """Rows of the mapping network, the classes and the mean latent, and the templates of the latter two.

    The first layer takes ``z`` and the class's embedding ``y = n(E e_k + b)`` with ``n(y) = y / √(mean y² + ε)``; what
    the embedding adds to its output is one row of ``classes/shift``.
    """
    kwargs = plain(arguments.get("mapping_kwargs"))
    first = tensors.parts.get("mapping.fc0")
    if first and "bias_gain" in first.attributes:  # where the module keeps it
        kwargs = {"lr_multiplier": first.attributes["bias_gain"], **kwargs}
    rate = number("lr_multiplier", options, kwargs, RATE, bool(arguments))
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
