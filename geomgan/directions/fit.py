"""Whether directions are of a model: a hash of its kernels, and the latent space of its codes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from geomgan.errors import OptionError
from geomgan.generators import Generator
from geomgan.generators.program_hash import constant_hash, joined_hash, program_hash
from geomgan.generators.spaces import InSpace

ROWS = {"w+": "w", "z+": "z"}  # spaces of a code for each layer, and the space of one
TRANSFER = "Pass transfer=True to apply them all the same"


def model_hash(G: Generator) -> str:
    """A hash that says which network a direction is of, 16 hexadecimal digits.

    It is of the network's kernels, the arrays of two axes and more: class, truncation, base codes, noise and the layer
    where the generator is cut are the user's choices of the day, and some of them are folded into the vectors of a
    network. Where there are no kernels it is of all arrays, and where there are none of the program.
    """
    weights = G.params["network"] if isinstance(G.function, InSpace) else G.params
    leaves = jax.tree.leaves(weights)
    kernels = [leaf for leaf in leaves if np.ndim(leaf) >= 2] or leaves
    if not kernels:
        return program_hash(G.function, G.params, jax.ShapeDtypeStruct((G.latent_dim,), G.dtype))
    return joined_hash([constant_hash(leaf) for leaf in kernels])


def check_fits(found: Any, G: Generator, *, transfer: bool = False) -> None:
    """Raise ``OptionError`` unless directions move the codes of a model; with ``transfer`` only sizes must fit.

    Args:
        found: with ``model``, ``model_name``, ``space``, ``layers`` and ``vectors``, such as a ``DirectionSet``.
        G: the generator whose codes are to be moved.
        transfer: another model or space is wanted.
    """
    d = len(found.vectors)
    what = f"These directions ({found.method or 'no method said'})"
    if not transfer and found.model != (own := model_hash(G)):
        raise OptionError(
            f"{what} are of {found.model_name}, whose kernels have the hash {found.model}; {G.name} has {own}. "
            f"{TRANSFER}."
        )
    widened = found.space == ROWS.get(G.space)
    if not transfer and found.space != G.space and not widened:
        wanted = "'w+' or 'w'" if found.space == "w" else repr(found.space)
        raise OptionError(
            f"{what} are in {found.space}, and the codes of {G.name} in {G.space}. Load the model with "
            f"space={wanted}. {TRANSFER}."
        )
    single = any(layers is not None for layers in found.layers)
    if single and not widened:
        raise OptionError(
            f"{what} move single layers, and codes of {G.space} all of them together. Load the model with "
            f"space='{found.space}+'."
        )
    rows = driven_rows(G)
    if widened and rows is not None and rows[0]:
        raise OptionError(
            f"{G.name} drives style layers {rows[0]} to {rows[1] - 1} only, and {what.lower()} count from layer 0. "
            "Load the model without layers=."
        )
    if G.latent_dim % d or (G.latent_dim != d and not widened):
        raise OptionError(f"{what} have {d} dimensions, and the codes of {G.name} {G.latent_dim}.")


def driven_rows(G: Generator) -> tuple[int, int] | None:
    """First and last (exclusive) layer that the codes of a generator drive; None where it has no such layers.

    In ``w+`` and ``z+`` each has a code of its own.
    """
    module = getattr(getattr(G.function, "network", None), "module", None)
    rows: tuple[int, int] | None = getattr(module, "rows", None)
    return rows


def latents_of(G: Generator, codes: np.ndarray) -> tuple[np.ndarray, str]:
    """What directions for codes ``(n, d)`` of the prior are of: the codes, or of ``w+`` the one ``w`` of all rows.

    Returns:
        ``(n, d)``, or of ``w+`` ``(n, w)``, of ``z+`` ``(n, z)``; and the name of the space.
    """
    rows = driven_rows(G)
    if G.space not in ROWS or rows is None:
        return codes, G.space
    return codes.reshape(len(codes), rows[1] - rows[0], -1)[:, 0], ROWS[G.space]
