"""Progressively grown GANs: the checkpoints of the PyTorch GAN zoo, and the CelebA-HQ one of Theano's origin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError
from geomgan.generators.pggan import checked_alpha
from geomgan.models.families import Family
from geomgan.restricted_pickle import StandIn
from weights_convert.convert import Converted
from weights_convert.modules import expect_functions
from weights_convert.options import Options, choice, flag, module_slope, number
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes

FUNCTIONS: dict[str, dict[str, Any]] = {"LeakyReLU": {}, "Tanh": {}, "Upsample": {"mode": "nearest"}}  # of a module
MAX_SCALES = 11  # each doubles the side: 4096 pixels
PRIOR = "z ~ N(0, I); the network divides z by its root mean square"
OUTPUTS = {"MSE": "tanh", "DCGAN": "tanh", "WGANGP": "linear", "Logistic": "linear"}  # of the GAN zoo: loss -> last
SMALLER_SCALE = "the output layer of a smaller scale, of which only the last two are ever used"


# --- PyTorch GAN zoo ---


def gan_zoo(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """``avgG``, the running average of the generator, else ``netG``; sizes from the tensors' shapes.

    The pickled settings say what no tensor does: ``alpha``, the leaky ReLU's slope, ``tanh``, whether the learning
    rate is equalised; without them the GAN zoo's defaults are assumed.
    """
    tensors = states[""]
    settings = gan_zoo_settings(states["file"])
    scales = _count(tensors, "scaleLayers.{}.0")
    project = tensors.get("formatLayer.weight")
    rgb = tensors.get(f"toRGBLayers.{scales}.weight")
    if project is None or rgb is None or project.ndim != 2 or project.shape[0] % 16 or scales >= MAX_SCALES:
        raise CheckpointError(
            "no progressive GAN of the GAN zoo: expected formatLayer of shape (16 x channels, latent), n scaleLayers "
            f"(up to {MAX_SCALES - 1}) and n + 1 toRGBLayers; the file holds {', '.join(list(tensors)[:5])}, ..."
        )
    expect_functions(tensors, FUNCTIONS, "a progressive GAN of the GAN zoo")
    larger = [tensors[f"scaleLayers.{s}.0.weight"].shape[0] for s in range(scales)]
    config = {
        "latent_dim": project.shape[1],
        "features": [project.shape[0] // 16, *larger],
        "channels": rgb.shape[0],
        "resolution": 4 * 2**scales,
        **_behaviour(tensors, settings, scales, options),
    }
    said = settings.get("equalizedlR")
    equalised = options.ask("equalised", flag, known=said if isinstance(said, bool) else None, assumed=True)

    def row(target: str, source: str, layout: str = "conv", **more: Any) -> Layer:
        shape = np.shape(tensors.get(f"{source}.weight", ()))
        # the whole output of a layer is scaled, its bias too
        scale = math.sqrt(2 / math.prod(shape[1:])) if equalised else 1.0
        return Layer(target, source, layout, scale=scale, bias_scale=scale, **more)

    rows: list[Row] = [
        row("project", "formatLayer", "dense_to_map", spatial=(4, 4)),
        row("scale1/conv1", "groupScale0.0"),
        *(row(f"scale{s + 2}/conv{i + 1}", f"scaleLayers.{s}.{i}") for s in range(scales) for i in range(2)),
        row("output", f"toRGBLayers.{scales}"),
    ]
    if scales:
        rows.append(row("output_before", f"toRGBLayers.{scales - 1}"))
    ignored = {f"toRGBLayers.{s}.*": SMALLER_SCALE for s in range(scales - 1)}
    part = family.networks["generator"]
    params = fill(tensors, rows, shapes(part.module(config), *part.inputs(config)), "a GAN zoo PGGAN", ignored)
    card = {"config": config, "output_range": [-1, 1], "prior": PRIOR, "ignored": ignored}
    return Converted(card, {"generator": params})


def gan_zoo_settings(checkpoint: Any) -> dict[str, Any]:
    """The attributes of the settings object in a checkpoint of the GAN zoo; none where it has no such object."""
    settings = checkpoint.get("config") if isinstance(checkpoint, Mapping) else None
    if isinstance(settings, StandIn):
        settings = settings.state
    return dict(settings) if isinstance(settings, Mapping) else {}


def gan_zoo_loss(settings: Mapping[str, Any]) -> Any:
    """The loss that the settings name; None where they name none."""
    return settings.get("lossCriterion", settings.get("lossMode"))


def _behaviour(tensors: Tensors, settings: Mapping[str, Any], scales: int, options: Options) -> dict[str, Any]:
    """What settings and options say about the forward pass of a network with ``scales`` beyond the first."""
    if settings.get("perChannelNormalization") is False:
        raise CheckpointError(
            "its settings say perChannelNormalization = False, a network without pixel norm, which the GAN zoo itself "
            "cannot evaluate. There is nothing to convert it to."
        )
    slope = settings.get("leakyReluLeak", settings.get("leakyness", module_slope(tensors)))
    if isinstance(slope, bool) or not isinstance(slope, int | float | None) or not 0 <= (slope or 0) <= 1:
        raise CheckpointError(f"its settings say leakyReluLeak = {slope!r}; expected a slope from 0 to 1.")
    try:
        known = checked_alpha(settings["alpha"]) if "alpha" in settings and scales else None
    except OptionError as error:
        raise CheckpointError(f"its settings do not fit: {error}") from error
    loss = gan_zoo_loss(settings)
    if loss is not None and (not isinstance(loss, str) or loss not in OUTPUTS):
        raise CheckpointError(f"its settings name the loss {loss!r}; expected one of {', '.join(OUTPUTS)}.")
    output = None if loss is None else OUTPUTS[loss]
    slope = options.ask("slope", number(0, 1), known=None if slope is None else float(slope), assumed=0.2)
    tanh = options.ask("output", choice("tanh", "linear"), known=output, assumed="linear") == "tanh"
    alpha = options.ask("alpha", number(0, 1), known=known, assumed=0.0) if scales else 0.0
    return {"slope": slope, "tanh": tanh, "alpha": alpha}


def _count(tensors: Tensors, layer: str) -> int:
    """How many of the layers ``layer.format(0)``, ``layer.format(1)``, ... a file holds."""
    return next(i for i in range(len(tensors) + 1) if f"{layer.format(i)}.weight" not in tensors)


# --- CelebA-HQ 1024, from Theano ---


def proggan(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Blocks ``features.0``, ``features.1``, ... of which two make a scale; sizes from the tensors' shapes."""
    tensors = states[""]
    weights: list[np.ndarray] = []
    while (name := f"features.{len(weights)}.conv.weight") in tensors:
        weights.append(tensors[name])
    even = len(weights) >= 2 and len(weights) % 2 == 0 and len(weights) <= 2 * MAX_SCALES
    output = tensors.get("output.conv.weight")
    if not even or output is None or any(w.ndim != 4 for w in weights) or weights[0].shape[2:] != (4, 4):
        raise CheckpointError(
            "no progressive GAN of this layout: expected features.0.conv.weight with a 4 x 4 kernel, an even number of "
            f"blocks up to {2 * MAX_SCALES} and output.conv.weight; the file holds {', '.join(list(tensors)[:5])}, ..."
        )
    expect_functions(tensors, FUNCTIONS, "a progressive GAN of this layout")
    config = {
        "latent_dim": weights[0].shape[1],
        "features": [weight.shape[0] for weight in weights[::2]],
        "channels": output.shape[0],
        "resolution": 4 * 2 ** (len(weights) // 2 - 1),
        "slope": options.ask("slope", number(0, 1), known=module_slope(tensors), assumed=0.2),
        "tanh": options.ask("output", choice("tanh", "linear"), assumed="linear") == "tanh",
    }
    rows = [
        Computed("project/kernel", ("features.0.conv.weight", "features.0.wscale.scale"), _projection),
        Computed("project/bias", ("features.0.wscale.b",), lambda b: np.tile(b, 16)),
        *_scaled("scale1/conv1", "features.1"),
        *(
            row
            for s in range(1, len(weights) // 2)
            for i in range(2)
            for row in _scaled(f"scale{s + 1}/conv{i + 1}", f"features.{2 * s + i}")
        ),
        *_scaled("output", "output"),
    ]
    part = family.networks["generator"]
    params = fill(tensors, rows, shapes(part.module(config), *part.inputs(config)), "a ProgGAN")
    card = {"config": config, "output_range": [-1, 1], "prior": PRIOR}
    return Converted(card, {"generator": params})


def _scaled(target: str, source: str) -> list[Row]:
    """A convolution without bias, a stored scale, and a bias behind it."""
    return [
        Computed(f"{target}/kernel", (f"{source}.conv.weight", f"{source}.wscale.scale"), _scaled_kernel),
        Tensor(f"{target}/bias", f"{source}.wscale.b"),
    ]


def _scaled_kernel(weight: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return weight.transpose(2, 3, 1, 0) * scale.item()


def _projection(weight: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The convolution ``(out, in, 4, 4)`` of one pixel with three zeros around it, as a matrix ``(in, 4 · 4 · out)``.

    At ``(y, x)`` the kernel meets the pixel with its element ``(3 - y, 3 - x)``.
    """
    flipped = np.flip(weight, (2, 3)).transpose(1, 2, 3, 0)
    return flipped.reshape(len(flipped), -1) * scale.item()
