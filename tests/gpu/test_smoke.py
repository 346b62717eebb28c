"""The device computes what it should: on a GPU with ``make test-gpu``, elsewhere the same checks on the CPU."""

import os
from unittest import SkipTest

import jax
import pytest

from tests.gpu.checks import CHECKS, Here

ON_GPU = os.environ.get("GEOMGAN_GPU_TESTS") == "gpu"
pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", CHECKS)
def test_smoke(name, tmp_path):
    if ON_GPU and jax.default_backend() == "cpu":
        pytest.skip("JAX finds no GPU here; without GEOMGAN_GPU_TESTS=gpu the checks run on the CPU")
    try:
        print(CHECKS[name](Here(tmp_path, ON_GPU)))
    except SkipTest as reason:
        pytest.skip(str(reason))
