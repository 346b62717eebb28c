"""The axes to go on with: a file beside the page, and the lines that use it."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from geomgan import analysis
from geomgan.brief import brief
from geomgan.eigen import eigenpairs
from geomgan.report.section import Section
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

FILE = "directions.npz"

READ = """\
import numpy as np

axes = np.load("directions.npz")
z, v = axes["codes"][0], axes["vectors"][0][:, 0]  # a code, and its first axis: unit length, largest change
# v = axes["mean_vectors"][:, 0]                   # or the first axis of the mean metric, for all codes
steps = np.linspace(-3, 3, 7, dtype=z.dtype)
walk = z + steps[:, None] * v                      # 7 codes: a row for each step"""

TORCH = f"""\
import torch
{READ}
with torch.no_grad():
    samples = generator(torch.from_numpy(walk))    # your module; reshape the codes (7, d) as it takes them"""

JAX = """\
import geomgan
import jax
{read}
G = {generator}
samples = jax.vmap(G)(walk)"""


@brief
@dataclass(frozen=True)
class MeanAxes:
    """Eigenpairs of the mean metric over the finished codes.

    Attributes:
        values: ``(d,)``, descending.
        vectors: ``(d, d)``, columns.
    """

    values: np.ndarray
    vectors: np.ndarray


def _mean_axes(subject: Subject, _: Results) -> MeanAxes:
    pairs = eigenpairs(analysis.mean_metric(subject.field), solver="dense")
    return MeanAxes(np.asarray(pairs.values), np.asarray(pairs.vectors))


def _file(subject: Subject, mean: MeanAxes) -> bytes:
    """The axes as ``.npz``, in the type of the network: vectors that are added to codes leave these what they are."""
    dtype, finished, data = np.dtype(subject.G.dtype), subject.field.finished, io.BytesIO()
    vectors = np.stack([np.asarray(subject.field.vectors[i])[:, : subject.top] for i in finished])
    arrays = {
        "codes": np.asarray(subject.field.codes)[finished].astype(dtype),
        "vectors": vectors.astype(dtype),
        "eigenvalues": np.asarray(subject.field.values)[finished, : subject.top],
        "mean_vectors": mean.vectors.astype(dtype),
        "mean_eigenvalues": mean.values,
    }
    np.savez(data, **arrays)
    return data.getvalue()


def _tell(subject: Subject, mean: MeanAxes) -> Section:
    see = (
        "{file}, beside this page, holds {codes} codes (n, d), the first {top} axes of each as columns of vectors "
        "(n, d, {top}) with their eigenvalues, and all axes of the mean metric, mean_vectors (d, d), with "
        "mean_eigenvalues: one frame for all codes, whose first axes the table shows. A step t along an "
        "axis changes the sample by about the speed √λ times t (for the mean metric: in the root mean square over "
        "codes), as far as the axis can be trusted."
    )
    facts = {"file": FILE, "codes": len(subject.field.finished), "top": subject.top}
    few = np.maximum(mean.values[: subject.top], 0)
    table = {
        "axis of the mean metric": np.arange(1, len(few) + 1),
        "eigenvalue": few,
        "speed √λ, distance per latent unit": np.sqrt(few),
        "share of the trace up to here": np.cumsum(few) / max(float(np.maximum(mean.values, 0).sum()), 1e-300),
    }
    code = {"With PyTorch": TORCH, "With JAX": JAX.format(read=READ, generator=subject.opened)}
    files = {FILE: _file(subject, mean)}
    return Section("directions", "Use these directions", see, facts, table, table, code=code, files=files)


DIRECTIONS = Triple("directions", _tell, MeanAxes, _mean_axes)
