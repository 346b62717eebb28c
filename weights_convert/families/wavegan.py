"""WaveGAN generators in the layout of wavegan-pytorch: ``fc1``, ``bn1``, ``deconv_list.0.transpose_ops``, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError, check_choice
from geomgan.generators import layouts
from geomgan.generators.wavegan import FRAMES, KERNEL, REPEATS, kernel_positions
from geomgan.models.families import Family
from geomgan.models.families.maps import WAVEGAN_LENGTHS
from weights_convert.convert import Converted
from weights_convert.modules import Part, expect_functions
from weights_convert.options import Epsilon, Options, choice
from weights_convert.table import Computed, Layer, Row, Tensors, fill, shapes

FUNCTIONS: dict[str, dict[str, Any]] = {"ReLU": {}, "Tanh": {}, "Upsample": {"mode": "nearest"}}  # of a whole module
UNUSED_NORM = "a batch norm that every file has; this network was built without batch norm and does not use it"


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Latent size, width, channels and the kind of upsampling are read from the tensors' names and shapes.

    A transposed convolution is the first operation of its layer (``transpose_ops.0``); the repeating kind has its
    padding there and the convolution next (``transpose_ops.1``). A batch norm behind it says that the network uses
    batch norm, ``bn1`` too, which is in every file.
    """
    tensors = states[""]
    layers = len({name.split(".")[1] for name in tensors if name.startswith("deconv_list.")})
    project = tensors.get("fc1.weight")
    if project is None or project.ndim != 2 or project.shape[0] % FRAMES or layers not in (5, 6):
        raise CheckpointError(
            f"no WaveGAN of this layout: expected fc1.weight of shape ({FRAMES} x channels, latent) and 5 or 6 layers "
            f"deconv_list.0.transpose_ops, ...; the file holds {', '.join(list(tensors)[:5])}, ..."
        )
    operation = next((i for i in (0, 1) if f"deconv_list.0.transpose_ops.{i}.weight" in tensors), None)
    if operation is None:
        raise CheckpointError(
            "deconv_list.0.transpose_ops has no weight at 0 or 1; expected a transposed convolution at 0, or padding "
            "there and a convolution at 1. The file is damaged, or of another network."
        )
    expect_functions(tensors, FUNCTIONS, "a WaveGAN of this family")
    repeats = operation == 1
    last = tensors.parts.get(f"deconv_list.{layers - 1}.transpose_ops.{operation}")
    slice_len, last_factor = _length(options, layers, _factor(last, repeats))
    batch_norm = _batch_norm(options, f"deconv_list.0.transpose_ops.{operation + 1}.running_mean" in tensors)
    epsilon, first = options.epsilon(tensors), "bn1" if batch_norm else None
    sources = [f"deconv_list.{i}.transpose_ops.{operation}" for i in range(layers)]
    norms = [f"deconv_list.{i}.transpose_ops.{operation + 1}" if batch_norm else None for i in range(layers - 1)]
    outputs = [_outputs(tensors, source, repeats) for source in sources]
    config = {
        "latent_dim": project.shape[1],
        "features": [project.shape[0] // FRAMES, *outputs[:-1]],
        "channels": outputs[-1],
        "slice_len": slice_len,
        "last_factor": last_factor,
        "repeats": repeats,
        "batch_norm": batch_norm,
    }
    rows: list[Row] = [
        Layer("project", "fc1", "dense_to_map", spatial=(FRAMES,), norm=first, epsilon=epsilon(first)),
        *(
            row
            for i, (source, norm) in enumerate(zip(sources, norms, strict=False), start=1)
            for row in _layer(f"block{i}", source, norm, 4, repeats, epsilon)
        ),
        *_layer("output", sources[-1], None, last_factor, repeats, epsilon),
    ]
    ignored = {} if batch_norm else {"bn1.*": UNUSED_NORM}
    template = shapes(family.networks["generator"].module(config), (config["latent_dim"],))
    params = fill(tensors, rows, template, "a WaveGAN", ignored)
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I)", "ignored": ignored}
    return Converted(card, {"generator": params})


def _outputs(tensors: Tensors, source: str, repeats: bool) -> int:
    """Output channels of a published layer; 1 where it is missing, which ``fill`` then says."""
    weight = tensors.get(f"{source}.weight", np.zeros((1, 1, 1)))
    return weight.shape[0 if repeats else 1]


def _factor(last: Part | None, repeats: bool) -> int | None:
    """By how much the last layer of a whole module lengthens its input; None of a state dict."""
    stride = last.pair("stride") if last else None
    return stride if stride is None or not repeats else REPEATS // max(stride, 1)


def _length(options: Options, layers: int, factor: int | None) -> tuple[int, int]:
    """The samples, and the factor of the last layer: as layers and module say, else the user, else 65536 of six."""
    fitting = [n for n, (depth, last) in WAVEGAN_LENGTHS.items() if depth == layers and factor in (None, last)]
    if not fitting:
        raise CheckpointError(f"its last layer lengthens the signal {factor} times; expected 2 or 4 times.")
    said = options.get("slice_len")
    if said is not None and said in map(str, WAVEGAN_LENGTHS) and int(said) not in fitting:
        expected, last = WAVEGAN_LENGTHS[int(said)]
        last_layer = f", the last of factor {factor}" if factor else ""
        raise OptionError(
            f"slice_len is {said}, which has {expected} upsampling layers, the last of factor {last}; the file has "
            f"{layers}{last_layer}. Give --option {' or '.join(f'slice_len={n}' for n in fitting)}, or none."
        )
    known = str(fitting[0]) if len(fitting) == 1 else None
    read = choice(*map(str, WAVEGAN_LENGTHS))
    slice_len = int(options.ask("slice_len", read, known=known, assumed=str(max(WAVEGAN_LENGTHS))))
    return slice_len, WAVEGAN_LENGTHS[slice_len][1]


def _batch_norm(options: Mapping[str, str], found: bool) -> bool:
    """Whether the network uses batch norm; the option can only agree with the file."""
    says = str(options.get("batch_norm", found)).lower()
    check_choice(says, ("true", "false"), "batch_norm")
    if says != str(found).lower():
        held = "batch norms" if found else "no batch norms"
        raise OptionError(
            f"batch_norm is {says}, but the file has {held} behind its convolutions. Leave the option out."
        )
    return found


def _layer(target: str, source: str, norm: str | None, factor: int, repeats: bool, epsilon: Epsilon) -> list[Row]:
    """The rows of one upsampling layer, with the batch norm behind it folded in."""
    parts = ("weight", "bias", "running_mean", "running_var")
    statistics = tuple(f"{norm}.{part}" for part in parts) if norm else ()

    def affine(values: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        if not values:
            return np.ones(1), np.zeros(1)
        gamma, beta, mean, var = values
        return layouts.batch_norm(gamma, beta, mean, var, epsilon=epsilon(norm))

    def kernel(weight: np.ndarray, *values: np.ndarray) -> np.ndarray:
        scale = affine(values)[0].reshape((-1, 1, 1) if repeats else (1, -1, 1))
        return sub_pixel_kernel(weight * scale, factor, repeats)

    def bias(vector: np.ndarray, *values: np.ndarray) -> np.ndarray:
        scale, shift = affine(values)
        return vector * scale + shift

    return [
        Computed(f"{target}/kernel", (f"{source}.weight", *statistics), kernel),
        Computed(f"{target}/bias", (f"{source}.bias", *statistics), bias),
    ]


def sub_pixel_kernel(weight: np.ndarray, factor: int, repeats: bool) -> np.ndarray:
    """The kernel ``(taps, in, factor · out)`` of ``UpsamplingLayer`` from a published one.

    ``weight`` is ``(out, in, 25)``, or ``(in, out, 25)`` of a transposed convolution.
    """
    if weight.ndim != 3 or weight.shape[2] != KERNEL:
        raise ValueError(f"a kernel of shape {weight.shape}; expected three axes, the last of {KERNEL}")
    weight = weight.transpose(2, 1, 0) if repeats else weight.transpose(2, 0, 1)
    positions = kernel_positions(factor, repeats)
    first, last = min(j for _, _, j in positions), max(j for _, _, j in positions)
    kernel = np.zeros((last - first + 1, weight.shape[1], factor, weight.shape[2]))
    for k, r, j in positions:
        kernel[j - first, :, r] += weight[k]
    return kernel.reshape(*kernel.shape[:2], -1)
