"""A space that grows by products with a symmetric map, and the best pairs in it (Rayleigh and Ritz)."""

from __future__ import annotations

import numpy as np

from geomgan.eigen.found import Pairs
from geomgan.eigen.lapack import symmetric
from geomgan.eigen.threads import one_blas_thread


class Space:
    """A basis ``V (d, m)`` with its image ``A V``, and what they know of the map ``A``.

    Attributes:
        dim, k, width, which, tolerance, max_products: as for :func:`geomgan.eigen.block.lanczos_blocks`; the tolerance
            is that of a residual which counts as converged, relative to ``scale``.
        products: columns that were multiplied.
        scale: the largest magnitude of a Ritz value so far.
        theta: Ritz values ``(m,)``, the wanted ones first; of ``-A`` where the smallest are wanted.
        residuals: ``A x - θ x`` of the first ``k + width``; ``errors`` are their lengths.
    """

    def __init__(
        self, dim: int, k: int, width: int, which: str, tolerance: float, max_products: int, rng: np.random.Generator
    ) -> None:
        self.dim, self.k, self.width, self.which = dim, k, width, which
        self.tolerance, self.max_products = tolerance, max_products
        self._rng, self._sign = rng, -1.0 if which == "smallest" else 1.0
        self.basis = self.image = self._product = np.zeros((dim, 0))
        self.products, self.scale = 0, 0.0
        self._project()

    def add(self, block: np.ndarray, product: np.ndarray) -> None:
        """Take in an orthonormal block outside, and what the map makes of it."""
        self.basis = np.hstack([self.basis, block])
        self._product = self._sign * product
        self.image = np.hstack([self.image, self._product])
        self.products += block.shape[1]
        with one_blas_thread(self.size):
            self._project()

    def _project(self) -> None:
        self.projected = self.basis.T @ self.image
        self.projected = 0.5 * (self.projected + self.projected.T)
        theta, y = symmetric(self.projected)
        order = np.argsort(-self.score(theta), kind="stable")
        self.theta, y = theta[order], y[:, order[: self.k + self.width]]
        self.scale = max(self.scale, float(np.abs(theta).max(initial=0.0)))
        self._vectors, self._images = self.basis @ y, self.image @ y
        self.residuals = self._images - self._vectors * self.theta[: y.shape[1]]
        self.errors = np.linalg.norm(self.residuals, axis=0)

    @property
    def size(self) -> int:
        """``m``."""
        return self.basis.shape[1]

    @property
    def left(self) -> int:
        """Columns of the next block: the dimensions that are left, up to ``width``."""
        return min(self.width, self.dim - self.size)

    @property
    def within(self) -> float:
        """The largest residual of a converged pair."""
        return max(self.tolerance * self.scale, float(np.finfo(float).tiny))

    @property
    def affordable(self) -> bool:
        """Whether the next block may be multiplied; ``k`` products always are."""
        return self.size < self.k or self.products + self.left <= self.max_products

    def score(self, theta: np.ndarray) -> np.ndarray:
        """What is largest for the values that are wanted."""
        return np.abs(theta) if self.which == "magnitude" else theta

    def restart(self, *, converged: bool = False) -> None:
        """Keep the best vectors only (thick restart), or of those the ones that have converged."""
        kept = np.flatnonzero(self.errors <= self.within) if converged else slice(None)
        self._vectors, self._images = self._vectors[:, kept], self._images[:, kept]
        self.residuals, self.errors = self.residuals[:, kept], self.errors[kept]
        self.theta = self.theta[: self.k + self.width][kept]
        self.basis, self.image, self.projected = self._vectors, self._images, np.diag(self.theta)

    def next_block(self) -> np.ndarray:
        """Orthonormal directions that the pairs which have not converged ask for.

        In a Krylov space that is what the last product has outside (Lanczos), as all residuals lie there; in a space
        that was put together those of the wanted pairs do not, and are taken themselves.
        """
        with one_blas_thread(self.size):
            lanczos = self._outside(self._product)
            open_ = np.flatnonzero(self.errors[: self.k] > self.within)
            directions = self.residuals[:, open_] / self.errors[open_]
            missed = directions - lanczos @ (lanczos.T @ directions)
            return self._outside(directions) if (np.linalg.norm(missed, axis=0) > 0.5).any() else lanczos

    def lanczos_block(self) -> np.ndarray:
        """What the last product has outside."""
        with one_blas_thread(self.size):
            return self._outside(self._product)

    def random_block(self) -> np.ndarray:
        """Random directions outside."""
        with one_blas_thread(self.size):
            return self._outside(self._product[:, :0])

    def _outside(self, block: np.ndarray) -> np.ndarray:
        """``left`` orthonormal directions of ``block`` outside the basis; random ones where it has fewer."""
        basis, width = self.basis, self.left
        block = block[:, :width]
        length = np.linalg.norm(block, axis=0).max(initial=0.0)
        for _ in range(2):  # twice is enough (Kahan and Parlett)
            block = block - basis @ (basis.T @ block)
        u, s, _ = np.linalg.svd(block, full_matrices=False)
        found = u[:, s > 1e-10 * length]
        found = np.hstack([found, self._rng.standard_normal((self.dim, width - found.shape[1]))])
        for _ in range(2):  # also those of small singular values, which are rounding in part
            found = np.linalg.qr(found - basis @ (basis.T @ found))[0]
        return found

    def pairs(self) -> Pairs:
        """The first ``k``, in descending order."""
        values = self._sign * self.theta[: self.k]
        order = np.argsort(-values, kind="stable")
        return Pairs(values[order], self._vectors[:, order], self.errors[order], self.products, self.scale)
