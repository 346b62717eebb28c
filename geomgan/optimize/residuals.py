"""Jacobians of a loss's residual: dense, by forward passes only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.backend import backend
from geomgan.generators.prepared import any_prepared, kernels_used, pays, prepare
from geomgan.metric.chunks import map_chunks, tangent_chunk
from geomgan.metric.gram import gram
from geomgan.optimize.loss import Loss

Leaves = list[jax.Array]


def linearised(loss: Loss, z: jax.Array) -> tuple[Leaves, Callable[[jax.Array], Leaves]]:
    """The residual at a code, and ``v -> J v``."""
    return jax.linearize(loss.residual, z)


def rows(push: Callable[[jax.Array], Leaves], tangents: jax.Array) -> Leaves:
    """``J`` of tangents ``(k, d)``: leaves ``(k, ...)``."""
    return map_chunks(push, tangents, tangent_chunk(len(tangents)))


def against(jacobian: Leaves, residual: Leaves) -> jax.Array:
    """``Jᵀr (k,)`` of rows for ``k`` tangents."""
    return sum(
        (J.reshape(len(J), -1) @ r.ravel() for J, r in zip(jacobian, residual, strict=True)),
        start=jnp.zeros(len(jacobian[0]), residual[0].dtype),
    )


def metric_at(loss: Loss, z: jax.Array) -> tuple[jax.Array, int]:
    """``JᵀJ (d, d)`` of the residual at a code, which is the metric of the loss, and the forward passes it takes."""
    _, push = linearised(loss, z)
    return gram(rows(push, jnp.eye(z.size, dtype=z.dtype))), z.size + 1


def prepared(loss: Loss) -> Loss:
    """A stack of losses with kernels prepared for whole Jacobians, where that pays: for methods of forward passes."""
    if not pays(loss.dim) or any_prepared(loss.shared):
        return loss
    code = jax.ShapeDtypeStruct((loss.dim,), loss.dtype)
    residual = lambda shared, stack, z: replace(stack, shared=shared)[0].residual(z)
    return replace(loss, shared=prepare(loss.shared, kernels_used(residual, loss.shared, loss, code)))


def metrics_together(loss: Loss) -> int:
    """How many Jacobians of a stack of losses suit the device together."""
    code = jax.ShapeDtypeStruct((loss.dim,), loss.dtype)
    outputs = jax.eval_shape(lambda stack, z: stack[0].residual(z), loss, code)
    size = loss.dim * sum(leaf.size * leaf.dtype.itemsize for leaf in outputs)
    return max(1, int(backend().together_bytes // size))


def squared(leaves: Any) -> jax.Array:
    """``‖r‖²``."""
    return jnp.sum(jnp.stack([jnp.sum(leaf**2) for leaf in leaves]))
