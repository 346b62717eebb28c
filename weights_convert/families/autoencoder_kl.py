"""The autoencoders of latent diffusion models, by the names that diffusers has; a finder brings CompVis's to these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.latent_priors import convention, with_prior
from weights_convert.options import Options, whole
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes

GROUPS = 32
MAX_STAGES, MAX_BLOCKS = 8, 8
LATENT = (
    "maps ({latent_channels}, H / {factor}, W / {factor}), flat in that order, as the diffusion model sees them: "
    "(raw - {shift}) * {scaling}; space='raw' as the network takes them"
)


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Widths, depths, attention and the quantising convolutions are read from the tensors, the rest of config.json."""
    tensors, said = states[""], states.get("config", {})
    latents = int(_kernel(tensors, "decoder.conv_in.weight").shape[1])
    decoder = _side(tensors, "decoder", "up_blocks", "post_quant_conv")
    channels = int(_kernel(tensors, "decoder.conv_out.weight").shape[0])
    scaling, shift = convention(options, latents, said)
    config: dict[str, Any] = {
        "latent_channels": latents,
        "channels": channels,
        "factor": 2 ** (len(decoder["widths"]) - 1),
        "resolution": 64,
        "native": "raw",
        "scaling": scaling,
        "shift": shift,
        "groups": _groups(options, said),
        "decoder": decoder,
    }
    _check_groups(config)
    params = {"generator": _filled(family, "generator", config, tensors, _rows(decoder, "decoder", "up_blocks"))}
    if "encoder.conv_in.weight" in tensors:
        config["encoder"] = _side(tensors, "encoder", "down_blocks", "quant_conv")
        if len(config["encoder"]["widths"]) != len(decoder["widths"]):
            raise CheckpointError(
                f"the encoder has {len(config['encoder']['widths'])} scales, the decoder {len(decoder['widths'])}; "
                "expected the same: tensors are missing, or the two are not of one autoencoder."
            )
        params["encoder"] = _filled(
            family, "encoder", config, tensors, _rows(config["encoder"], "encoder", "down_blocks")
        )
    card = {"config": config, "output_range": [-1, 1], "latent": LATENT.format(**config)}
    return with_prior(family, Converted(card, params))


def _filled(family: Family, part: str, config: Any, tensors: Tensors, rows: list[Row]) -> Any:
    network = family.networks[part]
    side, quant = ("decoder", "post_quant_conv") if part == "generator" else ("encoder", "quant_conv")
    own = {name: x for name, x in tensors.items() if name.startswith((f"{side}.", f"{quant}."))}
    return fill(own, rows, shapes(network.module(config), *network.inputs(config)), f"a {side} of latent diffusion")


def _kernel(tensors: Tensors, name: str) -> np.ndarray:
    if name not in tensors or np.ndim(tensors[name]) != 4:
        raise CheckpointError(f"{name} is missing, or no kernel of a convolution. The file is of another network.")
    return tensors[name]


def _side(tensors: Tensors, side: str, stages: str, quant: str) -> dict[str, Any]:
    """What one half is made from."""

    def count(pattern: str, most: int) -> int:
        n = next((n for n in range(most + 1) if pattern.format(n) not in tensors), most + 1)
        if not 0 < n <= most:
            raise CheckpointError(f"there are {n} {pattern.format('i')}; expected 1 to {most}. Tensors are missing.")
        return n

    scales = count(f"{side}.{stages}.{{}}.resnets.0.conv1.weight", MAX_STAGES)
    blocks = count(f"{side}.{stages}.0.resnets.{{}}.conv1.weight", MAX_BLOCKS)
    widths = [int(_kernel(tensors, f"{side}.{stages}.{i}.resnets.0.conv1.weight").shape[0]) for i in range(scales)]
    attention = f"{side}.mid_block.attentions.0.to_q.weight" in tensors
    return {"widths": widths, "blocks": blocks, "attention": attention, "quant": f"{quant}.weight" in tensors}


def _groups(options: Options, said: Mapping[str, Any]) -> int:
    known = said.get("norm_num_groups")
    read = lambda name, text: whole(0, 4096, 1)(name, text)[0]
    return options.ask("groups", read, known=known if type(known) is int else None, assumed=GROUPS)


def _check_groups(config: Mapping[str, Any]) -> None:
    groups, widths = config["groups"], config["decoder"]["widths"]
    if groups < 1 or any(width % groups for width in widths):
        raise CheckpointError(
            f"widths {', '.join(map(str, widths))} do not divide into {groups} groups of a norm. Say theirs with "
            "--option groups=..., or put the config.json beside the file."
        )


def _rows(half: Mapping[str, Any], side: str, stages: str) -> list[Row]:
    widths, blocks, up = half["widths"], half["blocks"], side == "decoder"
    rows: list[Row] = [Layer("input", f"{side}.conv_in", "conv"), Layer("output", f"{side}.conv_out", "conv")]
    rows += _norm("norm", f"{side}.conv_norm_out")
    rows += _block("middle/block1", f"{side}.mid_block.resnets.0") + _block(
        "middle/block2", f"{side}.mid_block.resnets.1"
    )
    if half["attention"]:
        rows += _attention("middle/attention", f"{side}.mid_block.attentions.0")
    if half["quant"]:
        rows.append(Layer("quant", "post_quant_conv" if up else "quant_conv", "conv"))
    before = widths[0]
    for s, width in enumerate(widths):
        for b in range(blocks):
            source = f"{side}.{stages}.{s}.resnets.{b}"
            rows += _block(f"stage{s + 1}_block{b + 1}", source, shortcut=before != width)
            before = width
        if s < len(widths) - 1:
            name, sampler = ("upsample", "upsamplers") if up else ("downsample", "downsamplers")
            rows.append(Layer(f"stage{s + 1}_{name}", f"{side}.{stages}.{s}.{sampler}.0.conv", "conv"))
    return rows


def _norm(target: str, source: str) -> list[Row]:
    return [Tensor(f"{target}/scale", f"{source}.weight"), Tensor(f"{target}/shift", f"{source}.bias")]


def _block(target: str, source: str, shortcut: bool = False) -> list[Row]:
    rows: list[Row] = []
    for i in (1, 2):
        rows += [
            *_norm(f"{target}/norm{i}", f"{source}.norm{i}"),
            Layer(f"{target}/conv{i}", f"{source}.conv{i}", "conv"),
        ]
    return [*rows, Layer(f"{target}/shortcut", f"{source}.conv_shortcut", "conv")] if shortcut else rows


def _attention(target: str, source: str) -> list[Row]:
    """Dense layers, stored as such or as 1 x 1 convolutions."""
    rows = _norm(f"{target}/norm", f"{source}.group_norm")
    for ours, theirs in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("out", "to_out.0")):
        square = lambda x: x.reshape(x.shape[:2]).T
        rows += [
            Computed(f"{target}/{ours}/kernel", (f"{source}.{theirs}.weight",), square),
            Tensor(f"{target}/{ours}/bias", f"{source}.{theirs}.bias"),
        ]
    return rows
