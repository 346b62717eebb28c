"""lucidrains' lightweight-gan, ``models/NAME/model_N.pt``: the averaged generator ``GE``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import layouts, lightweight_gan
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.families.lucidrains_stylegan2 import depthwise_rows, norm_rows, pointwise
from weights_convert.options import Epsilon, Options
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes

MAX_LAYERS = 8  # 1024 pixels
NORM = ("weight", "bias", "running_mean", "running_var")
IGNORED = {
    "G.*": "the generator before averaging",
    "D*": "the discriminator, and what wraps it",
    "GE.layers.*.0.1.f": "the filter [1, 2, 1] of the blur",
}


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Resolution, widths, attention and the kind of gates are read from the tensors."""
    tensors = states[""]
    config = _config(tensors)
    template = shapes(family.networks["generator"].module(config), *lightweight_gan.inputs(config))
    rows = _rows(config, options.epsilon(tensors))
    what = f"a lightweight GAN of {config['resolution']} pixels"
    card = {
        "config": config,
        "output_range": [0, 1],
        "prior": "z ~ N(0, I)",
        "licence": "none stated",
        "code_licence": "MIT",
    }
    return Converted(card, {"generator": fill(tensors, rows, template, what, IGNORED)})


def _config(tensors: Tensors) -> dict[str, Any]:
    count = next(i for i in itertools.count() if f"GE.layers.{i}.0.2.1.weight" not in tensors)
    names = ["GE.initial_conv.0.weight", "GE.out_conv.weight", *(f"GE.layers.{i}.0.2.1.weight" for i in range(count))]
    first, last, *weights = [tensors.get(name, np.empty(0)) for name in names]
    if not 1 <= count <= MAX_LAYERS or any(w.ndim != 4 for w in (first, last, *weights)):
        raise CheckpointError(
            f"no generator of lightweight-gan: expected GE.initial_conv.0.weight, 1 to {MAX_LAYERS} layers "
            f"GE.layers.0.0.2.1.weight, ... and GE.out_conv.weight; the file holds {', '.join(list(tensors)[:5])}, ..."
        )
    attention = [i for i in range(count) if f"GE.layers.{i}.2.fn.to_q.weight" in tensors]
    inner = {tensors[f"GE.layers.{i}.2.fn.to_q.weight"].shape[0] for i in attention}
    if len(inner) > 1:
        raise CheckpointError(f"the attention layers have {sorted(inner)} channels; expected as many in all of them.")
    gates = [i for i in range(count) if f"GE.layers.{i}.1.net.0.weight" in tensors]
    expected = sorted(lightweight_gan.gated_sides(count))
    if (found := [8 * 2**i for i in gates]) != expected:
        raise CheckpointError(
            f"the gates look at maps of {found} pixels; expected {expected} in a network of {4 * 2**count}. The file "
            "is of another version of the package, or damaged."
        )
    return {
        "resolution": 4 * 2**count,
        "latent_dim": first.shape[0],
        "features": [weight.shape[0] // 2 for weight in weights],
        "channels": last.shape[0],
        "attention": [4 * 2**i for i in attention],
        "inner": inner.pop() if inner else 512,
        "gates": [[8 * 2**i, tensors[f"GE.layers.{i}.1.net.0.weight"].shape[0]] for i in gates],
        "frequencies": bool(gates) and f"GE.layers.{gates[0]}.1.dct_weights" in tensors,
    }


def _rows(config: Mapping[str, Any], epsilon: Epsilon) -> list[Row]:
    """The table of the network."""
    rows: list[Row] = [
        Layer("output", "GE.out_conv", "conv"),
        *_initial(epsilon("GE.initial_conv.1")),
    ]
    for i in range(len(config["features"])):
        side, before, layer = 8 * 2**i, 4 * 2**i, f"GE.layers.{i}"
        rows += [Layer(f"up{side}", f"{layer}.0.0.net.0", "conv"), *_layer(side, f"{layer}.0", epsilon)]
        if before in config["attention"]:
            rows += _attention(f"attention{before}", f"{layer}.2")
        if side in dict(config["gates"]):
            rows += _gate(f"gate{side}", f"{layer}.1", config["frequencies"])
    return rows


def _initial(epsilon: float) -> list[Row]:
    """The transposed convolution of one pixel as a matrix, with its norm."""
    statistics = tuple(f"GE.initial_conv.1.{part}" for part in NORM)

    def kernel(weight: np.ndarray, *norm: np.ndarray) -> np.ndarray:
        scale, _ = layouts.batch_norm(*norm, epsilon=epsilon)
        return (weight * scale[:, None, None]).transpose(0, 2, 3, 1).reshape(len(weight), -1)

    def bias(bias: np.ndarray, *norm: np.ndarray) -> np.ndarray:
        scale, shift = layouts.batch_norm(*norm, epsilon=epsilon)
        return np.tile(bias * scale + shift, 16)

    return [
        Computed("initial/kernel", ("GE.initial_conv.0.weight", *statistics), kernel),
        Computed("initial/bias", ("GE.initial_conv.0.bias", *statistics), bias),
    ]


def _layer(side: int, source: str, epsilon: Epsilon) -> list[Row]:
    """A convolution, the noise behind it, and the norm behind both."""
    norm = f"{source}.4"
    statistics = tuple(f"{norm}.{part}" for part in NORM)
    folded = partial(layouts.batch_norm, epsilon=epsilon(norm))
    kernel = lambda weight, *norm: layouts.kernel(weight, "conv") * folded(*norm)[0]
    return [
        Computed(f"layer{side}", (f"{source}.2.1.weight", *statistics), kernel),
        Computed(
            f"layer{side}_bias", (f"{source}.2.1.bias", *statistics), lambda b, *n: b * folded(*n)[0] + folded(*n)[1]
        ),
        Computed(f"layer{side}_noise", (f"{source}.3.weight", *statistics), lambda w, *n: w * folded(*n)[0]),
    ]


def _attention(ours: str, theirs: str) -> list[Row]:
    inside = f"{theirs}.fn"
    return [
        *norm_rows(f"{ours}_norm", f"{theirs}.norm"),
        pointwise(f"{ours}/query", f"{inside}.to_lin_q.weight"),
        *depthwise_rows(ours, f"{inside}.to_lin_kv"),
        pointwise(f"{ours}/local_query", f"{inside}.to_q.weight"),
        pointwise(f"{ours}/local_key_value", f"{inside}.to_kv.weight"),
        pointwise(f"{ours}/output", f"{inside}.to_out.weight"),
        Tensor(f"{ours}/bias", f"{inside}.to_out.bias"),
    ]


def _gate(ours: str, theirs: str, frequencies: bool) -> list[Row]:
    rows: list[Row] = [
        row
        for name, source in (("hidden", f"{theirs}.net.0"), ("output", f"{theirs}.net.2"))
        for row in (
            pointwise(f"{ours}/{name}/kernel", f"{source}.weight"),
            Tensor(f"{ours}/{name}/bias", f"{source}.bias"),
        )
    ]
    if frequencies:
        cosines = Computed(f"{ours}/cosines", (f"{theirs}.dct_weights",), lambda x: x[0].transpose(1, 2, 0))
        return [*rows, cosines]
    return [*rows, Layer(f"{ours}/look", f"{theirs}.to_k", "conv")]
