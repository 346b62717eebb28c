"""Where a network stops being finite, where it stops changing, and where derivatives say that it does and do not."""

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
from geomgan.metric.outputs import embed_output, squared_distance
from geomgan.metric.pair import bind

FEW = 4  # codes that are compared
MANY = 1e6  # squares of one size that a distance may sum
DIFFERENCES = "Take hvp='finite-difference', which measures steps, or the values before they are rounded"


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


def samples_differ(G: Generator, codes: Any) -> bool:
    """Whether samples of a few of the codes ``(n, d)``, and of one beside the first, are not all the same.

    Nearly always, and known at once: nothing is compiled for it but what makes samples.
    """
    codes = np.asarray(codes)
    beside = codes[0] + np.random.default_rng(0).standard_normal(codes.shape[1])
    return not _is_constant(np.stack([G(z) for z in (*codes[:FEW], beside)]))


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


def flat(G: Generator, D: Distance, z: Any, zero: Any) -> str:
    """Of a metric that is exactly zero along some latent dimensions: whether finite steps along them say otherwise.

    A network that rounds, casts to whole numbers or is constant in pieces has exact derivatives, and all are zero.

    Args:
        G: the generator.
        D: the squared distance.
        z: the code ``(d,)``.
        zero: the dimensions, ``(d,)`` bool: those of which row and column of the metric are zero.

    Returns:
        A sentence with the way out; empty where the metric is right.
    """
    zero = np.asarray(zero)
    if not zero.any():
        return ""
    D, z = bind(G, D), jnp.asarray(z, G.dtype)
    steps = jax.random.normal(jax.random.key(0), (FEW, z.size), z.dtype) * zero
    values = jax.lax.map(partial(_seen, G, D), jnp.concatenate([z[None], z + steps]))
    if _is_constant(values):
        return ""
    where = "all" if zero.all() else str(int(zero.sum()))
    return (
        f"derivatives along {where} of {zero.size} latent dimensions are exactly zero, but steps of about 1 along them "
        f"change what the distance sees: it is rounded, cast or constant in pieces on the way. {DIFFERENCES}."
    )


def beyond_range(G: Generator, D: Distance, codes: Any) -> str:
    """What becomes of squared distances between samples that are too large or too small for their type.

    Looks at a few of the codes, and at a few around the first one.

    Returns:
        A sentence with the way out; empty where the squares are numbers.
    """
    D, z = bind(G, D), jnp.asarray(codes, G.dtype)[:FEW]
    first, holds = float(np.abs(G(z[0])).max()), jnp.finfo(G.dtype)
    tiny, most = float(holds.tiny), float(holds.max)
    if tiny < (float(holds.eps) * first) ** 2 and first**2 < most / MANY:  # nearly always, and known at once
        return ""
    around = z[:1] + jax.random.normal(jax.random.key(0), (FEW, z.shape[1]), z.dtype)
    outputs, squares = jax.lax.map(partial(_squares, G, D, z[0]), jnp.concatenate([z, around])[1:])
    leaves, squares = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(outputs)], np.asarray(squares)
    size = max(float(np.abs(leaf).max(initial=0.0)) for leaf in leaves)
    spread = max(float(np.ptp(leaf, axis=0).max(initial=0.0)) for leaf in leaves)
    large = np.isfinite(size) and size**2 > most / MANY and not np.isfinite(squares).all()
    small = 0 < spread**2 < tiny and not (squares >= tiny).any()
    if not (large or small):
        return ""
    return (
        f"Squared distances between samples {'are no numbers' if large else 'vanish'} in {squares.dtype}, which holds "
        f"{tiny:.0e} to {most:.0e}: the samples {f'go up to {size:.2g}' if large else f'differ by {spread:.2g}'}. What "
        "measures distances (walks, trust radii) is not known. Let the generator divide its samples by a constant."
    )


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
def _seen(G: Generator, D: Distance, z: jax.Array) -> Any:
    """What the distance sees of one code: its embedding, or the whole output."""
    output = output_of(G, z)
    return output if D.embedding is None else embed_output(D, output)


@jax.jit
def _squares(G: Generator, D: Distance, reference: jax.Array, z: jax.Array) -> tuple[Any, jax.Array]:
    """The output of one code, and its squared distance from that of another."""
    output = output_of(G, z)
    return output, squared_distance(D, output_of(G, reference), output)


@jax.jit
def _derivatives(G: Generator, D: Distance, z: jax.Array, tangents: jax.Array) -> dict[str, Any]:
    with needs_derivatives():
        return jax.vmap(jax.linearize(partial(_values, G, D), z)[1])(tangents)


def _kind(tree: Any) -> str:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    if any(np.isnan(leaf).any() for leaf in leaves):
        return "NaN"
    return "infinity" if any(np.isinf(leaf).any() for leaf in leaves) else ""
