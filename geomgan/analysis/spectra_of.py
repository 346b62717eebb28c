"""What every statistic takes: the eigenpairs of a metric field, or of a stack of tensors, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.eigen.dense import check_symmetric, largest_pairs
from geomgan.errors import as_array, check_finite, check_floating
from geomgan.fields.field import MetricField

ASYMMETRY = 1e-4  # of the largest entry: rounding of single precision is below it, a wrong matrix is not


@brief
@dataclass(frozen=True)
class Spectra:
    """Eigenpairs of the ``P`` finished codes of a field, or of a stack of ``P`` tensors.

    Attributes:
        values: ``(P, k)`` float64, descending; ``k`` is ``d`` unless part of a spectrum was allowed.
        vectors: ``(P, d, k)`` float64, columns; the component of largest magnitude is positive. Empty, ``(P, d, 0)``,
            where vectors were not asked for.
        tensors: ``(P, d, d)`` float64. Empty, ``(P, 0, 0)``, where vectors were not asked for.
        codes: ``(P, d)``, or None for a stack of tensors.
        noise_floor: ``(P,)``, eigenvalues below it are rounding noise.
        left_out: how many codes of the field were pending or failed.
        indices: ``(P,)``, place of each code in what was given.
    """

    values: np.ndarray
    vectors: np.ndarray
    tensors: np.ndarray
    codes: np.ndarray | None
    noise_floor: np.ndarray
    left_out: int
    indices: np.ndarray


def spectra_of(
    field: MetricField | Any,
    what: str,
    least: int = 1,
    vectors: bool = True,
    *,
    partial: bool = False,
    progress: bool = False,
) -> Spectra:
    """The eigenpairs that a statistic is made of.

    Pending and failed codes of a field are left out and counted. A stack is decomposed in float64; the noise floor
    of its tensors is ``d ε max|λ|`` with the rounding ``ε`` of the type they came in.

    Args:
        field: a :class:`MetricField`, or symmetric tensors ``(P, d, d)``.
        what: the statistic, for messages: ``"consistency"``.
        least: how many codes it needs.
        vectors: whether eigenvectors and tensors are needed; if not, they are neither computed nor read from disk.
        partial: whether fewer than ``d`` eigenvalues will do. ``tensors`` then hold what the pairs explain, where the
            field has no tensors.
        progress: show a progress bar while a stack is decomposed.

    Raises:
        TypeError: a stack is not floating point.
        ValueError: shapes are wrong, a stack is not symmetric (to 1e-4 of its largest entry) or not finite, the field
            holds part of its spectra, or there are too few finished codes.
    """
    if isinstance(field, MetricField):
        return _of_field(field, what, least, vectors, partial)
    return _of_stack(field, what, least, vectors, progress)


def _of_field(field: MetricField, what: str, least: int, vectors: bool, partial: bool) -> Spectra:
    kept = field.finished
    (n, dim), k = field.codes.shape, field.values.shape[1]
    if not len(kept):
        raise ValueError("the field holds no finished code. Call metric_field again to finish it.")
    _check_count(len(kept), least, what, f"the field holds {len(kept)} finished of {n} codes")
    if k != dim and not partial:
        raise ValueError(f"the field holds {k} of {dim} eigenvalues; {what} needs all of them. Compute it with k=None.")
    rows = slice(None) if len(kept) == n else kept  # all of them: no copy
    values = np.asarray(field.values[rows], np.float64)
    frames, tensors = np.empty((len(kept), dim, 0)), np.empty((len(kept), 0, 0))
    if vectors:
        frames = np.asarray(field.vectors, np.float64)[rows]
        if field.tensors is not None:
            tensors = np.asarray(field.tensors, np.float64)[rows]
        else:
            tensors = (frames * values[:, None, :]) @ np.swapaxes(frames, 1, 2)
    return Spectra(values, frames, tensors, np.asarray(field.codes)[kept], field.noise_floor[kept], n - len(kept), kept)


def _of_stack(stack: Any, what: str, least: int, vectors: bool, progress: bool) -> Spectra:
    from tqdm import tqdm

    stack = as_array(stack, "the stack of tensors")
    shape = np.shape(stack)
    if len(shape) != 3 or shape[1] != shape[2] or 0 in shape:
        fix = "g[None] makes a stack of one" if len(shape) == 2 and shape[0] == shape[1] else "one tensor for each code"
        raise ValueError(f"tensors have shape {shape}; expected a MetricField or a stack (P, d, d): {fix}.")
    check_floating(stack, "the stack of tensors")
    check_finite(stack, "the stack of tensors")
    count, dim = shape[:2]
    _check_count(count, least, what, f"the stack holds {count}")
    epsilon = float(jnp.finfo(stack.dtype if hasattr(stack, "dtype") else np.float64).eps)
    tensors = np.asarray(stack, np.float64)
    check_stack(tensors)
    values, frames = np.empty((count, dim)), np.empty((count, dim, dim if vectors else 0))
    for p in tqdm(range(count), desc="eigenpairs", unit="code", disable=not progress):
        if vectors:
            values[p], frames[p], _ = largest_pairs(tensors[p], dim)
        else:
            values[p] = np.linalg.eigvalsh(tensors[p])[::-1]
    floor = dim * epsilon * np.abs(values).max(axis=1)
    kept = tensors if vectors else np.empty((count, 0, 0))
    return Spectra(values, frames, kept, None, floor, 0, np.arange(count))


def check_stack(tensors: np.ndarray) -> None:
    """Raise ``ValueError`` naming the first of the tensors ``(P, d, d)`` that differs from its transpose."""
    for p, tensor in enumerate(tensors):
        check_symmetric(tensor, f"tensor {p}", ASYMMETRY)


def _check_count(count: int, least: int, what: str, got: str) -> None:
    if count < least:
        undefined = "It compares codes, so it is undefined for one code. " if least == 2 and count == 1 else ""
        raise ValueError(f"{what} needs at least {least} codes; {got}. {undefined}Compute the metric at more codes.")
