"""What is minimised: distances of a generator's sample from a target, and of its code from the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance, distance_of, embed_tree
from geomgan.errors import OptionError, check_choice
from geomgan.generators.generator import Generator, sample_of
from geomgan.metric.pair import bind, check_types
from geomgan.optimize.prior import Prior
from geomgan.optimize.registration import KINDS, PARAMETERS, Similarity, onto_sample, onto_target
from geomgan.optimize.targets import check_masks, check_targets

REGULAR = 1e-3  # weight of the mean square of a registration's unknowns: where nothing pulls, it stays the identity


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
        registration: what is registered: ``"sample"``, ``"target"``, or nothing; static.
    """

    G: Generator
    distances: tuple[Distance, ...]
    weights: jax.Array
    prior: Prior
    penalty: jax.Array
    registration: str | None = field(default=None, metadata={"static": True})


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Target:
    """One target, or several stacked along the first axis of every leaf.

    Attributes:
        sample: ``(...)``, as the generator's.
        mask: which values count, 0 to 1, broadcast to the sample; None for all.
        seen: what each distance sees of the target: its embedding, where that says the distance, else nothing.
    """

    sample: jax.Array
    mask: jax.Array | None
    seen: tuple[Any, ...]


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Loss:
    """``L(z) = Σ_i w_i d²_i(m G(z) + (1 - m) t, t) + p mean(((z - μ)/σ)²)`` of a code ``z`` for a target ``t``.

    Where the mask ``m`` is zero the target itself is put into the sample, so that any distance takes one.

    With a registration the unknowns are ``(z, q)``, with the four ``q`` of a similarity transform
    (:mod:`geomgan.optimize.registration`) that takes the sample onto the target, or the target onto the sample. The
    mask is then the part of one that lies inside the other, and the distances are divided by its mean: else the least
    loss would be where nothing overlaps.

    A frozen pytree; make one with :func:`losses`, which stacks those of several targets: ``loss[i]`` is the loss of
    one of them, ``loss[indices]`` a stack, and :func:`over` maps a function over it.

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
        """The number of unknowns: ``d``, and 4 of a registration."""
        return self.shared.G.latent_dim + (PARAMETERS if self.shared.registration else 0)

    @property
    def dtype(self) -> Any:
        """Of the unknowns."""
        return self.shared.G.dtype

    def value(self, z: jax.Array) -> jax.Array:
        """``L``, a scalar, of the unknowns ``(dim,)``. Pure, for one target."""
        return self.of_sample(sample_of(self.shared.G, self.code(z)), z)

    def of_sample(self, x: jax.Array, z: jax.Array) -> jax.Array:
        """:meth:`value` where the sample of the unknowns is known."""
        weighted = [w * d for w, d in zip(self.shared.weights, self.terms(x, z)[:-1], strict=True)]
        return jnp.stack([*weighted, *(jnp.sum(leaf**2) for leaf in self._own(z))]).sum()

    def terms(self, x: jax.Array, z: jax.Array) -> list[jax.Array]:
        """Each squared distance of the sample from the target, and last the mean squared difference of their values."""
        shared, (x, y, share) = self.shared, self._compared(x, z)
        terms = []
        for D, seen in zip(shared.distances, self.target.seen, strict=True):
            if is_sum_of_squares(D):
                terms.append(jnp.stack([jnp.sum(leaf**2) for leaf in self._difference(D, x, y, seen)]).sum())
            else:
                terms.append(distance_of(D, x, y))
        return [term / share for term in (*terms, jnp.mean((x - y) ** 2))]

    def residual(self, z: jax.Array) -> list[jax.Array]:
        """Leaves ``r_l`` with ``L = Σ_l ‖r_l‖²``, where every distance has an embedding. Pure, for one target.

        Raises:
            OptionError: a distance has none.
        """
        shared = self.shared
        check_least_squares(shared.distances)
        x, y, share = self._compared(sample_of(shared.G, self.code(z)), z)
        leaves = []
        for D, w, seen in zip(shared.distances, shared.weights, self.target.seen, strict=True):
            leaves += [jnp.sqrt(w / share) * leaf for leaf in self._difference(D, x, y, seen)]
        return [*leaves, *self._own(z)]

    def code(self, z: Any) -> Any:
        """The code among the unknowns ``(..., dim)``."""
        return z[..., : self.shared.G.latent_dim]

    def transform(self, z: Any) -> Similarity | None:
        """The similarity transform among the unknowns ``(..., dim)``, if samples or targets are registered."""
        return Similarity.of(z[..., self.shared.G.latent_dim :]) if self.shared.registration else None

    def _compared(self, x: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array, Any]:
        """What the distances compare, the sample and the target, and the share of the mask."""
        t, transform = self.target, self.transform(z)
        y, mask = t.sample, t.mask
        if transform is None:
            return (x, y, 1) if mask is None else (y + mask * (x - y), y, 1)
        full = jnp.ones_like(x[..., :1]) if mask is None else mask
        if self.shared.registration == "sample":
            x, inside = onto_target(x, transform)
            inside = inside * full
        else:
            y, within = onto_sample(y, transform)
            inside = within * onto_sample(jnp.broadcast_to(full, x[..., :1].shape), transform)[0]
        share = jnp.mean(inside) / jnp.mean(full)
        return y + inside * (x - y), y, jnp.maximum(share, 1e-3)

    def _difference(self, D: Distance, x: jax.Array, y: jax.Array, seen: Any) -> list[jax.Array]:
        """``φ(x) - φ(y)`` as leaves; a target that moves is embedded anew."""
        there = jax.tree.leaves(embed_tree(D, y)) if self.shared.registration == "target" else seen
        return [a - b for a, b in zip(jax.tree.leaves(embed_tree(D, x)), there, strict=True)]

    def _own(self, z: jax.Array) -> list[jax.Array]:
        """The parts of the residual that no distance makes."""
        shared, code = self.shared, self.code(z)
        penalty = [jnp.sqrt(shared.penalty / code.size) * shared.prior.standard(code)]
        q = z[code.size :]
        return [*penalty, (REGULAR / PARAMETERS) ** 0.5 * q] if shared.registration else penalty


def losses(
    G: Generator,
    D: Distance | Sequence[tuple[float, Distance]],
    targets: Any,
    *,
    prior: Prior | None = None,
    penalty: float = 0.0,
    masks: Any = None,
    registration: str | None = None,
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
        registration: of images: ``"sample"`` or ``"target"``, which of the two is moved onto the other.

    Raises:
        TypeError, ValueError: an argument does not fit; of targets it is said what shape and range the generator has.
    """
    weighted = [(1.0, D)] if isinstance(D, Distance) else list(D)
    if not weighted:
        raise ValueError("no distance is given; expected at least one, such as geomgan.distances.lpips('alex').")
    bound = tuple(_bound(G, distance) for _, distance in weighted)
    weights = np.array([weight for weight, _ in weighted], np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(f"weights of distances are {weights.tolist()}; expected none below 0, and one above.")
    if not (np.isfinite(penalty) and penalty >= 0):
        raise ValueError(f"penalty is {penalty!r}; expected a number from 0: 0 leaves the prior out.")
    if registration is not None:
        check_choice(registration, KINDS, "registration")
        if len(G.sample_shape.shape) != 3:
            raise ValueError(f"registration is of images; expected samples (H, W, C), got {G.sample_shape.shape}.")
    samples = jnp.asarray(check_targets(G, bound, targets), G.dtype)
    prior = prior or Prior(jnp.zeros(G.latent_dim, G.dtype), jnp.ones(G.latent_dim, G.dtype))
    shared = Objective(G, bound, jnp.asarray(weights, G.dtype), prior, jnp.asarray(penalty, G.dtype), registration)
    mask = None if masks is None else jnp.asarray(check_masks(masks, samples.shape), G.dtype)
    return Loss(shared, Target(samples, mask, _seen(bound, samples)))


def over(loss: Loss) -> Loss:
    """``in_axes`` of ``jax.vmap`` for a stack of losses: targets along their first axis, the rest shared."""
    return Loss(None, jax.tree.map(lambda _: 0, loss.target))  # type: ignore[arg-type]


def check_least_squares(distances: Sequence[Distance]) -> None:
    """Raise ``OptionError`` unless every distance is a sum of squares."""
    for D in distances:
        if not is_sum_of_squares(D):
            raise OptionError(
                f"{D.name} is no sum of squares: it has no embedding; expected one for least squares, and for the "
                "metric at the start. Take an optimiser of gradients, method='adam', with a metric= if it needs one."
            )


def is_sum_of_squares(D: Distance) -> bool:
    """Whether a distance is ``‖φ(x) - φ(y)‖²`` exactly."""
    return D.embedding is not None and D.function is None


def _bound(G: Generator, D: Distance) -> Distance:
    check_types(G, D)
    if D.distribution:
        raise ValueError(f"{D.name} compares distributions; expected a distance between samples: targets are samples.")
    return bind(G, D)


@jax.jit
def _seen(distances: tuple[Distance, ...], samples: jax.Array) -> tuple[Any, ...]:
    def seen(x: jax.Array) -> tuple[Any, ...]:
        return tuple(jax.tree.leaves(embed_tree(D, x)) if is_sum_of_squares(D) else [] for D in distances)

    with jax.default_matmul_precision("highest"):
        return jax.lax.map(seen, samples)
