"""Eigenpairs of matrices and of products: dense, block Lanczos, ARPACK, generalised. Knows no generator."""

from geomgan import home
from geomgan.eigen.pairs import Eigenpairs, eigenpairs

__all__ = ["Eigenpairs", "eigenpairs"]

home.keep_compiled_programs()
