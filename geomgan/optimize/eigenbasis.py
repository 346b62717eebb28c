"""Any optimiser in the eigenbasis of a metric."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.errors import check_finite


class EigenbasisState(NamedTuple):
    """What :func:`in_eigenbasis` keeps: the basis ``(d, k)``, the factors ``(k,)``, and the optimiser's own state."""

    vectors: jax.Array
    factors: jax.Array
    inner: Any


def in_eigenbasis(
    optimizer: optax.GradientTransformation, eigenpairs: Any, scale: float = 0.0, floor: float = 1e-3
) -> optax.GradientTransformationExtraArgs:
    """Let ``optimizer`` see the coordinates ``y = Λ̃^(scale/2) Uᵀ z`` instead of ``z``.

    It gets the gradient ``∂L/∂y = Λ̃^(-scale/2) Uᵀ ∂L/∂z``, and its update ``δy`` moves the code by
    ``δz = U Λ̃^(-scale/2) δy``. With ``Λ̃ = (λ + floor λ₁) / ((1 + floor) λ₁)``, relative to the largest eigenvalue
    ``λ₁``, a step along the steepest axis is as long as without a scale, and no step is longer than
    ``floor^(-scale/2)`` times that. In ``y`` the metric is ``Λ^(1 - scale)`` but for the floor:

    * ``scale=0``: a pure rotation, GAN-Geometry's ("Adam in the eigenbasis": Adam's diagonal then fits the metric);
    * ``scale=1``: full whitening, the identity; gradient descent in ``y`` is the natural gradient, with damping;
    * between: the exponent ``α = scale/2`` of Hess-CMA's ``z = U Λ^-α y``, of which the paper takes 0.2 to 0.4.

    With fewer eigenpairs than dimensions the code moves in their span only.

    Args:
        optimizer: any transformation of optax; of params that are one code ``(d,)``.
        eigenpairs: :class:`geomgan.Eigenpairs`, or values ``(k,)`` and vectors ``(d, k)``. They are kept in the state.
        scale: from 0 to 1.
        floor: of eigenvalues, relative to the largest.

    Raises:
        ValueError: the pairs do not fit each other, are not finite or not positive at all, or ``scale`` or ``floor`` is
            not from 0 to 1.

    Source: Wang and Ponce, "The Geometry of Deep Generative Image Models", ICLR 2021, section 5.
    """
    values, vectors = checked_pairs(eigenpairs)
    for number, name in ((scale, "scale"), (floor, "floor")):
        if isinstance(number, int | float) and not 0 <= number <= 1:
            raise ValueError(f"{name} is {number!r}; expected 0 to 1: scale 0 rotates, 1 whitens.")
    optimizer = optax.with_extra_args_support(optimizer)

    def init(params: jax.Array) -> EigenbasisState:
        U = jnp.asarray(vectors, params.dtype)
        if U.shape[0] != params.size:
            raise ValueError(f"the eigenvectors have {U.shape[0]} components; expected {params.size}, as the code has.")
        return basis_state(optimizer, jnp.asarray(values, params.dtype), U, scale, floor, params)

    def update(updates: Any, state: EigenbasisState, params: Any = None, **extra: Any) -> tuple[Any, EigenbasisState]:
        return update_in_basis(optimizer, updates, state, params, **extra)

    return optax.GradientTransformationExtraArgs(init, update)


def basis_state(
    optimizer: optax.GradientTransformation,
    values: jax.Array,
    vectors: jax.Array,
    scale: Any,
    floor: Any,
    params: jax.Array,
) -> EigenbasisState:
    """The state of :func:`in_eigenbasis` at a code."""
    factors = relative(values, floor) ** (-0.5 * scale)
    return EigenbasisState(vectors, factors, optimizer.init(_coordinates(params, vectors, factors)))


def update_in_basis(
    optimizer: optax.GradientTransformationExtraArgs,
    updates: jax.Array,
    state: EigenbasisState,
    params: jax.Array | None,
    **extra: Any,
) -> tuple[jax.Array, EigenbasisState]:
    """The update of :func:`in_eigenbasis`; functions and gradients among ``extra`` are taken in the coordinates."""
    U, factors, inner = state
    gradient = factors * (updates @ U)
    y = None if params is None else _coordinates(params, U, factors)
    if "grad" in extra:
        extra["grad"] = factors * (extra["grad"] @ U)
    if "value_fn" in extra and params is not None and y is not None:
        function = extra["value_fn"]
        extra["value_fn"] = lambda moved, *args, **named: function(params + U @ (factors * (moved - y)), *args, **named)
    moved, inner = optimizer.update(gradient, inner, y, **extra)
    return U @ (factors * moved), EigenbasisState(U, factors, inner)


def relative(values: jax.Array, floor: Any) -> jax.Array:
    """``(λ + floor λ₁) / ((1 + floor) λ₁)``; eigenvalues that rounding made negative count as zero."""
    positive = jnp.maximum(values, 0)
    return (positive / positive.max() + floor) / (1 + floor)


def checked_pairs(eigenpairs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values ``(k,)`` and vectors ``(d, k)``, checked."""
    pair = (eigenpairs.values, eigenpairs.vectors) if hasattr(eigenpairs, "vectors") else tuple(eigenpairs)
    values, vectors = (np.asarray(x) for x in pair)
    if vectors.ndim != 2 or values.shape != vectors.shape[1:] or not values.size:
        raise ValueError(
            f"eigenpairs have values of shape {values.shape} and vectors of shape {vectors.shape}; expected (k,) and "
            "(d, k), as geomgan.eigenpairs gives them."
        )
    check_finite(values, "the eigenvalues")
    check_finite(vectors, "the eigenvectors")
    if not values.max() > 0:
        raise ValueError(f"the largest eigenvalue is {values.max():.4g}; expected one above zero.")
    return values, vectors


def _coordinates(z: jax.Array, vectors: jax.Array, factors: jax.Array) -> jax.Array:
    return (z @ vectors) / factors
