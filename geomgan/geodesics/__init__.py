"""Lengths of paths, shortest paths, and the maps and curvatures of the metric."""

from geomgan import entry
from geomgan.geodesics.curvature import log_volume, sectional_curvature
from geomgan.geodesics.integrals import Convergence, convergence, energies, lengths, speeds
from geomgan.geodesics.maps import exponential, logarithm, transport, transport_along_geodesic
from geomgan.geodesics.shortest import Shortest, shortest_paths

__all__ = [
    "Convergence",
    "Shortest",
    "convergence",
    "energies",
    "exponential",
    "lengths",
    "log_volume",
    "logarithm",
    "sectional_curvature",
    "shortest_paths",
    "speeds",
    "transport",
    "transport_along_geodesic",
]

entry.guard(__name__)
