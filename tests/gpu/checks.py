"""Whether geomgan computes on this device what it should: small networks, a second each, figures in what is returned.

Plain functions, so that they run where nothing but JAX and Flax is installed (``python -m tests.gpu``); ``test_smoke``
runs the same under pytest. References are float64 by JAX alone (``benchmarks.float64``), or the CPU's own results.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import SkipTest

import jax
import numpy as np

import geomgan as gg
from benchmarks import random_models
from benchmarks.accelerator_cases import MODELS, PRECISIONS
from benchmarks.float64 import metric_blocks, relative_errors
from geomgan.fields.field import compute_field
from geomgan.runs.store import write_batch

ROOT = Path(__file__).resolve().parents[2]
MSE = gg.distances.mse()
SAME = 1e-4  # of the tensor, between two devices in float32
PLANTED = 0.1  # of it, that is taken to be wrong: a check that passes then checks nothing


@dataclass(frozen=True)
class Here:
    """Where the checks run: a folder to write into, and whether the device is a GPU (otherwise the CPU stands in)."""

    folder: Path
    gpu: bool


def models() -> dict[str, gg.Generator]:
    """Small networks of the kinds whose programs differ most."""
    return {"decoder": decoder(), "biggan": MODELS["biggan"].small(), "stylegan2": MODELS["stylegan2"].small()}


def decoder() -> gg.Generator:
    return random_models.dense_vae_decoder(8)


def codes_of(G: gg.Generator, n: int) -> np.ndarray:
    return np.asarray(G.sample_latent(jax.random.key(0), n))


def tensors() -> dict[str, np.ndarray]:
    """Tensors of all models on this process's device, those that check the CPU against the GPU."""
    return {name: field(G, 2).tensors for name, G in models().items()}


def field(G: gg.Generator, n: int, D: gg.distances.Distance = MSE, **options: object) -> gg.MetricField:
    return gg.metric_field(G, D, codes_of(G, n), progress=False, **options)


def the_tensors_are_those_of_the_cpu(here: Here) -> str:
    file = here.folder / "cpu.npz"
    code = f"import numpy as np; from tests.gpu.checks import tensors; np.savez({str(file)!r}, **tensors())"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    found, worst = tensors(), {}
    with np.load(file) as cpu:
        for name, g in found.items():
            worst[name] = relative_errors(g, cpu[name]).max()
            assert worst[name] < SAME, f"{name} differs by {worst[name]:.1e} from the CPU's; at most {SAME} is right"
    return said(worst)


def errors_are_no_larger_than_stated(here: Here) -> str:
    del here
    found = {}
    for model in ("decoder", "biggan"):
        G = models()[model]
        expected = metric_blocks(G, MSE, codes_of(G, 4))
        values = np.linalg.eigvalsh(expected)[:, ::-1]
        for precision in PRECISIONS:
            F = field(G, 4, precision=precision)
            measured, stated = relative_errors(F.tensors, expected), F.relative_error
            off = np.abs(F.values - values) - stated[:, None] * values[:, :1]
            assert (measured <= stated).all(), f"{model}, {precision}: off by {measured.max():.1e}, stated {stated}"
            assert (off <= F.noise_floor[:, None]).all(), f"{model}, {precision}: an eigenvalue is off by more"
            found[f"{model} {precision}"] = measured.max()
    for model in ("decoder", "biggan"):
        assert found[f"{model} highest"] < SAME
        assert found[f"{model} tf32"] < 100 * SAME
    return said(found)


def bfloat16_finds_the_first_axes(here: Here) -> str:
    del here
    G = decoder()
    fine, coarse = field(G, 4), field(G, 4, precision="bf16")
    values = np.abs(coarse.values[:, 0] / fine.values[:, 0] - 1).max()
    vectors = 1 - np.abs(np.sum(np.asarray(coarse.vectors)[..., 0] * np.asarray(fine.vectors)[..., 0], axis=1)).min()
    assert values < 0.05
    assert vectors < 0.05
    return said({"first eigenvalue": values, "1 - |cos| of the first axis": vectors})


def block_lanczos_finds_the_pairs_of_the_dense_solver(here: Here) -> str:
    del here
    G = random_models.dense_vae_decoder(48)
    dense, block = field(G, 3, solver="dense"), field(G, 3, solver="block", k=6)
    off = np.abs(block.values - dense.values[:, :6]).max() / dense.values.max()
    assert (block.status == 1).all(), "a code did not converge"
    assert off < SAME
    frames = np.einsum("ndi,ndj->nij", np.asarray(block.vectors), np.asarray(dense.vectors)[..., :6])
    turned = 1 - np.linalg.svd(frames, compute_uv=False).min()
    assert turned < 1e-3
    return said({"values": off, "frames": turned})


def a_field_that_was_interrupted_goes_on(here: Here) -> str:
    G, store, written = decoder(), here.folder / "field.zarr", []
    options = {"store": store, "batch": 2}

    def until_the_second(*batch: object) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(batch)
        write_batch(*batch)

    try:
        compute_field(G, MSE, codes_of(G, 8), write=until_the_second, **options)
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("the field was not interrupted")
    assert len(gg.MetricField.read(store).finished) == 4
    resumed, whole = field(G, 8, **options), field(G, 8, batch=2)
    assert resumed.provenance["computed_codes"] == 4
    for name in ("tensors", "values", "residuals", "noise_floor"):
        assert np.array_equal(np.asarray(getattr(resumed, name)), getattr(whole, name)), f"{name} differ"
    return "4 of 8 codes computed after the interruption, the others read; all bit for bit"


def the_last_layer_is_the_sample(here: Here) -> str:
    del here
    G = models()["biggan"]
    z = codes_of(G, 1)[0]
    layers = gg.analysis.layer_metrics(G, gg.distances.euclidean(), z, G.layers[-2:])
    expected = metric_blocks(G, gg.distances.euclidean(), z[None])[0]
    before = metric_blocks(G.at(G.layers[-2]), gg.distances.euclidean(), z[None])[0]
    off = {
        "sample": relative_errors(layers.tensors[-1:], expected[None])[0],
        G.layers[-2]: relative_errors(layers.tensors[:1], before[None])[0],
    }
    assert max(off.values()) < SAME
    return said(off)


def walks_go_as_far_as_the_distance_says(here: Here) -> str:
    del here
    G = decoder()
    z = codes_of(G, 1)[0]
    vectors, steps = np.eye(len(z))[:, :3], np.linspace(-1, 1, 5)
    walks = gg.paths.walk(G, MSE, gg.paths.lines(z, vectors), steps)
    samples = np.asarray(walks.samples, np.float64)
    centre = np.asarray(G(z), np.float64)
    expected = np.sqrt(((samples - centre) ** 2).mean(axis=(2, 3, 4)))
    off = np.abs(walks.distances - expected).max() / expected.max()
    assert expected.max() > 1e-3
    assert off < SAME
    return said({"distances": off})


def biggan_has_the_spectrum_of_float64(here: Here) -> str:
    return spectrum_of("biggan", here)


def stylegan2_has_the_spectrum_of_float64(here: Here) -> str:
    return spectrum_of("stylegan2", here)


def spectrum_of(model: str, here: Here) -> str:
    """Largest eigenvalues and whole tensors; on a GPU under LPIPS-alex, which the CPU compiles for too long."""
    G = models()[model]
    D = random_models.lpips_alex(os.environ.get("GEOMGAN_LPIPS"), resize=64)[0] if here.gpu else MSE
    F, expected = field(G, 2, D), metric_blocks(G, D, codes_of(G, 2))
    values = np.linalg.eigvalsh(expected)[:, ::-1]
    off = {"tensor": relative_errors(F.tensors, expected).max()}
    off["eigenvalues"] = (np.abs(F.values - values).max(axis=1) / values[:, 0]).max()
    assert max(off.values()) < SAME
    assert relative_errors(F.tensors + PLANTED * expected, expected).min() > SAME
    return said(off)


def little_memory_changes_no_number(here: Here) -> str:
    del here
    G = models()["biggan"]
    plan = gg.plan(G, MSE, 3, estimate=False)
    budget = int(0.6 * plan.bytes)
    less = gg.plan(G, MSE, 3, memory=budget, estimate=False)
    assert less.bytes < plan.bytes, f"{less} takes no less than {plan}"
    off = relative_errors(field(G, 3, memory=budget).tensors, field(G, 3).tensors).max()
    assert off < SAME
    return said({f"chunk {plan.chunk} to {less.chunk}": off})


def two_devices_compute_what_one_does(here: Here) -> str:
    del here
    if len(jax.devices()) < 2:
        raise SkipTest("one device here; tests/fields/test_devices.py simulates eight")
    G = decoder()
    both, one = field(G, 6, devices=jax.devices()[:2]), field(G, 6, devices=jax.devices()[:1])
    off = relative_errors(both.tensors, one.tensors).max()
    assert off < 1e-5
    return said({f"{len(jax.devices())} devices": off})


def said(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.1e}" for name, figure in figures.items())


CHECKS: dict[str, Callable[[Here], str]] = {
    check.__name__: check
    for check in (
        the_tensors_are_those_of_the_cpu,
        errors_are_no_larger_than_stated,
        bfloat16_finds_the_first_axes,
        block_lanczos_finds_the_pairs_of_the_dense_solver,
        a_field_that_was_interrupted_goes_on,
        the_last_layer_is_the_sample,
        walks_go_as_far_as_the_distance_says,
        biggan_has_the_spectrum_of_float64,
        stylegan2_has_the_spectrum_of_float64,
        little_memory_changes_no_number,
        two_devices_compute_what_one_does,
    )
}
