"""What a slider moves: axes of the metric, directions of any method, the way to another code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.directions import Direction, Moves, restricted
from geomgan.directions.direction import Layers
from geomgan.directions.metric_axes import DENSE, METHOD
from geomgan.directions.subspace import layers_basis
from geomgan.distances.distance import Distance
from geomgan.eigen import eigenpairs
from geomgan.generators import Generator
from geomgan.metric import metric_operator

TOP = 40  # eigenpairs of a metric that is too large to be formed whole
REACH = 3.0  # deviations of the prior to both sides
SMALL = 1e-3  # of a step, from which the velocity of a path is taken


@brief
@dataclass(frozen=True, eq=False)
class Spectrum:
    """The metric at one code.

    Attributes:
        code: ``(d,)``.
        values: ``(k,)``, eigenvalues, descending.
        vectors: ``(d, k)``, or ``(w, k)`` where it is of style layers.
        noise_floor: below it values are rounding.
        layers: ``(a, b)``, the style layers that it is of; None for the whole code.
    """

    code: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    noise_floor: float
    layers: Layers | None = None


@brief
@dataclass(frozen=True, eq=False)
class Axis:
    """One slider.

    Attributes:
        number: of the slider, never given twice.
        name: what it is called.
        move: makes the path of any code.
        speed: ``√(wᵀ g w)`` at the start, ``w = dz/dt``: distance for one step ``t``; NaN where it is not known.
        ends: ``(low, high)`` of ``t``.
        rank: of the metric's eigenvector, from 1; None for others.
        value: its eigenvalue; NaN for others.
    """

    number: int
    name: str
    move: Moves
    speed: float
    ends: tuple[float, float]
    rank: int | None = None
    value: float = float("nan")


def spectrum_at(G: Generator, D: Distance, z: np.ndarray, layers: Layers | None = None) -> Spectrum:
    """The eigenpairs of the metric at a code ``(d,)``: all of them up to ``DENSE`` dimensions, else the first ``TOP``.

    Raises:
        OptionError: there are no such layers.
        NotFiniteError: the metric holds NaN.
    """
    basis = None if layers is None else layers_basis(G, layers)
    at = (G, z) if basis is None else (restricted(G, z, basis), np.zeros(basis.shape[1], np.float32))
    op = metric_operator(at[0], D, at[1])
    dense = at[0].latent_dim <= DENSE
    found = eigenpairs(op.to_dense()) if dense else eigenpairs(op, k=TOP)
    return Spectrum(np.asarray(z), found.values, found.vectors, float(found.noise_floor), layers)


def metric_axis(G: Generator, spectrum: Spectrum, rank: int, number: int, radius: float) -> Axis:
    """The slider of one eigenvector; ``radius`` is the deviation of the prior.

    Raises:
        ValueError: there is no such rank.
    """
    if not 1 <= rank <= len(spectrum.values):
        raise ValueError(f"there is no axis {rank}: there are {len(spectrum.values)}, from 1.")
    name, value = f"axis {rank}", float(max(spectrum.values[rank - 1], 0.0))
    space = "w" if spectrum.layers is not None else G.space
    if spectrum.layers is not None:
        name += f" of layers {spectrum.layers[0]} to {spectrum.layers[1] - 1}"
    move = Direction(spectrum.vectors[:, rank - 1], 1.0, None, name, space, spectrum.layers, METHOD)
    return Axis(number, name, move, value**0.5, (-REACH * radius, REACH * radius), rank, value)


def axis_of(
    G: Generator,
    D: Distance,
    z: np.ndarray,
    spectrum: Spectrum,
    move: Moves,
    number: int,
    radius: float,
    ends: tuple[float, float] | None = None,
) -> Axis:
    """The slider of any direction, as far as ``REACH`` deviations of the prior unless ``ends`` are given."""
    path = move.path(np.asarray(z, np.float64))
    near = np.asarray(path(np.array([-SMALL, SMALL])), np.float64)
    velocity = (near[1] - near[0]) / (2 * SMALL)
    length = float(np.linalg.norm(velocity))
    if not np.isfinite(length) or length == 0:
        raise ValueError(f"{move.name} does not move this code: its velocity there is {length:g}. Leave it out.")
    ends = ends or (-REACH * radius / length, REACH * radius / length)
    return Axis(number, move.name, move, _speed(G, D, z, spectrum, velocity), ends)


def _speed(G: Generator, D: Distance, z: Any, spectrum: Spectrum, velocity: np.ndarray) -> float:
    """``√(wᵀ g w)``, from the eigenpairs where all are there."""
    if spectrum.layers is None and len(spectrum.values) == len(velocity) and np.array_equal(z, spectrum.code):
        shares = spectrum.vectors.T @ velocity
        return float(np.sqrt(max(float(spectrum.values @ shares**2), 0.0)))
    product = np.asarray(metric_operator(G, D, z).matvec(velocity.astype(G.dtype)), np.float64)
    return float(np.sqrt(max(float(velocity @ product), 0.0)))
