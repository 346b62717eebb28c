"""Every family of the zoo: its forward pass at the published size, and one dense ``mse`` metric.

    python -m benchmarks.generators [FAMILY ...] [--repeats 3]

Weights are random: the published architectures are timed, and nothing is downloaded. Where the metric of the published
size would take minutes, a smaller network of the family is timed, which the table names. BigGAN-deep runs beside its
original if ``pip install pytorch-pretrained-biggan`` was run: the original's random weights are converted, both must
give the same samples, and both are timed on the same batch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

import geomgan as gg
from benchmarks import random_models
from geomgan.generators import nvidia_stylegan3, stylegan, stylegan2
from geomgan.generators.cost import count_flops
from geomgan.models.build import build
from geomgan.models.families import FAMILIES
from weights_convert.convert import convert
from weights_convert.table import shapes

BATCH = (50e9, 64)  # as many samples together as make so many FLOPs, and at most so many
GROWING = [512, 512, 512, 512, 256, 128, 64, 32, 16]  # channels of progressive GANs and StyleGAN, from 4 pixels on
BIGGAN = {"latent_dim": 120, "features": [1536, 1536, 768, 384, 192, 96], "attention": [4], "channels": 3, "bottom": 4}
UPCONV = {"layout": "fc", "features": [4096, 4096, 4096, 256, 512, 256, 256, 128, 128, 64, 32, 3], "scale": 1}


@dataclass(frozen=True)
class Case:
    """A family at its published size, and what the metric is computed of (the same unless given).

    Attributes:
        published, small: a label, and a function that makes the generator.
        original: a function that makes the original's forward pass ``codes -> samples (n, H, W, C)`` and ours.
    """

    published: tuple[str, Callable[[], gg.Generator]]
    small: tuple[str, Callable[[], gg.Generator]] | None = None
    original: Callable[[], tuple[gg.Generator, Callable[[np.ndarray], np.ndarray]] | None] = field(default=lambda: None)


def made(family: str, config: dict[str, Any], template: Any = None, classes: int = 0, **options: Any) -> gg.Generator:
    """A generator of the zoo with random weights: kernels of variance ``2 / fan_in``, scales 1, shifts 0."""
    rng, kind = np.random.default_rng(0), FAMILIES[family].networks["generator"]

    def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) > 1 or name.endswith("constant"):
            return rng.standard_normal(shape, np.float32) * (2 / np.prod(shape[:-1])) ** 0.5
        if name.endswith(("/up", "/down")):  # StyleGAN3's low-pass filters, as averages
            return np.full(shape, 1 / (6 if name.endswith("/up") else shape[0]))
        return np.full(shape, float(name.endswith(("scale", "gain", "std", "strength"))))

    flat = traverse_util.flatten_dict(template or shapes(kind.module(config), *kind.inputs(config)), sep="/")
    filled = {name: np.asarray(weights(name, leaf.shape), np.float32) for name, leaf in flat.items()}
    params = traverse_util.unflatten_dict(filled, sep="/")
    if classes:  # of the BigGANs: the embedding beside the network
        params = {"network": params, "classes": rng.standard_normal((classes, config["embedding"]), np.float32)}
    card = {"family": family, "config": config, "output_range": [-1, 1]}
    return build(card, {"generator": params}, None, family, options)


def dcgan(family: str, latent_dim: int, **more: Any) -> gg.Generator:
    return made(family, {"latent_dim": latent_dim, "features": [512, 256, 128, 64], "channels": 3, **more})


def growing(family: str, side: int, **more: Any) -> gg.Generator:
    features = GROWING[: side.bit_length() - 2]
    config = {"latent_dim": 512, "features": features, "channels": 3, "resolution": side, **more}
    return made(family, config, stylegan.template(config) if family == "stylegan" else None)


def style2(family: str, side: int) -> gg.Generator:
    config = stylegan2.configuration(side)
    return made(family, config, stylegan2.template(config))


def style3(side: int, most: int = 512) -> gg.Generator:
    config = nvidia_stylegan3.configuration(side, channel_max=most)
    return made("nvidia-stylegan3", config, nvidia_stylegan3.template(config))


def big(family: str, classes: int) -> gg.Generator:
    return made(family, {**BIGGAN, "embedding": 128, "classes": classes}, classes=classes)


def wavegan() -> gg.Generator:
    config = {"latent_dim": 100, "features": [1024, 512, 256, 128, 64], "channels": 1, "last_factor": 4}
    return made("wavegan", {**config, "repeats": True})


def pretrained_biggan() -> tuple[gg.Generator, Callable[[np.ndarray], np.ndarray]] | None:
    """Our conversion of a randomly initialised model of pytorch-pretrained-biggan, and that model; None without it."""
    try:
        import torch
        from pytorch_pretrained_biggan import BigGAN, BigGANConfig
    except ImportError:
        return None
    torch.manual_seed(0)
    model = BigGAN(BigGANConfig()).eval()
    torch.nn.init.ones_(model.generator.bn.weight)  # the package leaves them as the memory was
    torch.nn.init.zeros_(model.generator.bn.bias)
    one_hot = torch.zeros(1, model.config.num_classes)
    with torch.no_grad():
        for _ in range(10):  # spectral norms start from random vectors, and are found in training mode only
            model.train()(torch.randn(1, model.config.z_dim), one_hot, 0.7)
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder, "pytorch_model.bin"))
        Path(folder, "config.json").write_text(json.dumps(model.config.to_dict()))
        ours = gg.load(convert("biggan-deep", Path(folder, "pytorch_model.bin"), Path(folder, "model")), truncation=0.7)

    def run(z: np.ndarray) -> np.ndarray:
        one_hot = torch.zeros(len(z), model.config.num_classes)
        one_hot[:, 0] = 1  # the class that ours fixes unless told
        with torch.no_grad():
            return model(torch.tensor(z), one_hot, 0.7).movedim(1, -1).numpy()

    return ours, run


SCALED = {"slope": 0.2, "tanh": False}
CASES = {
    "dcgan-tutorial": Case(("64 px", lambda: dcgan("dcgan-tutorial", 100))),
    "dcgan-gan-zoo": Case(("64 px", lambda: dcgan("dcgan-gan-zoo", 120, tanh=True))),
    "sngan": Case(
        ("32 px", lambda: made("sngan", {"latent_dim": 128, "features": [256] * 4, "channels": 1, "seed": 4}))
    ),
    "upconv": Case(
        ("fc6, 256 px", random_models.upconv_fc6),
        ("256 px, of 128 dimensions", lambda: made("upconv", {"latent_dim": 128, **UPCONV})),
    ),
    "pggan-gan-zoo": Case(
        ("256 px", lambda: growing("pggan-gan-zoo", 256, alpha=0.0, **SCALED)),
        ("64 px", lambda: growing("pggan-gan-zoo", 64, alpha=0.0, **SCALED)),
    ),
    "proggan": Case(
        ("1024 px", lambda: growing("proggan", 1024, **SCALED)), ("64 px", lambda: growing("proggan", 64, **SCALED))
    ),
    "biggan-138k": Case(("128 px", lambda: big("biggan-138k", 1000))),
    "biggan-deep": Case(("128 px, joint space", random_models.biggan_deep), original=pretrained_biggan),
    "bigbigan": Case(("128 px", lambda: big("bigbigan", 1))),
    "stylegan": Case(
        ("256 px", lambda: growing("stylegan", 256, mapping=[512] * 8)),
        ("64 px", lambda: growing("stylegan", 64, mapping=[512] * 8)),
    ),
    "stylegan2": Case(("256 px", lambda: style2("stylegan2", 256)), ("64 px", lambda: style2("stylegan2", 64))),
    "nvidia-stylegan2": Case(
        ("256 px", lambda: style2("nvidia-stylegan2", 256)), ("64 px", lambda: style2("nvidia-stylegan2", 64))
    ),
    "nvidia-stylegan3": Case(("T, 256 px", lambda: style3(256)), ("T, 32 px, 64 channels", lambda: style3(32, 64))),
    "wavegan": Case(("16384 samples", wavegan)),
}


def median_seconds(call: Callable[[], Any], repeats: int) -> float:
    """Of ``repeats`` calls after one that compiles."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def row(family: str, case: Case, repeats: int) -> str:
    label, make = case.published
    pair = case.original()
    G, original = pair if pair else (make(), None)
    label = f"{label.split(',')[0]}, z" if pair else label
    flops = count_flops(G.function, G.params, jax.ShapeDtypeStruct((G.latent_dim,), jnp.float32))
    batch = max(1, min(BATCH[1], 2 ** int(np.log2(max(1.0, BATCH[0] / flops)))))
    codes = np.random.default_rng(0).standard_normal((batch, G.latent_dim)).astype(np.float32)
    program = jax.jit(jax.vmap(lambda G, z: G(z), (None, 0)))  # weights are arguments: XLA folds constants at length
    forward = lambda z: program(G, z)
    theirs = ""
    if original:
        expected = original(codes)
        error = np.abs(np.asarray(forward(codes)) - expected).max() / np.abs(expected).max()
        if not error < 1e-4:
            raise SystemExit(f"{family}: differs from the original by {error:.1e}: no comparison.")
        theirs = f"{batch / median_seconds(lambda: original(codes), repeats):.2f}"
    rate = f"{batch / median_seconds(lambda: forward(codes), repeats):.2f}"
    small = label
    if case.small:
        small, make = case.small
        G = make()
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0])
    seconds = median_seconds(lambda: gg.metric_tensor(G, gg.distances.mse(), z), repeats)
    cells = (family, label, f"{flops / 1e9:.3g}", str(batch), rate, theirs, f"{small}, d = {G.latent_dim}")
    return f"| {' | '.join(cells)} | {seconds:.3g} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("families", metavar="FAMILY", nargs="*", help=f"of {', '.join(CASES)}; all unless given")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if unknown := set(arguments.families) - set(CASES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(CASES)}")
    print("| family | network | forward GFLOP | batch | samples/s | original's | metric of | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for family in arguments.families or CASES:
        print(row(family, CASES[family], arguments.repeats), flush=True)


if __name__ == "__main__":
    main()
