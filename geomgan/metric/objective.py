"""Second derivatives of an objective on samples: the unary case, which is no metric."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.backend import in_float32
from geomgan.errors import check_arguments, check_code
from geomgan.generators.generator import Generator, sample_of
from geomgan.metric.chunks import tangents_at_once
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.maps import Product
from geomgan.metric.operator import MetricOperator
from geomgan.metric.pair import check_options


def hessian_operator(
    G: Generator,
    objective: Callable[..., jax.Array],
    z: Any,
    *,
    params: Any = None,
    chunk: int | None = None,
    precision: str = "highest",
) -> MetricOperator:
    """The Hessian ``∂²/∂z² φ(G(z))`` of an objective on samples, as an operator for :func:`geomgan.eigenpairs`.

    It is no metric (no factor ½, any sign): the eigenvectors of largest magnitude,
    ``eigenpairs(op, k, which="magnitude")``, are the directions along which, say, a unit of a network is tuned most
    sharply at ``z``. At a maximum of the unit all values are negative, and the sharpest are the smallest.

    Args:
        G: the generator.
        objective: ``φ(x) -> ()`` of one sample, or ``φ(params, x) -> ()`` when ``params`` are given. Static in
            compiled programs: pass the same function object each time.
        z: one code ``(d,)``.
        params: weights of the objective, any pytree.
        chunk: tangents computed together.
        precision: of products of tangents, as for :func:`geomgan.metric_tensor`.

    Raises:
        TypeError, ValueError: an argument does not fit, or the objective is not a scalar.
    """
    if not callable(objective):
        raise TypeError(f"objective is {type(objective).__name__}; expected a function of one sample.")
    names = "x" if params is None else "params, x"
    check_arguments(objective, names, "scalar", "Weights are given as params=, or not at all")
    check_options(precision)
    z = jnp.asarray(check_code(z, G.latent_dim), G.dtype)
    value = jax.eval_shape(partial(_objective, objective), G, params, z)
    if value.shape != ():
        raise ValueError(
            f"objective returns shape {value.shape}; expected a scalar, for example one unit's activation."
        )
    products = _linearised(objective, G, params, z, precision)
    chunk = tangents_at_once(chunk, G.latent_dim, "exact")
    return MetricOperator(products, G.latent_dim, z.dtype, chunk)


def _objective(objective: Callable[..., Any], G: Generator, params: Any, z: jax.Array) -> jax.Array:
    x = sample_of(G, z)
    return objective(x) if params is None else objective(params, x)


@partial(jax.jit, static_argnames=("objective", "precision"))
def _linearised(objective: Callable[..., Any], G: Generator, params: Any, z: jax.Array, precision: str) -> Product:
    with in_float32(), needs_derivatives("A Hessian takes two; there is no other way to it"):
        return Product.of(partial(_objective, objective, G, params), z, precision)
