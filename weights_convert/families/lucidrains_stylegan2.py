"""lucidrains' stylegan2-pytorch, ``models/NAME/model_N.pt``: the averaged networks ``SE`` and ``GE``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import layouts, lucidrains_stylegan2
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.options import Options, positive
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill

RATE = 0.1  # learning-rate multiplier of the mapping network
MAX_BLOCKS = 9  # 1024 pixels
IGNORED = {
    "S.*": "the mapping network before averaging",
    "G.*": "the generator before averaging",
    "D*": "the discriminator, and what wraps it",
    "*.upsample.1.f": "the filter [1, 2, 1] of the blur",
}


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Resolution, widths, attention and the depth of the mapping are read from the tensors."""
    tensors, said = states[""], states.get("config", {})
    config = _config(tensors)
    if (side := said.get("image_size", config["resolution"])) != config["resolution"]:
        raise CheckpointError(
            f".config.json beside the file says image_size={side}; its tensors make {config['resolution']} pixels. It "
            "belongs to another model: put the right one there, or none."
        )
    known = said.get("lr_mlp")
    rate = options.ask(
        "lr_multiplier", positive, known=float(known) if isinstance(known, int | float) else None, assumed=RATE
    )
    template = {"generator": lucidrains_stylegan2.template(config)}
    what = f"lucidrains' StyleGAN2 of {config['resolution']} pixels"
    params = fill(tensors, _rows(config, rate), template, what, IGNORED)
    card = {
        "config": config,
        "output_range": [0, 1],
        "prior": "z ~ N(0, I); w, w+ and s by mapping z; the published program shows truncation 0.75",
        "licence": "none stated",
        "code_licence": "MIT",
    }
    return Converted(card, params)


def _config(tensors: Tensors) -> dict[str, Any]:
    count = lambda pattern, step=1: next(
        i for i in range(0, len(tensors) * step + 1, step) if pattern.format(i) not in tensors
    )
    blocks, depth = count("GE.blocks.{}.conv1.weight"), count("SE.net.{}.weight", 2) // 2
    names = ["GE.initial_conv.weight", *(f"GE.blocks.{i}.conv2.weight" for i in range(blocks))]
    weights = [tensors.get(name, np.empty(0)) for name in names]
    mapping = [tensors[f"SE.net.{2 * i}.weight"] for i in range(depth)]
    rgb = tensors.get("GE.blocks.0.to_rgb.conv.weight", np.empty(0))
    if not 1 <= blocks <= MAX_BLOCKS or not depth or any(w.ndim != 4 for w in (rgb, *weights)) or mapping[0].ndim != 2:
        raise CheckpointError(
            f"no StyleGAN2 of lucidrains: expected SE.net.0.weight, GE.initial_conv.weight and 1 to {MAX_BLOCKS} "
            f"blocks GE.blocks.0, ...; the file holds {', '.join(list(tensors)[:5])}, ..."
        )
    attention = [i for i in range(blocks) if f"GE.attns.{i}.0.fn.fn.to_q.weight" in tensors]
    inner = {tensors[f"GE.attns.{i}.0.fn.fn.to_q.weight"].shape[0] for i in attention}
    if len(inner) > 1:
        raise CheckpointError(f"the attention layers have {sorted(inner)} channels; expected as many in all of them.")
    return {
        "resolution": 4 * 2 ** (blocks - 1),
        "latent_dim": mapping[0].shape[1],
        "mapping": [weight.shape[0] for weight in mapping],
        "features": [weight.shape[0] for weight in weights[1:]],
        "channels": rgb.shape[0],
        "attention": attention,
        "inner": inner.pop() if inner else 512,
        "constant": "GE.initial_block" in tensors,
    }


def _rows(config: Mapping[str, Any], rate: float) -> list[Row]:
    """The table of the three networks."""
    rows: list[Row] = []
    for i in range(len(config["mapping"])):
        scale = rate / math.sqrt(config["latent_dim"]) if i == 0 else rate  # theirs takes z of unit length
        rows.append(Layer(f"generator/mapping/layer{i + 1}", f"SE.net.{2 * i}", "dense", scale=scale, bias_scale=rate))
    synthesis = "generator/synthesis"
    rows.append(Layer(f"{synthesis}/start", "GE.initial_conv", "conv"))
    if config["constant"]:
        rows.append(Computed(f"{synthesis}/constant", ("GE.initial_block",), lambda x: x[0].transpose(1, 2, 0)))
    else:  # a transposed convolution of one pixel: (w, C, 4, 4) to (w, 16 C)
        start, source = "generator/styles/start", "GE.to_initial_block.weight"
        rows.append(Computed(f"{start}/kernel", (source,), lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), -1)))
        rows.append(Computed(f"{start}/bias", (source,), lambda x: np.zeros(x[0].size)))
    for i in range(len(config["features"])):
        theirs, side = f"GE.blocks.{i}", 4 * 2**i
        rows += _style(f"rgb{side}", f"{theirs}.to_rgb.to_style")
        rows.append(Computed(f"{synthesis}/rgb{side}", (f"{theirs}.to_rgb.conv.weight",), lambda x: x[:, :, 0, 0].T))
        for k in (1, 2):
            ours = f"{synthesis}/conv{side}_{k}"
            rows += _style(f"conv{side}_{k}", f"{theirs}.to_style{k}")
            rows += [
                Computed(f"{ours}/kernel", (f"{theirs}.conv{k}.weight",), partial(layouts.kernel, layout="conv")),
                Tensor(f"{ours}/strength", f"{theirs}.to_noise{k}.weight", squeeze=True),
                Tensor(f"{ours}/bias", f"{theirs}.to_noise{k}.bias"),
            ]
        if i in config["attention"]:
            rows += _attention(f"{synthesis}/attention{side}", f"GE.attns.{i}")
    return rows


def _style(name: str, source: str) -> list[Row]:
    """The affine map of a style; theirs is an offset from 1."""
    ours = f"generator/styles/{name}"
    return [
        Tensor(f"{ours}/kernel", f"{source}.weight", transpose=True),
        Computed(f"{ours}/bias", (f"{source}.bias",), lambda bias: bias + 1),
    ]


def _attention(ours: str, theirs: str) -> list[Row]:
    rows = [row for k in (1, 2) for row in norm_rows(f"{ours}/norm{k}", f"{theirs}.{k - 1}.fn.norm")]
    attend, inside = f"{ours}/attend", f"{theirs}.0.fn.fn"
    rows += [
        pointwise(f"{attend}/query", f"{inside}.to_q.weight"),
        *depthwise_rows(attend, f"{inside}.to_kv"),
        pointwise(f"{attend}/output", f"{inside}.to_out.weight"),
        Tensor(f"{attend}/bias", f"{inside}.to_out.bias"),
        Layer(f"{ours}/wide", f"{theirs}.1.fn.fn.0", "conv"),
        Layer(f"{ours}/narrow", f"{theirs}.1.fn.fn.2", "conv"),
    ]
    return rows


def norm_rows(ours: str, theirs: str) -> list[Row]:
    """Rows of a :class:`geomgan.generators.linear_attention.ChannelNorm`."""
    return [Computed(f"{ours}/{a}", (f"{theirs}.{b}",), np.ravel) for a, b in (("scale", "g"), ("shift", "b"))]


def pointwise(ours: str, source: str) -> Computed:
    """A 1 x 1 kernel as a matrix ``(in, out)``."""
    return Computed(ours, (source,), lambda weight: weight.reshape(weight.shape[:2]).T)


def depthwise_rows(attend: str, theirs: str) -> list[Row]:
    """Rows of the keys and values of linear attention: a depthwise convolution and a 1 x 1 one."""
    mix = Computed(f"{attend}/depthwise", (f"{theirs}.net.0.weight",), lambda weight: weight.reshape(len(weight), -1).T)
    return [mix, pointwise(f"{attend}/key_value", f"{theirs}.net.1.weight")]
