"""Where a network stops being finite, and where it stops changing."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import OptionError
from geomgan.generators.generator import Generator, activations_of, output_of
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.outputs import embed_output
from geomgan.metric.pair import bind

FEW = 4  # codes that are compared


def first_non_finite(G: Generator, D: Distance, z: Any) -> str:
    """Which value on the way from a code to its embedded sample is the first that holds NaN or infinity.

    Looks at the activations that the network names, in the order in which it computes them, then at the sample and
    at its embedding; and where all of those are finite, at their derivatives in a few random directions.

    Returns:
        A phrase for a message: ``"NaN in layer block3"``, ``"an infinite derivative of the sample"``, ...; empty where
        all of them are finite.
    """
    D, z = bind(G, D), jnp.asarray(z, G.dtype)
    tangents = jax.random.normal(jax.random.key(0), (4, z.size), z.dtype)
    with suppress(OptionError):  # without derivatives, only values can tell
        for states, what in ((_values, "in"), (partial(_derivatives, tangents=tangents), "in the derivative of")):
            found = states(G, D, z)
            for name in _names(G):
                if kind := _kind(found.get(name.removeprefix("layer "), ())):
                    return f"{kind} {what} {name}"
    return ""


def first_constant(G: Generator, D: Distance, codes: Any) -> str:
    """Where the last value on the way from codes ``(n, d)`` to what the distance sees stops changing with the code.

    Looks at a few of the codes, and at a few around the first one; "the same" is up to rounding.

    Returns:
        A phrase for a message, ``"layer block3 (the last that changes is layer block2)"``; empty where it changes.
    """
    D, z = bind(G, D), jnp.asarray(codes, G.dtype)[:FEW]
    around = z[:1] + jax.random.normal(jax.random.key(0), (FEW, z.shape[1]), z.dtype)
    values = jax.lax.map(partial(_values, G, D), jnp.concatenate([z, around]))
    names = [name for name in _names(G) if name.removeprefix("layer ") in values]
    changing = [i for i, name in enumerate(names) if not _is_constant(values[name.removeprefix("layer ")])]
    if not changing:
        return names[0]
    if changing[-1] == len(names) - 1:
        return ""
    return f"{names[changing[-1] + 1]} (the last that changes is {names[changing[-1]]})"


def _names(G: Generator) -> tuple[str, ...]:
    return (*(f"layer {name}" for name in G.layers), "the sample", "the embedding of the sample")


def _is_constant(tree: Any) -> bool:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return all(
        np.abs(leaf - leaf[:1]).max(initial=0) <= 8 * float(jnp.finfo(leaf.dtype).eps) * np.abs(leaf).max(initial=0)
        for leaf in leaves
    )


@jax.jit
def _values(G: Generator, D: Distance, z: jax.Array) -> dict[str, Any]:
    output = output_of(G, z)
    values: dict[str, Any] = dict(activations_of(G, z)) if hasattr(G.function, "activations") else {}
    values["the sample"] = output
    if D.embedding is not None:
        values["the embedding of the sample"] = embed_output(D, output)
    return values


@jax.jit
def _derivatives(G: Generator, D: Distance, z: jax.Array, tangents: jax.Array) -> dict[str, Any]:
    with needs_derivatives():
        return jax.vmap(jax.linearize(partial(_values, G, D), z)[1])(tangents)


def _kind(tree: Any) -> str:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    if any(np.isnan(leaf).any() for leaf in leaves):
        return "NaN"
    return "infinity" if any(np.isinf(leaf).any() for leaf in leaves) else ""
