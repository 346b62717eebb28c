"""Decoders of pythae's autoencoders, ``model.pt`` with ``model_config.json``: its default network and its benchmarks'.

Which of them it is, names and shapes of kernels tell. A network of one's own lies in ``decoder.pkl``, which is code: it
is never opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from geomgan.errors import CheckpointError
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.modules import OTHERWISE, StateDict
from weights_convert.options import Options
from weights_convert.programs import converted
from weights_convert.torch_modules import Line, traced

LAYERS = "decoder.layers."
RELU, SIGMOID = Line("ReLU", "", {}), Line("Sigmoid", "", {})
NORMAL = (  # names of configurations whose models have N(0, I) as their prior
    *("VAEConfig", "BetaVAEConfig", "DisentangledBetaVAEConfig", "BetaTCVAEConfig", "FactorVAEConfig", "VAEGANConfig"),
    *("InfoVAE_MMD_Config", "WAE_MMD_Config", "IWAEConfig", "MIWAEConfig", "PIWAEConfig", "CIWAEConfig"),
    *("MSSSIM_VAEConfig", "Adversarial_AE_Config", "HVAEConfig", "VAE_LinNF_Config", "VAE_IAF_Config"),
)


def _up(place: str, stride: int, padding: int, output_padding: int = 0) -> Line:
    stage = {"stride": stride, "padding": padding, "output_padding": output_padding}
    return Line("ConvTranspose2d", LAYERS + place, stage)


def _normed(place: int, stride: int, padding: int, output_padding: int = 0) -> tuple[Line, ...]:
    return _up(f"{place}.0", stride, padding, output_padding), Line("BatchNorm2d", f"{LAYERS}{place}.1", {}), RELU


def _block(place: str) -> tuple[Line, ...]:
    """``x + conv(relu(conv(relu(x))))``."""
    inner = f"{LAYERS}{place}.conv_block."
    first, second = Line("Conv2d", f"{inner}1", {"padding": 1}), Line("Conv2d", f"{inner}3", {})
    return Line("Keep", place, {}), RELU, first, RELU, second, Line("Add", place, {})


def _dense(place: str, side: int) -> tuple[Line, ...]:
    return Line("Linear", LAYERS + place, {}), Line("View", "", {"shape": (-1, side, side)})


NETWORKS: dict[str, tuple[Mapping[str, int], Sequence[Line]]] = {  # -> sides of kernels by place, and the layers
    "the convolutions for MNIST": (
        {"1.0": 3, "2.0": 3, "3.0": 3},
        (*_dense("0", 4), *_normed(1, 2, 1), *_normed(2, 2, 1, 1), _up("3.0", 2, 1, 1), SIGMOID),
    ),
    "the convolutions for CIFAR": (
        {"1.0": 4, "2.0": 4, "3.0": 4},
        (*_dense("0", 8), *_normed(1, 2, 1), *_normed(2, 2, 1, 1), _up("3.0", 1, 2), SIGMOID),
    ),
    "the convolutions for CelebA": (
        {"1.0": 5, "2.0": 5, "3.0": 5, "4.0": 5},
        (
            *_dense("0.0", 8),
            *_normed(1, 2, 2),
            *_normed(2, 2, 1),
            *_normed(3, 2, 2, 1),
            *(_up("4.0", 1, 1), SIGMOID),
        ),
    ),
    "the residual network for MNIST": (
        {"1": 3, "3.0": 3, "4.0": 3},
        (
            *(*_dense("0", 4), _up("1", 2, 1), *_block("2.0"), *_block("2.1"), RELU),
            *(_up("3.0", 2, 1, 1), RELU, _up("4.0", 2, 1, 1), SIGMOID),
        ),
    ),
    "the residual network for CIFAR": (
        {"2.0": 4, "3.0": 4},
        (*_dense("0", 8), *_block("1.0"), *_block("1.1"), _up("2.0", 2, 1), _up("3.0", 2, 1), SIGMOID),
    ),
    "the residual network for CelebA": (
        {"1": 3, "3.0": 5, "4.0": 5, "5.0": 4},
        (
            *(*_dense("0", 4), _up("1", 2, 1), *_block("2.0"), *_block("2.1")),
            *(_up("3.0", 2, 1), SIGMOID, _up("4.0", 2, 1, 1), _up("5.0", 2, 1), SIGMOID),
        ),
    ),
}
MLP = (Line("Linear", f"{LAYERS}0.0", {}), RELU, Line("Linear", f"{LAYERS}1.0", {}), SIGMOID)


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """The network is told by its kernels; the shape of a default network's samples stands in ``model_config.json``."""
    found, said = states[""], states.get("config", {})
    tensors = found.renamed(lambda name: name if name.startswith("decoder.") else None)
    what, lines = _network(tensors, said)
    code = next((tensors[f"{line.path}.weight"] for line in lines if line.kind == "Linear"), None)
    latent = 0 if code is None or code.ndim != 2 else code.shape[1]
    if (dim := said.get("latent_dim", latent)) != latent:
        raise CheckpointError(
            f"model_config.json beside the file says latent_dim={str(dim)[:20]}; its decoder takes {latent} numbers. "
            "It belongs to another model: put the right one there, or none."
        )
    program = traced([Line("Code", "", {"shape": latent}), *lines], tensors).program
    made = converted(program, tensors, options)
    name = str(said.get("name", ""))[:60]
    notes = [f"pythae's {what}"]
    if name and name not in NORMAL:
        notes.append(f"of a {name}, whose codes pythae draws otherwise: N(0, I) is no prior of that model")
    card = {**made.card, "note": ", ".join(notes), "licence": "none stated", "code_licence": "Apache-2.0"}
    return replace(made, card=card)


def _network(tensors: StateDict, said: Mapping[str, Any]) -> tuple[str, Sequence[Line]]:
    """The name and the layers of the network whose tensors these are."""
    sides = {
        name.removeprefix(LAYERS).removesuffix(".weight"): array.shape[-1]
        for name, array in tensors.items()
        if array.ndim == 4 and name.endswith(".weight") and ".conv_block." not in name
    }
    for what, (kernels, lines) in NETWORKS.items():
        if kernels == sides and _paths(lines) == _held(tensors):
            return what, lines
    if not sides and _paths(MLP) == _held(tensors):
        shape = said.get("input_dim")
        whole = (
            isinstance(shape, list) and 0 < len(shape) < 5 and all(type(n) is int and 0 < n < 1 << 20 for n in shape)
        )
        return "default network", (*MLP, Line("View", "", {"shape": tuple(shape)})) if shape and whole else MLP
    raise CheckpointError(
        "the decoder is none of pythae's default or benchmark networks for autoencoders: it has the layers "
        f"{', '.join(sorted(_held(tensors))[:6])}, .... One of your own lies in decoder.pkl, which is code and is not "
        f"opened. {OTHERWISE}."
    )


def _paths(lines: Sequence[Line]) -> set[str]:
    return {line.path for line in lines if line.path.startswith(LAYERS)}


def _held(tensors: StateDict) -> set[str]:
    return {name.rpartition(".")[0] for name in tensors}
