"""The ways of the field in torch on the same device and weights, for ``benchmarks.accelerator``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks import torch_peers as peers
from benchmarks.accelerator_cases import MODELS, Case, Run
from benchmarks.float64 import bound_range, relative_errors
from benchmarks.rows import Row, number

ROWS, CHUNKS = 24, (64, 128, 32)  # rows of the double backward that are measured; tangents pushed together
FORMATS = {"highest": False, "tf32": True}


def device(precision: str) -> torch.device:
    """The device that torch computes on, with products in a format."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = FORMATS[precision]
    found = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_default_device(found)
    return found


def forward(run: Run, name: str, precision: str, compiled: bool = False) -> Iterator[Row]:
    """Forward mode, all tangents, at its best chunk; the tensor is compared with geomgan's where that was kept."""
    device(precision)
    G, D = run.generator(name), bound_range(run.generator(name), run.distance(name))
    z, phi = run.codes(name)[0], peers.embedding(G, D)
    dim, best = len(z), (float("inf"), 0)
    block = peers.gauss_newton_block
    if compiled:
        push = torch.compile(lambda code, V: torch.func.vmap(lambda v: torch.func.jvp(phi, (code,), (v,))[1])(V))
        block = partial(_compiled_block, push)
    g, start = np.zeros(0), time.perf_counter()
    for chunk in CHUNKS[:1] if compiled or run.dry else CHUNKS:
        chunk = min(chunk, dim)
        try:
            block(phi, z, min(chunk, dim), chunk)  # chooses algorithms
            began = time.perf_counter()
            first = began - start
            g = block(phi, z, dim, chunk)
            best = min(best, (time.perf_counter() - began, chunk))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    seconds, chunk = best
    title = (
        f"torch.compile of forward mode, {chunk} tangents together" if compiled else f"forward mode, {chunk} together"
    )
    rate = float("nan") if run.dry else MODELS[name].tflop * 1e12 / seconds
    yield Row(
        f"{MODELS[name].title}: {title}",
        "torch",
        precision,
        number(seconds),
        number(rate / 1e12),
        run.share(rate, precision),
        f"{first:.1f} s" if compiled else "",
        _beside_ours(run, name, g),
        remark=f"torch {torch.__version__}; best of chunks" if not compiled else f"torch {torch.__version__}",
    )


def _compiled_block(push: Any, phi: Any, z: np.ndarray, directions: int, chunk: int) -> np.ndarray:
    del phi
    code, unit = torch.tensor(z), torch.eye(len(z))[:directions]
    J = torch.cat([push(code, unit[i : i + chunk]) for i in range(0, directions, chunk)])
    return (J @ J.T).cpu().numpy()


def double_backward(run: Run, precision: str) -> Iterator[Row]:
    """GAN-Geometry's way: the Hessian row by row, 24 rows measured and scaled to all."""
    device(precision)
    G, D = run.generator("biggan"), bound_range(run.generator("biggan"), run.distance("biggan"))
    z, distance = run.codes("biggan")[0], peers.squared_distance(G, D)
    start = time.perf_counter()
    first = peers.gradient(distance, z)
    peers.hessian_rows(first, range(1))
    once = time.perf_counter() - start
    rows = range(1, min(1 + ROWS, len(z)))
    start = time.perf_counter()
    H = peers.hessian_rows(first, rows)
    each = (time.perf_counter() - start) / len(rows)
    seconds = each * len(z)
    remark = f"extrapolated from {len(rows)} rows x {len(z) / len(rows):.3g}; graph and first row, {once:.2g} s, apart"
    title = f"{MODELS['biggan'].title}: double backward, row by row"
    error = _beside_ours(run, "biggan", H / 2, slice(rows.start, rows.stop))
    yield Row(title, "torch", precision, number(seconds), error=error, remark=remark)


def _beside_ours(run: Run, name: str, g: np.ndarray, rows: slice = slice(None)) -> str:
    """How far a tensor, or rows of it, are from geomgan's in TF32, which this run kept."""
    kept = run.scratch / f"{name}.npz"
    if not kept.is_file():
        return ""
    with np.load(kept) as ours:
        return f"{relative_errors(g[None], ours['tensor'][None, rows])[0]:.1e} from geomgan's"


TORCH: list[Case] = [
    ("forward mode of BigGAN-deep-256, tf32", 30, partial(forward, name="biggan", precision="tf32")),
    ("double backward of BigGAN-deep-256, tf32", 25, partial(double_backward, precision="tf32")),
    ("forward mode of BigGAN-deep-256, highest", 40, partial(forward, name="biggan", precision="highest")),
    ("forward mode of StyleGAN2-256, tf32", 40, partial(forward, name="stylegan2", precision="tf32")),
    ("double backward of BigGAN-deep-256, highest", 30, partial(double_backward, precision="highest")),
]
COMPILE: list[Case] = [
    ("torch.compile", 60, partial(forward, name="biggan", precision="tf32", compiled=True)),
]
STAGES: dict[str, list[Case]] = {"torch": TORCH, "compile": COMPILE}
