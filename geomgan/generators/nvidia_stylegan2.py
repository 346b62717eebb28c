"""The official PyTorch StyleGAN2-ADA (Karras, Aittala, Hellsten, Laine, Lehtinen and Aila, 2020).

The network of :mod:`geomgan.generators.stylegan2` with classes: an embedding of the class, normalised, goes into the
mapping network beside ``z``. It is the same for all codes, so that it only shifts the first layer's bias. The
original's clamp of activations to ±256 (``conv_clamp``) serves half precision and is left out.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping as Dictionary
from typing import Any

import numpy as np

from geomgan.errors import OptionError
from geomgan.generators import stylegan2
from geomgan.generators.class_names import class_number
from geomgan.generators.spaces import Settings
from geomgan.generators.style_options import truncation_of


def of_class(params: Dictionary[str, Any], class_index: Any) -> dict[str, Any]:
    """The weights ``{"mapping", "styles", "synthesis"}`` with the class in the mapping network's first bias.

    Args:
        params: ``generator``, and for a conditional model ``classes`` with ``shift (classes, width)``.
        class_index: number of a class; None for 0, and for a model without classes.

    Raises:
        OptionError: there is no such class.
    """
    weights = dict(params["generator"])
    if "classes" not in params:
        if class_index is not None:
            raise OptionError(f"class_index={class_index!r}, but this model has no classes. Leave it out.")
        return weights
    shifts = params["classes"]["shift"]
    shift = shifts[class_number(0 if class_index is None else class_index, len(shifts))]
    first = weights["mapping"]["layer1"]
    weights["mapping"] = {**weights["mapping"], "layer1": {**first, "bias": np.asarray(first["bias"] + shift)}}
    return weights


def truncation_up_to(cutoff: Any, truncation: Any, depth: int) -> np.ndarray:
    """``ψ (depth,)`` that is 1 from style layer ``cutoff`` on; None for no cutoff. Raises ``OptionError``."""
    psi = truncation_of(truncation, depth)
    if cutoff is None:
        return psi
    try:
        number = -1 if isinstance(cutoff, bool | np.bool_) else operator.index(cutoff)
    except TypeError:
        number = -1
    if not 0 <= number <= depth:
        raise OptionError(
            f"truncation_cutoff={cutoff!r}; expected a number of style layers, 0 to {depth}: those that are truncated."
        )
    return np.where(np.arange(depth) < number, psi, np.float32(1))


def generator(
    config: Dictionary[str, Any],
    params: Dictionary[str, Any],
    *,
    space: str = "z",
    class_index: int | None = None,
    truncation: Any = 1.0,
    truncation_cutoff: int | None = None,
    mean_latent: Any = None,
    layers: Any = None,
    base: Any = None,
    noise: Any = None,
) -> Settings:
    """StyleGAN2 in one of its spaces, of one class; see :func:`geomgan.generators.stylegan2.generator`.

    Args:
        config: that of StyleGAN2, and ``classes``.
        params: those of StyleGAN2, and ``classes`` (see :func:`of_class`).
        space: ``"z"``, ``"w"``, ``"w+"`` or ``"s"``.
        class_index: the class of ``z``, also of the priors of the other spaces; 0 unless given.
        truncation: ``ψ``, for the first ``truncation_cutoff`` style layers.
        truncation_cutoff: None for all of them.
        mean_latent: by default the stored one, an average over all classes.
        layers: ``(a, b)``, the style layers that codes drive.
        base: the code of the others; by default the mean latent.
        noise: by default the stored maps, ``noise_mode="const"`` of the original.

    Raises:
        OptionError: an option is out of range or of another shape.
    """
    return stylegan2.generator(
        config,
        {**params, "generator": of_class(params, class_index)},
        space=space,
        truncation=truncation_up_to(truncation_cutoff, truncation, 2 * len(config["features"])),
        mean_latent=mean_latent,
        layers=layers,
        base=base,
        noise=noise,
    )
