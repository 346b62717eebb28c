"""Matrices of directions, one a row: made orthonormal, cut to a part of the code, and those that were published."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.directions.collection import ORTHONORMAL, DirectionSet, direction_set, load
from geomgan.errors import OptionError, as_array, check_choice, check_finite
from geomgan.generators import Generator
from geomgan.paths.path import numpy_of

SearchSpace = str | tuple[int, int]
_THIRDS = ("coarse", "mid", "fine")
METHOD = "hessian-penalty"
# Of the published files, by their numbers: where they search, and what the paper calls some of their directions.
_PUBLISHED: dict[str, tuple[str, dict[int, str]]] = {
    "8a5e2737": ("all", {5: "rotation", 6: "zoom", 8: "smoosh"}),  # our_goldens
    "83999ed2": ("all", {4: "rotation", 14: "shifting", 55: "colorization"}),  # our_church
    "a3c83178": ("coarse", {}),
    "2d7d4121": ("mid", {0: "background removal", 5: "colorization", 8: "scene lighting", 25: "object lighting"}),
    "ecbd0358": ("fine", {1: "red filter", 5: "brightness", 13: "white filter", 20: "saturation"}),
    "53c54689": ("all", {}),  # voynov
}


def orthonormalised(A: Any) -> Any:
    """The rows of ``A (n, d)`` after Gram and Schmidt's process in their order, of unit length; differentiable.

    By Householder's QR decomposition of ``Aᵀ``, whose columns are those rows up to signs: the diagonal of ``R`` tells
    them. Rows must be independent.
    """
    xp = numpy_of(A)
    Q, R = xp.linalg.qr(A.T)
    return (Q * xp.where(xp.diagonal(R) < 0, -1, 1)).T


def part_of(space: SearchSpace, d: int) -> tuple[int, int]:
    """The coordinates ``first`` to ``last - 1`` that a search space names.

    Args:
        space: ``"all"``; a third of the code, ``"coarse"``, ``"mid"`` or ``"fine"``, of BigGAN the chunks of its first,
            middle and last blocks; or ``(first, last)``.
        d: dimensions of a code.

    Raises:
        OptionError: there is no such part.
    """
    if isinstance(space, str):
        check_choice(space, ("all", *_THIRDS), "search_space")
        if space == "all":
            return 0, d
        if d % 3:
            raise OptionError(
                f"search_space={space!r} is a third of the code, and {d} dimensions have none; expected a multiple of "
                "3. Pass search_space=(first, last)."
            )
        third = _THIRDS.index(space)
        return third * d // 3, (third + 1) * d // 3
    first, last = (int(end) for end in space)
    if not 0 <= first < last <= d:
        raise OptionError(f"search_space is {tuple(space)}; expected (first, last) with 0 <= first < last <= {d}.")
    return first, last


def padded(rows: Any, space: SearchSpace, d: int) -> Any:
    """Rows ``(n, last - first)`` of a part of the code as rows ``(n, d)``, zero elsewhere; pure."""
    first, last = part_of(space, d)
    return jnp.pad(rows, ((0, 0), (first, d - last)))


def first_rows(
    start: Any, key: jax.Array, n: int | None, space: SearchSpace, d: int, *, orthogonal: bool = True
) -> jax.Array:
    """The matrix ``(n, last - first)`` from which a search begins.

    Args:
        start: ``"random"``, Kaiming's normal, of variance 2 / columns; ``"coordinates"``, the axes; a file of
            :func:`geomgan.directions.save`; or rows, of the part's width or of the code's.
        key: for random rows.
        n: how many; by default all of the file or, otherwise, as many as the part has dimensions.
        space: the part of the code, see :func:`part_of`.
        d: dimensions of a code.
        orthogonal: they are to be made orthonormal.

    Raises:
        OptionError: there are more orthonormal directions than dimensions, or rows of another width, or fewer.
    """
    first, last = part_of(space, d)
    size = last - first
    if isinstance(start, str) and start in ("random", "coordinates"):
        n = _counted(size if n is None else n, size, orthogonal or start == "coordinates")
        if start == "coordinates":
            return jnp.eye(n, size)
        return jax.random.normal(key, (n, size)) * (2 / size) ** 0.5
    if isinstance(start, str | os.PathLike):
        what, rows = os.fspath(start), load(start).vectors.T
    else:
        what, rows = "start", checked_rows(start)
    if rows.shape[1] == d and not np.delete(rows, np.arange(first, last), axis=1).any():
        rows = rows[:, first:last]
    if rows.shape[1] != size:
        raise OptionError(
            f"{what} holds rows of {rows.shape[1]} numbers, and coordinates {first} to {last - 1} of {d} are searched; "
            f"expected {size}, or {d} with zeros elsewhere. It is for another width, or search_space."
        )
    n = _counted(len(rows) if n is None else n, size, orthogonal)
    if n > len(rows):
        raise OptionError(f"{what} holds {len(rows)} directions; expected at least {n}. Take a smaller number.")
    return jnp.asarray(rows[:n], jnp.float32)


def published_directions(
    matrix: Any, G: Generator, *, search_space: SearchSpace | None = None, names: Sequence[str] | None = None
) -> DirectionSet:
    """Directions from a matrix as the published code of the Hessian Penalty keeps it (Peebles et al., 2020).

    Rows that are not orthonormal yet are made so, in their order, as that code does when it reads them; those of
    ``voynov.pt`` are already. The six published files are known by their numbers: their part of the code, and the names
    that the paper gives to some of their directions. ``weights_convert.files.read_file`` reads a ``.pt`` file.

    Args:
        matrix: ``(n, d)`` or, of a part of the code, ``(n, last - first)``: one direction a row.
        G: the generator that they are of.
        search_space: the part, see :func:`part_of`; by default that of a published file, else the whole code.
        names: of the directions; by default the paper's, and numbers.

    Raises:
        OptionError: the matrix is of another width than the part of the code.
        ValueError: it is no matrix, or its rows are not independent.
    """
    rows = checked_rows(matrix)
    known, labels = _PUBLISHED.get(digest(rows), ("all", {}))
    space = known if search_space is None else search_space
    first, last = part_of(space, G.latent_dim)
    if rows.shape[1] != last - first:
        fix = "Name its part with search_space" if rows.shape[1] < G.latent_dim else "Load the model that it is of"
        raise OptionError(
            f"the matrix has rows of {rows.shape[1]} numbers; expected {last - first}, for search_space={space!r} of "
            f"the {G.latent_dim} dimensions of {G.name}. {fix}."
        )
    if len(rows) > rows.shape[1]:
        raise OptionError(f"{len(rows)} directions in {rows.shape[1]} dimensions cannot be orthonormal.")
    if np.linalg.matrix_rank(rows) < len(rows):
        raise ValueError("the rows of the matrix are not independent; expected directions that are.")
    already = np.abs(rows @ rows.T - np.eye(len(rows))).max() < ORTHONORMAL
    vectors = np.pad(rows if already else orthonormalised(rows), ((0, 0), (first, G.latent_dim - last))).T
    names = [labels.get(i, str(i)) for i in range(len(rows))] if names is None else list(names)
    settings = {"source": "published matrix", "search_space": [first, last]}
    return direction_set(G, vectors, METHOD, names=names, settings=settings, orthonormal=True)


def checked_rows(matrix: Any) -> np.ndarray:
    """A finite matrix in float64."""
    rows = np.asarray(as_array(matrix, "the matrix"))
    if rows.ndim != 2 or 0 in rows.shape or not np.issubdtype(rows.dtype, np.floating):
        raise ValueError(
            f"the matrix is {rows.dtype} of shape {rows.shape}; expected numbers (n, d), one direction a row."
        )
    check_finite(rows, "the matrix")
    return rows.astype(np.float64)


def digest(rows: np.ndarray) -> str:
    """Eight hexadecimal digits that tell a matrix of float32 from others."""
    return hashlib.sha256(np.ascontiguousarray(rows, "<f4").tobytes()).hexdigest()[:8]


def _counted(n: Any, size: int, orthogonal: bool) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise OptionError(f"ndirs is {n!r}; expected a positive integer.")
    if orthogonal and n > size:
        raise OptionError(
            f"ndirs is {n}; expected at most {size}, the dimensions of what is searched: no more directions can be "
            "orthonormal. Pass fewer, or orthogonal=False."
        )
    return int(n)
