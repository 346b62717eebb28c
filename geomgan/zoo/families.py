"""The families of models: from the configuration in ``model.json`` to Flax modules, generators and networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import FlaxError

from geomgan.distances.digit_classifier import DigitClassifier
from geomgan.errors import CheckpointError, check_choice
from geomgan.generators import Generator, Network
from geomgan.generators import generative_latent_space as gls
from geomgan.generators.dcgan import DCGAN
from geomgan.generators.network import FlaxFunction

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One network of a family: its module, and the shapes of its inputs, both from the configuration."""

    module: Callable[[Config], nn.Module]
    inputs: Callable[[Config], tuple[tuple[int, ...], ...]]


def _code(config: Config) -> tuple[tuple[int, ...], ...]:
    return ((config["latent_dim"],),)


_DIGIT = (28, 28, 1)

FAMILIES: dict[str, dict[str, Part]] = {
    "dcgan-tutorial": {
        "generator": Part(lambda c: DCGAN(tuple(c["features"]), c["channels"]), _code),
    },
    "generative-latent-space-vae": {
        "generator": Part(lambda c: gls.VAEDecoder(c["centers"]), _code),
        "encoder": Part(lambda c: gls.VAEEncoder(c["latent_dim"]), lambda _: (_DIGIT,)),
    },
    "generative-latent-space-bigan": {
        "generator": Part(lambda _: gls.Decoder((16, 3)), _code),
        "encoder": Part(lambda c: gls.BiGANEncoder(c["latent_dim"]), lambda _: (_DIGIT,)),
        "discriminator": Part(lambda _: gls.BiGANDiscriminator(), lambda c: (_DIGIT, (c["latent_dim"],))),
    },
    "digit-classifier": {
        "classifier": Part(lambda _: DigitClassifier(), lambda _: ((32, 32, 1),)),
    },
}


def build(card: Mapping[str, Any], params: Mapping[str, Any], part: str | None, name: str) -> Generator | Network:
    """The generator of a model, or another of its networks.

    Args:
        card: what ``model.json`` says.
        params: part -> weights.
        part: None for the generator, or the only network of a model without one.
        name: for messages and reports.

    Raises:
        ValueError: the model has no such part.
        CheckpointError: the family is unknown or is not a network, or weights and configuration do not fit.
    """
    family = card.get("family")
    if family not in FAMILIES:
        of_lpips = str(family).startswith(("lpips-", "torchvision-"))
        use = "Use it as lpips(net, weights=FOLDER)." if of_lpips else "Update geomgan."
        raise CheckpointError(f"{name} is of the family {family!r}, which is no generator or network. {use}")
    parts = FAMILIES[family]
    part = part or ("generator" if "generator" in parts else next(iter(parts)))
    check_choice(part, parts, "part")
    if part not in params:
        raise ValueError(f"{name} was converted without its {part}. Convert it again from a checkpoint that has it.")
    try:
        return _network(parts[part], part, card, params[part], name)
    except (FlaxError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{name}: its model.json and its weights do not fit each other ({error}). Convert the model again."
        ) from error


def _network(kind: Part, part: str, card: Mapping[str, Any], params: Any, name: str) -> Generator | Network:
    config = card["config"]
    module = kind.module(config)
    if part == "generator":
        return Generator.from_module(module, params, config["latent_dim"], output_range=card["output_range"], name=name)
    network = Network(params, FlaxFunction(module), kind.inputs(config), f"{name}:{part}")
    jax.eval_shape(network.function, params, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in network.input_shapes))
    return network
