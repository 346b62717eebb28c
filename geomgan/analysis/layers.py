"""Metrics of the layers of a generator, and how far their axes agree: alignment through the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.analysis.correlation import correlation_matrix, pearson, regression
from geomgan.analysis.homogeneity import quadratic_forms
from geomgan.analysis.spectra_of import spectra_of
from geomgan.backend import epsilon, tensor_error
from geomgan.brief import brief
from geomgan.distances import euclidean
from geomgan.distances.distance import Distance
from geomgan.eigen.choice import relative_noise
from geomgan.eigen.dense import largest_pairs
from geomgan.errors import called, check_choice, check_code
from geomgan.fields.layers import layer_tensors
from geomgan.generators.generator import Generator
from geomgan.metric.diagnose import first_non_finite
from geomgan.metric.pair import bind, check_options, check_types

SAMPLE = "sample"


@brief
@dataclass(frozen=True)
class LayerMetrics:
    """The metric that each of ``L`` layers pulls back to one latent code, in the order of the network.

    Attributes:
        names: of the layers; the last one is ``"sample"``, the generator itself under its distance.
        tensors: ``(L, d, d)`` float64.
        values: ``(L, d)``, descending.
        vectors: ``(L, d, d)``, columns.
        noise_floor: ``(L,)``, eigenvalues below it are rounding.
        relative_error: of the tensors (Frobenius norm), at most.
    """

    names: tuple[str, ...]
    tensors: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    noise_floor: np.ndarray
    relative_error: float = float("nan")


@brief
@dataclass(frozen=True)
class LayerAlignment:
    """How the axes ``U_i`` of layer ``i`` (row) are stretched by the metric ``g_j`` of layer ``j`` (column).

    Attributes:
        names: of the ``L`` layers.
        amplification: ``(L, L, d)``, ``α = diag(U_iᵀ g_j U_i)`` in descending order of the eigenvalues of layer ``i``.
        log: ``(L, L)``, Pearson correlation of ``log10 α`` with ``log10 λ``.
        linear: ``(L, L)``, Pearson correlation of ``α`` with ``λ``.
        vectorised: ``(L, L)``, Pearson correlation of the entries of ``g_i`` and ``g_j``.
        slope: ``(L, L)``, of the regression of ``log10 α`` on ``log10 λ``.
        intercept: ``(L, L)``, of that regression.
        dropped: ``(L, L)``, ranks that the logarithms leave out.
        values: ``(L, d)``, eigenvalues of each layer.
        source: whether ``λ`` are those of the source layer ``i``; else of the target layer ``j``.
    """

    names: tuple[str, ...]
    amplification: np.ndarray
    log: np.ndarray
    linear: np.ndarray
    vectorised: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray
    dropped: np.ndarray
    values: np.ndarray
    source: bool


def layer_metrics(
    G: Generator,
    D: Distance,
    z: Any,
    layers: Sequence[str] | None = None,
    *,
    precision: str = "highest",
    progress: bool = False,
) -> LayerMetrics:
    """Metric tensors of the activations of a generator at one code.

    Each layer is the generator cut there, ``G.at(name)``, under the sum of squared differences:
    ``g_l = J_lᵀ J_l`` with ``J_l`` the Jacobian of the activation. The last entry is ``G`` under ``D``.
    GAN-Geometry's layer Hessians are ``2 g_l``.

    Args:
        G: a generator with named activations.
        D: the squared distance between samples.
        z: the code ``(d,)``.
        layers: names out of ``G.layers``; by default all.
        precision: of products of tangents, as for :func:`geomgan.metric_tensor`.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: the generator has no named activations, a name is unknown, or an activation is not finite at ``z``.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 4.
    """
    check_types(G, D)
    check_options(precision)
    z = check_code(z, G.latent_dim)
    bind(G, D)
    names = G.layers if layers is None else tuple(layers)
    if not names:
        wanted = f"{called(G.name)} has no named layers" if layers is None else "layers is empty"
        raise ValueError(
            f"{wanted}; expected at least one to compare with the sample. Make the generator with "
            "Generator.from_module, name its activations with geomgan.generators.tap, and choose from G.layers."
        )
    for name in names:
        G.at(name)  # raises, with the nearest names, where there is no such layer
    tensors = layer_tensors(G, D, z, names, precision=precision, progress=progress)
    if not np.isfinite(tensors).all():
        raise ValueError(_not_finite(G, D, z, names, tensors))
    values, vectors, _ = largest_pairs(tensors, G.latent_dim)
    squared = np.array([True] * len(names) + [D.embedding is not None])
    rounding = epsilon(G.dtype, precision)
    noise = np.where(squared, *(relative_noise(kind, rounding, G.latent_dim) for kind in (True, False)))
    floor, error = noise * np.abs(values).max(axis=1), tensor_error(G.dtype, precision)
    return LayerMetrics((*names, SAMPLE), tensors, values, vectors, floor, error)


def _not_finite(G: Generator, D: Distance, z: Any, names: Sequence[str], tensors: np.ndarray) -> str:
    """Which metric is the first that is not finite, and where its network stops being so."""
    cuts = [*((name, G.at(name), euclidean()) for name in names), (SAMPLE, G, D)]
    for (name, cut, distance), tensor in zip(cuts, tensors, strict=True):
        if not (np.isfinite(tensor).all() and np.isfinite(np.asarray(cut(z))).all()):
            where = first_non_finite(cut, distance, z) or "an overflow of sums of squares"
            return f"the metric of {name!r} is not finite: {where}. Take another code."
    return f"the metric of {SAMPLE!r} is not finite. Take another code."


def layer_alignment(layers: LayerMetrics | Any, *, source: bool = False, above_floor: bool = False) -> LayerAlignment:
    """Whether the axes of one layer are those of another: ``α = diag(U_iᵀ g_j U_i)`` against eigenvalues.

    Where the layers share their eigenvectors in the same order, ``α`` are the eigenvalues of the target ``g_j``, and
    every correlation is 1.

    Args:
        layers: from :func:`layer_metrics`, or a stack of tensors ``(L, d, d)``.
        source: correlate with the eigenvalues of the source ``g_i``, as GAN-Geometry's layer analysis does (its
            consistency of positions, and :func:`geomgan.analysis.consistency`, take the target's). With ``source``
            the slope tells how the amplification by layer ``j`` follows that by layer ``i``, and both logarithms
            belong to the same axis.
        above_floor: whether logarithms also leave out what is below the noise floor of its tensor, not only what is
            not positive.

    GAN-Geometry's tensors are twice these: its correlations and slopes are the same, its intercepts larger by
    ``(1 - slope) log10 2``. Nothing is divided by the number of values in a layer: slopes and correlations do not see
    it, intercepts do. What is constant to six digits has no correlation: NaN.

    Raises:
        ValueError: the stack is not ``(L, d, d)``, not finite or not symmetric.
    """
    if not isinstance(layers, LayerMetrics):
        stack = spectra_of(layers, "layer_alignment")
        names = tuple(f"layer {i}" for i in range(1, len(stack.values) + 1))
        layers = LayerMetrics(names, stack.tensors, stack.values, stack.vectors, stack.noise_floor)
    values, vectors = layers.values, layers.vectors
    amplification = np.stack([quadratic_forms(frame, vectors, values) for frame in vectors])
    own = np.broadcast_to(values[:, None] if source else values[None], amplification.shape)
    floor = np.broadcast_to(layers.noise_floor * above_floor, amplification.shape[:2])
    kept = (amplification > floor[..., None]) & (own > (floor.T if source else floor)[..., None])
    log, slope, intercept = regression(own, amplification, kept, log=True)
    linear, dropped = pearson(own, amplification), (~kept).sum(axis=-1)
    vectorised = correlation_matrix(layers.tensors.reshape(len(values), -1))
    return LayerAlignment(
        layers.names, amplification, log, linear, vectorised, slope, intercept, dropped, values, source
    )


def index_of_layer(names: Sequence[str], layer: int | str) -> int:
    """The place of a layer given by name or index (negative from the end); ``ValueError`` if there is none."""
    if isinstance(layer, str):
        check_choice(layer, names, "layer")
        return list(names).index(layer)
    if not -len(names) <= layer < len(names):
        raise ValueError(f"layer is {layer}; expected a name, or an index below {len(names)}, the number of layers.")
    return int(layer) % len(names)
