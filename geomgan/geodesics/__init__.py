"""Lengths of paths, shortest paths, and the maps and means that they define."""

from geomgan import entry
from geomgan.geodesics.integrals import Convergence, convergence, energies, lengths, speeds
from geomgan.geodesics.shortest import Shortest, shortest_paths

__all__ = ["Convergence", "Shortest", "convergence", "energies", "lengths", "shortest_paths", "speeds"]

entry.guard(__name__)
