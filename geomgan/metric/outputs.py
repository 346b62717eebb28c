"""What a distance sees of a generator's output: of a sample, a Gaussian or its mean, the members of an ensemble.

The metric of an ensemble is the expected one, ``1/E Σ_e g_e``; that of a Gaussian under a distance between
distributions has the parts of mean and deviation (Arvanitidis et al., ICLR 2018, equation 7).
"""

from __future__ import annotations

from typing import Any

import jax

from geomgan.distances.distance import Distance, distance_of, embed_tree
from geomgan.generators.outputs import Members, mean_sample


def embed_output(D: Distance, output: Any) -> list[jax.Array]:
    """What a distance sees of a generator's output, as leaves: of a sample, of a Gaussian or its mean, of an ensemble.

    Over an ensemble ``φ(x_e) / √E``, so that ``JᵀJ`` is the expected metric.
    """

    def embed(output: Any) -> Any:
        return embed_tree(D, output if D.distribution else mean_sample(output))

    if isinstance(output, Members):
        return [leaf * len(leaf) ** -0.5 for leaf in jax.tree.leaves(jax.vmap(embed)(output.outputs))]
    return jax.tree.leaves(embed(output))


def squared_distance(D: Distance, reference: Any, moved: Any) -> jax.Array:
    """``d²`` between two outputs of a generator; over an ensemble the mean of its members, as in its metric."""

    def squared(reference: Any, moved: Any) -> jax.Array:
        if not D.distribution:
            reference, moved = mean_sample(reference), mean_sample(moved)
        return distance_of(D, reference, moved)

    if isinstance(moved, Members):
        return jax.vmap(squared)(reference.outputs, moved.outputs).mean()
    return squared(reference, moved)
