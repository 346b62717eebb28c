"""The networks and heads of LPIPS: torchvision's ImageNet files, the files of ``lpips``, or both in one state dict.

``torchvision-*`` takes what torchvision publishes and gives a trunk, ``lpips-heads-*`` takes ``lpips/weights/v*/*.pth``
and gives heads, ``lpips-*`` takes one state dict with the tensors of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.distances.lpips_weights import CONVOLUTIONS, VERSIONS
from geomgan.distances.trunks import TRUNKS
from geomgan.errors import CheckpointError
from geomgan.models.families import Family
from geomgan.models.families.judges import TORCHVISION
from weights_convert.convert import Converted
from weights_convert.options import Options, choice
from weights_convert.table import Layer, Row, Tensor, Tensors, fill, shapes

VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG19 = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
FIRE = ((f"fire{i}", position) for i, position in enumerate((3, 4, 6, 7, 9, 10, 11, 12), start=2))
SOURCES: dict[str, dict[str, str]] = {  # net -> our convolution -> the published one
    "alex": {name: f"features.{i}" for name, i in zip(CONVOLUTIONS["alex"], (0, 3, 6, 8, 10), strict=True)},
    "vgg": {name: f"features.{i}" for name, i in zip(CONVOLUTIONS["vgg"], VGG16, strict=True)},
    "vgg19": {name: f"features.{i}" for name, i in zip(CONVOLUTIONS["vgg19"], VGG19, strict=True)},
    "squeeze": {"conv1": "features.0"}
    | {f"{n}_{part}": f"features.{i}.{part}" for n, i in FIRE for part in ("squeeze", "expand1x1", "expand3x3")},
}
IGNORED = {"classifier.*": "the classifier behind the convolutions, which no distance here compares"}
LICENCE = "BSD-3-Clause (torchvision); trained on ImageNet, which has terms of its own"
PUBLISHED = {  # start of the sha256 of the heads' numbers in order, little-endian float32 -> version
    "718a8b40b0d22f96": "0.1",  # alex
    "9153a2043dccf3b5": "0.1",  # vgg
    "68f1b1752260e033": "0.1",  # squeeze
    "8a9f071221953c58": "0.0",
    "e60d8ee2c0926a5b": "0.0",
    "1a1c8db5a561a681": "0.0",
}


def trunk(family: Family, states: Mapping[str, Any], options: Mapping[str, str]) -> Converted:
    """The convolutions of torchvision's network."""
    del options
    what = f"torchvision's {TORCHVISION[family.net][0]}"
    params = fill(states[""], _trunk_rows(family.net), {"trunk": _trunk(family.net)}, what, IGNORED)
    return Converted({"config": {"net": family.net}, "ignored": IGNORED, "licence": LICENCE}, params)


def heads(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """The weights of LPIPS on top of a network."""
    tensors, net = states[""], family.net
    params = fill(tensors, _head_rows(net), {"heads": _heads(net)}, f"LPIPS heads for {net}")
    return Converted({"config": {"net": net, "version": _version(tensors, net, options)}}, params)


def both(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Convolutions and heads from one state dict."""
    tensors, net = states[""], family.net
    template = {"trunk": _trunk(net), "heads": _heads(net)}
    params = fill(tensors, [*_trunk_rows(net), *_head_rows(net)], template, f"LPIPS with {net}", IGNORED)
    config = {"net": net, "version": _version(tensors, net, options)}
    return Converted({"config": config, "ignored": IGNORED}, params)


def _published_heads(net: str) -> list[str]:
    return [f"lin{k}.model.1.weight" for k in range(len(TRUNKS[net].widths))]


def _trunk_rows(net: str) -> list[Row]:
    return [Layer(f"trunk/{ours}", source, "conv") for ours, source in SOURCES[net].items()]


def _head_rows(net: str) -> list[Row]:
    return [Tensor(f"heads/head{k}", source, squeeze=True) for k, source in enumerate(_published_heads(net), start=1)]


def _trunk(net: str) -> Any:
    return shapes(TRUNKS[net], (64, 64, 3))


def _heads(net: str) -> dict[str, np.ndarray]:
    return {f"head{k}": np.zeros(width) for k, width in enumerate(TRUNKS[net].widths, start=1)}


def _version(tensors: Tensors, net: str, options: Options) -> str:
    """The version of LPIPS that heads belong to: of published ones it is known, of others said (0.1 if not)."""
    published = (np.ascontiguousarray(tensors[head], "<f4").tobytes() for head in _published_heads(net))
    digest = hashlib.sha256(b"".join(published))
    known, said = PUBLISHED.get(digest.hexdigest()[:16]), options.get("version")
    if said in VERSIONS and known and said != known:
        raise CheckpointError(
            f"these are the published heads of LPIPS {known}; the option says {said}. Leave the option out, or get "
            f"lpips/weights/v{said}."
        )
    return options.ask("version", choice(*VERSIONS), known=known, assumed="0.1")
