"""Top pairs in thousands of latent dimensions, where no matrix of that side fits or is formed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import geomgan as gg
from geomgan.eigen.block import block_lanczos, block_width
from tests.fields.large_latents import planted_generator, planted_vectors, spectrum
from tests.fixtures import ROOT

K = 20


@pytest.mark.parametrize("dim", [4096, 16384])
def test_top_pairs_without_any_matrix(dim, tmp_path):
    command = [sys.executable, "-m", "tests.fields.large_latents", str(dim), str(K), str(tmp_path / "field.npz")]
    result = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    field, run = np.load(tmp_path / "field.npz"), json.loads((tmp_path / "field.json").read_text())
    assert run["solver"] == "block"  # chosen
    assert field["status"].tolist() == [1, 1]
    assert field["vectors"].shape == (2, dim, K)
    expected = np.tile(spectrum(dim)[:K], (2, 1))
    np.testing.assert_allclose(field["values"], expected, rtol=1e-4)
    assert (field["residuals"] <= 4e-6 * expected[:, :1]).all()
    cosines = np.abs(np.einsum("dk,ndk->nk", planted_vectors(planted_generator(dim), K), field["vectors"]))
    assert (cosines > 1 - 1e-6).all()
    matrix = 4 * dim**2  # bytes in single precision
    assert run["bytes"] < 256 * 2**20, f"{run['bytes'] / 2**20:.0f} MiB"
    assert dim < 16384 or run["bytes"] < 0.25 * matrix


def test_the_residual_decides_when_to_stop():
    G, z = planted_generator(4096), np.zeros(4096, np.float32)
    op = gg.metric_operator(G, gg.distances.euclidean(), z)
    loose, tight = (gg.eigenpairs(op, K, solver="block", tol=tol) for tol in (1e-3, 1e-6))
    assert loose.info["products"] < tight.info["products"] < 4096 / 10
    for e, tol in ((loose, 1e-3), (tight, 1e-6)):
        assert e.converged.all()
        assert (e.residuals <= tol * e.values[0]).all()
    assert tight.info["products"] > max(3 * K, K + 6 * block_width(4096, K))  # more than a basis holds: it restarted
    np.testing.assert_allclose(loose.values, spectrum(4096)[:K], rtol=1e-2)


def test_products_too_coarse_for_the_tolerance_end_where_rounding_does(rng):
    """A tolerance below the rounding of the products can never be met: it must not cost ten times the dimension."""
    values, noise = spectrum(600), 1e-6 * spectrum(600)[0] / 600**0.5
    multiply = lambda V: values[:, None] * V + noise * rng.standard_normal(V.shape)
    *pairs, products = block_lanczos(multiply, 600, 5, tol=1e-9, max_products=6000, seed=0, rounding=4e-6)
    assert products < 300
    assert (pairs[2] <= 4e-6 * values[0]).all()
    np.testing.assert_allclose(pairs[0], values[:5], rtol=1e-4)
    *_, without = block_lanczos(multiply, 600, 5, tol=1e-9, max_products=1000, seed=0)
    assert without >= 1000
