"""The generalised problem ``g v = λ B v``, as a standard one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Change = Callable[[np.ndarray], np.ndarray]


def reduction(B: np.ndarray | None) -> tuple[Change, Change]:
    """Maps between ``g v = λ B v`` and ``L⁻¹ g L⁻ᵀ u = λ u``: ``L⁻¹ ·`` and ``L⁻ᵀ ·`` with ``B = L Lᵀ``.

    None leaves everything as it is.

    Raises:
        ValueError: ``B`` is not positive definite.
    """
    if B is None:
        return (lambda V: V), (lambda V: V)
    import scipy.linalg

    try:
        L = np.linalg.cholesky(0.5 * (B + B.T))
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(B)[0])
        raise ValueError(
            f"relative_to is not positive definite: its smallest eigenvalue is {smallest:.3g}. "
            "Add a ridge, for example relative_to=B + 1e-6 * trace(B) / d * eye(d)."
        ) from None
    to_standard = lambda V: scipy.linalg.solve_triangular(L, V, lower=True)
    from_standard = lambda V: scipy.linalg.solve_triangular(L, V, lower=True, trans="T")
    return to_standard, from_standard
