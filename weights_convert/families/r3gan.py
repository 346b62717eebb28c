"""R3GAN's pickles, ``network-snapshot-*.pkl``: objects of its classes, whose attributes are read as a state dict."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import layouts, r3gan
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.families.stylegan2 import taps_of
from weights_convert.options import Options
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes

MAX_STAGES, MAX_BLOCKS = 9, 32
FILTERS = {"MainLayers.*.Resampler.Kernel": "the resampling filter; it is in the configuration"}


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Stages, blocks, widths, groups, the filter and the classes are read from the tensors."""
    tensors = states[""]
    config = _config(tensors)
    template = {"network": shapes(r3gan.network(config), *r3gan.inputs(config))}
    rows, dim = _rows(config), config["latent_dim"]
    if config["classes"]:
        template["classes"] = jax.ShapeDtypeStruct((config["classes"], config["embedding"]), np.float32)
        rows.append(Tensor("classes", "EmbeddingLayer.weight", transpose=True))
    card = {
        "config": config,
        "output_range": [-1, 1],
        "prior": f"z ~ N(0, I), {dim} numbers" + ("; class: drawn uniformly" if config["classes"] else ""),
        "licence": "none stated",
        "note": "Stages that the original runs in bfloat16 are computed in float32.",
    }
    what = f"an R3GAN of {config['resolution']} pixels"
    return Converted(card, {"generator": fill(tensors, rows, template, what, FILTERS)})


def _config(tensors: Tensors) -> dict[str, Any]:
    layer = lambda s, k: f"MainLayers.{s}.Layers.{k}.LinearLayer"
    count = lambda found: next(i for i in itertools.count() if not found(i))
    stages = count(lambda s: f"{layer(s, 1)}1.Layer.weight" in tensors)
    blocks = [count(lambda k, s=s: f"{layer(s, k + 1)}1.Layer.weight" in tensors) for s in range(stages)]
    needed = ["MainLayers.0.Layers.0.Basis", f"{layer(0, 0)}.weight", "AggregationLayer.Layer.weight"]
    needed += [f"{layer(s, 1)}{i}.Layer.weight" for s in range(stages) for i in (1, 2)]
    axes = [3, 2, *[4] * (len(needed) - 2)]
    fits = all(name in tensors and tensors[name].ndim == n for name, n in zip(needed, axes, strict=True))
    if not 1 <= stages <= MAX_STAGES or max(blocks) > MAX_BLOCKS or not fits:
        raise CheckpointError(
            f"no generator of R3GAN: expected MainLayers.0.Layers.0.Basis, 1 to {MAX_STAGES} stages with blocks "
            f"MainLayers.0.Layers.1.LinearLayer1, ... and AggregationLayer; the file holds "
            f"{', '.join(list(tensors)[:5])}, ..."
        )
    first = [tensors[f"{layer(s, 1)}1.Layer.weight"].shape for s in range(stages)]
    middle = [tensors[f"{layer(s, 1)}2.Layer.weight"].shape for s in range(stages)]
    embedding, classes = np.shape(tensors.get("EmbeddingLayer.weight", np.empty((0, 0))))
    kernels = [x for name, x in tensors.items() if name.endswith(".Resampler.Kernel")]
    return {
        "resolution": 4 * 2 ** (stages - 1),
        "latent_dim": tensors[f"{layer(0, 0)}.weight"].shape[1] - embedding,
        "features": [shape[1] for shape in first],
        "hidden": [shape[0] for shape in first],
        "groups": [max(shape[0] // max(shape[1], 1), 1) for shape in middle],
        "blocks": blocks,
        "channels": tensors["AggregationLayer.Layer.weight"].shape[0],
        "taps": [2 * tap for tap in taps_of(kernels, "MainLayers.*.Resampler.Kernel")] if kernels else [],
        "embedding": embedding,
        "classes": classes,
    }


def _rows(config: Mapping[str, Any]) -> list[Row]:
    """The table of the network."""
    conv = partial(Layer, layout="conv", bias=False, drop_bias=True)
    rows: list[Row] = [
        Computed("network/basis", ("MainLayers.0.Layers.0.Basis",), lambda x: x.transpose(1, 2, 0)),
        Tensor("network/project", "MainLayers.0.Layers.0.LinearLayer.weight", transpose=True),
        conv("network/output", "AggregationLayer.Layer"),
    ]
    features = config["features"]
    for s, count in enumerate(config["blocks"]):
        if s and features[s] != features[s - 1]:
            rows.append(conv(f"network/stage{s + 1}_transition", f"MainLayers.{s}.Layers.0.LinearLayer.Layer"))
        for k in range(1, count + 1):
            ours, theirs = f"network/stage{s + 1}_block{k}", f"MainLayers.{s}.Layers.{k}"
            middle = f"{theirs}.LinearLayer2.Layer.weight"
            rows += [
                conv(f"{ours}_conv1", f"{theirs}.LinearLayer1.Layer"),
                Computed(f"{ours}_conv2", (middle,), partial(layouts.kernel, layout="conv")),
                conv(f"{ours}_conv3", f"{theirs}.LinearLayer3.Layer"),
                *(Tensor(f"{ours}_bias{i}", f"{theirs}.NonLinearity{i}.Bias") for i in (1, 2)),
            ]
    return rows
