"""Where a network stops being finite."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance
from geomgan.generators.generator import Generator, activations_of, output_of
from geomgan.metric.outputs import embed_output
from geomgan.metric.pair import bind


def first_non_finite(G: Generator, D: Distance, z: Any) -> str:
    """Which value on the way from a code to its embedded sample is the first that holds NaN or infinity.

    Looks at the activations that the network names, in the order in which it computes them, then at the sample and
    at its embedding; and where all of those are finite, at their derivatives in a few random directions.

    Returns:
        A phrase for a message: ``"NaN in layer block3"``, ``"an infinite derivative of the sample"``, ...; empty where
        all of them are finite.
    """
    D, z = bind(G, D), jnp.asarray(z, G.dtype)
    names = (*(f"layer {name}" for name in G.layers), "the sample", "the embedding of the sample")
    values, derivatives = _states(G, D, z, jax.random.normal(jax.random.key(0), (4, z.size), z.dtype))
    for states, what in ((values, "in"), (derivatives, "in the derivative of")):
        for name in names:
            if found := _kind(states.get(name.removeprefix("layer "), ())):
                return f"{found} {what} {name}"
    return ""


@jax.jit
def _states(G: Generator, D: Distance, z: jax.Array, tangents: jax.Array) -> tuple[dict[str, Any], dict[str, Any]]:
    def along(z: jax.Array) -> dict[str, Any]:
        output = output_of(G, z)
        values: dict[str, Any] = dict(activations_of(G, z)) if hasattr(G.function, "activations") else {}
        values["the sample"] = output
        if D.embedding is not None:
            values["the embedding of the sample"] = embed_output(D, output)
        return values

    values, push = jax.linearize(along, z)
    return values, jax.vmap(push)(tangents)


def _kind(tree: Any) -> str:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    if any(np.isnan(leaf).any() for leaf in leaves):
        return "NaN"
    return "infinity" if any(np.isinf(leaf).any() for leaf in leaves) else ""
