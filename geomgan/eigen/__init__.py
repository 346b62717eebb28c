"""Eigenpairs of matrices and of products: dense, block Lanczos, ARPACK, generalised. Knows no generator."""

from geomgan import entry, home
from geomgan.eigen.dense import eigh
from geomgan.eigen.operator import Cost, Operator
from geomgan.eigen.pairs import Eigenpairs, eigenpairs

__all__ = ["Cost", "Eigenpairs", "Operator", "eigenpairs", "eigh"]

entry.guard(__name__)

home.keep_compiled_programs()
