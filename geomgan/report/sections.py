"""The parts of a report, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

from geomgan.report import of_axes, of_fields
from geomgan.report.findings import Findings
from geomgan.report.page import Section


def sections(found: Findings) -> list[Callable[[Findings], Section]]:
    """Makers of all sections that these findings allow: images need images, homogeneity several codes."""
    codes = len(found.field.finished)
    wanted: list[tuple[Callable[[Findings], Section], bool]] = [
        (of_axes.montage, found.images),
        (of_axes.animation, found.images),
        (of_fields.spectrum, True),
        (of_fields.anisotropy, True),
        (of_fields.illusion, True),
        (of_fields.homogeneity, codes > 1),
        (of_fields.matrix, codes > 1),
        (of_fields.scatter, codes > 1),
        (of_fields.against_distance, codes > 3),
        (of_axes.many, found.images and codes > 1),
        (of_axes.curves, True),
        (of_axes.trust, True),
        (of_axes.null_space, found.G.latent_dim > 1),
        (of_axes.compression, codes > 1),
        (of_fields.layers, found.alignment is not None),
        (of_fields.alignment, found.alignment is not None),
        (of_fields.comparison, found.other is not None),
    ]
    return [make for make, allowed in wanted if allowed]
