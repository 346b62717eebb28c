#!/usr/bin/env bash
# scipy's eigsh gives fewer copies of a repeated eigenvalue than there are, with tiny residuals and without a warning.
#
# Versions: scipy 1.17.1, numpy 2.4.6, Python 3.11 or newer.
# Behaviour: of a symmetric matrix whose largest eigenvalue is there six times, eigsh(A, k=8, tol=1e-6) returns some
#   copies and puts smaller eigenvalues in the places of the others. Every returned pair is an eigenpair to the
#   tolerance, so that residuals, the usual check, show nothing. A Krylov space has one copy of each eigenvalue; rounding
#   brings in the others, and ARPACK has often stopped before.
# Expected: the eight largest, or ArpackNoConvergence.
# Seen: 20 of 20 runs lose copies with tol=1e-6 (residuals up to 5e-6) and 17 of 20 with tol=0 (residuals 1e-13).
# Who meets it: spectra with symmetries: metrics of generators whose latent dimensions act alike, graph Laplacians.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import scipy
from scipy.sparse.linalg import eigsh

DIM, COPIES, K = 200, 6, 8
rng = np.random.default_rng(0)
lost, worst = {}, {}
for tol in (1e-6, 1e-3, 0):
    lost[tol], worst[tol] = 0, 0.0
    for trial in range(20):
        basis = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
        values = np.concatenate([np.full(COPIES, 10.0), np.linspace(9, 0, DIM - COPIES)])
        A = (basis * values) @ basis.T
        found, vectors = eigsh(A, K, which="LA", tol=tol, v0=rng.standard_normal(DIM))
        worst[tol] = max(worst[tol], np.linalg.norm(A @ vectors - vectors * found, axis=0).max())
        lost[tol] += int((np.abs(found - 10) < 1e-2).sum() < COPIES)
print(f"scipy {scipy.__version__}: runs of 20 with fewer than {COPIES} copies, by tol: {lost}")
print("largest residual, by tol:", {tol: f"{residual:.0e}" for tol, residual in worst.items()})
assert lost[1e-6] > 0 and lost[0] > 0, "no copy was lost: this finding is out of date"
assert worst[0] < 1e-10
PYTHON
