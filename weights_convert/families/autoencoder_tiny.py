"""Tiny autoencoders of diffusion models: the layers of two plain sequences, told by their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators.autoencoder_tiny import POOL_WIDTH
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.latent_priors import convention, with_prior
from weights_convert.options import Options
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes

LICENCE = "MIT"
MAX_LAYERS, MAX_STAGES = 64, 8
_NUMBER = re.compile(r"(\d+)\.")


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Widths, depths, pooled blocks and the number of scales are read from numbers and shapes of the tensors."""
    decoder = _part(states[""], "decoder.")
    encoder = _part(states[""], "encoder.") or _beside(states.get("beside"))
    numbers = _kinds(decoder, "decoder")
    stages, out = _stages(decoder, numbers, first=1)
    _expect(numbers, _decoder_layout(stages), "decoder")
    latents, channels = decoder["1.weight"].shape[1], decoder[f"{out}.weight"].shape[0]
    if channels != 3:
        raise CheckpointError(f"the decoder makes {channels} channels; expected the 3 of images in colour.")
    scaling, shift = convention(options, latents, asked=False)
    config: dict[str, Any] = {
        "latent_channels": latents,
        "channels": channels,
        "factor": 2 ** (len(stages) - 1),
        "resolution": 64,
        "native": "latent",
        "scaling": scaling,
        "shift": shift,
        "decoder": [[width, blocks] for width, blocks, _, _ in stages],
    }
    rows = _rows(decoder, stages, out)
    template = shapes(family.networks["generator"].module(config), *family.networks["generator"].inputs(config))
    params = {"generator": fill(decoder, rows, template, "a tiny decoder")}
    if encoder:
        config["encoder"], rows = _encoder(encoder, latents, config["factor"])
        network = family.networks["encoder"]
        template = shapes(network.module(config), *network.inputs(config))
        params["encoder"] = fill(encoder, rows, template, "a tiny encoder")
    card = {"config": config, "output_range": [-1, 1], "licence": LICENCE, "latent": LATENT.format(**config)}
    return with_prior(family, Converted(card, params))


LATENT = (
    "maps ({latent_channels}, H / {factor}, W / {factor}), flat in that order, as the diffusion model sees them; "
    "space='raw' before scaling {scaling} and shift {shift}"
)


def _beside(state: Any) -> dict[str, np.ndarray]:
    """The encoder in the file beside: names that begin with numbers, or with ``encoder.``."""
    if state is None:
        return {}
    tensors = {name: x for name, x in state.items() if isinstance(x, np.ndarray)} if isinstance(state, dict) else {}
    found = _part(tensors, "encoder.") or {name: x for name, x in tensors.items() if _NUMBER.match(str(name))}
    if "0.weight" not in found:
        raise CheckpointError(
            f"the file beside the decoder holds {', '.join(map(str, list(tensors)[:4])) or 'no tensors'}; expected the "
            "encoder's 0.weight and so on. Move it elsewhere, or get it again."
        )
    return found


def _part(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}


def _kinds(tensors: Tensors, what: str) -> dict[int, str]:
    """Number of each layer -> ``"conv"`` or ``"block"``, in order."""
    numbers = sorted({int(found[1]) for name in tensors if (found := _NUMBER.match(name)) and len(found[1]) < 4})
    if not numbers or len(numbers) > MAX_LAYERS:
        raise CheckpointError(f"the {what} has {len(numbers)} layers; expected up to {MAX_LAYERS}.")
    return {i: "conv" if f"{i}.weight" in tensors else "block" for i in numbers}


_Stages = list[tuple[int, list[list[Any]], int, list[int]]]  # width, blocks, number of the convolution, of the blocks


def _stages(tensors: Tensors, kinds: Mapping[int, str], first: int) -> tuple[_Stages, int]:
    """The stages of layers from ``first`` on, each begun by a convolution, and the last convolution's number."""
    stages: _Stages = []
    order = [i for i in kinds if i >= first]
    for i in order[:-1]:
        if kinds[i] == "conv":
            stages.append((_width(tensors, f"{i}.weight"), [], i, []))
        elif stages:
            stages[-1][1].append([_width(tensors, f"{i}.conv.0.weight"), f"{i}.pool.0.weight" in tensors])
            stages[-1][3].append(i)
    if not 1 <= len(stages) <= MAX_STAGES or kinds[order[-1]] != "conv":
        raise CheckpointError(
            f"it has {len(stages)} scales and ends with a {kinds[order[-1]]}; expected a convolution."
        )
    return stages, order[-1]


def _width(tensors: Tensors, name: str) -> int:
    if name not in tensors or np.ndim(tensors[name]) != 4:
        raise CheckpointError(f"{name} is missing, or no kernel of a convolution. The file is of another network.")
    return int(tensors[name].shape[0])


def _decoder_layout(stages: _Stages) -> list[int]:
    """The numbers that the layers of such a decoder have: squashing is 0, ReLU and upsampling have no tensors."""
    numbers, at = [], 1
    for s, (_, blocks, _, _) in enumerate(stages):
        at += 1 if s else 0  # upsampling
        numbers += [at]
        at += 1 if s else 2
        numbers += range(at, at + len(blocks))
        at += len(blocks)
    return [*numbers, at]


def _expect(kinds: Mapping[int, str], numbers: list[int], what: str) -> None:
    if list(kinds) != numbers:
        raise CheckpointError(
            f"the layers with weights of the {what} are numbers {_listed(kinds)}; expected {_listed(numbers)}: it is "
            "of another architecture, or tensors are missing."
        )


def _listed(numbers: Any) -> str:
    return ", ".join(map(str, numbers))


def _rows(tensors: Tensors, stages: _Stages, out: int) -> list[Row]:
    rows: list[Row] = []
    for s, (_, blocks, conv, numbers) in enumerate(stages, start=1):
        rows.append(Layer(f"stage{s}_conv", str(conv), "conv", bias=s == 1, drop_bias=s > 1))
        for b, (number, (_, pooled)) in enumerate(zip(numbers, blocks, strict=True), start=1):
            rows += _block(tensors, f"stage{s}_block{b}", str(number), pooled)
    weight, bias = f"{out}.weight", f"{out}.bias"
    kernel = lambda x: 2 * x.transpose(2, 3, 1, 0)  # from (0, 1) to (-1, 1)
    return [*rows, Computed("output/kernel", (weight,), kernel), Computed("output/bias", (bias,), lambda x: 2 * x - 1)]


def _block(tensors: Tensors, target: str, source: str, pooled: bool) -> list[Row]:
    rows: list[Row] = [Layer(f"{target}/conv{i + 1}", f"{source}.conv.{2 * i}", "conv") for i in range(3)]
    if f"{source}.skip.weight" in tensors:
        rows.append(Layer(f"{target}/skip", f"{source}.skip", "conv", bias=False, drop_bias=True))
    if pooled:
        rows += [
            Layer(f"{target}/pool_{name}", f"{source}.pool.{i}", "conv", bias=False, drop_bias=True)
            for name, i in (("in", 0), ("out", 3))
        ]
        rows += [
            Tensor(f"{target}/pool_norm/{ours}", f"{source}.pool.1.{theirs}")
            for ours, theirs in (("scale", "weight"), ("shift", "bias"))
        ]
        if _width(tensors, f"{source}.pool.0.weight") != POOL_WIDTH * tensors[f"{source}.pool.0.weight"].shape[1]:
            raise CheckpointError(
                f"{source}.pool.0.weight does not make {POOL_WIDTH} times the channels that it takes."
            )
    return rows


def _encoder(tensors: Tensors, latents: int, factor: int) -> tuple[dict[str, Any], list[Row]]:
    """Configuration and table of the encoder."""
    kinds = _kinds(tensors, "encoder")
    first = next((i for i in kinds if kinds[i] == "block"), None)
    if first is None:
        raise CheckpointError("the encoder has no blocks. The file is of another network.")
    stems = [i for i in kinds if i < first]
    activated = len(stems) > 1  # two strided convolutions, each with a ReLU
    stem = [[_width(tensors, f"{i}.weight"), 2 if activated else 1, activated] for i in stems]
    stages, out = _stages(tensors, kinds, first=stems[-1] if stems else first)
    layout = [(2 if activated else 1) * i for i in range(len(stems))]
    at = layout[-1] + (2 if activated else 1)
    for s, (_, blocks, _, _) in enumerate(stages):
        layout += range(at, at + len(blocks) + (s > 0))
        at += len(blocks) + (s > 0)
    _expect(kinds, [*layout, at], "encoder")
    reached = 2 ** (len(stages) - 1) * (4 if activated else 1)
    if _width(tensors, f"{out}.weight") != latents or reached != factor:
        raise CheckpointError(
            f"the encoder makes {_width(tensors, f'{out}.weight')} channels, each of {reached} pixels a side; expected "
            f"the decoder's {latents} of {factor}: the two are not of one autoencoder."
        )
    rows: list[Row] = [Layer(f"stem{i + 1}", str(number), "conv") for i, number in enumerate(stems)]
    for s, (_, blocks, conv, numbers) in enumerate(stages, start=1):
        if s > 1:
            rows.append(Layer(f"stage{s}_conv", str(conv), "conv", bias=False, drop_bias=True))
        for b, (number, (_, pooled)) in enumerate(zip(numbers, blocks, strict=True), start=1):
            rows += _block(tensors, f"stage{s}_block{b}", str(number), pooled)
    rows.append(Layer("output", str(out), "conv"))
    return {"stem": stem, "stages": [[width, blocks] for width, blocks, _, _ in stages]}, rows
