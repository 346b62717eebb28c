"""Averaged weights that are stored as a list: ``{"shadow_params": [...]}`` of torch_ema and of accelerate's trainings.

They are the parameters of the network in its own order, without buffers and without names. Both are in the state dict
of that network, where the same file has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

LIST = "shadow_params"
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def named_shadows(tree: Any) -> Any:
    """The containers of a file with names for the tensors of every such list beside a state dict of the same shapes.

    Buffers are those of the state dict. A list that fits none stays what it is.
    """
    if isinstance(tree, dict) and any(isinstance(value, dict) and LIST in value for value in tree.values()):
        networks = [value for value in tree.values() if _is_state_dict(value)]
        return {key: _named(value, networks) if isinstance(value, dict) else value for key, value in tree.items()}
    return tree


def _named(held: dict[Any, Any], networks: list[dict[str, np.ndarray]]) -> dict[Any, Any]:
    arrays = held.get(LIST)
    for network in networks:
        parameters = [name for name in network if name.rpartition(".")[2] not in BUFFERS]
        if isinstance(arrays, list | tuple) and [*map(np.shape, arrays)] == [network[n].shape for n in parameters]:
            named = {**network, **dict(zip(parameters, arrays, strict=True))}
            return {**{key: value for key, value in held.items() if key != LIST}, LIST: named}
    return held


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(array, np.ndarray) for name, array in value.items())
    )
