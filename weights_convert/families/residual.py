"""Residual generators of PyTorch-StudioGAN and torch-mimicry: BigGAN's network under other names.

StudioGAN has ``resnet`` (SNGAN, SAGAN: all of the code makes the first map) and ``big_resnet`` (BigGAN, ReACGAN:
hierarchical codes), with ``linear0``, ``blocks.{k}.0``, ``bn4``, ``conv2d5``; attention is a block of its own. mimicry
has ``l1``, ``block2``, ..., ``b{n}``, ``c{n}``, bilinear upsampling, and ``attn_block`` at a place that its code says.
Where blocks have plain batch norms, the network has one class, whose embedding is the number 1.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import layouts
from geomgan.generators.activations import OUTPUT_RANGES
from geomgan.generators.biggan import inputs, network
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.families.biggan import NOISE
from weights_convert.modules import OTHERWISE
from weights_convert.options import Epsilon, Options, choice, flag
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes, stored_spectral_norm

MAX_BLOCKS = 8  # each doubles the side
STUDIO_EPSILON = 1e-4  # of StudioGAN's batch norms
ATTENTION_AFTER = {3: 2, 5: 3}  # mimicry's SAGAN of 32 and 128 pixels: blocks -> the one that attention follows
PARTS = ("theta", "phi", "g", "o")  # of self-attention


@dataclass(frozen=True)
class Names:
    """Where the layers are in a file.

    Attributes:
        project, norm, output: the first layer, the last batch norm, the last convolution.
        blocks: prefixes of the residual blocks.
        parts: in a block, of norm 1 and 2, convolution 1 and 2 and the shortcut.
        attention: number of the block, from 1 -> prefix of the attention behind it.
        attending: in that, of θ, φ, g, o and γ.
    """

    project: str
    norm: str
    output: str
    blocks: tuple[str, ...]
    parts: tuple[str, str, str, str, str]
    attention: Mapping[int, str] = field(default_factory=dict)
    attending: tuple[str, str, str, str, str] = ("theta", "phi", "g", "o", "gamma")


def studiogan(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """PyTorch-StudioGAN's ``resnet`` and ``big_resnet``: widths, classes, chunks, attention are read from tensors."""
    tensors = states[""]
    wrong = {"blocks.0.0.conv2d4": "deep blocks", "info_mix_linear": "InfoGAN's codes", "info_proj_linear": "InfoGAN's"}
    if found := next((words for start, words in wrong.items() if any(n.startswith(start) for n in tensors)), ""):
        raise CheckpointError(
            f"the network has {found}; expected a generator of resnet or big_resnet without them. {OTHERWISE}."
        )
    lists = sorted({int(match[1]) for name in tensors if (match := re.match(r"blocks\.(\d{1,3})\.0\.", name))})
    blocks, attention = list[str](), dict[int, str]()
    for i in lists:
        if any(name.startswith(f"blocks.{i}.0.conv1x1_") for name in tensors):
            attention[len(blocks)] = f"blocks.{i}.0"
        else:
            blocks.append(f"blocks.{i}.0")
    names = Names(
        "linear0",
        "bn4",
        "conv2d5",
        tuple(blocks),
        ("bn1", "bn2", "conv2d1", "conv2d2", "conv2d0"),
        attention,
        ("conv1x1_theta", "conv1x1_phi", "conv1x1_g", "conv1x1_attn", "sigma"),
    )
    return _converted(tensors, names, options, STUDIO_EPSILON, "a generator of PyTorch-StudioGAN", {})


def mimicry(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """torch-mimicry's residual generators: DCGAN, SNGAN, SSGAN, InfoMax-GAN, WGAN-GP, SAGAN, cGAN-PD."""
    tensors = states[""]
    count = next(i for i in itertools.count() if f"block{i + 2}.c1.bias" not in tensors)
    attends = any(name.startswith("attn_block.") for name in tensors)
    if attends and count not in ATTENTION_AFTER:
        known = " or ".join(map(str, ATTENTION_AFTER))
        raise CheckpointError(
            f"the file has attention and {count} blocks, and does not say behind which it is; expected the {known} "
            f"blocks of SAGAN at 32 or 128 pixels. {OTHERWISE}."
        )
    names = Names(
        "l1",
        f"b{count + 2}",
        f"c{count + 2}",
        tuple(f"block{i + 2}" for i in range(count)),
        ("b1", "b2", "c1", "c2", "c_sc"),
        {ATTENTION_AFTER[count]: "attn_block"} if attends else {},
    )
    output = options.ask("output", choice("tanh", "sigmoid"), assumed="tanh")  # no tensor says it
    behaviour = {"bilinear": True, "output": output}
    return _converted(tensors, names, options, layouts.BATCH_NORM_EPSILON, "a generator of torch-mimicry", behaviour)


def _converted(
    tensors: Tensors, names: Names, options: Options, epsilon: float, what: str, behaviour: Mapping[str, Any]
) -> Converted:
    config = _config(tensors, names, options, what) | {**behaviour}
    template = {
        "network": shapes(network(config), *inputs(config)),
        "classes": jax.ShapeDtypeStruct((config["classes"], config["embedding"]), np.float32),
    }
    rows = _rows(tensors, names, config, options.epsilon(tensors, epsilon))
    if "shared.weight" in tensors:
        rows.append(Tensor("classes", "shared.weight"))
    else:  # each class is its own number, or there is one
        rows.append(Computed("classes", (f"{names.output}.bias",), lambda _: np.eye(config["classes"])))
    card = {
        "config": config,
        "output_range": list(OUTPUT_RANGES[config.get("output", "tanh")]),
        "prior": NOISE + ("; class: that of a class drawn uniformly" if config["conditional"] else ""),
        "licence": "none stated",
        "code_licence": "MIT",
    }
    return Converted(card, {"generator": fill(tensors, rows, template, what)})


def _weight(tensors: Tensors, layer: str, axes: int) -> tuple[int, ...]:
    """The shape of a layer's weight, zeros where there is none of so many axes."""
    weight = tensors.get(f"{layer}.weight_orig", tensors.get(f"{layer}.weight", np.empty(0)))
    return weight.shape if weight.ndim == axes else (0,) * axes


def _config(tensors: Tensors, names: Names, options: Options, what: str) -> dict[str, Any]:
    """What the shapes say."""
    norm, _, conv, _, _ = names.parts
    weights = [_weight(tensors, f"{block}.{conv}", 4) for block in names.blocks]
    outputs, code = _weight(tensors, names.project, 2)
    channels = _weight(tensors, names.output, 4)[0]
    if not 1 <= len(weights) <= MAX_BLOCKS or 0 in (outputs, code, channels, *map(min, weights)):
        raise CheckpointError(
            f"no {what[2:]}: expected a matrix {names.project}.weight, 1 to {MAX_BLOCKS} blocks such as "
            f"{(names.blocks or ('(none)',))[0]}.{conv}.weight, and {names.output}.weight; the file holds "
            f"{', '.join(list(tensors)[:5])}, ..."
        )
    features = [weights[0][1], *(weight[0] for weight in weights)]
    condition = _weight(tensors, f"{names.blocks[0]}.{norm}.gain", 2)[1]  # 0: plain norms, or mimicry's
    classes, embedding = _weight(tensors, "shared", 2)
    table = _weight(tensors, f"{names.blocks[0]}.{norm}.embed", 2)[0]
    hierarchical = "shared.weight" in tensors
    if condition == code and not hierarchical:  # chunks of an unconditional code, or by chance as many classes
        hierarchical = options.ask("hierarchical", flag, assumed=True)
    if hierarchical and condition != code + embedding:
        raise CheckpointError(
            f"the blocks see {condition} numbers; expected {embedding} of the class (shared.weight) and {code} of the "
            f"code ({names.project}). The file is damaged, or its network is another one than {what[2:]}."
        )
    if not classes:
        classes = embedding = table or (0 if hierarchical else condition)  # a one-hot vector
    bottom = math.isqrt(outputs // features[0])
    return {
        "latent_dim": code * len(features) if hierarchical else code,
        "features": features,
        "attention": sorted(names.attention),
        "channels": channels,
        "bottom": bottom,
        "embedding": embedding or 1,
        "classes": classes or 1,
        "resolution": bottom * 2 ** len(weights),
        "hierarchical": hierarchical,
        "conditional": classes > 0,
    }


def _rows(tensors: Tensors, names: Names, config: Mapping[str, Any], epsilon: Epsilon) -> list[Row]:
    """The table of the network."""
    layer = partial(Layer, spectral_norm="stored")
    bottom = config["bottom"]
    rows: list[Row] = [layer("network/project", names.project, "dense_to_map", spatial=(bottom, bottom))]
    norm1, norm2, conv1, conv2, shortcut = names.parts
    for k, theirs in enumerate(names.blocks, start=1):
        ours = f"network/block{k}"
        rows += [
            layer(f"{ours}_conv1", f"{theirs}.{conv1}", "conv", bias=False, drop_bias=True),
            layer(f"{ours}_conv2", f"{theirs}.{conv2}", "conv"),
            layer(f"{ours}_shortcut", f"{theirs}.{shortcut}", "conv"),
            *_norm(tensors, f"{ours}_norm1", f"{theirs}.{norm1}", epsilon, config),
            *_norm(tensors, f"{ours}_norm2", f"{theirs}.{norm2}", epsilon, config, before=f"{theirs}.{conv1}.bias"),
        ]
        if attention := names.attention.get(k, ""):
            parts = [f"{attention}.{part}" for part in names.attending]
            ours = f"{ours}_attention"
            rows += [_matrix(tensors, f"{ours}/{a}", b) for a, b in zip(PARTS[:3], parts[:3], strict=True)]
            rows.append(_matrix(tensors, f"{ours}/o", parts[3], factor=parts[4]))
    statistics = tuple(f"{names.norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
    for i, part in enumerate(("scale", "shift")):
        rule = partial(_last_norm, i, epsilon(names.norm))
        rows.append(Computed(f"network/norm_{part}", statistics, rule))
    return [*rows, layer("network/output", names.output, "conv")]


def _last_norm(part: int, epsilon: float, *statistics: np.ndarray) -> np.ndarray:
    return layouts.batch_norm(*statistics, epsilon=epsilon)[part]


def _matrix(tensors: Tensors, target: str, source: str, *, factor: str = "", above: int = 0) -> Computed:
    """A matrix or 1 x 1 kernel as ours ``(in, out)``, under PyTorch's spectral norm or none.

    Times the number in the tensor ``factor``; under ``above`` rows of zeros.
    """
    parts = stored_spectral_norm(source, tensors)

    def rule(weight: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        vectors, scale = rest[: len(parts) - 1], rest[-1].item() if factor else 1.0
        weight = layouts.spectral_norm(weight, *vectors) if vectors else weight
        return np.pad(scale * weight.reshape(weight.shape[:2]).T, ((above, 0), (0, 0)))

    return Computed(target, (*(f"{source}.{part}" for part in parts), *([factor] if factor else [])), rule)


def _norm(
    tensors: Tensors, target: str, source: str, epsilon: Epsilon, config: Mapping[str, Any], before: str = ""
) -> list[Row]:
    """A conditional or plain batch norm: the published scale is ``1 + gain``.

    Its mean takes in the bias ``before`` of the convolution in front of it.
    """
    plain, table = f"{source}.running_mean" in tensors, f"{source}.embed.weight"
    where = source if plain else f"{source}.bn"
    deviation = epsilon(where)
    rows: list[Row] = [
        Computed(
            f"{target}/mean", (f"{where}.running_mean", *([before] if before else [])), lambda mean, *b: mean - sum(b)
        ),
        Computed(f"{target}/inverse_std", (f"{where}.running_var",), lambda var: 1 / np.sqrt(var + deviation)),
    ]
    if plain:
        gain = Computed(f"{target}/gain", (f"{source}.weight",), lambda scale: scale[None] - 1)
        return [*rows, gain, Computed(f"{target}/shift", (f"{source}.bias",), lambda shift: shift[None])]
    if table in tensors:
        half = tensors[table].shape[-1] // 2
        gain = Computed(f"{target}/gain", (table,), lambda rows: rows[:, :half] - 1)
        return [*rows, gain, Computed(f"{target}/shift", (table,), lambda rows: rows[:, half:])]
    above = 0 if config["conditional"] else 1  # the embedding 1 of the one class
    return [
        *rows,
        _matrix(tensors, f"{target}/gain", f"{source}.gain", above=above),
        _matrix(tensors, f"{target}/shift", f"{source}.bias", above=above),
    ]
