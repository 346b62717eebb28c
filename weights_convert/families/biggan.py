"""BigGAN-PyTorch's generators with hierarchical codes, and BigBiGAN's, which is the same network.

Tensors are ``shared``, ``linear``, ``blocks.{k}.0`` (a residual block), ``blocks.{k}.1`` (attention, where there is
one) and ``output_layer``. Spectral norms are those of BigGAN-PyTorch outside training: one half-step of power
iteration from the stored ``u0``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import layouts
from geomgan.generators.biggan import inputs, network
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.options import Options, positive
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill, shapes

MAX_BLOCKS = 8  # each doubles the side: 1024 pixels
IGNORED = {"*.sv0": "the last singular value, kept for the training log"}
OUTPUT_EPSILON = 1e-5  # of the last batch norm, in both families
NOISE = "z ~ N(0, I), with truncation=t N(0, 1) within [-t, t] in every coordinate"


def biggan(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """BigGAN-PyTorch's ``G_ema``, with all its classes."""
    converted = _converted(family, states, options, epsilon_bn=1e-5, epsilon_sn=1e-6, classes=None)
    card = {
        "prior": f"{NOISE}; class: the embedding of a class drawn uniformly",
        "licence": "none stated",
        "code_licence": "MIT",
    }
    return Converted({**converted.card, **card}, converted.params)


def bigbigan(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """BigBiGAN, whose classes are all the first one."""
    converted = _converted(family, states, options, epsilon_bn=1e-4, epsilon_sn=1e-4, classes=1)
    card = {
        "prior": NOISE,
        "licence": "none stated",
        "note": "Class 0 for every sample. The resizing from 128 to 256 pixels in some wrappers is left out.",
    }
    return Converted({**converted.card, **card}, converted.params)


def _converted(
    family: Family,
    states: Mapping[str, Any],
    options: Options,
    epsilon_bn: float,
    epsilon_sn: float,
    classes: int | None,
) -> Converted:
    """Widths, depth, classes, embedding, chunk of the code and places of attention are read from names and shapes.

    The two epsilons are those of the published model, unless the module or an option says others.
    """
    tensors = states[""]
    config = _config(tensors, classes)
    epsilon_bn = options.epsilon(tensors, epsilon_bn)("blocks.0.0.bn1")
    said = tensors.parts["linear"].attributes.get("eps") if "linear" in tensors.parts else None
    known = said if isinstance(said, float) else None
    epsilon_sn = options.ask("spectral_epsilon", positive, known=known, assumed=epsilon_sn)
    template = {
        "network": shapes(network(config), *inputs(config)),
        "classes": jax.ShapeDtypeStruct((config["classes"], config["embedding"]), np.float32),
    }
    embedding = Computed("classes", ("shared.weight",), lambda table: table[: config["classes"]])
    rows = [embedding, *_rows(config, epsilon_bn, epsilon_sn)]
    card = {"config": config, "output_range": [-1, 1]}
    return Converted(card, {"generator": fill(tensors, rows, template, f"a {family.name} generator", IGNORED)})


def _config(tensors: Tensors, classes: int | None) -> dict[str, Any]:
    """What the shapes say; ``classes`` are the rows of the embedding to keep, all for None."""
    blocks = _numbers(tensors, r"blocks\.(\d+)\.0\.conv1\.weight")
    needed = ["shared.weight", "linear.weight", "blocks.0.0.bn1.gain.weight", "output_layer.2.weight"]
    needed += [f"blocks.{k}.0.conv1.weight" for k in blocks]
    missing = [n for n in needed if n not in tensors or tensors[n].ndim < 2]
    if missing or not 1 <= len(blocks) <= MAX_BLOCKS or blocks != list(range(len(blocks))):
        raise CheckpointError(
            "no generator of BigGAN-PyTorch with a shared class embedding: expected shared.weight, linear.weight and "
            f"blocks.0.0, blocks.1.0, ... of at most {MAX_BLOCKS} blocks; the file has blocks {blocks[:20]} and lacks "
            f"{', '.join(missing[:4]) or 'no other of them'}, or these are no matrices."
        )
    rows, embedding = tensors["shared.weight"].shape
    outputs, chunk = tensors["linear.weight"].shape
    condition = tensors["blocks.0.0.bn1.gain.weight"].shape[1]
    if condition == embedding:
        raise CheckpointError(
            f"the blocks see the class alone ({condition} numbers): this BigGAN was trained without hierarchical codes "
            "(--hier), and only those with them are converted."
        )
    if condition != embedding + chunk:
        raise CheckpointError(
            f"the blocks see {condition} numbers; expected {embedding} of the class (shared.weight) and {chunk} of the "
            "code (linear.weight). The file is damaged, or its network is another one than BigGAN-PyTorch's."
        )
    weights = [tensors[f"blocks.{k}.0.conv1.weight"] for k in blocks]
    features = [weights[0].shape[1], *(weight.shape[0] for weight in weights)]
    bottom = math.isqrt(outputs // features[0])
    return {
        "latent_dim": chunk * len(features),
        "features": features,
        "attention": [k + 1 for k in _numbers(tensors, r"blocks\.(\d+)\.1\.theta\.weight")],
        "channels": tensors["output_layer.2.weight"].shape[0],
        "bottom": bottom,
        "embedding": embedding,
        "classes": rows if classes is None else classes,
        "resolution": bottom * 2 ** len(blocks),
    }


def _numbers(tensors: Tensors, pattern: str) -> list[int]:
    return sorted(int(found[1]) for name in tensors if (found := re.fullmatch(pattern, name)))


def _rows(config: Mapping[str, Any], epsilon_bn: float, epsilon_sn: float) -> list[Row]:
    """The table of the network."""
    layer = partial(Layer, spectral_norm="half-step", spectral_epsilon=epsilon_sn)

    def matrix(target: str, source: str, *factors: str) -> Computed:
        """A spectrally normalised matrix, or 1 x 1 kernel, as ours ``(in, out)``; times the tensors ``factors``."""

        def rule(weight: np.ndarray, u: np.ndarray, *scales: np.ndarray) -> np.ndarray:
            weight = layouts.spectral_norm_half_step(weight, u, epsilon_sn)
            return weight.reshape(weight.shape[:2]).T * math.prod(scale.item() for scale in scales)

        return Computed(target, (f"{source}.weight", f"{source}.u0", *factors), rule)

    def inverse_std(variance: np.ndarray) -> np.ndarray:
        return 1 / np.sqrt(variance + epsilon_bn)

    bottom = config["bottom"]
    rows: list[Row] = [layer("network/project", "linear", "dense_to_map", spatial=(bottom, bottom))]
    for k in range(1, len(config["features"])):
        ours, theirs = f"network/block{k}", f"blocks.{k - 1}.0"
        rows += [
            layer(f"{ours}_conv1", f"{theirs}.conv1", "conv", bias=False, drop_bias=True),
            layer(f"{ours}_conv2", f"{theirs}.conv2", "conv"),
            layer(f"{ours}_shortcut", f"{theirs}.conv_sc", "conv"),
            Tensor(f"{ours}_norm1/mean", f"{theirs}.bn1.stored_mean"),
            Computed(f"{ours}_norm2/mean", (f"{theirs}.bn2.stored_mean", f"{theirs}.conv1.bias"), np.subtract),
        ]
        for i in (1, 2):
            norm, published = f"{ours}_norm{i}", f"{theirs}.bn{i}"
            rows += [
                Computed(f"{norm}/inverse_std", (f"{published}.stored_var",), inverse_std),
                matrix(f"{norm}/gain", f"{published}.gain"),
                matrix(f"{norm}/shift", f"{published}.bias"),
            ]
        if k in config["attention"]:
            attention = f"blocks.{k - 1}.1"
            rows += [matrix(f"{ours}_attention/{part}", f"{attention}.{part}") for part in ("theta", "phi", "g")]
            rows.append(matrix(f"{ours}_attention/o", f"{attention}.o", f"{attention}.gamma"))
    statistics = tuple(f"output_layer.0.{part}" for part in ("gain", "bias", "stored_mean", "stored_var"))
    rows += [Computed(f"network/norm_{part}", statistics, partial(_output_norm, part)) for part in ("scale", "shift")]
    return [*rows, layer("network/output", "output_layer.2", "conv")]


def _output_norm(part: str, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
    return layouts.batch_norm(gamma, beta, mean, var, epsilon=OUTPUT_EPSILON)[("scale", "shift").index(part)]
