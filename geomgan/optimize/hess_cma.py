"""Hess-CMA: a search in coordinates that a metric's eigenpairs make, few and alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import check_choice, check_count
from geomgan.optimize.ask_tell import AskTell, Health, in_double, start, told
from geomgan.optimize.cholesky_cma import cholesky_cma
from geomgan.optimize.cma import cma

ADAPTS = ("cholesky", "full", "frozen")


class CoordinatesState(NamedTuple):
    """A search of ``u`` with ``z = origin + to_code u`` and ``u = to_coordinates (z - origin)``."""

    origin: jax.Array
    to_code: jax.Array
    to_coordinates: jax.Array
    inner: Any


def hess_cma(
    pairs: Any,
    sigma: float,
    cutoff: int | None = None,
    *,
    exponent: float = 0.4,
    floor: float = 1e-12,
    adapt: str = "cholesky",
    population: int | None = None,
) -> AskTell:
    """CMA-ES whose steps are those of a metric, ``z = z_0 + σ U_r Λ_r^-α y``, in ``r`` dimensions.

    Directions that change the sample much are searched in small steps, flat ones in large ones, and those beyond the
    cut-off not at all. ``α = 1/2`` makes a quadratic whose Hessian is the metric a sphere; a smaller ``α`` bounds steps
    along directions that are flat at the metric's code but nowhere else. The metric's conditioning is in the linear
    map alone (the covariance starts at the identity): eigenvalues of ten decades cost no digit. Codes that are told
    count with what they have in the span.

    Args:
        pairs: :class:`geomgan.Eigenpairs` of a metric, of a mean metric, or ``(values (k,), vectors (d, k))``.
        sigma: the first standard deviation, of ``y``: along eigenvector ``i`` it is ``σ λ_i^-α``.
        cutoff: ``r``, the first eigenpairs that are used; by default all.
        exponent: ``α``; published are 0.4 (BigGAN), 0.25 and 0.2 (FC6).
        floor: eigenvalues below this share of the largest, and below the pairs' noise floor, count as that.
        adapt: ``"cholesky"`` (the paper's :func:`cholesky_cma`), ``"full"`` (:func:`cma`), or ``"frozen"``: the
            paper's, whose covariance stays the metric's.
        population: by default that of the method in ``r`` dimensions.

    Raises:
        ValueError: ``cutoff`` is beyond the eigenpairs, no eigenvalue is positive, or an option is out of its range.

    Source: Wang and Ponce (2021), section 6, "Hess-CMA".
    """
    check_choice(adapt, ADAPTS, "adapt")
    values, vectors, noise = _eigenpairs(pairs)
    r = len(values) if cutoff is None else check_count(cutoff, len(values), "cutoff", ", the number of eigenpairs")
    if not 0 <= exponent <= 1 or not 0 < floor <= 1:
        raise ValueError(f"exponent is {exponent!r} and floor {floor!r}; expected both from 0 to 1, floor positive.")
    if not values[0] > 0:
        raise ValueError(
            f"the largest eigenvalue is {values[0]:.3g}; expected a positive one: the metric is zero here."
        )
    scales = np.maximum(values[:r], max(noise, floor * values[0])) ** -exponent
    to_code, to_coordinates = vectors[:, :r] * scales, vectors[:, :r].T / scales[:, None]
    if adapt == "full":
        inner = cma(r, sigma, population=population)
    else:
        inner = cholesky_cma(r, sigma, population=population, adapt=adapt == "cholesky")
    made = {"method": "hess_cma", "cutoff": r, "exponent": exponent, "floor": floor, "adapt": adapt}
    method = in_coordinates(inner, to_code, to_coordinates)
    return method._replace(options=inner.options | method.options | made)


def in_coordinates(method: AskTell, to_code: Any, to_coordinates: Any) -> AskTell:
    """A search of ``u (r,)`` by ``method`` as a search of codes ``z = z_0 + T u`` around its start ``z_0``.

    Args:
        method: of ``r`` dimensions.
        to_code: ``T (d, r)``.
        to_coordinates: ``T⁺ (r, d)``, with ``T⁺ T = I``.

    Raises:
        ValueError: these are no such maps.
    """
    forward, backward = np.asarray(to_code, np.float64), np.asarray(to_coordinates, np.float64)
    if forward.ndim != 2 or forward.shape[1] != method.dim or backward.shape != forward.shape[::-1]:
        raise ValueError(
            f"to_code has shape {forward.shape} and to_coordinates {backward.shape}; expected (d, {method.dim}) and "
            f"({method.dim}, d)."
        )
    error = np.abs(backward @ forward - np.eye(method.dim)).max()
    if not error < 1e-6:
        raise ValueError(f"to_coordinates @ to_code differs from the identity by {error:.1e}; expected a left inverse.")
    dim = len(forward)

    @in_double
    def init(mean: jax.Array, key: jax.Array) -> CoordinatesState:
        origin = start(mean, key, dim)
        inner = method.init(jnp.zeros(method.dim), key)
        return CoordinatesState(origin, jnp.asarray(forward), jnp.asarray(backward), inner)

    return AskTell(
        init,
        lambda state: _from(state, method.ask(state.inner)),
        lambda state, codes, scores: _tell(method, state, codes, scores),
        lambda state: _from(state, method.mean(state.inner)),
        lambda state: _health(method, state),
        dim,
        method.population,
        {"inner": method.options, "codes": dim},
    )


@in_double
def _from(state: CoordinatesState, u: jax.Array) -> jax.Array:
    return state.origin + u @ state.to_code.T


@in_double
def _tell(method: AskTell, state: CoordinatesState, codes: Any, scores: Any) -> CoordinatesState:
    codes, scores = told(state.origin, codes, scores, method.population or len(codes))
    asked = method.ask(state.inner)
    u = (codes - state.origin) @ state.to_coordinates.T
    same = (codes == _from(state, asked)).all(axis=1, keepdims=True)
    return state._replace(inner=method.tell(state.inner, jnp.where(same, asked, u), scores))


@in_double
def _health(method: AskTell, state: CoordinatesState) -> Health:
    return method.health(state.inner)


def _eigenpairs(pairs: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Values, vectors and noise floor, checked."""
    noise = float(getattr(pairs, "noise_floor", 0.0))
    values, vectors = (pairs.values, pairs.vectors) if hasattr(pairs, "vectors") else pairs
    values, vectors = np.asarray(values, np.float64), np.asarray(vectors, np.float64)
    if values.ndim != 1 or vectors.ndim != 2 or vectors.shape[1] != len(values) or not len(values):
        raise ValueError(
            f"the eigenpairs have values of shape {values.shape} and vectors of shape {vectors.shape}; expected (k,) "
            "and (d, k): vectors are columns."
        )
    if not (np.isfinite(values).all() and np.isfinite(vectors).all() and (np.diff(values) <= 0).all()):
        raise ValueError("the eigenvalues are not finite and descending; expected those of geomgan.eigenpairs.")
    return values, vectors, noise
