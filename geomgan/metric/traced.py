"""What a generator and a distance compute, from one trace of both: hashes of their programs, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax

from geomgan.backend import in_float32
from geomgan.distances.distance import Distance
from geomgan.generators.cost import Profile, profile_in
from geomgan.generators.generator import Generator, output_of
from geomgan.generators.program_hash import Found, input_hash, joined_hash, value_hashes
from geomgan.metric.outputs import embed_output, squared_distance


@dataclass(frozen=True)
class Traced:
    """The programs of a generator and a distance: two that are equal compute the same from the same weights.

    Attributes:
        generator: hash of the program that maps a code to a sample.
        distance: hash of the program that embeds a sample, or compares two.
        calls: what these programs call without holding it (callbacks, foreign functions): only values tell what it is.
        profile: as :func:`geomgan.metric.pair.profile_of` has it.
    """

    generator: str
    distance: str
    calls: tuple[str, ...]
    profile: Profile = field(compare=False)  # follows from the others, and from shapes


def traced(G: Generator, D: Distance) -> Traced:
    """Trace a generator and a distance that is bound to it: anew, whatever JAX remembers of their functions."""
    code = jax.ShapeDtypeStruct((G.latent_dim,), G.dtype)
    codes, function = ((code,), _embedded) if D.embedding is not None else ((code, code), _compared)
    found = Found(orders=1 if D.embedding is not None else 2)  # a distance without embedding is derived twice
    inputs = [input_hash(f"generator {i}", leaf) for i, leaf in enumerate(jax.tree.leaves(G))]
    inputs += [input_hash(f"distance {i}", leaf) for i, leaf in enumerate(jax.tree.leaves(D))]
    inputs += [input_hash(name, code) for name in ("reference", "code")[-len(codes) :]]
    with in_float32():  # whatever a context says: programs of a field set their own
        anew = lambda *arguments: function(*arguments)  # JAX remembers traces by the function that it is given
        program, (samples, results) = jax.make_jaxpr(anew, return_shape=True)(G, D, *codes)
        hashes = value_hashes(program, inputs, found, len(samples))
    profile = profile_in(program.jaxpr, tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in results))
    if D.embedding is None:
        profile = replace(profile, outputs=(), kernels=())
    sample = hashes[: len(samples)][-(len(samples) // len(codes)) :]  # that of ``code``
    distance = joined_hash(hashes[len(samples) :])
    return Traced(joined_hash(sample), distance, tuple(sorted(found.calls)), profile)


def _embedded(G: Generator, D: Distance, z: jax.Array) -> tuple[list[jax.Array], list[jax.Array]]:
    """The sample, and what the distance sees of it."""
    output = output_of(G, z)
    return jax.tree.leaves(output), embed_output(D, output)


def _compared(G: Generator, D: Distance, reference: jax.Array, z: jax.Array) -> tuple[list[jax.Array], list[jax.Array]]:
    """Two samples, and half of the distance between them."""
    first, second = output_of(G, reference), output_of(G, z)
    return jax.tree.leaves((first, second)), [0.5 * squared_distance(D, first, second)]
