"""Figures and animations: every function takes results and returns a matplotlib figure, or writes an animation."""

from typing import TYPE_CHECKING

from geomgan import entry, moved
from geomgan.plot.animation import animate
from geomgan.plot.axes import axes_montage, distance_curves, references_montage
from geomgan.plot.compare import comparison, eigenspaces
from geomgan.plot.directions import direction_previews, traversal, traversal_film
from geomgan.plot.directions_law import isotropy_illusion
from geomgan.plot.discovery import direction_scores, directions_montage, factor_cosines, method_overlap
from geomgan.plot.earlier import axis_on_many, spectrum_pages
from geomgan.plot.files import png, save, svg
from geomgan.plot.geodesics import (
    correlation_matrices,
    distance_gone,
    image_sequences,
    improvement_bars,
    improvement_histogram,
)
from geomgan.plot.homogeneity import (
    consistency_against_distance,
    consistency_histogram,
    consistency_matrix,
    consistency_scatter,
    consistency_synopsis,
)
from geomgan.plot.images import displayable, image_grid
from geomgan.plot.inversion import loss_curves, reconstructions
from geomgan.plot.layers import amplification_curves, layer_matrix, layer_scatter
from geomgan.plot.null_space import compression, equivalent_directions, null_space, trust_radius
from geomgan.plot.spectrum import spectra, spectrum
from geomgan.plot.training import training_curves
from geomgan.plot.volume import volume
from geomgan.plot.warps import attribute_curves, path_film, path_strip, ranking_matrix

__all__ = [
    "amplification_curves",
    "animate",
    "attribute_curves",
    "axes_montage",
    "axis_on_many",
    "comparison",
    "compression",
    "consistency_against_distance",
    "consistency_histogram",
    "consistency_matrix",
    "consistency_scatter",
    "consistency_synopsis",
    "correlation_matrices",
    "direction_previews",
    "direction_scores",
    "directions_montage",
    "displayable",
    "distance_curves",
    "distance_gone",
    "eigenspaces",
    "equivalent_directions",
    "factor_cosines",
    "image_grid",
    "image_sequences",
    "improvement_bars",
    "improvement_histogram",
    "isotropy_illusion",
    "layer_matrix",
    "layer_scatter",
    "loss_curves",
    "method_overlap",
    "null_space",
    "path_film",
    "path_strip",
    "png",
    "ranking_matrix",
    "reconstructions",
    "references_montage",
    "save",
    "spectra",
    "spectrum",
    "spectrum_pages",
    "svg",
    "training_curves",
    "traversal",
    "traversal_film",
    "trust_radius",
    "volume",
]

entry.guard(__name__)

if not TYPE_CHECKING:  # type checkers know the names of today only
    __getattr__ = moved.names(__name__)
