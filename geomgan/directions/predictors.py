"""Shift predictors: networks that see a sample and the same sample moved, and say along which path and how far.

``"lenet"``   three 5 x 5 convolutions of 6, 16 and 120 channels, with batch norms, and two heads of two layers each;
``"resnet"``  ResNet-18 (He et al., 2016) and two linear heads.

The two images are one of twice the channels, the original first. Paths that one can tell apart from their images
change different things (Voynov and Babenko, 2020; Tzelepis et al., 2021, who call the network a reconstructor).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.directions.batch_layers import (
    Norms,
    convolution,
    initial_layers,
    initial_norms,
    linear,
    max_pool,
    pool_halves,
)
from geomgan.errors import check_choice, check_key

LENET = {"conv1": (5, 6), "conv2": (5, 16), "conv3": (5, 120)}  # side of the kernel, channels
LENET_SIDE = 32  # of the smallest image that three kernels of 5 and two halvings leave a pixel of
HEADS = ("path", "magnitude")
STAGES = {"layer1": (64, 1), "layer2": (128, 2), "layer3": (256, 2), "layer4": (512, 2)}  # channels, first stride
Outputs = tuple[jax.Array, jax.Array, dict[str, Any]]


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Predictor:
    """A shift predictor, as a frozen pytree. Make one with :func:`initial_predictor`.

    Attributes:
        learnt: the weights.
        kept: running statistics of its batch norms.
        kind: ``"lenet"`` or ``"resnet"``; static.
        resize: side to which images are brought first (nearest pixels); None leaves them; static.
    """

    learnt: dict[str, Any]
    kept: dict[str, Any]
    kind: str = field(metadata={"static": True})
    resize: int | None = field(default=None, metadata={"static": True})

    def __call__(
        self, images: jax.Array, moved: jax.Array, *, training: bool = False
    ) -> tuple[jax.Array, jax.Array, Predictor]:
        """Which paths, and how far.

        Args:
            images: ``(n, H, W, C)``.
            moved: the same codes' images after the shift.
            training: whether batch norms take the batch's statistics, and update the running ones.

        Returns:
            Logits ``(n, paths)``, magnitudes ``(n,)``, and the predictor with the new statistics.
        """
        pairs = jnp.concatenate([images, moved], axis=-1)
        if self.resize is not None:
            pairs = nearest(pairs, self.resize)
        logits, magnitudes, kept = NETWORKS[self.kind](self.learnt, self.kept, pairs, training)
        return logits, magnitudes, replace(self, kept=kept)


def initial_predictor(
    key: jax.Array, kind: str, paths: int, image: tuple[int, ...], resize: int | None = None
) -> Predictor:
    """A predictor with random weights.

    Args:
        key: random key.
        kind: ``"lenet"`` or ``"resnet"``.
        paths: how many it tells apart.
        image: shape ``(H, W, C)`` of a sample.
        resize: as in :class:`Predictor`.

    Raises:
        OptionError: ``kind`` is unknown.
        ValueError: samples are no images, or too small for the kernels.
    """
    check_choice(kind, NETWORKS, "predictor")
    check_key(key)
    if len(image) != 3:
        raise ValueError(f"samples have shape {image}; expected images (H, W, C): shift predictors look at pictures.")
    side = min(image[:2]) if resize is None else resize
    if kind == "lenet" and side < LENET_SIDE:
        raise ValueError(f"images have {side} pixels a side; LeNet needs {LENET_SIDE}. Pass resize={LENET_SIDE}.")
    learnt, kept = INITIAL[kind](key, paths, 2 * image[2])
    return Predictor(learnt, kept, kind, resize)


def nearest(x: jax.Array, side: int) -> jax.Array:
    """Images ``(n, H, W, C)`` of ``side`` pixels a side: pixel ``i`` is pixel ``⌊i H / side⌋``, as PyTorch has it."""
    rows, columns = (np.arange(side) * n // side for n in x.shape[1:3])
    return x[:, rows][:, :, columns]


def _lenet(learnt: Mapping[str, Any], kept: Mapping[str, Any], x: jax.Array, training: bool) -> Outputs:
    norms = Norms(learnt, kept, training)
    for i, name in enumerate(LENET, start=1):
        x = jax.nn.relu(norms(f"norm{i}", convolution(learnt[name], x)))
        x = pool_halves(x) if i < len(LENET) else x.mean((1, 2))
    heads = [
        linear(learnt[f"{head}2"], jax.nn.relu(norms(f"{head}_norm", linear(learnt[f"{head}1"], x)))) for head in HEADS
    ]
    return heads[0], heads[1][:, 0], norms.running


def _initial_lenet(key: jax.Array, paths: int, channels: int) -> tuple[dict[str, Any], dict[str, Any]]:
    shapes: dict[str, tuple[int, ...]] = {}
    norms = {f"norm{i}": features for i, (_, features) in enumerate(LENET.values(), start=1)}
    for name, (side, features) in LENET.items():
        shapes[name], channels = (side, side, channels, features), features
    for head, outputs in zip(HEADS, (paths, 1), strict=True):
        shapes |= {f"{head}1": (channels, 84), f"{head}2": (84, outputs)}
        norms[f"{head}_norm"] = 84
    weights, kept = initial_norms(norms)
    return initial_layers(key, shapes) | weights, kept


def _resnet(learnt: Mapping[str, Any], kept: Mapping[str, Any], x: jax.Array, training: bool) -> Outputs:
    norms = Norms(learnt, kept, training)
    x = jax.nn.relu(norms("norm1", convolution(learnt["conv1"], x, 2, 3)))
    x = max_pool(x, 3, 2, 1)
    for stage, (_, first) in STAGES.items():
        for i in range(2):
            name, stride = f"{stage}.{i}", first if i == 0 else 1
            y = jax.nn.relu(norms(f"{name}.norm1", convolution(learnt[f"{name}.conv1"], x, stride, 1)))
            y = norms(f"{name}.norm2", convolution(learnt[f"{name}.conv2"], y, 1, 1))
            if f"{name}.downsample" in learnt:
                x = norms(f"{name}.downsample_norm", convolution(learnt[f"{name}.downsample"], x, stride))
            x = jax.nn.relu(x + y)
    x = x.mean((1, 2))
    return linear(learnt["path"], x), linear(learnt["magnitude"], x)[:, 0], norms.running


def resnet_layers(channels: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the kernels of ResNet-18's convolutions ``(h, w, in, out)``, by name."""
    shapes: dict[str, tuple[int, ...]] = {"conv1": (7, 7, channels, 64)}
    before = 64
    for stage, (features, stride) in STAGES.items():
        for i in range(2):
            shapes[f"{stage}.{i}.conv1"] = (3, 3, before, features)
            shapes[f"{stage}.{i}.conv2"] = (3, 3, features, features)
            if i == 0 and stride > 1:
                shapes[f"{stage}.{i}.downsample"] = (1, 1, before, features)
            before = features
    return shapes


def norm_of(convolution_name: str) -> str:
    """The name of the batch norm behind a convolution of ResNet-18."""
    return convolution_name.replace("conv", "norm") if "conv" in convolution_name else f"{convolution_name}_norm"


def _initial_resnet(key: jax.Array, paths: int, channels: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Convolutions by He's normal law of their outputs, ``N(0, 2 / (h w out))``, without biases."""
    shapes = resnet_layers(channels)
    weights, kept = initial_norms({norm_of(name): shape[-1] for name, shape in shapes.items()})
    key_body, key_heads = jax.random.split(key)
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()])
    drawn = np.split(np.asarray(jax.random.normal(key_body, (int(ends[-1]),))), ends[:-1])  # one program for all
    layers = {
        name: {"kernel": jnp.asarray(values.reshape(s) * np.float32(np.sqrt(2 / (s[0] * s[1] * s[3]))))}
        for values, (name, s) in zip(drawn, shapes.items(), strict=True)
    }
    heads = initial_layers(key_heads, {"path": (512, paths), "magnitude": (512, 1)})
    return layers | heads | weights, kept


NETWORKS = {"lenet": _lenet, "resnet": _resnet}
INITIAL = {"lenet": _initial_lenet, "resnet": _initial_resnet}
