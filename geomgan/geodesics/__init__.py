"""Lengths of paths, shortest paths, and the maps, curvatures and means of the metric."""

from geomgan import entry
from geomgan.geodesics.curvature import VolumeMap, log_volume, sectional_curvature, volume_map
from geomgan.geodesics.detours import Detours, detours
from geomgan.geodesics.guesses import leading_axes, paths_through
from geomgan.geodesics.improvement import Improvement, improvement, random_steps
from geomgan.geodesics.integrals import Convergence, convergence, energies, lengths, speeds
from geomgan.geodesics.maps import exponential, logarithm, transport, transport_along_geodesic
from geomgan.geodesics.means import FrechetMean, frechet_mean
from geomgan.geodesics.schedule import Schedule, Shortened, shorten
from geomgan.geodesics.sequences import Sequences, sequences
from geomgan.geodesics.shortest import Shortest, shortest_paths

__all__ = [
    "Convergence",
    "Detours",
    "FrechetMean",
    "Improvement",
    "Schedule",
    "Sequences",
    "Shortened",
    "Shortest",
    "VolumeMap",
    "convergence",
    "detours",
    "energies",
    "exponential",
    "frechet_mean",
    "improvement",
    "leading_axes",
    "lengths",
    "log_volume",
    "logarithm",
    "paths_through",
    "random_steps",
    "sectional_curvature",
    "sequences",
    "shorten",
    "shortest_paths",
    "speeds",
    "transport",
    "transport_along_geodesic",
    "volume_map",
]

entry.guard(__name__)
