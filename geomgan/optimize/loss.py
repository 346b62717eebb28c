"""What is minimised: distances of a generator's sample from a target, and of its code from the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance, distance_of, embed_tree
from geomgan.errors import OptionError, as_array, check_finite, check_floating
from geomgan.generators.generator import Generator, sample_of
from geomgan.metric.pair import bind, check_types
from geomgan.optimize.prior import Prior


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Objective:
    """What the losses of all targets share.

    Attributes:
        G: the generator.
        distances: the squared distances, bound to it.
        weights: of the distances ``(n,)``.
        prior: mean and deviation of the generator's codes.
        penalty: weight ``()`` of the mean squared distance of the code from the prior's mean.
    """

    G: Generator
    distances: tuple[Distance, ...]
    weights: jax.Array
    prior: Prior
    penalty: jax.Array


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Target:
    """One target, or several stacked along the first axis of every leaf.

    Attributes:
        sample: ``(...)``, as the generator's.
        mask: which values count, 0 to 1, ``()`` for all, or broadcast to the sample.
        seen: what each distance sees of the target: its embedding, where that says the distance, else nothing.
    """

    sample: jax.Array
    mask: jax.Array
    seen: tuple[Any, ...]


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Loss:
    """``L(z) = Σ_i w_i d²_i(m G(z) + (1 - m) t, t) + p mean(((z - μ)/σ)²)`` of a code ``z`` for a target ``t``.

    Where the mask ``m`` is zero the target itself is put into the sample, so that any distance takes one. A frozen
    pytree; make one with :func:`losses`, which stacks those of several targets: ``loss[i]`` is the loss of one of
    them, ``loss[indices]`` a stack, and :func:`over` maps a function over it.

    Attributes:
        shared: what is the same for all targets.
        target: the target, or a stack of them.
    """

    shared: Objective
    target: Target

    def __getitem__(self, index: Any) -> Loss:
        return replace(self, target=jax.tree.map(lambda leaf: leaf[index], self.target))

    @property
    def dim(self) -> int:
        """``d``, the number of unknowns."""
        return self.shared.G.latent_dim

    @property
    def least_squares(self) -> bool:
        """Whether it is a sum of squares: every distance has an embedding."""
        return all(_is_sum_of_squares(D) for D in self.shared.distances)

    def value(self, z: jax.Array) -> jax.Array:
        """``L(z)``, a scalar. Pure, for one target."""
        shared, t = self.shared, self.target
        x = self.sample(z)
        terms = []
        for D, seen in zip(shared.distances, t.seen, strict=True):
            if _is_sum_of_squares(D):
                terms.append(_sum_of_squares(_difference(D, x, seen)))
            else:
                terms.append(distance_of(D, x, t.sample))
        weighted = sum((w * term for w, term in zip(shared.weights, terms, strict=True)), start=jnp.zeros((), z.dtype))
        return weighted + shared.penalty * jnp.mean(shared.prior.standard(z) ** 2)

    def residual(self, z: jax.Array) -> list[jax.Array]:
        """Leaves ``r_l`` with ``L(z) = Σ_l ‖r_l‖²``, where every distance has an embedding. Pure, for one target.

        Raises:
            OptionError: a distance has none.
        """
        shared = self.shared
        check_least_squares(shared.distances)
        x, leaves = self.sample(z), []
        for D, w, seen in zip(shared.distances, shared.weights, self.target.seen, strict=True):
            leaves += [jnp.sqrt(w) * leaf for leaf in _difference(D, x, seen)]
        return [*leaves, jnp.sqrt(shared.penalty / z.size) * shared.prior.standard(z)]

    def sample(self, z: jax.Array) -> jax.Array:
        """The sample of a code as the distances see it: what the mask leaves out is the target's."""
        t = self.target
        x = sample_of(self.shared.G, z)
        return t.sample + t.mask * (x - t.sample)


def losses(
    G: Generator,
    D: Distance | Sequence[tuple[float, Distance]],
    targets: Any,
    *,
    prior: Prior | None = None,
    penalty: float = 0.0,
    masks: Any = None,
) -> Loss:
    """The losses of a stack of targets.

    Args:
        G: the generator.
        D: a squared distance, or several with their weights, ``[(1.0, lpips), (0.1, mse)]``.
        targets: ``(B, ...)``, samples as the generator makes them, in its range.
        prior: of the codes, for the penalty; None: mean 0 and deviation 1.
        penalty: weight ``p`` of ``mean(((z - μ)/σ)²)``, which is about 1 for codes of the prior.
        masks: which values of the targets count, 0 to 1: ``(H, W)`` for all of them, ``(B, H, W)`` for each, or with a
            channel axis; None: all.

    Raises:
        TypeError, ValueError: an argument does not fit; of targets it is said what shape and range the generator has.
    """
    weighted = [(1.0, D)] if isinstance(D, Distance) else list(D)
    if not weighted:
        raise ValueError("no distance is given; expected at least one, such as geomgan.distances.lpips('alex').")
    bound = tuple(_bound(G, D) for _, D in weighted)
    weights = np.array([weight for weight, _ in weighted], np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(f"weights of distances are {weights.tolist()}; expected none below 0, and one above.")
    if not (np.isfinite(penalty) and penalty >= 0):
        raise ValueError(f"penalty is {penalty!r}; expected a number from 0: 0 leaves the prior out.")
    samples = jnp.asarray(check_targets(G, bound, targets), G.dtype)
    prior = prior or Prior(jnp.zeros(G.latent_dim, G.dtype), jnp.ones(G.latent_dim, G.dtype))
    shared = Objective(G, bound, jnp.asarray(weights, G.dtype), prior, jnp.asarray(penalty, G.dtype))
    mask = jnp.asarray(_masks(masks, samples.shape), G.dtype)
    return Loss(shared, Target(samples, mask, _seen(bound, samples)))


def over(loss: Loss) -> Loss:
    """``in_axes`` of ``jax.vmap`` for a stack of losses: targets along their first axis, the rest shared."""
    return Loss(None, jax.tree.map(lambda _: 0, loss.target))  # type: ignore[arg-type]


def check_least_squares(distances: Sequence[Distance]) -> None:
    """Raise ``OptionError`` unless every distance is a sum of squares."""
    for D in distances:
        if not _is_sum_of_squares(D):
            raise OptionError(
                f"{D.name} is no sum of squares: it has no embedding; expected one for least squares, and for the "
                "metric at the start. Take an optimiser of gradients, method='adam', with a metric= if it needs one."
            )


def check_targets(G: Generator, distances: Sequence[Distance], targets: Any) -> np.ndarray:
    """``targets (B, ...)`` as an array, checked against the generator's samples.

    Raises:
        TypeError: they are not floating point.
        ValueError: they have another shape or range, or are not finite.
    """
    targets, shape = as_array(targets, "targets"), G.sample_shape.shape
    if np.shape(targets) == shape:
        raise ValueError(f"targets have shape {shape}; expected a stack (B, ...) of such. Pass targets[None].")
    if np.shape(targets)[1:] != shape or np.shape(targets)[0] == 0:
        raise ValueError(
            f"targets have shape {np.shape(targets)}; expected (B, {', '.join(map(str, shape))}): samples as {G.name} "
            "makes them. geomgan.optimize.read_images crops and resizes files and arrays to that."
        )
    check_floating(targets, "targets")
    check_finite(targets, "targets")
    values = np.asarray(targets)
    if G.output_range is not None:
        low, high = G.output_range
        smallest, largest, margin = float(values.min()), float(values.max()), 0.05 * (high - low)
        if smallest < low - 10 * margin or largest > high + 10 * margin:
            raise ValueError(
                f"targets have values from {smallest:.4g} to {largest:.4g}; expected {low:g} to {high:g}, the range of "
                f"{G.name}. Rescale them: of bytes, {low:g} + x / 255 * {high - low:g}."
            )
    for D in distances:
        D.check(values[0])
    return values


def _bound(G: Generator, D: Distance) -> Distance:
    check_types(G, D)
    if D.distribution:
        raise ValueError(f"{D.name} compares distributions; expected a distance between samples: targets are samples.")
    return bind(G, D)


def _is_sum_of_squares(D: Distance) -> bool:
    return D.embedding is not None and D.function is None


def _difference(D: Distance, x: jax.Array, seen: Any) -> list[jax.Array]:
    return [a - b for a, b in zip(jax.tree.leaves(embed_tree(D, x)), seen, strict=True)]


def _sum_of_squares(leaves: Sequence[jax.Array]) -> jax.Array:
    return jnp.sum(jnp.stack([jnp.sum(leaf**2) for leaf in leaves]))


@jax.jit
def _seen(distances: tuple[Distance, ...], samples: jax.Array) -> tuple[Any, ...]:
    def seen(x: jax.Array) -> tuple[Any, ...]:
        return tuple(jax.tree.leaves(embed_tree(D, x)) if _is_sum_of_squares(D) else [] for D in distances)

    with jax.default_matmul_precision("highest"):
        return jax.vmap(seen)(samples)


def _masks(masks: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Masks that broadcast to samples of ``shape (B, ...)``; ``(B,)`` of ones for none."""
    if masks is None:
        return np.ones((shape[0], *(1 for _ in shape[1:])))
    values = np.asarray(masks, np.float64)
    pixels = shape[1:-1]
    forms = {pixels: values[None, ..., None], (shape[0], *pixels): values[..., None]}
    forms |= {shape[1:]: values[None], shape: values, (*pixels, 1): values[None], (shape[0], *pixels, 1): values}
    if values.shape not in forms:
        raise ValueError(
            f"masks have shape {values.shape}; expected {pixels}, or {(shape[0], *pixels)} for each of the targets. "
            "Resize them to the samples' size."
        )
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"masks have values from {values.min():.4g} to {values.max():.4g}; expected 0 to 1. Divide 8-bit masks by "
            "255."
        )
    full = np.broadcast_to(forms[values.shape], (shape[0], *forms[values.shape].shape[1:]))
    empty = np.flatnonzero(~full.reshape(len(full), -1).any(axis=1))
    if len(empty):
        raise ValueError(f"the mask of target {empty[0]} is zero everywhere; expected something to compare. Invert it?")
    return full
