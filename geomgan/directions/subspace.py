"""A generator restricted to a subspace of its codes: a block of the code, some style layers, any columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.directions.direction import Layers
from geomgan.directions.fit import ROWS, driven_rows
from geomgan.errors import OptionError, as_array, check_code, check_finite
from geomgan.generators import Generator
from geomgan.generators.generator import standard_normal
from geomgan.generators.network import PyTree

ORTHONORMAL = 1e-3  # of |BᵀB - I|: so far may columns be from orthonormal


@dataclass(frozen=True)
class Within:
    """``(params, u) -> function(whole, z + B u)``, equal by value: all codes and bases share compiled programs."""

    function: Callable[[PyTree, jax.Array], Any]

    def __call__(self, params: PyTree, u: jax.Array) -> Any:
        return self.function(params["whole"], params["code"] + params["basis"] @ u)


def restricted(G: Generator, z: Any, basis: Any) -> Generator:
    """``u -> G(z + B u)``: the generator on the plane through a code that the columns of ``B (d, m)`` span.

    Its metric at ``u = 0`` is ``Bᵀ g(z) B``, for the cost of ``m`` tangents instead of ``d``.

    Raises:
        ValueError: shapes do not fit, or a number is not finite.
    """
    z, basis = check_code(z, G.latent_dim), as_array(basis, "basis")
    if np.ndim(basis) != 2 or basis.shape[0] != G.latent_dim or basis.shape[1] == 0:
        raise ValueError(f"basis has shape {np.shape(basis)}; expected ({G.latent_dim}, m): columns.")
    check_finite(basis, "basis")
    params = {"whole": G.params, "code": jnp.asarray(z, G.dtype), "basis": jnp.asarray(basis, G.dtype)}
    return Generator(params, Within(G.function), standard_normal, basis.shape[1], G.output_range, G.name)


def block_basis(dim: int, within: Any) -> np.ndarray:
    """The orthonormal columns ``(d, m)`` that ``within`` says: a slice of the code, or such columns themselves.

    Raises:
        ValueError: the slice is empty, or the columns are not orthonormal.
    """
    if isinstance(within, slice):
        basis = np.eye(dim)[:, within]
        if not basis.size:
            raise ValueError(f"within={within} has no dimension of {dim}; expected some, such as slice(0, {dim // 2}).")
        return basis
    basis = np.asarray(as_array(within, "within"), np.float64)
    if basis.ndim != 2 or basis.shape[0] != dim or not 0 < basis.shape[1] <= dim:
        raise ValueError(f"within has shape {basis.shape}; expected a slice, or columns ({dim}, m) with m up to {dim}.")
    off = np.abs(basis.T @ basis - np.eye(basis.shape[1])).max()
    if not off <= ORTHONORMAL:
        raise ValueError(f"within is not orthonormal: |BᵀB - I| is {off:.2g}. Pass numpy.linalg.qr(within)[0].")
    return basis


def layers_basis(G: Generator, layers: Layers) -> np.ndarray:
    """``(L w, w)``: one ``w`` in the rows of ``w+`` from ``a`` to ``b - 1``, and zero in the others; so of ``z+``.

    Raises:
        OptionError: the codes are not of ``w+`` or ``z+``, of all layers, or there are no such layers.
    """
    rows = driven_rows(G)
    if G.space not in ROWS or rows is None or rows[0]:
        raise OptionError(
            f"layers={layers} are rows of a code of w+, and codes of {G.name} are in {G.space}. Load it with "
            "space='w+' (a BigGAN-deep with space='z+'), and without layers=."
        )
    first, last = layers
    if not 0 <= first < last <= rows[1]:
        raise OptionError(f"layers={layers}; expected (a, b), 0 <= a < b <= {rows[1]}: there are {rows[1]} of them.")
    weight = np.zeros((rows[1], 1))
    weight[first:last] = 1.0
    return np.kron(weight, np.eye(G.latent_dim // rows[1]))
