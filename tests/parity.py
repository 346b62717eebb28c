"""Converted models against the stored outputs of the original systems.

A fixture's checkpoint file is written in the published layout with the weights of its manifest, converted by the
command line, and loaded as a user would.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.generators import Generator
from tests.fixtures import assert_close, golden
from tests.golden import make_weights
from weights_convert.__main__ import main


def converted(name: str, family: str, folder: Path, file: str = "checkpoint.pth", *options: str) -> Path:
    """The model folder of fixture ``name``; its ``config`` lies beside the file as ``config.json`` where one is read.

    ``options`` are ``key=value`` for the command line.
    """
    manifest, _ = golden(name)
    folder.mkdir(parents=True, exist_ok=True)
    make_weights.write_checkpoint(manifest, folder / file)
    arguments = [family, str(folder / file), str(folder / "model")]
    for option in options:
        arguments += ["--option", option]
    assert main(arguments) == 0
    (folder / file).unlink()  # hundreds of megabytes
    return folder / "model"


def write_config(folder: Path, config: dict[str, Any], file: str = "config.json") -> None:
    """A JSON file beside a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(config))


@partial(jax.jit, static_argnames="layers")
def observed(G: Generator, codes: Any, layers: tuple[str, ...]) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Samples of ``codes (n, d)``, and the activations ``layers`` on the way to them, from one pass."""

    def one(z: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        made = G.activations(z)
        return G(z), {layer: made[layer] for layer in layers}

    return jax.vmap(one)(codes)


def assert_fixture(name: str, G: Generator, codes: Any, layers: Mapping[str, str]) -> None:
    """Samples of ``codes`` equal the stored output, and activations the stored ones; ``layers``: ours -> theirs."""
    samples, made = observed(G, codes, tuple(layers))
    assert_samples(name, samples)
    for layer, reference in layers.items():
        assert_activation(name, made[layer], reference)


def assert_samples(name: str, samples: Any, key: str = "output", tolerance: float = 1e-4) -> None:
    """``samples (n, H, W, C)`` or ``(n, T, C)`` equal the stored output ``key``: strided, cropped, mean and deviation.

    All within ``tolerance`` of the output's largest magnitude.
    """
    manifest, arrays = golden(name)
    spec = manifest["output"]["arrays"][key]
    full = np.moveaxis(np.asarray(samples, np.float64), -1, 1)
    assert full.shape == tuple(spec["full_shape"])
    stride = spec["stride"]
    strided = full[(slice(None), slice(None)) + (slice(None, None, stride),) * (full.ndim - 2)]
    assert_close(strided, arrays[key], tolerance)
    scale = np.abs(arrays[key]).max()
    axes = tuple(range(2, full.ndim))
    for statistic, theirs in (("mean", full.mean(axes)), ("std", full.std(axes))):
        np.testing.assert_allclose(theirs, arrays[f"{key}_{statistic}"], rtol=0, atol=tolerance * scale)
    if f"{key}_crop" in arrays:
        corner = spec["crop"]
        half = len(corner) // 2
        window = tuple(slice(a, a + n) for a, n in zip(corner[:half], corner[half:], strict=True))
        np.testing.assert_allclose(
            full[(0, slice(None), *window)], arrays[f"{key}_crop"], rtol=0, atol=tolerance * scale
        )


def assert_activation(name: str, activation: Any, reference: str, tolerance: float = 1e-4) -> None:
    """Mean and deviation over a whole activation equal the stored ``mid/<reference>``, relative to its size."""
    _, arrays = golden(name)
    layer = np.asarray(activation, np.float64)
    theirs = [arrays[f"mid/{reference}/mean"], arrays[f"mid/{reference}/std"]]
    assert_close([layer.mean(), layer.std()], theirs, tolerance)
