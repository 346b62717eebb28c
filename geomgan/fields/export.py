"""Metric fields as the files that GAN-Geometry's own tools read."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from geomgan.fields.field import MetricField
from geomgan.runs.files import local_path, writing, written
from geomgan.runs.store import DONE, NOT_CONVERGED


class Exported(NamedTuple):
    """How many codes became files, and how many have nothing to write: failed, or not computed yet."""

    written: int
    skipped: int


def export_npz(store: str | os.PathLike[str] | MetricField, out: str | os.PathLike[str]) -> Exported:
    """Write a metric field as ``Hess_BP_000.npz``, ``Hess_BP_001.npz``, ..., one file for each finished code.

    That is the format of GAN-Geometry (``scan_hess_npz``), whose ``H`` is the Hessian of the squared distance, twice
    our metric tensor, and whose eigenvalues ascend. The number in the name is the code's. Each file holds

    ``eva_BP``  ``(k,)`` float64, eigenvalues of ``H``, ascending;
    ``evc_BP``  ``(d, k)`` float32, eigenvectors in its columns, in the same order;
    ``H_BP``    ``(d, d)`` float32; of a field that knows only its top pairs, ``U diag(2 λ) Uᵀ``;
    ``feat``    ``(1, d)``, the code.

    Each file is written whole or not at all.

    Args:
        store: what :func:`geomgan.metric_field` wrote, or the field itself.
        out: a folder, created if need be.

    Raises:
        StoreError: there is no field in ``store``, or ``out`` cannot be written.
    """
    field = store if isinstance(store, MetricField) else MetricField.read(store)
    folder = local_path(out)
    finished = np.flatnonzero(np.isin(field.status, (DONE, NOT_CONVERGED)))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for i in finished:
        with written(folder / f"Hess_BP_{i:03d}.npz") as temporary:
            np.savez(temporary, **_contents(field, int(i)))  # type: ignore[arg-type]
    return Exported(len(finished), len(field.status) - len(finished))


def _contents(field: MetricField, i: int) -> dict[str, np.ndarray]:
    found = np.isfinite(field.values[i])  # ARPACK leaves out what did not converge
    values, vectors = field.values[i, found][::-1], field.vectors[i][:, found][:, ::-1]
    g = (vectors * values) @ vectors.T if field.tensors is None else field.tensors[i]
    single = {"evc_BP": vectors, "H_BP": 2 * g}
    return {
        "eva_BP": 2 * values,
        **{name: array.astype(np.float32) for name, array in single.items()},
        "feat": field.codes[i : i + 1],
    }
