"""What a report is made of: fields of a model and its control, and the statistics that several sections share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np

from geomgan import analysis
from geomgan.analysis import Anisotropy, Consistency, LayerAlignment
from geomgan.distances import Distance
from geomgan.fields import MetricField
from geomgan.generators import Generator
from geomgan.metric.linear import forward_flops
from geomgan.metric.tensor import bind

SHARES = (0.9, 0.99, 0.999, 0.9999)
LAYER_WORK = 3e12  # FLOPs up to which layers are compared without being asked for
CONTROL = "shuffled weights"
VARIED = 16  # codes whose samples are compared


@dataclass(frozen=True)
class Findings:
    """What was computed of a model, for all sections.

    Attributes:
        name: of the model.
        G, D: generator and distance.
        field: its metric field.
        control: that of the generator with shuffled weights at the same codes, if there is one.
        contrast: how much the control's samples differ between codes (mean standard deviation), relative to the
            model's; NaN without a control. A dead control says little.
        other: name of another distance and its field at the same codes, if there is one.
        alignment: of its layers at the first code, if they were compared.
        top: axes to show.
        key: for everything random.
        anisotropies: of each field, by its label.
        consistencies: of each field with several codes.
        shared: mean share of one code's trace in another's axes, with its interval, of the same fields.
    """

    name: str
    G: Generator
    D: Distance
    field: MetricField
    control: MetricField | None
    contrast: float
    other: tuple[str, MetricField] | None
    alignment: LayerAlignment | None
    top: int
    key: jax.Array
    anisotropies: Mapping[str, Anisotropy]
    consistencies: Mapping[str, Consistency]
    shared: Mapping[str, tuple[float, float, float]]

    @property
    def fields(self) -> dict[str, MetricField]:
        """The fields by their labels, the model's first."""
        return {self.name: self.field} | ({CONTROL: self.control} if self.control else {})

    @property
    def first(self) -> int:
        """The code whose axes are shown: the first finished one."""
        return int(self.field.finished[0])

    def metric(self, i: int) -> np.ndarray:
        """The tensor ``(d, d)`` of a code, from its eigenpairs where no tensors are kept."""
        if self.field.tensors is not None:
            return np.asarray(self.field.tensors[i])
        vectors = np.asarray(self.field.vectors[i])
        return (vectors * self.field.values[i]) @ vectors.T

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """That code, its first eigenvectors as columns, and their eigenvalues."""
        i = self.first
        return self.field.codes[i], np.asarray(self.field.vectors[i])[:, : self.top], self.field.values[i, : self.top]

    @property
    def images(self) -> bool:
        """Whether the samples can be shown."""
        shape = self.G.sample_shape.shape
        return len(shape) == 3 and shape[-1] in (1, 3)


def measure(
    name: str,
    G: Generator,
    D: Distance,
    field: MetricField,
    control: tuple[Generator, MetricField] | None,
    other: tuple[str, MetricField] | None,
    *,
    layers: bool | None,
    top: int,
    key: jax.Array,
) -> Findings:
    """The shared statistics; ``layers`` None compares layers where that is little work."""
    D = bind(G, D)
    fields = {name: field} | ({CONTROL: control[1]} if control else {})
    several = {label: f for label, f in fields.items() if len(f.finished) > 1}
    if layers is None:
        layers = bool(G.layers) and forward_flops(G, D) * G.latent_dim * len(G.layers) <= LAYER_WORK
    alignment = None
    if layers:
        metrics = analysis.layer_metrics(G, D, field.codes[field.finished[0]], progress=True)
        alignment = analysis.layer_alignment(metrics, above_floor=True)
    return Findings(
        name=name,
        G=G,
        D=D,
        field=field,
        control=control[1] if control else None,
        contrast=_variation(control[0], field.codes) / _variation(G, field.codes) if control else float("nan"),
        other=other,
        alignment=alignment,
        top=top,
        key=key,
        anisotropies={label: analysis.anisotropy(f, SHARES) for label, f in fields.items()},
        consistencies={label: analysis.consistency(f, progress=True, above_floor=True) for label, f in several.items()},
        shared={label: analysis.pair_interval(analysis.shared_trace(f)) for label, f in several.items()},
    )


def _variation(G: Generator, codes: np.ndarray) -> float:
    """Standard deviation over a few codes, mean over the values of a sample."""
    samples = np.stack([np.asarray(G(z), np.float64) for z in codes[:VARIED]])
    return max(float(samples.std(axis=0).mean()), float(np.finfo(np.float32).tiny))
