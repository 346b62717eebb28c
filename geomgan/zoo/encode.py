"""Codes of images by a model's own encoder."""

from __future__ import annotations

import os

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError
from geomgan.generators import Gaussian, Network
from geomgan.models.card import read_card
from geomgan.models.families import NETWORKS
from geomgan.zoo.load import load, locate


def encoder(model: str | os.PathLike[str], sides: tuple[int, int] | None = None) -> Network:
    """The encoder of a model; of one that takes images of any size for those of ``sides``.

    Raises:
        OptionError: its family has none; says what to do. Others as :func:`geomgan.load`.
    """
    family = read_card(locate(model)[0])["family"]
    if "encoder" not in NETWORKS[family]:
        having = ", ".join(name for name, parts in NETWORKS.items() if "encoder" in parts)
        raise OptionError(
            f"{model} has no encoder; digits-vae and digits-bigan have, and models of {having}. For codes of images by "
            f"search: `geomgan invert {model} IMAGE...`, which writes them to codes.npz."
        )
    resizes = "resolution" in NETWORKS[family]["encoder"].options and sides is not None
    network: Network = load(model, part="encoder", **({"resolution": sides} if resizes else {}))
    return network


def encode(model: str | os.PathLike[str], images: np.ndarray) -> np.ndarray:
    """Codes ``(n, d)`` of images ``(n, H, W, C)``: of an encoder that returns a Gaussian, its mean.

    Args:
        model: with an encoder.
        images: in the size and range of its generator's samples, as :func:`geomgan.optimize.read_images` makes them.

    Raises:
        OptionError: the model has no encoder. ValueError: the images do not fit it.
    """
    images = np.asarray(images)
    sides = (images.shape[1], images.shape[2]) if images.ndim == 4 else None
    output = jax.vmap(encoder(model, sides))(jnp.asarray(images))
    return np.asarray(output.mean if isinstance(output, Gaussian) else output)
