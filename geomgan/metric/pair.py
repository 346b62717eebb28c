"""A generator and a distance, checked against each other and bound once, and what one embedded sample costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from geomgan.backend import FLOAT32, PRECISIONS, format_of
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import OptionError, check_choice, of_torch
from geomgan.generators.cost import Profile, profile
from geomgan.generators.generator import Generator, checked_code, output_of
from geomgan.generators.outputs import Gaussian, Members
from geomgan.generators.prepared import any_prepared, pays, prepare
from geomgan.generators.state import state_of
from geomgan.metric.outputs import embed_output, squared_distance
from geomgan.metric.traced import Traced, traced

HVP = ("exact", "finite-difference")
_MEANT = {"float32": "highest", "fp32": "highest", "default": "highest", "tensorfloat32": "tf32", "bfloat16": "bf16"}
OfShapes = TypeVar("OfShapes", bound=Callable[..., Any])


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Pair:
    """A generator ``G`` and a distance ``D`` that fits its outputs, as a frozen pytree; make one with :func:`bound`.

    It has no names: a generator and its shuffled control share every compiled program.

    Attributes:
        G: the generator.
        D: the distance, with the generator's range.
        traced: what both compute, where that was looked at: programs compiled for the pair are then compiled anew once
            it is another, although the functions are the same objects (a global that they read has changed); static.
    """

    G: Generator
    D: Distance
    traced: Traced | None = field(default=None, metadata={"static": True})

    @property
    def dim(self) -> int:
        """``d``, the number of latent dimensions."""
        return self.G.latent_dim

    @property
    def code(self) -> jax.ShapeDtypeStruct:
        """Shape and type of a code."""
        return jax.ShapeDtypeStruct((self.G.latent_dim,), self.G.dtype)

    def embed(self, z: jax.Array, group: tuple[int, ...] | None = None) -> list[jax.Array]:
        """The leaves of ``φ(G(z))``, whose joint squared difference is the distance.

        ``group`` picks some of them; what the others alone need is not computed.
        """
        leaves = embed_output(self.D, output_of(self.G, z))
        return leaves if group is None else [leaves[i] for i in group]

    def half_distance(self, reference: Any, z: jax.Array) -> jax.Array:
        """``½ d²`` between a reference output and that of ``z``."""
        return 0.5 * squared_distance(self.D, reference, output_of(self.G, z))


def bound(G: Generator, D: Distance) -> Pair:
    """The pair of a generator and a distance that was checked against its samples and has its range.

    Raises:
        TypeError: these are no generator and no distance.
        ValueError: the samples do not fit the distance, or the two ranges differ.
    """
    check_types(G, D)
    return Pair(replace(G, name=""), replace(bind(G, D), name=""))


def with_programs(pair: Pair) -> Pair:
    """The pair with what it computes: the programs of a field, and their plan, are of just that.

    Traced once for the same functions, as long as nothing has changed that these are seen to depend on.
    """
    return replace(pair, traced=_programs(pair, state_of((pair.G.function, pair.D.embedding, pair.D.function))))


def bind(G: Generator, D: Distance) -> Distance:
    """The distance with the generator's range as its ``input_range``, checked against the generator's samples.

    Raises:
        ValueError: the samples do not fit the distance, or the two ranges differ.
    """
    if D.distribution:
        return _bind_distribution(G, D)
    if D.check_shape is not None:
        D.check_shape(G.sample_shape.shape)
    if D.expects is None or G.output_range is None:
        return D
    if D.input_range is None:
        return replace(D, input_range=G.output_range)
    if D.input_range != G.output_range:
        raise ValueError(
            f"{D.name} expects samples in {D.input_range}, but {G.name} makes them in {G.output_range}. "
            "Leave input_range=None to take the generator's."
        )
    return D


def _bind_distribution(G: Generator, D: Distance) -> Distance:
    output = jax.eval_shape(output_of, G, jax.ShapeDtypeStruct((G.latent_dim,), G.dtype))
    output = output.outputs if isinstance(output, Members) else output
    if not isinstance(output, Gaussian):
        raise ValueError(
            f"{D.name} compares distributions, but {G.name} is deterministic. Take a distance between samples, or a "
            "generator that returns geomgan.Gaussian(mean, std)."
        )
    return replace(D, params=bind(G, D.params)) if isinstance(D.params, Distance) else D


def checked(G: Generator, D: Distance, z: Any, precision: str, hvp: str) -> tuple[Pair, jax.Array]:
    """A metric's arguments, checked before tracing: the pair, and the code in the generator's type.

    Raises:
        TypeError, ValueError: an argument does not fit.
    """
    check_types(G, D)
    check_options(precision, hvp)
    z = checked_code(G, z)
    return bound(G, D), jnp.asarray(z, G.dtype)


def check_types(G: Any, D: Any) -> None:
    """Raise ``TypeError`` unless these are a generator and a distance."""
    if not isinstance(G, Generator):
        what = f"G is {type(G).__name__}; expected a Generator: geomgan.load or Generator.from_function."
        raise TypeError(f"{what}{of_torch(G)}")
    if not isinstance(D, Distance):
        raise TypeError(f"D is {type(D).__name__}; expected a Distance, for example geomgan.distances.lpips('alex').")


def check_options(precision: str, hvp: str = "exact") -> None:
    """Raise ``OptionError`` unless these are known, and go together."""
    if meant := _MEANT.get(str(precision)):
        raise OptionError(f"precision={precision!r} is not known here. Expected {meant!r}; see docs/precision.md.")
    check_choice(precision, PRECISIONS, "precision")
    check_choice(hvp, HVP, "hvp")
    if hvp != "exact" and precision != "highest":
        raise OptionError(
            f"precision={precision!r} is of products of tangents, and hvp={hvp!r} pushes none: it takes samples, which "
            "are float32 always. Expected precision='highest' with it; leave precision out."
        )


def remembered_by_shape(function: OfShapes) -> OfShapes:
    """``function(pair, ...)``, which looks at nothing but shapes, computed once for the same ones."""

    @lru_cache(maxsize=256)
    def compute(tree: Any, shapes: tuple[Any, ...], others: tuple[Any, ...]) -> Any:
        return function(jax.tree.unflatten(tree, shapes), *others)

    @wraps(function)
    def call(pair: Pair, *others: Any) -> Any:
        leaves, tree = jax.tree.flatten(pair)
        return compute(tree, tuple(map(_shape, leaves)), others)

    return cast(OfShapes, call)


def profile_of(pair: Pair) -> Profile:
    """What one embedded sample is and costs: its leaves, FLOPs, widest array and kernels. Runs nothing.

    Of a distance without embedding: one distance, without leaves.
    """
    return pair.traced.profile if pair.traced else _profile(pair)


@remembered_by_shape
def _profile(pair: Pair) -> Profile:
    if pair.D.embedding is not None:
        return profile(type(pair).embed, pair, pair.code)
    return replace(profile(_from_itself, pair, pair.code), outputs=(), kernels=())


@remembered_by_shape
def _programs(pair: Pair, state: Any) -> Traced:
    del state  # JAX would take an earlier trace of the same functions, whatever that has read
    return traced(pair.G, pair.D)


def prepared(pair: Pair, tangents: int, precision: str = "highest") -> Pair:
    """The pair with kernels prepared for pushing so many tangents, where that pays; for all codes, or in a program.

    Not for coarse products, whose rounding the fewer multiplications of such kernels would enlarge.
    """
    if format_of(precision) != FLOAT32 or not pays(tangents) or pair.D.embedding is None or any_prepared(pair):
        return pair
    return prepare(pair, profile_of(pair).kernels)


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=getattr(leaf, "weak_type", False))


def _from_itself(pair: Pair, z: jax.Array) -> jax.Array:
    return pair.half_distance(output_of(pair.G, z), z)
