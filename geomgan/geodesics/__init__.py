"""Lengths of paths, shortest paths, and the maps and means that they define."""

from geomgan import entry
from geomgan.geodesics.integrals import Convergence, convergence, energies, lengths, speeds

__all__ = ["Convergence", "convergence", "energies", "lengths", "speeds"]

entry.guard(__name__)
