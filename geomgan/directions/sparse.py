"""A one-layer autoencoder with ``k`` active atoms: a sparse dictionary of activations.

``a = TopK(ReLU(E (x - b) + c))`` and ``x̂ = A a + b``, the atoms unit columns of ``A`` (Gao et al., 2024, "Scaling and
evaluating sparse autoencoders"). The loss is the unexplained share of the variance; atoms that have not been active
for long also learn to explain what the others leave (there: the auxiliary loss, with weight 1/32).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from geomgan.backend import in_float32
from geomgan.brief import brief

AUXILIARY = 1 / 32
QUIET = 100  # steps without activity after which an atom counts as dead


class Adam(NamedTuple):
    """The optimiser, equal by value: its rate is constant for half of the steps, then falls to zero."""

    rate: float
    steps: int

    def transformation(self) -> optax.GradientTransformation:
        """It itself."""
        half = self.steps // 2
        return optax.adam(optax.linear_schedule(self.rate, 0.0, self.steps - half, transition_begin=half))


@brief
class Weights(NamedTuple):
    """Of an autoencoder of ``m`` atoms for rows of ``D`` numbers: ``encoder (D, m)``, ``decoder (m, D)``, biases."""

    encoder: jax.Array
    threshold: jax.Array
    decoder: jax.Array
    bias: jax.Array


@brief
class State(NamedTuple):
    """Everything the next step of training depends on; ``quiet (m,)`` counts steps since each atom was active."""

    weights: Weights
    optimizer: Any
    quiet: jax.Array
    step: jax.Array
    key: jax.Array


def initial(key: jax.Array, size: int, atoms: int, adam: Adam) -> State:
    """Random unit atoms, and an encoder that is their transpose."""
    key_atoms, key_train = jax.random.split(key)
    decoder = unit_rows(jax.random.normal(key_atoms, (atoms, size)))
    weights = Weights(decoder.T, jnp.zeros(atoms), decoder, jnp.zeros(size))
    zero = jnp.zeros((), jnp.int32)
    return State(weights, adam.transformation().init(weights), jnp.zeros(atoms, jnp.int32), zero, key_train)


def unit_rows(rows: jax.Array) -> jax.Array:
    """Rows to unit length."""
    return rows / (jnp.linalg.norm(rows, axis=1, keepdims=True) + 1e-12)


def encode(weights: Weights, x: jax.Array, active: int) -> jax.Array:
    """The activities ``(n, m)`` of rows ``x (n, D)``, at most ``active`` of a row positive and the others zero."""
    with in_float32():
        return largest(_before(weights, x), active)


def decode(weights: Weights, activities: jax.Array) -> jax.Array:
    """The rows ``(n, D)`` that activities stand for."""
    with in_float32():
        return activities @ unit_rows(weights.decoder) + weights.bias


def largest(values: jax.Array, count: int) -> jax.Array:
    """The ``count`` largest positive values of each row ``(n, m)``, and zeros."""
    least = jax.lax.top_k(values, count)[0][:, -1:]
    return jnp.where(values >= least, jnp.maximum(values, 0), 0)


def loss(weights: Weights, x: jax.Array, active: int, dead: jax.Array) -> tuple[jax.Array, Any]:
    """The training loss of rows of mean square length one; and the unexplained share, and which atoms are active."""
    with in_float32():
        before, atoms = _before(weights, x), unit_rows(weights.decoder)
        activities = largest(before, active)
        left = x - activities @ atoms - weights.bias
        share = (left**2).sum(axis=1).mean()
        rest = jax.lax.stop_gradient(left)
        revived = largest(jnp.where(dead, before, -jnp.inf), min(2 * active, len(dead))) @ atoms
        auxiliary = ((rest - revived) ** 2).sum(axis=1).mean() / (rest**2).sum(axis=1).mean()
        total = share + AUXILIARY * jnp.where(dead.any(), auxiliary, 0)
    return total, (share, (activities > 0).any(axis=0))


@partial(jax.jit, static_argnames=("rows", "adam", "active"))
def train_step(
    state: State,
    data: Any,
    *,
    rows: Callable[[Any, jax.Array], jax.Array],
    adam: Adam,
    active: int,
) -> tuple[State, dict[str, jax.Array]]:
    """One step of training on fresh rows, ``rows(data, key) -> (n, D)`` of mean square length one."""
    x = rows(data, jax.random.fold_in(state.key, state.step))
    slopes = jax.value_and_grad(loss, has_aux=True)
    (_, (share, seen)), gradient = slopes(state.weights, x, active, state.quiet > QUIET)
    updates, moments = adam.transformation().update(gradient, state.optimizer, state.weights)
    weights: Any = optax.apply_updates(state.weights, updates)
    quiet = jnp.where(seen, 0, state.quiet + 1)
    return State(weights, moments, quiet, state.step + 1, state.key), {
        "unexplained": share,
        "dead": (quiet > QUIET).sum(),
    }


def _before(weights: Weights, x: jax.Array) -> jax.Array:
    return (x - weights.bias) @ weights.encoder + weights.threshold
