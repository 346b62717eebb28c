"""The face DCGAN through ``torch.export`` beside the native family: one LPIPS metric, and a field of four.

    python -m benchmarks.programs [--repeats 7]

Both are converted from one module, with the published weights where they are in ``../shared/assets``, otherwise with
random ones: equally fast. Calls alternate in one process; times are medians without compilation.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import torch
from torch import nn

import geomgan as gg
from benchmarks.measure import timed
from geomgan.generators.prepared import kernels_used
from weights_convert.convert import convert
from weights_convert.files import read_file

PUBLISHED = Path(__file__).parents[2] / "shared" / "assets" / "dcgan-faces64" / "weights.tar"
FEATURES = (100, 512, 256, 128, 64, 3)
CODES = 4


def network() -> nn.Module:
    """The generator of PyTorch's tutorial."""
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(itertools.pairwise(FEATURES)):
        layers.append(nn.ConvTranspose2d(before, after, 4, *((2, 1) if i else (1, 0)), bias=False))
        layers += [nn.BatchNorm2d(after), nn.ReLU()] if after > 3 else [nn.Tanh()]
    net = nn.Sequential()
    net.main = nn.Sequential(*layers)
    if PUBLISHED.is_file():
        state = read_file(PUBLISHED)["netG_state_dict"]
        net.load_state_dict({name: torch.tensor(np.array(array)) for name, array in state.items()})
    return net.eval()


def generators(folder: Path) -> dict[str, gg.Generator]:
    """Family -> the generator that it makes of the same module."""
    net, native, program = network(), folder / "netG.pth", folder / "netG.pt2"
    torch.save(net.state_dict(), native)
    with torch.no_grad():
        torch.export.save(torch.export.export(net, (torch.zeros(1, FEATURES[0], 1, 1),)), program)
    files = {"dcgan-tutorial": native, "torch-export": program}
    return {name: gg.load(convert(name, file, folder / name, say=print)) for name, file in files.items()}


def cases(G: gg.Generator, D: gg.distances.Distance, codes: np.ndarray) -> dict[str, Callable[[], Any]]:
    return {
        "metric_tensor": lambda: jax.block_until_ready(gg.metric_tensor(G, D, codes[0])),
        f"metric_field of {CODES}": lambda: gg.metric_field(G, D, codes, progress=False).values,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats, D = parser.parse_args().repeats, gg.distances.lpips("alex")
    with tempfile.TemporaryDirectory() as folder:
        both = generators(Path(folder))
    codes = np.asarray(next(iter(both.values())).sample_latent(jax.random.key(0), CODES))
    for name, G in both.items():
        print(f"{name}: {len(kernels_used(G.function, G.params, codes[0]))} kernels that are prepared")
    calls = {name: cases(G, D, codes) for name, G in both.items()}
    print("\n| what | native | program | program / native | largest difference |\n|---|---|---|---|---|")
    for what in cases(G, D, codes):
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
