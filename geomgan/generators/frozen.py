"""Samples of many codes, and how they change with the codes, for trainings that leave the generator as it is.

The codes go through a few at a time, so that a layer's maps stay in a processor's cache, in a loop of Python: reverse
passes of convolutions inside compiled loops are slow on CPU. Kernels that wide convolutions take are prepared once for
Winograd's algorithms, forth and back, and weights have no derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

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
    """The reverse pass of some codes, without what it shares with all others.

    Attributes:
        residuals: what it keeps of the codes.
        tree: of all that it needs; static.
        shared: for each leaf of that None for the next residual, the place of a weight, or a constant; static.
    """

    residuals: list[jax.Array]
    tree: Any = field(metadata={"static": True})
    shared: tuple[Any, ...] = field(metadata={"static": True})


class _Constant(NamedTuple):
    """An array of one value, such as the zeros that a ReLU's derivative selects from."""

    value: Any
    shape: tuple[int, ...]
    dtype: Any


def freeze(G: Generator, batch: int) -> Frozen:
    """The generator for batches of ``batch`` codes; compiles little, and is to be called once for many batches."""
    code = jax.ShapeDtypeStruct((G.latent_dim,), G.dtype)
    if pays(batch) and not any_prepared(G):
        G = prepare(G, kernels_used(sample_of, G, code), frozen=True)
    near = 2 * backend().near_bytes  # twice: a joint training of SNGAN-32 gains 3 % by it, and loses beyond
    most = max(1, min(batch, near // max(largest_array(sample_of, G, code), 1)))
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
    inputs, structure = jax.tree.flatten((G, codes))

    def both(*inputs: jax.Array) -> tuple[jax.Array, Any]:
        G, codes = jax.tree.unflatten(structure, inputs)
        return jax.vjp(partial(_sampled, G), codes)

    traced, (_, shapes) = jax.make_jaxpr(both, return_shape=True)(*inputs)
    images, *leaves = jaxpr_as_fun(traced)(*inputs)
    shared = _shared(traced.jaxpr)[1:]
    own = [leaf for leaf, other in zip(leaves, shared, strict=True) if other is None]
    return images, _Pull(own, jax.tree.structure(shapes), shared)


def _shared(jaxpr: Any) -> tuple[Any, ...]:
    """For every output of a program: the place of the input that it is, or its one value; None for all others.

    A compiled program copies, or fills, what it returns.
    """
    places: dict[Any, Any] = {var: i for i, var in enumerate(jaxpr.invars)}
    for equation in jaxpr.eqns:
        if equation.primitive.name == "broadcast_in_dim":
            source, (out,) = equation.invars[0], equation.outvars
            known = source.val if hasattr(source, "val") else places.get(source)
            if hasattr(source, "val") or isinstance(known, _Constant):
                value = known.value if isinstance(known, _Constant) else np.asarray(known).item()
                places[out] = _Constant(value, out.aval.shape, out.aval.dtype)
    return tuple(None if hasattr(var, "val") else places.get(var) for var in jaxpr.outvars)


@jax.jit
def _pulled(G: Generator, pull: _Pull, cotangents: jax.Array) -> jax.Array:
    own, weights = iter(pull.residuals), jax.tree.leaves(G)

    def leaf(other: Any) -> jax.Array:
        if other is None:
            return next(own)
        return jnp.full(other.shape, other.value, other.dtype) if isinstance(other, _Constant) else weights[other]

    with in_float32():
        return jax.tree.unflatten(pull.tree, map(leaf, pull.shared))(cotangents)[0]
