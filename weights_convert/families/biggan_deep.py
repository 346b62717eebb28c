"""BigGAN-deep in the layout of pytorch-pretrained-biggan: ``pytorch_model.bin`` and its ``config.json``.

The tensors tell every size; the configuration adds which blocks double the side, and the epsilon of the batch norms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from geomgan.errors import CheckpointError
from geomgan.generators import layouts
from geomgan.generators.biggan_deep import LAST_NORM, inputs, network
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.options import Options, positive
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes, stored_spectral_norm

EPSILON = 1e-4  # of every batch norm, where the configuration does not say
MAX_BLOCKS = 40
CHANNELS = 3  # the published last convolution makes `channel_width` channels, and an image of the first three
ATTENTION = {"theta": "snconv1x1_theta", "phi": "snconv1x1_phi", "g": "snconv1x1_g", "o": "snconv1x1_o_conv"}


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """The parts ``generator`` (weights without statistics), ``statistics`` (tables) and ``classes`` (embeddings)."""
    tensors = states[""]
    config = _config(states["config"], tensors, options)
    card = {
        "config": config,
        "output_range": [-1, 1],
        "prior": "noise: truncation times N(0, I) on [-2, 2]; class embedding: of a class drawn uniformly",
        "licence": "none stated",
        "code_licence": "MIT",
    }
    return Converted(card, fill(tensors, _rows(tensors, config), _template(config), "BigGAN-deep"))


def _config(published: Mapping[str, Any], tensors: Tensors, options: Options) -> dict[str, Any]:
    """The published configuration, completed and checked by the tensors."""
    found, blocks = _sizes(tensors), _blocks(published.get("layers"))
    said = {key: published[key] for key in (*found, "output_dim") if key in published} | {"layers": blocks}
    if said.get("attention_layer_position", 0) not in range(len(blocks)):
        said["attention_layer_position"] = len(blocks)  # there is none
    if len(blocks) == len(found["layers"]):
        found["layers"] = [[up, *widths] for (up, _, _), widths in zip(blocks, found["layers"], strict=True)]
    found["output_dim"] = 4 * 2 ** sum(up for up, _, _ in blocks)
    wrong = [f"{key} = {value}, and {found[key]} by the tensors" for key, value in said.items() if value != found[key]]
    epsilon = published.get("eps")
    if epsilon is not None and (not isinstance(epsilon, float) or not 0 < epsilon < 1):
        wrong.append(f"eps = {epsilon!r}, which is no small positive number")
    if wrong:
        raise CheckpointError(
            f"the configuration beside the file is of another model: it says {'; '.join(wrong)}. Put the config.json "
            "of this model there."
        )
    epsilon = options.ask("epsilon", positive, known=epsilon, assumed=EPSILON)
    return {**found, "eps": epsilon, "resolution": found["output_dim"]}


def _blocks(layers: Any) -> list[list[Any]]:
    """``layers`` of a configuration, or ``CheckpointError``."""
    some = isinstance(layers, list) and 0 < len(layers) <= MAX_BLOCKS
    if some and all(isinstance(b, list) and tuple(map(type, b)) == (bool, int, int) for b in layers):
        return layers
    raise CheckpointError(
        f"the configuration has layers = {str(layers)[:80]}; expected 1 to {MAX_BLOCKS} times [true or false, input "
        "width, output width]. Put the published config.json of this model beside the file."
    )


def _sizes(tensors: Tensors) -> dict[str, Any]:
    """What the shapes say, under the names of the configuration; ``layers`` without what doubles the side."""

    def shape(name: str, axes: int) -> tuple[int, ...]:
        array = tensors.get(name, tensors.get(f"{name}_orig"))
        if array is None or array.ndim != axes or 0 in array.shape:
            has = "there is none" if array is None else f"it has shape {array.shape}"
            raise CheckpointError(
                f"no BigGAN-deep of pytorch-pretrained-biggan: expected a tensor {name} of {axes} axes; {has}."
            )
        return array.shape

    embedding, classes = shape("embeddings.weight", 2)
    rows, width = shape("generator.bn.running_means", 2)
    condition = shape("generator.gen_z.weight", 2)[1]
    kinds: list[str] = []  # of every module of the list: attention or block
    while any(name.startswith(f"generator.layers.{len(kinds)}.") for name in tensors):
        kinds.append("attention" if f"generator.layers.{len(kinds)}.gamma" in tensors else "block")
    ends = [
        [shape(f"generator.layers.{i}.conv_0.weight", 4)[1], shape(f"generator.layers.{i}.conv_3.weight", 4)[0]]
        for i, kind in enumerate(kinds)
        if kind == "block"
    ]
    if rows < 2 or condition <= embedding:
        raise CheckpointError(
            f"the statistics have {rows} rows and gen_z takes {condition} numbers, {embedding} of them a class; "
            "expected 2 rows or more, and some noise beside the class. The file is damaged."
        )
    return {
        "z_dim": condition - embedding,
        "class_embed_dim": embedding,
        "channel_width": width,
        "num_classes": classes,
        "layers": [[channels // width for channels in block] for block in ends],
        "attention_layer_position": [*kinds, "attention"].index("attention"),
        "n_stats": rows,
    }


def _template(config: Mapping[str, Any]) -> Any:
    """All parts as shapes: in place of a mean and inverse deviation of the network, two tables."""
    flat = traverse_util.flatten_dict(shapes(network(config), *inputs(config)))
    norms = {path[:-1]: leaf.shape for path, leaf in flat.items() if path[-1] == "inverse_std"}
    norms[LAST_NORM,] = flat["norm_scale",].shape
    parts = {("generator", *path): leaf for path, leaf in flat.items() if path[-1] not in ("mean", "inverse_std")}
    for norm, size in norms.items():
        table = jax.ShapeDtypeStruct((config["n_stats"], *size), np.float32)
        parts |= {("statistics", *norm, "mean"): table, ("statistics", *norm, "variance"): table}
    embedding = jax.ShapeDtypeStruct((config["num_classes"], config["class_embed_dim"]), np.float32)
    return traverse_util.unflatten_dict({**parts, ("classes", "embedding"): embedding})


def _rows(tensors: Tensors, config: Mapping[str, Any]) -> list[Row]:
    """The table."""

    def folded(target: str, source: str, rule: Any, *more: str) -> Computed:
        """``rule(weight, *more)``, the weight without its spectral norm."""
        parts = stored_spectral_norm(source, tensors)

        def value(*arrays: np.ndarray) -> np.ndarray:
            stored, others = arrays[: len(parts)], arrays[len(parts) :]
            return rule(layouts.spectral_norm(*stored) if len(stored) > 1 else stored[0], *others)

        return Computed(f"generator/{target}", (*(f"{source}.{part}" for part in parts), *more), value)

    def norm(name: str, source: str, *bias_before: str) -> list[Row]:
        """Its statistics; what the convolution before adds is taken from the mean."""
        return [
            Computed(f"statistics/{name}/mean", (f"{source}.running_means", *bias_before), _mean),
            Computed(f"statistics/{name}/variance", (f"{source}.running_vars",), _variance),
        ]

    last = "generator.conv_to_rgb"
    rows: list[Row] = [
        Tensor("classes/embedding", "embeddings.weight", transpose=True),
        Layer("generator/project", "generator.gen_z", "dense", spectral_norm="stored"),
        *norm(LAST_NORM, "generator.bn"),
        Tensor("generator/norm_scale", "generator.bn.weight"),
        Tensor("generator/norm_shift", "generator.bn.bias"),
        folded("output/kernel", last, lambda weight: layouts.kernel(weight[:CHANNELS], "conv")),
        Computed("generator/output/bias", (f"{last}.bias",), lambda bias: bias[:CHANNELS]),
    ]
    position = config["attention_layer_position"]
    if position < len(config["layers"]):
        source = f"generator.layers.{position}"
        gamma = {"o": (f"{source}.gamma",)}
        rows += [
            folded(f"attention/{ours}", f"{source}.{theirs}", _matrix, *gamma.get(ours, ()))
            for ours, theirs in ATTENTION.items()
        ]
    for i in range(len(config["layers"])):
        block, source = f"block{i + 1}", f"generator.layers.{i + (i >= position)}"
        for k in range(4):
            published = f"{source}.bn_{k}"
            rows += [
                *norm(f"{block}_norm{k}", published, *([f"{source}.conv_{k - 1}.bias"] if k else [])),
                folded(f"{block}_norm{k}/gain", f"{published}.scale", _matrix),
                folded(f"{block}_norm{k}/shift", f"{published}.offset", _matrix),
                Layer(
                    f"generator/{block}_conv{k}",
                    f"{source}.conv_{k}",
                    "conv",
                    spectral_norm="stored",
                    bias=k == 3,
                    drop_bias=k != 3,
                ),
            ]
    return rows


def _matrix(weight: np.ndarray, *factors: np.ndarray) -> np.ndarray:
    """A matrix or 1 x 1 kernel as ours ``(in, out)``, times the numbers ``factors``."""
    return weight.reshape(weight.shape[:2]).T * math.prod(factor.item() for factor in factors)


def _mean(means: np.ndarray, *biases: np.ndarray) -> np.ndarray:
    """The means of what comes without the biases; these must be one number for each channel."""
    return means - sum(bias.reshape(means.shape[1]) for bias in biases)


def _variance(variances: np.ndarray) -> np.ndarray:
    if (variances < 0).any():
        raise ValueError("a variance is negative")
    return variances
