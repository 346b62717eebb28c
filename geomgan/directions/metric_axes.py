"""The metric's own axes: eigenvectors of one metric tensor, or of the mean of many."""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.direction import Layers
from geomgan.directions.fit import ROWS
from geomgan.directions.subspace import block_basis, layers_basis, restricted
from geomgan.distances.distance import Distance
from geomgan.eigen import eigenpairs
from geomgan.errors import OptionError, as_array, check_codes, check_count
from geomgan.fields import MetricField
from geomgan.generators import Generator
from geomgan.metric import metric_operator
from geomgan.metric.pair import check_types

METHOD = "metric axes"
DENSE = 512  # dimensions up to which the metric of one code is formed whole


def metric_axes(
    G: Generator,
    D: Distance,
    codes: Any,
    k: int | None = None,
    *,
    layers: Layers | None = None,
    within: Any = None,
    progress: bool = False,
) -> DirectionSet:
    """The directions along which samples change most: eigenvectors of ``1/P Σ g(z_p)``, largest eigenvalue first.

    ``vᵀ ḡ v`` is the mean squared speed of a step along ``v``, so no other orthonormal directions move the sample
    more (Wang and Ponce, ICLR 2021, "A Geometric Analysis of Deep Generative Image Models and Its Applications").
    Of one layer they are those of ``G.at(layer)`` with a distance on its activations, ``distances.euclidean()``. Other
    means of metrics are of :func:`tensor_axes`.

    Args:
        G: the generator.
        D: the squared distance.
        codes: one code ``(d,)``, a stack ``(P, d)``, or a :class:`MetricField` at them, of the same ``G`` and ``D``:
            where that has eigenpairs only, their sum is what is averaged.
        k: how many axes; by default 10, or all there are.
        layers: ``(a, b)``: axes of ``w`` for these style layers, of the metric of one step in the rows ``a`` to
            ``b - 1`` of ``w+`` together. ``G`` is in ``w+``.
        within: axes inside a subspace: a slice of the code's dimensions, or orthonormal columns ``(d, m)``.
        progress: show a progress bar, with the time left.

    Returns:
        Directions with the scores ``"eigenvalue"``, squared distance for one squared latent unit, and ``"share"`` of
        all there is, the eigenvalue over the trace (not where there are eigenpairs only).

    Raises:
        TypeError, ValueError: arguments do not fit; raised before any work.
    """
    check_types(G, D)
    if layers is not None and within is not None:
        raise OptionError("layers= and within= are two subspaces; expected one of them.")
    basis = layers_basis(G, layers) if layers is not None else None
    basis = block_basis(G.latent_dim, within) if within is not None else basis
    size = G.latent_dim if basis is None else basis.shape[1]
    k = check_count(min(10, size) if k is None else k, size, "k", ", the number of axes")
    if isinstance(codes, MetricField):
        mean, count = _mean_of_field(codes, G.latent_dim, basis), len(codes.finished)
    else:
        codes = as_array(codes, "codes")
        codes = np.asarray(check_codes(codes[None] if np.ndim(codes) == 1 else codes, G.latent_dim))
        mean, count = _mean_at(G, D, codes, basis, progress), len(codes)
    settings = {"distance": D.name, "codes": count, "sample": G.name}
    settings |= {"layers": list(layers)} if layers is not None else {}
    inside = basis if layers is None else None
    return _axes(G, mean, k, inside, layers, settings | ({} if inside is None else {"within": inside.shape[1]}))


def tensor_axes(G: Generator, g: Any, k: int | None = None, **settings: Any) -> DirectionSet:
    """The eigenvectors of any metric tensor on the codes of ``G``, such as one of ``geomgan.analysis.mean_metric``.

    Args:
        G: the generator that it is of.
        g: a matrix ``(d, d)``, or an operator such as :class:`geomgan.MetricOperator`.
        k: how many axes; by default 10, or all there are.
        settings: what it is, for the file: ``kind="log-euclidean"``.

    Raises:
        TypeError, ValueError: as :func:`geomgan.eigenpairs`; or the tensor has another size than the codes.
    """
    shape = np.shape(g)
    if shape != (G.latent_dim, G.latent_dim):
        raise ValueError(f"g has shape {shape}; expected ({G.latent_dim}, {G.latent_dim}), for codes of {G.name}.")
    return _axes(G, g, min(10, G.latent_dim) if k is None else k, None, None, settings)


def _axes(
    G: Generator, g: Any, k: int, basis: np.ndarray | None, layers: Layers | None, settings: dict[str, Any]
) -> DirectionSet:
    found = eigenpairs(g, k)
    scores = {"eigenvalue": found.values}
    if isinstance(g, np.ndarray):
        scores["share"] = found.values / np.trace(g)
    vectors = found.vectors if basis is None else basis @ found.vectors
    return direction_set(
        G,
        vectors,
        METHOD,
        space=ROWS[G.space] if layers is not None else None,
        names=[f"axis {i}" for i in range(1, len(found.values) + 1)],
        settings=settings,
        scores=scores,
        layers=layers,
        orthonormal=True,
    )


def _mean_of_field(field: MetricField, dim: int, basis: np.ndarray | None) -> np.ndarray:
    """``Bᵀ ḡ B`` of a field, from its tensors or, without them, from its eigenpairs."""
    count, size = len(field.finished), field.codes.shape[1]
    if size != dim or not count:
        raise ValueError(f"the field has {count} finished codes of {size} dimensions; expected some, of {dim}.")
    total: Any = 0.0
    for p in field.finished:
        if field.tensors is not None:
            g = np.asarray(field.tensors[p], np.float64)
            total = total + (g if basis is None else basis.T @ g @ basis)
        else:
            vectors = np.asarray(field.vectors[p], np.float64)
            vectors = vectors if basis is None else basis.T @ vectors
            total = total + (vectors * field.values[p]) @ vectors.T
    return np.asarray(total / count)


def _mean_at(G: Generator, D: Distance, codes: np.ndarray, basis: np.ndarray | None, progress: bool) -> Any:
    """``Bᵀ ḡ B`` at codes; of a single one of many dimensions its operator, whose largest pairs are cheaper."""
    if basis is None and len(codes) == 1 and G.latent_dim > DENSE:
        return metric_operator(G, D, codes[0])
    total: Any = 0.0
    for z in tqdm(codes, "metrics", unit="code", disable=not progress):
        at = (G, z) if basis is None else (restricted(G, z, basis), np.zeros(basis.shape[1], np.float32))
        total = total + metric_operator(at[0], D, at[1]).to_dense()
    return total / len(codes)
