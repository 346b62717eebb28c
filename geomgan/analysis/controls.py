"""Controls: generators and fields that keep what is trivial and lose what was learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.analysis.bootstrap import random_of
from geomgan.analysis.spectra_of import spectra_of
from geomgan.errors import check_choice, check_finite, check_floating, is_key, warn
from geomgan.fields.field import MetricField
from geomgan.generators.ensemble import EnsembleFunction
from geomgan.generators.generator import Generator

KINDS = ("weights", "everything")
CONTEXT = {"network", "context"}  # parts of the parameters of a generator in a space: weights, and what a user fixed

# Parameters of our networks that have several axes and are no layer's weights: learned constant inputs, places in a
# latent space, and the constants of a signal path.
TABLES = ("constant", "centers", "frequencies", "transform", "up", "down")


def shuffle_weights(G: Generator, key: jax.Array, kind: str = "weights") -> Generator:
    """The same network, with the entries of each array of weights in random order.

    It keeps the architecture and the distribution of weights within every layer, and loses what they learned.

    - ``"weights"``: kernels, which are the arrays with more than one axis. Biases, scales, shifts, and arrays called
      ``constant``, ``centers``, ``frequencies``, ``transform``, ``up`` or ``down`` stay, and so does what the user
      fixed in the generator: class, truncation, mean latent, noise.
    - ``"everything"``: every array of the parameters, as the original does with a state dictionary; it also mixes
      biases between channels, and embeddings. Two of its slips are gone with what conversion folds into the weights:
      it permuted the vectors of spectral norms, which blew weights up about 30-fold with random signs, and batch-norm
      statistics across the rows of different truncations. Blur kernels are no parameters here.

    Every member of an ensemble is shuffled within itself. The prior of a style-based generator in ``w`` or beyond maps
    ``z`` by the shuffled network: for the same codes, draw them from ``G``.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), the shuffled controls of figures 2 and 3.

    Args:
        G: the generator.
        key: a ``jax.random.key``; the same key gives the same result.
        kind: ``"weights"`` or ``"everything"``.

    Returns:
        A generator called ``"NAME shuffled"``.

    Raises:
        TypeError: ``G`` is not a Generator, or ``key`` is not a typed key.
        OptionError: ``kind`` is unknown.
        ValueError: there is nothing to shuffle.
    """
    if not isinstance(G, Generator):
        raise TypeError(f"G is {type(G).__name__}; expected a geomgan.Generator.")
    check_choice(kind, KINDS, "kind")
    rng, ensemble = random_of(key), isinstance(G.function, EnsembleFunction)
    leaves, tree = jax.tree_util.tree_flatten_with_path(G.params)
    in_space = isinstance(G.params, dict) and set(G.params) == CONTEXT
    chosen = [_is_shuffled(path, leaf, kind, int(ensemble), in_space) for path, leaf in leaves]
    if not any(chosen):
        raise ValueError(
            f"{G.name} has no array with more than one axis; expected weights to shuffle. Take kind='everything'."
        )
    arrays = [_permuted(rng, leaf, ensemble) if take else leaf for (_, leaf), take in zip(leaves, chosen, strict=True)]
    return replace(G, params=jax.tree.unflatten(tree, arrays), name=f"{G.name} shuffled")


def random_frames(field: MetricField | Any, key: jax.Array) -> np.ndarray:
    """Tensors ``(P, d, d)`` with the spectra of a field, each in a random orthogonal frame of its own.

    They keep the anisotropy of a field and lose its homogeneity. Frames are uniform (Haar): ``Q`` of a Gaussian
    matrix, with the signs that make the diagonal of ``R`` positive.

    Args:
        field: a :class:`MetricField` with all eigenvalues, tensors ``(P, d, d)``, or eigenvalues ``(P, d)``.
        key: a ``jax.random.key``.

    Raises:
        TypeError, ValueError: as :func:`spectra_of`, or ``key`` is not a typed key.
    """
    if is_key(field):
        warn(
            "random_frames(key, field) is random_frames(field, key) now; the old order works in this version only.",
            DeprecationWarning,
        )
        field, key = key, field
    rng = random_of(key)
    if not isinstance(field, MetricField) and np.ndim(field) == 2:
        check_floating(field, "eigenvalues")
        check_finite(field, "eigenvalues")
        values = np.asarray(field, np.float64)
    else:
        values = spectra_of(field, "random_frames", vectors=False).values
    count, dim = values.shape
    tensors = np.empty((count, dim, dim))
    for p in range(count):
        q, r = np.linalg.qr(rng.standard_normal((dim, dim)))
        frame = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        tensor = (frame * values[p]) @ frame.T
        tensors[p] = 0.5 * (tensor + tensor.T)
    return tensors


def _is_shuffled(path: tuple[Any, ...], leaf: jax.Array, kind: str, members: int, in_space: bool) -> bool:
    if not jnp.issubdtype(leaf.dtype, jnp.number):
        return False
    if kind == "everything":
        return leaf.ndim > members
    name = lambda entry: getattr(entry, "key", getattr(entry, "name", None))
    fixed = in_space and name(path[0]) == "context"
    table = bool(path) and name(path[-1]) in TABLES
    return jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.ndim - members > 1 and not fixed and not table


def _permuted(rng: np.random.Generator, leaf: jax.Array, ensemble: bool) -> jax.Array:
    rows = np.asarray(leaf).reshape(len(leaf) if ensemble else 1, -1)
    return jnp.asarray(np.stack([rng.permutation(row) for row in rows]).reshape(leaf.shape), leaf.dtype)
