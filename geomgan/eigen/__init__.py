"""Eigenpairs of matrices and of products: dense, block Lanczos, ARPACK, generalised. Knows no generator."""

from geomgan.eigen.pairs import Eigenpairs, eigenpairs

__all__ = ["Eigenpairs", "eigenpairs"]
