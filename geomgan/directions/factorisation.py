"""SeFa: the directions that the first layers of a network answer to most (Shen and Zhou, CVPR 2021).

A layer ``z ↦ Aᵀz + b`` moves by ``Aᵀv`` where the code moves by ``v``, whatever the code is. The directions of the
largest ``‖Aᵀv‖`` are the eigenvectors of ``A Aᵀ``: closed form, no samples, no gradients.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.fit import driven_rows
from geomgan.eigen import eigenpairs
from geomgan.errors import OptionError, as_array, check_count, check_finite
from geomgan.generators import Generator
from geomgan.generators.first_layers import first_layers

NOISE = 1e-10  # of eigenvalues, relative: float32 weights in sums of float64; smaller ones move nothing
_RANGE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")


def sefa(
    G: Generator, k: int | None = None, *, layers: str | Sequence[int] = "all", normalize: bool = True
) -> DirectionSet:
    """The directions that move the first layers of a generator most, in descending order of ``score["eigenvalue"]``.

    What these layers are, the architecture says: the affine maps from ``w`` to styles of StyleGANs, of which a row of
    ``w+`` has one (the convolution's, where an image layer shares its row; the last image layer alone in the last row);
    the projection to the first map of DCGAN, SNGAN and PGGAN; that projection, and the gains and shifts of each block,
    in BigGANs. Of other networks it is the last named activation that is an affine function of the code.

    Args:
        G: the generator. StyleGANs in ``w`` or ``w+``: their layers take no ``z``.
        k: how many; by default all that move the layers, which are the rank of ``A``.
        layers: whose matrices stand side by side in ``A``, from 0: ``"all"``, ``"0-1"``, ``"2,5-6"`` or numbers. In
            StyleGANs the directions then move these rows of ``w+`` alone.
        normalize: columns of ``A``, one for each output of a layer, to unit length, as published. Without it strong
            outputs count more: the factorisation of rosinality's StyleGAN2 (which takes the first image layer along).

    Returns:
        Orthonormal directions; of separate rows of ``w+`` such as ``"2,5-6"`` the same vector in each of them.

    Raises:
        OptionError: there are no such layers, the generator's space is not what they take, or separate rows were asked
            for in ``w``.
        ValueError: ``k`` is larger than the rank.
    """
    matrices = list(first_layers(G).items())
    chosen = layer_numbers(layers, len(matrices))
    names = [matrices[i][0] for i in chosen]
    values, vectors = factorised(np.concatenate([matrices[i][1] for i in chosen], axis=1), k, normalize=normalize)
    found: dict[str, Any] = {
        "settings": {"layers": names, "normalize": normalize},
        "scores": {"eigenvalue": values},
        "orthonormal": True,
    }
    rows = driven_rows(G)
    if rows is None or G.space not in ("w", "w+"):
        return direction_set(G, vectors, "sefa", **found)
    if len(chosen) == len(matrices):
        return direction_set(G, vectors, "sefa", space="w", **found)
    first, last = chosen[0], chosen[-1] + 1
    if last - first == len(chosen):
        return direction_set(G, vectors, "sefa", space="w", layers=(rows[0] + first, rows[0] + last), **found)
    if G.space != "w+":
        raise OptionError(f"layers={layers!r} are not one range, and codes of w move all. Load it with space='w+'.")
    tiled = np.zeros((len(matrices), *vectors.shape))
    tiled[chosen] = vectors / np.sqrt(len(chosen))
    return direction_set(G, tiled.reshape(-1, len(values)), "sefa", scales=np.sqrt(len(chosen)), **found)


def factorised(A: Any, k: int | None = None, *, normalize: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The directions of the largest ``‖Aᵀv‖``: eigenpairs of ``A Aᵀ``, in float64.

    The original calls a solver for unsymmetric matrices, which sorts nothing and may return complex pairs; these are
    the same, descending.

    Args:
        A: ``(d, out)``: a layer is ``z ↦ Aᵀz + b``.
        k: how many; by default as many as ``A`` has rank.
        normalize: columns to unit length; those of zeros, of outputs that are cut off, stay as they are.

    Returns:
        Eigenvalues ``(k,)``, descending, and vectors ``(d, k)``, whose component of largest magnitude is positive.

    Raises:
        ValueError: ``A`` is no finite matrix, or ``k`` is larger than its rank.
    """
    A = np.asarray(as_array(A, "A"), np.float64)
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(f"A has shape {A.shape}; expected (d, out): a row for each dimension of the code.")
    check_finite(A, "A")
    if normalize:
        lengths = np.linalg.norm(A, axis=0)
        A = A / np.where(lengths == 0, 1, lengths)
    e = eigenpairs(A @ A.T, solver="dense")
    rank = int((e.values > NOISE * e.values[0]).sum())
    if k is not None:
        check_count(k, rank, "k", f": only so many directions move these layers, of {len(A)} dimensions")
    return e.values[: k or rank], e.vectors[:, : k or rank]


def layer_numbers(layers: str | Sequence[int], count: int) -> list[int]:
    """The numbers, from 0 and ascending, that ``"all"``, ``"0-1"``, ``"2,5-6"`` or a sequence means among ``count``.

    Raises:
        OptionError: it means none, or some that are not there.
    """
    if isinstance(layers, str) and layers.strip() != "all":
        parts = [_RANGE.fullmatch(part) for part in layers.split(",")]
        numbers = [n for part in parts if part for n in range(int(part[1]), int(part[2] or part[1]) + 1)]
        known = all(part and int(part[1]) <= int(part[2] or part[1]) for part in parts)
    else:
        numbers = list(range(count)) if isinstance(layers, str) else [int(n) for n in layers]
        known = True
    if not known or not numbers or min(numbers) < 0 or max(numbers) >= count:
        raise OptionError(
            f"layers={layers!r}; expected 'all', or numbers from 0 to {count - 1} such as '0-1' or '0,2-3'."
        )
    return sorted(set(numbers))
