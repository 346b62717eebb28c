"""The axes to go on with: a file beside the page, and the lines that use it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan import analysis
from geomgan.brief import brief
from geomgan.directions import direction_set
from geomgan.directions.collection import content
from geomgan.directions.metric_axes import METHOD
from geomgan.eigen import eigenpairs
from geomgan.report.section import Section
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

FILE, MEAN = "directions.npz", "axes-mean.npz"

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

OWN = """\
import geomgan
import jax
G = {generator}
found = geomgan.directions.load("axes-mean.npz", G)
codes = G.sample_latent(jax.random.key(0), 4)
walks = geomgan.directions.traverse(G, found, codes, [-3, 0, 3])  # walks.samples (4, {top}, 3, ...)"""


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


def _axes(subject: Subject, values: np.ndarray, vectors: np.ndarray, of: Mapping[str, Any]) -> bytes:
    """The first axes of one metric as a file of :func:`geomgan.directions.save`."""
    scores = {"eigenvalue": values[: subject.top]}
    names, settings = [f"axis {i + 1}" for i in range(subject.top)], {"distance": subject.D.name, **of}
    columns = vectors[:, : subject.top]
    return content(
        direction_set(subject.G, columns, METHOD, names=names, settings=settings, scores=scores, orthonormal=True)
    )


def _tell(subject: Subject, mean: MeanAxes) -> Section:
    _, vectors, values = subject.axes
    own = f"axes-code{subject.first}.npz"
    see = (
        "{mean}, the first {top} axes of the mean metric, and {own}, those of code {code}, are files of directions: "
        "geomgan traverse and geomgan apply take them, and the explorer opens them. {file}, beside this page, has "
        "plain arrays for any program: {codes} codes (n, d), the first {top} axes of each as columns of vectors "
        "(n, d, {top}) with their eigenvalues, and all axes of the mean metric, mean_vectors (d, d), with "
        "mean_eigenvalues: one frame for all codes, whose first axes the table shows. A step t along an axis changes "
        "the sample by about the speed √λ times t (for the mean metric: in the root mean square over codes), as far as "
        "the axis can be trusted."
    )
    facts = {"file": FILE, "codes": len(subject.field.finished), "top": subject.top}
    facts |= {"mean": MEAN, "own": own, "code": subject.first}
    few = np.maximum(mean.values[: subject.top], 0)
    table = {
        "axis of the mean metric": np.arange(1, len(few) + 1),
        "eigenvalue": few,
        "speed √λ, distance per latent unit": np.sqrt(few),
        "share of the trace up to here": np.cumsum(few) / max(float(np.maximum(mean.values, 0).sum()), 1e-300),
    }
    code = {"With PyTorch": TORCH, "With JAX": JAX.format(read=READ, generator=subject.opened)}
    code |= {"With geomgan": OWN.format(generator=subject.opened, top=subject.top)}
    files = {
        FILE: _file(subject, mean),
        MEAN: _axes(subject, mean.values, mean.vectors, {"codes": len(subject.field.finished)}),
        own: _axes(subject, values, vectors, {"code": subject.first}),
    }
    how: dict[str, Any] = {"code": code, "files": files, "carried": (MEAN, own)}
    return Section("directions", "Use these directions", see, facts, table, table, **how)


DIRECTIONS = Triple("directions", _tell, MeanAxes, _mean_axes)
