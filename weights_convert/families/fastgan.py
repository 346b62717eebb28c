"""FastGAN: the pickles of Projected GAN, and the files of its own repository (``{g, d, g_ema, ...}``).

``init.init`` makes the map of 4 x 4 pixels, ``feat_8`` to ``feat_1024`` are blocks, ``se_64`` to ``se_512`` gates.
Projected GAN normalises codes and has a linear output; the original does not, ends in a tanh, and has a second image
``to_128``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import fastgan, layouts
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.options import Epsilon, Options
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes, stored_spectral_norm

NORM = ("weight", "bias", "running_mean", "running_var")


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Widths, the kind of each block, classes and which of the two it is are read from the tensors."""
    tensors = states[""]
    config = _config(tensors, options)
    template = {"network": shapes(fastgan.network(config), *fastgan.inputs(config))}
    rows = _rows(tensors, config, options.epsilon(tensors))
    if config["classes"]:
        template["classes"] = jax.ShapeDtypeStruct((config["classes"], config["embedding"]), np.float32)
        rows.append(Tensor("classes", "embed.weight"))
    unused = {"to_128.*": "the second image, of 128 pixels"}
    last = config["resolution"]
    beyond = [side for side in (128, 256) if side > last]  # Projected GAN makes these blocks, and does not run them
    unused |= {f"{part}_{side}.*": "is not run" for side in beyond for part in ("feat", "se")}
    card = {
        "config": config,
        "output_range": [-1, 1],
        "prior": "z ~ N(0, I)" + ("; class: drawn uniformly" if config["classes"] else ""),
        "licence": "none stated",
    }
    return Converted(card, {"generator": fill(tensors, rows, template, f"a FastGAN of {last} pixels", unused)})


def _weight(tensors: Tensors, layer: str) -> tuple[int, ...]:
    """The shape of a layer's kernel, zeros where there is none."""
    weight = tensors.get(f"{layer}.weight_orig", tensors.get(f"{layer}.weight", np.empty(0)))
    return weight.shape if weight.ndim == 4 else (0, 0, 0, 0)


def _first(side: int, conditional: bool, large: bool) -> str:
    """The name of a block's first convolution."""
    return f"feat_{side}.{('conv1' if large else 'conv') if conditional else '1'}"


def _config(tensors: Tensors, options: Options) -> dict[str, Any]:
    conditional = "embed.weight" in tensors
    sides = sorted({int(match[1]) for name in tensors if (match := re.match(r"feat_(\d{1,4})\.", name))})
    second = "conv2" if conditional else "5"
    large = [side for side in sides if _weight(tensors, f"feat_{side}.{second}")[0]]
    widths = {side: _weight(tensors, _first(side, conditional, side in large))[0] // 2 for side in sides}
    start, end = _weight(tensors, "init.init.0"), _weight(tensors, "to_big")
    if sides != [8 * 2**i for i in range(len(sides))] or not sides or 0 in (start[0], end[0], *widths.values()):
        raise CheckpointError(
            "no generator of FastGAN: expected init.init.0, feat_8, feat_16, ... without gaps, and to_big; the file "
            f"holds {', '.join(list(tensors)[:5])}, ..."
        )
    fitting = [side for side in sides if widths[side] == end[1]]

    def read(name: str, text: str) -> int:
        if text not in map(str, fitting):
            raise CheckpointError(f"{name}={text[:20]}, but to_big takes {end[1]} channels, those of {fitting} pixels.")
        return int(text)

    if not fitting:
        raise CheckpointError(f"to_big takes {end[1]} channels; expected those of a map, {widths}.")
    known = fitting[0] if len(fitting) == 1 else None
    last = options.ask("resolution", read, known=known, assumed=fitting[-1])
    classes, embedding = tensors["embed.weight"].shape if conditional else (0, 0)
    return {
        "resolution": last,
        "latent_dim": start[0],
        "features": [start[1] // 2, *(widths[side] for side in sides if side <= last)],
        "large": [side for side in large if side <= last],
        "channels": end[0],
        "embedding": embedding,
        "classes": classes,
        "normalised": not any(name.startswith("to_128.") for name in tensors),
        "tanh": any(name.startswith("to_128.") for name in tensors),
    }


def _rows(tensors: Tensors, config: Mapping[str, Any], epsilon: Epsilon) -> list[Row]:
    """The table of the network."""
    conditional = bool(config["classes"])
    rows: list[Row] = [
        *_initial(tensors, epsilon("init.init.1")),
        Layer("network/output", "to_big", "conv", spectral_norm="stored", bias="to_big.bias" in tensors),
    ]
    for i in range(1, len(config["features"])):
        side = 4 * 2**i
        big = side in config["large"]
        for k in (1, 2) if big else (1,):
            ours = f"network/block{side}_{k}"
            if conditional:
                conv = _first(side, True, big) if k == 1 else f"feat_{side}.conv2"
                noise, norm = f"feat_{side}.noise.weight", f"feat_{side}.bn{k if big else ''}"
                rows.append(Layer(ours, conv, "conv", spectral_norm="stored", bias=False, drop_bias=True))
                rows += _conditional(tensors, f"{ours}_norm", norm, epsilon(norm))
                if big:
                    features = 2 * config["features"][i]
                    rows.append(Computed(f"{ours}_noise", (noise,), lambda w, n=features: np.full(n, w.item())))
                continue
            at = 1 if k == 1 else 5
            norm = f"feat_{side}.{at + 2 if big else 2}"
            eps = epsilon(norm)
            rows.append(
                Layer(ours, f"feat_{side}.{at}", "conv", spectral_norm="stored", bias=False, norm=norm, epsilon=eps)
            )
            if big:
                statistics = tuple(f"{norm}.{part}" for part in NORM)
                scaled = lambda w, *n, e=eps: w.item() * layouts.batch_norm(*n, epsilon=e)[0]
                rows.append(Computed(f"{ours}_noise", (f"feat_{side}.{at + 1}.weight", *statistics), scaled))
        if side in fastgan.GATES:
            rows.append(_kernel(tensors, f"network/gate{side}/look", f"se_{side}.main.1"))
            rows.append(_kernel(tensors, f"network/gate{side}/open", f"se_{side}.main.3"))
    return rows


def _kernel(tensors: Tensors, target: str, source: str) -> Computed:
    """A kernel over the whole of its map as a matrix ``(pixels and channels, out)``."""
    parts = stored_spectral_norm(source, tensors)

    def rule(weight: np.ndarray, *vectors: np.ndarray) -> np.ndarray:
        weight = layouts.spectral_norm(weight, *vectors) if vectors else weight
        return weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))

    return Computed(target, tuple(f"{source}.{part}" for part in parts), rule)


def _initial(tensors: Tensors, epsilon: float) -> list[Row]:
    """The transposed convolution of one pixel as a matrix, with its norm."""
    source, statistics = "init.init.0", tuple(f"init.init.1.{part}" for part in NORM)
    parts = stored_spectral_norm(source, tensors)

    def kernel(weight: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        vectors, norm = rest[: len(parts) - 1], rest[len(parts) - 1 :]
        weight = layouts.spectral_norm(weight, *vectors, output_axis=1) if vectors else weight
        scale, _ = layouts.batch_norm(*norm, epsilon=epsilon)
        return (weight * scale[:, None, None]).transpose(0, 2, 3, 1).reshape(len(weight), -1)

    shift = lambda *norm: np.tile(layouts.batch_norm(*norm, epsilon=epsilon)[1], 16)
    return [
        Computed("network/initial/kernel", (*(f"{source}.{part}" for part in parts), *statistics), kernel),
        Computed("network/initial/bias", statistics, shift),
    ]


def _conditional(tensors: Tensors, target: str, source: str, epsilon: float) -> list[Row]:
    """Statistics, and gain and shift with their biases as the last row."""
    rows: list[Row] = [
        Tensor(f"{target}/mean", f"{source}.stored_mean"),
        Computed(f"{target}/inverse_std", (f"{source}.stored_var",), lambda var: 1 / np.sqrt(var + epsilon)),
    ]
    for ours, theirs in (("gain", f"{source}.gain"), ("shift", f"{source}.bias")):
        parts = stored_spectral_norm(theirs, tensors)
        names = (*(f"{theirs}.{part}" for part in parts), f"{theirs}.bias")
        rows.append(Computed(f"{target}/{ours}", names, _with_bias))
    return rows


def _with_bias(weight: np.ndarray, *rest: np.ndarray) -> np.ndarray:
    *vectors, bias = rest
    weight = layouts.spectral_norm(weight, *vectors) if vectors else weight
    return np.concatenate([weight.T, bias[None]])
