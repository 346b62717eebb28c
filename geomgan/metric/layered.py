"""All layers of a generator at once: the pair whose embedding is every named activation, and the sample's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax

from geomgan.distances import euclidean
from geomgan.distances.distance import Distance
from geomgan.generators.generator import Generator, activations_of, output_of
from geomgan.metric.outputs import embed_output
from geomgan.metric.pair import Pair, bound


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Layered(Pair):
    """A pair whose embedding holds the activations ``names`` of ``G``, in that order, then ``φ(G(z))``.

    A layer's leaves are compared by the sum of squared differences, and the Gram matrix of their rows alone is the
    metric of ``G.at(name)``.
    """

    names: tuple[str, ...] = field(default=(), metadata={"static": True})

    def parts(self, z: jax.Array) -> list[list[jax.Array]]:
        """The leaves of every layer and, where the distance has an embedding, of the sample."""
        activations = activations_of(self.G, z)
        parts = [embed_output(euclidean(), activations[name]) for name in self.names]
        if self.D.embedding is not None:
            parts.append(embed_output(self.D, output_of(self.G, z)))
        return parts

    def embed(self, z: jax.Array, group: tuple[int, ...] | None = None) -> list[jax.Array]:
        leaves = [leaf for part in self.parts(z) for leaf in part]
        return leaves if group is None else [leaves[i] for i in group]


def layered(G: Generator, D: Distance, names: Sequence[str]) -> Layered:
    """The pair of all these layers; raises as :func:`bound`."""
    pair = bound(G, D)
    return Layered(pair.G, pair.D, names=tuple(names))
