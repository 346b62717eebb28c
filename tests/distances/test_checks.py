"""The check of a distance of one's own."""

import jax.numpy as jnp
import numpy as np
import pytest

from geomgan import distances


@pytest.fixture
def pair(rng):
    return rng.uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)


@pytest.mark.parametrize("make", [distances.mse, distances.euclidean, distances.lpips])
def test_good_distances_pass(pair, make):
    report = distances.check(make(), *pair)
    assert report.usable, str(report)
    assert "is symmetric" in str(report)
    assert "PROBLEM" not in str(report)


@pytest.mark.parametrize(
    ("fn", "problem"),
    [
        (lambda p, x, y: jnp.sum(x * (x - y) ** 2 + 2 * (x - y) ** 2), "d²(y, x) ="),
        (lambda p, x, y: 1 + jnp.sum((x - y) ** 2), "expected 0"),
        (lambda p, x, y: jnp.linalg.norm(x - y), "derivative is NaN"),
        (lambda p, x, y: 0.0 * jnp.sum(x - y), "distance 0"),
        (lambda p, x, y: -jnp.sum((x - y) ** 2), "squared distance is -"),
        (lambda p, x, y: jnp.sum(y - x) + jnp.sum((x - y) ** 2), "its slope at x = y"),
    ],
)
def test_each_fault_is_named(pair, fn, problem):
    report = distances.check(distances.from_function(fn), *pair)
    assert not report.usable
    assert any(text.startswith("PROBLEM") and problem in text for text in report.findings), str(report)


def test_samples_that_cannot_be_compared_raise(pair):
    with pytest.raises(ValueError, match="one shape"):
        distances.check(distances.mse(), pair[0], pair[1][:5])
