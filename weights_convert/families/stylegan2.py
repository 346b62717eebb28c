"""StyleGAN2 checkpoints of the repository stylegan2-pytorch: ``{g_ema, latent_avg}``, or the files of its training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from geomgan.errors import CheckpointError, OptionError
from geomgan.generators import stylegan2
from geomgan.generators.layouts import kernel
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.modules import StateDict
from weights_convert.options import Options, positive, whole
from weights_convert.table import Computed, Layer, Row, fill

GAIN = math.sqrt(2)  # of the leaky ReLU, folded into what lies before it
MAPPING_RATE = 0.01  # learning-rate multiplier of the mapping network: its weights are stored divided by it
MAX_LEVELS = 10
TAPS = (1, 3, 3, 1)  # of the resampling filter, for files without its buffers
FILTERS = {
    "*blur.kernel": "the resampling filter; it is in the configuration",
    "*upsample.kernel": "the resampling filter; it is in the configuration",
}
DISCRIMINATOR = (  # tensors that every discriminator of the StyleGAN families has one of
    "final_conv.0.weight",
    "final_linear.0.weight",
    "from_rgb.0.conv.weight_orig",
    "linear.linear.weight_orig",
    "b4.out.weight",
)


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Resolution, widths, depth of the mapping and the filter are read from the tensors."""
    tensors = states[""]
    config = configuration(tensors, options)
    check_resolution(options, config["resolution"])
    beside = states["file"] if isinstance(states["file"], dict) else {}
    average = _average(tensors.get("latent_avg", beside.get("latent_avg")), config)
    template: dict[str, Any] = {"generator": stylegan2.template(config)}
    said = tensors.parts["style.1"].attributes.get("lr_mul") if "style.1" in tensors.parts else None
    rate = options.ask("lr_multiplier", positive, known=said if isinstance(said, float) else None, assumed=MAPPING_RATE)
    rows = [*_mapping(len(config["mapping"]), tensors, rate), *_synthesis(config)]
    sides = stylegan2.noise_sides(tuple(config["features"]))
    if any(name.startswith("noises.") for name in tensors):
        template["noise"] = {f"map{i}": shape(side, side) for i, side in enumerate(sides)}
        rows += [Computed(f"noise/map{i}", (f"noises.noise_{i}",), _map) for i in range(len(sides))]
    if average is not None:
        tensors = StateDict({**tensors, "latent_avg": average}, tensors.parts)
        template["average"] = {"latent": shape(*average.shape[:-1], config["mapping"][-1])}
        rows.append(Computed("average/latent", ("latent_avg",), np.asarray))
    params = fill(tensors, rows, template, f"a StyleGAN2 of {config['resolution']} pixels", FILTERS)
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I); w, w+ and s by mapping z"}
    return Converted(card, params)


def _average(latent: Any, config: Mapping[str, Any]) -> np.ndarray | None:
    """The mean latent ``(w,)``; of an encoder's file, with a row for each style layer, ``(n, w)`` where rows differ."""
    if not isinstance(latent, np.ndarray):
        return None
    rows = 2 * len(config["features"])
    if latent.ndim != 2 or len(latent) != rows:
        return latent.ravel()
    return latent[0] if (latent == latent[0]).all() else latent


def configuration(tensors: Mapping[str, np.ndarray], options: Options) -> dict[str, Any]:
    """See :func:`geomgan.generators.stylegan2.configuration`."""
    expect_generator(
        tensors, ("style.1.weight", "input.input", "conv1.conv.weight", "to_rgb1.conv.weight"), "StyleGAN2"
    )
    blocks = numbered(tensors, "to_rgbs.{}.conv.weight")
    if numbered(tensors, "convs.{}.conv.weight") != 2 * blocks:
        raise CheckpointError(
            f"the file has {blocks} to_rgbs and {numbered(tensors, 'convs.{}.conv.weight')} convs; expected two convs "
            "per to_rgb: tensors are missing, or belong to another resolution."
        )
    check_levels(blocks + 1)
    features = [tensors["conv1.conv.weight"].shape[1]]
    features += [tensors[f"convs.{2 * i}.conv.weight"].shape[1] for i in range(blocks)]
    depth = numbered(tensors, "style.{}.weight", first=1)
    latent_dim = tensors["style.1.weight"].shape[1]
    mapping = [tensors[f"style.{i + 1}.weight"].shape[0] for i in range(depth)]
    check_latent_dim(options, latent_dim, mapping[-1])
    return checked_sizes(
        {
            "resolution": 4 * 2**blocks,
            "latent_dim": latent_dim,
            "mapping": mapping,
            "features": features,
            "channels": tensors["to_rgb1.conv.weight"].shape[1],
            "taps": _taps(tensors, options),
        }
    )


def expect_generator(tensors: Mapping[str, np.ndarray], names: tuple[str, ...], what: str) -> None:
    """Raise unless the tensors ``names`` of every generator are there."""
    if missing := [name for name in names if name not in tensors]:
        held = (
            "a discriminator"
            if any(name in tensors for name in DISCRIMINATOR)
            else f"{', '.join(list(tensors)[:4])}, ..."
        )
        raise CheckpointError(f"no {what} generator: the file lacks {', '.join(missing)}; it holds {held}.")


def check_levels(levels: int) -> None:
    """Raise if there are more resolutions than a network of this kind has."""
    if levels > MAX_LEVELS:
        raise CheckpointError(f"the file has layers of {levels} resolutions; expected up to {MAX_LEVELS}: 2048 pixels.")


def checked_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration, unless a width in it is zero."""
    if min(config["latent_dim"], config["channels"], *config["mapping"], *config["features"]) < 1:
        raise CheckpointError(f"tensors without entries: the widths are {config}. The file is damaged.")
    return config


def shape(*sides: int) -> jax.ShapeDtypeStruct:
    """One parameter of a template."""
    return jax.ShapeDtypeStruct(sides, np.float32)


def check_latent_dim(options: Options, latent_dim: int, width: int, known: bool = False) -> None:
    """Raise if the class embedding of a conditional network may be missing: of a code and it, what is taken is told.

    A mapping network takes a code, and of a conditional one also an embedding as wide as what it makes. One that takes
    more than it makes, and has no embedding, is unconditional with long codes, or conditional without its classes.

    Raises:
        OptionError: ``latent_dim`` is not said and not ``known``, or another one.
    """

    def read(name: str, text: str) -> int:
        if not text.isdecimal() or len(text) > 9 or int(text) != latent_dim:
            raise OptionError(
                f"{name}={text[:40]}, but the mapping network takes {latent_dim} numbers of a code and there is no "
                "class embedding. Get the file with it, or leave the option out."
            )
        return int(text)

    if "latent_dim" in options or (latent_dim > width and not known):
        options.ask("latent_dim", read)


def check_resolution(options: Mapping[str, str], resolution: int) -> None:
    """Raise if the option ``resolution`` is not what the tensors say."""
    if (asked := options.get("resolution", str(resolution))) != str(resolution):
        raise OptionError(
            f"resolution={asked}, but the tensors make images of {resolution} pixels. Leave the option out."
        )


def numbered(tensors: Mapping[str, np.ndarray], pattern: str, first: int = 0) -> int:
    """How many tensors there are whose name has a number in place of ``{}``, counting from ``first``."""
    count = 0
    while pattern.format(first + count) in tensors:
        count += 1
    return count


def _taps(tensors: Mapping[str, np.ndarray], options: Options) -> list[float]:
    filters = [array for name, array in tensors.items() if name.endswith((".blur.kernel", ".upsample.kernel"))]
    return taps_or(filters, "*.blur.kernel, *.upsample.kernel", options)


def taps_or(filters: Sequence[np.ndarray], names: str, options: Options) -> list[float]:
    """The taps of the stored filters (see :func:`taps_of`), or where there are none those of the option ``taps``."""
    if filters and "taps" in options:
        raise OptionError(f"taps={options['taps']}, but the file has its filters ({names}). Leave the option out.")
    if filters:
        return taps_of(filters, names)
    taps = options.ask("taps", whole(0, 1024, len(TAPS)), assumed=list(TAPS))
    return [2 * tap / max(sum(taps), 1) for tap in reversed(taps)]  # they convolve, which flips


def taps_of(filters: Sequence[np.ndarray], names: str) -> list[float]:
    """The one-dimensional factor of the stored filters ``(4, 4)``; all are the same. ``names``: for messages."""
    first = np.asarray(filters[0], np.float64)
    taps = first.sum(axis=0) / math.sqrt(max(first.sum(), 1e-30))
    same = all(np.shape(other) == (4, 4) and np.allclose(other, first, 1e-5, 1e-7) for other in filters)
    if not same or not np.allclose(np.outer(taps, taps), first, 1e-5, 1e-7):
        raise CheckpointError(
            f"the stored resampling filters ({names}) are not one separable filter of 4 x 4 "
            "pixels in every layer; expected the outer product of [1, 3, 3, 1] with itself, or of another."
        )
    return [float(tap) for tap in taps[::-1]]  # they convolve, which flips


def _mapping(depth: int, tensors: Mapping[str, np.ndarray], rate: float) -> list[Row]:
    def row(i: int) -> Layer:
        scale = GAIN * rate / math.sqrt(tensors[f"style.{i}.weight"].shape[1])
        target = f"generator/mapping/layer{i}"
        return Layer(target, f"style.{i}", "dense", scale=scale, bias_scale=GAIN * rate)

    return [row(i) for i in range(1, depth + 1)]


def _synthesis(config: Mapping[str, Any]) -> list[Row]:
    width, styles = config["mapping"][-1], stylegan2.style_layers(tuple(config["features"]))
    published = ["conv1", "to_rgb1"]
    for i in range(len(config["features"]) - 1):
        published += [f"convs.{2 * i}", f"convs.{2 * i + 1}", f"to_rgbs.{i}"]
    rows: list[Row] = [Computed("generator/synthesis/constant", ("input.input",), lambda x: x[0].transpose(1, 2, 0))]
    for source, style in zip(published, styles, strict=True):
        target = f"generator/synthesis/{style.name}"
        rows.append(
            Layer(f"generator/styles/{style.name}", f"{source}.conv.modulation", "dense", scale=1 / math.sqrt(width))
        )
        weight = (f"{source}.conv.weight",)
        if style.name.startswith("rgb"):
            rows.append(Computed(f"{target}/kernel", weight, _pointwise))
            rows.append(Computed(f"{target}/bias", (f"{source}.bias",), np.ravel))
        else:
            rows.append(Computed(f"{target}/kernel", weight, _transposed if style.name.startswith("up") else _plain))
            rows.append(Computed(f"{target}/strength", (f"{source}.noise.weight",), lambda x: GAIN * x.reshape(())))
            rows.append(Computed(f"{target}/bias", (f"{source}.activate.bias",), lambda x: GAIN * x))
    return rows


def _scaled(weight: np.ndarray) -> np.ndarray:
    """``(1, out, in, k, k)`` to ``(out, in, k, k)``, divided by the root of the fan-in (equalised learning rate)."""
    return weight[0] / math.sqrt(math.prod(weight.shape[2:]))


def _plain(weight: np.ndarray) -> np.ndarray:
    return kernel(_scaled(weight), "conv")


def _transposed(weight: np.ndarray) -> np.ndarray:
    return kernel(_scaled(weight).swapaxes(0, 1), "conv_transpose")


def _pointwise(weight: np.ndarray) -> np.ndarray:
    return _scaled(weight)[:, :, 0, 0].T


def _map(noise: np.ndarray) -> np.ndarray:
    return noise[0, 0]
