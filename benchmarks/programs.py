"""The face DCGAN as a program of PyTorch's operators beside the native family: one LPIPS metric, and a field of four.

    python -m benchmarks.programs [--repeats 7]

Both are converted from one file of weights, the published one where it is in ``../shared/assets``, otherwise one with
random weights of the same shapes: equally fast. Calls alternate in one process; times are medians without compilation.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import geomgan as gg
from benchmarks.measure import timed
from geomgan.generators.aten import Node, Program, Value, Weight
from geomgan.generators.aten.program import Tensor
from geomgan.generators.prepared import kernels_used
from geomgan.models.build import build
from geomgan.models.families import FAMILIES
from geomgan.models.families.torch_programs import OPTIONS
from weights_convert.convert import Converted
from weights_convert.dcgan_tutorial import convert
from weights_convert.files import read_file
from weights_convert.modules import StateDict
from weights_convert.options import Options
from weights_convert.programs import converted

PUBLISHED = Path(__file__).parents[2] / "shared" / "assets" / "dcgan-faces64" / "weights.tar"
FEATURES = (100, 512, 256, 128, 64, 3)
CODES = 4


def weights() -> dict[str, np.ndarray]:
    """The state dict of the tutorial's generator."""
    if PUBLISHED.is_file():
        return dict(read_file(PUBLISHED)["netG_state_dict"])
    rng, tensors = np.random.default_rng(0), {}
    for i, (before, after) in enumerate(itertools.pairwise(FEATURES)):
        tensors[f"main.{3 * i}.weight"] = (0.05 * rng.standard_normal((before, after, 4, 4))).astype("f4")
        if after > 3:
            parts = ("weight", "bias", "running_mean", "running_var")
            tensors |= {f"main.{3 * i + 1}.{part}": rng.uniform(0.5, 1.5, after).astype("f4") for part in parts}
    return tensors


def program(tensors: dict[str, np.ndarray]) -> Program:
    """The network as ``torch.export`` lists it."""
    nodes, x, layers = list[Node](), Value("z"), len(FEATURES) - 1

    def add(name: str, operator: str, *arguments: Any) -> Value:
        nodes.append(Node(name, operator, arguments))
        return Value(name)

    for i in range(layers):
        pairs = ((2, 2), (1, 1)) if i else ((1, 1), (0, 0))
        x = add(f"conv_transpose2d_{i}", "conv_transpose2d", x, Weight(f"main.{3 * i}.weight"), None, *pairs)
        if i < layers - 1:
            parts = (Weight(f"main.{3 * i + 1}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
            x = add(f"relu_{i}", "relu", add(f"batch_norm_{i}", "batch_norm", x, *parts, False, 0.1, 1e-5, True))
    output = add("tanh", "tanh", x)
    listed = tuple(Tensor(name, array.shape, array.dtype.name) for name, array in tensors.items())
    return Program((Tensor("z", (1, FEATURES[0], 1, 1)),), listed, tuple(nodes), output)


def opened(family: str, made: Converted) -> gg.Generator:
    G: gg.Generator = build({"family": family, **made.card}, made.params, None, family, {})
    return G


def cases(G: gg.Generator, D: gg.distances.Distance, codes: np.ndarray) -> dict[str, Callable[[], Any]]:
    return {
        "metric_tensor": lambda: jax.block_until_ready(gg.metric_tensor(G, D, codes[0])),
        f"metric_field of {CODES}": lambda: gg.metric_field(G, D, codes, progress=False).values,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    tensors, D = weights(), gg.distances.lpips("alex")
    native = convert(FAMILIES["dcgan-tutorial"], {"": StateDict(tensors)}, Options({}, {}))
    ours = converted(program(tensors), tensors, Options({}, OPTIONS))
    generators = {"dcgan-tutorial": opened("dcgan-tutorial", native), "program": opened("torch-export", ours)}
    codes = np.asarray(generators["program"].sample_latent(jax.random.key(0), CODES))
    calls = {name: cases(G, D, codes) for name, G in generators.items()}
    for name, G in generators.items():
        print(f"{name}: {len(kernels_used(G.function, G.params, codes[0]))} kernels that are prepared")
    print("\n| what | native | program | program / native | largest difference |\n|---|---|---|---|---|")
    for what in calls["program"]:
        first, second = (np.asarray(of[what]()) for of in calls.values())  # also compiles
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(repeats):
            for name, of in calls.items():
                seconds[name].append(timed(of[what]))
        a, b = (statistics.median(runs) for runs in seconds.values())
        error = np.abs(first - second).max() / np.abs(first).max()
        print(f"| {what} | {a:.3f} s | {b:.3f} s | {b / a:.3f} | {error:.1e} |", flush=True)


if __name__ == "__main__":
    main()
