"""What several tests share: reference numbers, the folder of trained files, random weights."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
ASSETS = ROOT.parent / "shared" / "assets"

needs_assets = pytest.mark.skipif(
    not ASSETS.is_dir(), reason=f"no folder {ASSETS}: put the published files there to run this"
)


@functools.cache
def golden(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The manifest and the arrays of a reference fixture in ``tests/golden``; do not write to them."""
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return json.loads((GOLDEN / f"{name}.json").read_text()), dict(arrays)


def random_params(module: Any, *input_shapes: tuple[int, ...], seed: int = 0, scale: float = 0.1) -> Any:
    """Normal weights of standard deviation ``scale`` for a Flax module; traces it and computes nothing."""
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in input_shapes]
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(scale * rng.standard_normal(leaf.shape), leaf.dtype), shapes)


def assert_close(ours: Any, theirs: Any, tolerance: float = 1e-4) -> None:
    """Equal shapes, and equal values up to ``tolerance`` times the largest magnitude of ``theirs``."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    largest = np.abs(theirs).max()
    assert largest > 0
    error = np.abs(ours - theirs).max() / largest
    assert error <= tolerance, f"differs by {error:.2e} of the largest magnitude; at most {tolerance:.0e} is right"
