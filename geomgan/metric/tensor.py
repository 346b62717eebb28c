"""The pull-back metric tensor at one code, as a pure function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan import moved
from geomgan.backend import in_float32
from geomgan.distances.distance import Distance
from geomgan.errors import is_concrete, warn
from geomgan.generators.generator import Generator
from geomgan.metric.chunks import are_small_together, tangents_at_once
from geomgan.metric.diagnose import flat
from geomgan.metric.differences import warn_if_rough
from geomgan.metric.gram import gram, tensor_of
from geomgan.metric.maps import LinearMap, Pushforward, map_of
from geomgan.metric.pair import Pair, checked, prepared


def metric_tensor(
    G: Generator,
    D: Distance,
    z: Any,
    *,
    chunk: int | None = None,
    precision: str = "highest",
    hvp: str = "exact",
) -> jax.Array:
    """The pull-back metric tensor ``g(z) = ½ ∂²/∂z'² d²(G(z), G(z'))`` at ``z' = z``.

    For a distance with an embedding ``φ`` it is ``JᵀJ`` with ``J = ∂(φ∘G)/∂z``, exactly and without second
    derivatives, by pushing ``d`` tangents forward in chunks. GAN-Geometry's ``H`` is ``2 g``.

    Args:
        G: the generator.
        D: the squared distance.
        z: one code ``(d,)``.
        chunk: tangents computed together; memory grows with it. By default all on CPU while their activations are
            small, otherwise up to 25.
        precision: of products of tangents; the point of linearisation is computed in float32 always.
            ``"highest"``: float32; ``"high"``: float32 to five digits, on a GPU by three products of TF32 halves;
            ``"tf32"``: ten bits of mantissa, tensors to 4e-3; ``"bf16"``: seven, to 3e-2 (relative, Frobenius norm).
            Where a device has no such numbers they are emulated by rounding. See ``docs/precision.md``.
        hvp: ``"exact"``, or ``"finite-difference"`` for a generator or a distance that has no derivatives: the step
            that fits the function is found by trying (``geomgan.metric.differences``), also for 8-bit samples, and a
            warning tells where none fits well. It takes about ``4 d + 70`` samples, ``d²`` without an embedding.

    Returns:
        ``(d, d)``, symmetric, in the generator's dtype. A pure function: ``jit``, ``vmap`` and shard it.
        (For many codes, ``jax.lax.map(..., batch_size=8)`` or :func:`geomgan.metric_field`.)
        In float32 eigenvalues below about ``1e-6`` of the largest are noise; the same tensor with float64 sums, which
        keep ten decades, is ``metric_operator(G, D, z).to_dense()``, and what ``eigenpairs`` of it and
        :func:`geomgan.metric_field` take.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
    """
    pair, z = checked(G, D, z, precision, hvp)
    kind, most = map_of(D, hvp), tangents_at_once(chunk, G.latent_dim, hvp)
    g, noise = _metric_tensor(pair, z, kind, precision, most, chunk is None and kind is Pushforward)
    if not kind.divisible:
        warn_if_rough(noise, kind.jacobian)
    elif is_concrete(g) and (said := flat(G, D, z, np.diagonal(np.asarray(g)) == 0)):
        warn(said)
    return g


@partial(jax.jit, static_argnames=("kind", "precision", "chunk", "adjust"))
def _metric_tensor(
    pair: Pair, z: jax.Array, kind: type[LinearMap], precision: str, chunk: int, adjust: bool
) -> tuple[jax.Array, Any]:
    with in_float32():
        linear = kind.at(prepared(pair, z.size, precision), z, chunk, precision=precision)
        if adjust and isinstance(linear, Pushforward) and are_small_together(linear.push, z):
            chunk = z.size
        return tensor_of(linear.rows(jnp.eye(z.size, dtype=z.dtype), chunk), kind.jacobian, gram), linear.noise


if not TYPE_CHECKING:  # type checkers know the names of today only
    __getattr__ = moved.names(__name__)
