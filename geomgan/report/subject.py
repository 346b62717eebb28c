"""What a report is of: a generator under a distance, its metric field, and the fields that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax.core import FrozenDict

from geomgan.brief import brief
from geomgan.distances import Distance
from geomgan.eigen import Eigenpairs
from geomgan.fields import MetricField
from geomgan.generators import Generator
from geomgan.plot.images import is_image

CONTROL = "shuffled weights"


@brief
@dataclass(frozen=True)
class Subject:
    """What every triple of the report is given.

    Attributes:
        name: what the page calls the model.
        G, D: generator and distance, bound to each other.
        field: the metric field.
        control: the generator with shuffled weights and its field at the same codes, if there is one.
        other: name and field of another distance at the same codes, if there is one.
        layers: whether the layers of the generator are compared.
        top: axes to show.
        key: for everything random.
        opened: the expression that gives the generator, for code to copy.
        progress: whether long parts show a progress bar.
    """

    name: str
    G: Generator
    D: Distance
    field: MetricField
    control: tuple[Generator, MetricField] | None
    other: tuple[str, MetricField] | None
    layers: bool
    top: int
    key: jax.Array
    opened: str
    progress: bool = True

    @property
    def fields(self) -> dict[str, MetricField]:
        """The fields by their labels, the model's first."""
        return {self.name: self.field} | ({CONTROL: self.control[1]} if self.control else {})

    @property
    def undefined(self) -> dict[str, Any]:
        """What numpy does where a statistic is undefined: those of a metric that is zero are not told as numbers."""
        return {} if np.any(self.field.values[self.field.finished]) else {"divide": "raise", "invalid": "raise"}

    @property
    def first(self) -> int:
        """The code whose axes are shown: the first finished one."""
        return int(self.field.finished[0])

    def pairs(self, i: int) -> Eigenpairs:
        """All eigenpairs of a code, as the field holds them."""
        f = self.field
        values, residuals = np.asarray(f.values[i]), np.asarray(f.residuals[i])
        info: FrozenDict[str, str] = FrozenDict(solver=str(f.provenance.get("solver", "unknown")))
        floor = float(f.noise_floor[i])
        error = float(f.relative_error[i])
        return Eigenpairs(values, np.asarray(f.vectors[i]), residuals, floor, np.isfinite(residuals), info, error)

    def metric(self, i: int) -> np.ndarray:
        """The tensor ``(d, d)`` of a code, from its eigenpairs where no tensors are kept."""
        if self.field.tensors is not None:
            return np.asarray(self.field.tensors[i])
        pairs = self.pairs(i)
        return (pairs.vectors * pairs.values) @ pairs.vectors.T

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """That code, its first eigenvectors as columns, and their eigenvalues."""
        i = self.first
        return self.field.codes[i], np.asarray(self.field.vectors[i])[:, : self.top], self.field.values[i, : self.top]

    @property
    def images(self) -> bool:
        """Whether the samples can be shown."""
        return is_image(self.G.sample_shape.shape)


def called(D: Distance, name: str) -> str:
    """What a page calls a distance: another one where samples are interpolated to another size first."""
    size = getattr(getattr(D.embedding, "images", None), "size", None)
    return f"{name} at {' x '.join(map(str, dict.fromkeys(size)))} px" if size else name


def several(subject: Subject) -> dict[str, MetricField]:
    """The fields that hold several codes, so that these can be compared."""
    return {label: field for label, field in subject.fields.items() if len(field.finished) > 1}
