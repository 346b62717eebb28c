"""Block Lanczos as one program on several devices: none waits for another, and all find what one device finds."""

import subprocess
import sys

import numpy as np
import pytest

from tests.fields import lanczos_case
from tests.fields.lanczos_case import DEVICES, DIM, K
from tests.fixtures import ROOT

TIMEOUT = 300  # seconds; it takes ten on a quiet machine, and hung for ever


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """On four simulated devices, and on one."""
    out = tmp_path_factory.mktemp("lanczos")
    command = [sys.executable, "-m", "tests.fields.lanczos_case", str(out)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return [np.load(out / f"{count}.npz") for count in (DEVICES, 1)]


def test_four_devices_end_and_find_what_one_finds(fields):
    four, one = fields
    largest = one["values"][:, :1]
    np.testing.assert_allclose(four["values"] / largest, one["values"] / largest, atol=1e-6)
    np.testing.assert_array_equal(four["status"], one["status"])
    assert (four["status"] == 1).all()


def test_the_pairs_are_those_of_the_metric(fields):
    """In float64; also where the largest value repeats as often as a block has columns."""
    A, B = (w.astype(np.float64) for w in lanczos_case.weights())
    for z, values, vectors in zip(lanczos_case.codes(), fields[0]["values"], fields[0]["vectors"], strict=True):
        J = A + B * z
        expected = np.linalg.eigvalsh(J.T @ J)[::-1]
        np.testing.assert_allclose(values, expected[:K], atol=1e-5 * expected[0])
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(K), atol=1e-5)
        np.testing.assert_allclose(J.T @ (J @ vectors), vectors * values, atol=1e-4 * expected[0])
    assert DIM > 3 * K
