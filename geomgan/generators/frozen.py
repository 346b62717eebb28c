"""Samples of many codes, and how they change with the codes, for trainings that leave the generator as it is.

The codes go through a few at a time, so that a layer's maps stay in a processor's cache, in a loop of Python: reverse
passes of convolutions inside compiled loops are slow on CPU. Kernels that wide convolutions take are prepared once for
Winograd's algorithms, forth and back, and weights have no derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.backend import backend, in_float32
from geomgan.brief import brief
from geomgan.generators.cost import largest_array
from geomgan.generators.generator import Generator, sample_of
from geomgan.generators.prepared import any_prepared, kernels_used, pays, prepare


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Frozen:
    """A generator made ready by :func:`freeze`.

    Attributes:
        generator: with prepared kernels.
        together: codes that are computed together; static.
    """

    generator: Generator
    together: int = field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class _Pull:
    """The reverse pass of some codes, without the weights that it shares with all others."""

    residuals: list[jax.Array]
    tree: Any = field(metadata={"static": True})
    weights: tuple[int | None, ...] = field(metadata={"static": True})


def freeze(G: Generator, batch: int) -> Frozen:
    """The generator for batches of ``batch`` codes; compiles little, and is to be called once for many batches."""
    code = jax.ShapeDtypeStruct((G.latent_dim,), G.dtype)
    if pays(batch) and not any_prepared(G):
        G = prepare(G, kernels_used(sample_of, G, code), frozen=True)
    most = max(1, min(batch, backend().frozen_bytes // max(largest_array(sample_of, G, code), 1)))
    return Frozen(G, max(n for n in range(1, most + 1) if batch % n == 0))


def samples(F: Frozen, codes: jax.Array) -> jax.Array:
    """Samples ``(n, ...)`` of codes ``(n, d)``, unchecked."""
    return jnp.concatenate([_samples(F.generator, part) for part in _parts(F, codes)])


def samples_and_pull(F: Frozen, codes: jax.Array) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """Samples of codes, and the map from cotangents of the samples ``(n, ...)`` to those of the codes ``(n, d)``."""
    both = [_linearised(F.generator, part) for part in _parts(F, codes)]

    def pull(cotangents: jax.Array) -> jax.Array:
        parts = zip(both, _parts(F, cotangents), strict=True)
        return jnp.concatenate([_pulled(F.generator, back, part) for (_, back), part in parts])

    return jnp.concatenate([images for images, _ in both]), pull


def _parts(F: Frozen, rows: jax.Array) -> list[jax.Array]:
    return [rows[i : i + F.together] for i in range(0, len(rows), F.together)]


def _sampled(G: Generator, codes: jax.Array) -> jax.Array:
    with in_float32():
        return jax.vmap(partial(sample_of, G))(codes)


_samples = jax.jit(_sampled)


@jax.jit
def _linearised(G: Generator, codes: jax.Array) -> tuple[jax.Array, _Pull]:
    images, pull = jax.vjp(partial(_sampled, G), codes)
    leaves, tree = jax.tree.flatten(pull)
    places = {id(leaf): i for i, leaf in enumerate(jax.tree.leaves(G))}  # a compiled program copies what it returns
    weights = tuple(places.get(id(leaf)) for leaf in leaves)
    return images, _Pull([leaf for leaf, place in zip(leaves, weights, strict=True) if place is None], tree, weights)


@jax.jit
def _pulled(G: Generator, pull: _Pull, cotangents: jax.Array) -> jax.Array:
    own, all_weights = iter(pull.residuals), jax.tree.leaves(G)
    leaves = [next(own) if place is None else all_weights[place] for place in pull.weights]
    with in_float32():
        return jax.tree.unflatten(pull.tree, leaves)(cotangents)[0]
