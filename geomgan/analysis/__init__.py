"""Statistics of metric fields."""

from geomgan import entry
from geomgan.analysis.compare import Comparison, Correspondence, compare, eigenspaces
from geomgan.analysis.compression import Compression, compression
from geomgan.analysis.consistency_examples import (
    ConsistencyExamples,
    Scatter,
    consistency_example,
    consistency_examples,
)
from geomgan.analysis.controls import random_frames, shuffle_weights
from geomgan.analysis.decoders import DecoderGeometry, decoder_geometry
from geomgan.analysis.distance_relation import DistanceRelation, consistency_and_distance
from geomgan.analysis.homogeneity import (
    Consistency,
    Summary,
    consistency,
    consistency_interval,
    pair_interval,
)
from geomgan.analysis.latent_maps import MapAxes, image_areas, map_axes
from geomgan.analysis.layers import LayerAlignment, LayerMetrics, layer_alignment, layer_metrics
from geomgan.analysis.mean_metrics import mean_metric
from geomgan.analysis.null_space import EquivalentDirections, NullSpace, equivalent_directions, null_space
from geomgan.analysis.random_directions import RandomDirectionLaw, random_direction_law
from geomgan.analysis.shared_trace import shared_trace
from geomgan.analysis.spectra import Anisotropy, MeanSpectrum, anisotropy, mean_spectrum, original_dimensions
from geomgan.analysis.spectra_of import Spectra, spectra_of
from geomgan.analysis.trust_radius import TrustRadius, trust_radius

__all__ = [
    "Anisotropy",
    "Comparison",
    "Compression",
    "Consistency",
    "ConsistencyExamples",
    "Correspondence",
    "DecoderGeometry",
    "DistanceRelation",
    "EquivalentDirections",
    "LayerAlignment",
    "LayerMetrics",
    "MapAxes",
    "MeanSpectrum",
    "NullSpace",
    "RandomDirectionLaw",
    "Scatter",
    "Spectra",
    "Summary",
    "TrustRadius",
    "anisotropy",
    "compare",
    "compression",
    "consistency",
    "consistency_and_distance",
    "consistency_example",
    "consistency_examples",
    "consistency_interval",
    "decoder_geometry",
    "eigenspaces",
    "equivalent_directions",
    "image_areas",
    "layer_alignment",
    "layer_metrics",
    "map_axes",
    "mean_metric",
    "mean_spectrum",
    "null_space",
    "original_dimensions",
    "pair_interval",
    "random_direction_law",
    "random_frames",
    "shared_trace",
    "shuffle_weights",
    "spectra_of",
    "trust_radius",
]

entry.guard(__name__)
