"""Trunk and heads of LPIPS in one state dict: torchvision's ``features.*`` and ``lin{k}.model.1.weight``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.distances.lpips_weights import CONVOLUTIONS
from geomgan.distances.trunks import TRUNKS
from weights_convert.convert import Converted, Family, state_dict
from weights_convert.table import Layer, Tensor, fill, shapes

POSITIONS = {"alex": (0, 3, 6, 8, 10), "vgg": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}


def _family(net: str) -> Family:
    def convert(states: Mapping[str, Any], options: Mapping[str, str]) -> Converted:
        del options
        tensors = {k: v for k, v in state_dict(states[""]).items() if not k.startswith("classifier.")}
        names = [f"lin{k}.model.1.weight" for k in range(5)]
        tensors |= {name: tensors[name].reshape(-1) for name in names if name in tensors}
        trunk = TRUNKS[net]
        template: dict[str, Any] = {"trunk": shapes(trunk, (64, 64, 3))}
        widths = [leaf.shape[-1] for leaf in jax_maps(trunk, template["trunk"])]
        template["heads"] = {f"head{k + 1}": np.zeros(width) for k, width in enumerate(widths)}
        rows: list[Layer | Tensor] = [
            Layer(f"trunk/{name}", f"features.{position}", "conv")
            for name, position in zip(CONVOLUTIONS[net], POSITIONS[net], strict=True)
        ]
        rows += [Tensor(f"heads/head{k + 1}", name) for k, name in enumerate(names)]
        params = fill(tensors, rows, template, f"LPIPS with {net}")
        return Converted({"config": {"net": net, "version": "0.1"}}, params)

    checkpoint = f"a file: torchvision's {net} features.* with LPIPS heads lin0 to lin4 beside them"
    return Family(f"lpips-{net}", checkpoint, convert)


def jax_maps(trunk: Any, params: Any) -> Any:
    """The shapes of a trunk's feature maps; runs nothing."""
    import jax

    return jax.eval_shape(lambda p, x: trunk.apply({"params": p}, x), params, np.zeros((64, 64, 3), np.float32))


FAMILIES = tuple(map(_family, TRUNKS))
