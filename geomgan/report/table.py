"""The triples of a report, in the order of the page: a new part is a triple in a list here."""

from __future__ import annotations

from geomgan.report import alike, axes, layers, moving, other, reach, spectra, use
from geomgan.report.triple import Triple

TRIPLES: tuple[Triple, ...] = (
    axes.MONTAGE,
    moving.MOVING,
    spectra.SPECTRUM,
    spectra.ANISOTROPY,
    spectra.RANDOM_DIRECTIONS,
    alike.HOMOGENEITY,
    alike.CONSISTENCY,
    alike.PAIRS,
    alike.LATENT_DISTANCE,
    axes.ONE_AXIS,
    axes.CURVES,
    reach.TRUST_RADIUS,
    reach.NULL_SPACE,
    reach.COMPRESSION,
    layers.AMPLIFICATION,
    layers.ALIGNMENT,
    other.DISTANCES,
    use.DIRECTIONS,
)
"""What a report consists of, in its order: computed, drawn and told by one triple each."""
