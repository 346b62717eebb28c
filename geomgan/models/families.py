"""The families of models: from the configuration in ``model.json`` to Flax modules, generators and networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import FlaxError

from geomgan.errors import CheckpointError, OptionError, check_choice
from geomgan.generators import (
    Generator,
    Network,
    biggan,
    biggan_deep,
    nvidia_stylegan2,
    nvidia_stylegan3,
    pggan,
    stylegan,
    stylegan2,
)
from geomgan.generators import generative_latent_space as gls
from geomgan.generators.dcgan import DCGAN
from geomgan.generators.network import FlaxFunction
from geomgan.generators.sngan import SNGAN
from geomgan.generators.spaces import Settings
from geomgan.generators.upconv import Upconv
from geomgan.generators.wavegan import WaveGAN
from geomgan.models.digit_classifier import DigitClassifier

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One network of a family.

    Attributes:
        module: the Flax module of a configuration.
        inputs: the shapes of its inputs, of a configuration.
        generator: for a family whose codes are not simply what the network takes:
            ``(config, params, *, option=default, ...) -> Settings``. Its keyword-only parameters are the options
            of ``geomgan.load``. ``params`` are all parts of the folder, in numpy.
    """

    module: Callable[[Config], nn.Module]
    inputs: Callable[[Config], tuple[tuple[int, ...], ...]]
    generator: Callable[..., Settings] | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What ``geomgan.load`` takes for this family."""
        parameters = inspect.signature(self.generator).parameters.values() if self.generator else ()
        return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def _code(config: Config) -> tuple[tuple[int, ...], ...]:
    return ((config["latent_dim"],),)


_DIGIT = (28, 28, 1)

FAMILIES: dict[str, dict[str, Part]] = {
    "bigbigan": {
        "generator": Part(biggan.network, biggan.inputs, biggan.bigbigan),
    },
    "biggan-138k": {
        "generator": Part(biggan.network, biggan.inputs, biggan.biggan),
    },
    "biggan-deep": {
        "generator": Part(biggan_deep.network, biggan_deep.inputs, biggan_deep.generator),
    },
    "dcgan-gan-zoo": {
        "generator": Part(lambda c: DCGAN(tuple(c["features"]), c["channels"], c["tanh"]), _code),
    },
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
    "nvidia-stylegan2": {
        "generator": Part(stylegan2.network, _code, nvidia_stylegan2.generator),
    },
    "nvidia-stylegan3": {
        "generator": Part(nvidia_stylegan3.network, _code, nvidia_stylegan3.generator),
    },
    "pggan-gan-zoo": {
        "generator": Part(pggan.network, lambda c: (*_code(c), ()), pggan.growing),
    },
    "proggan": {
        "generator": Part(pggan.network, _code),
    },
    "sngan": {
        "generator": Part(lambda c: SNGAN(tuple(c["features"]), c["channels"], c["seed"]), _code),
    },
    "stylegan": {
        "generator": Part(stylegan.network, _code, stylegan.generator),
    },
    "stylegan2": {
        "generator": Part(stylegan2.network, _code, stylegan2.generator),
    },
    "upconv": {
        "generator": Part(lambda c: Upconv(c["layout"], tuple(c["features"]), c["scale"]), _code),
    },
    "wavegan": {
        "generator": Part(
            lambda c: WaveGAN(tuple(c["features"]), c["channels"], c["last_factor"], c["repeats"]), _code
        ),
    },
}


def build(
    card: Mapping[str, Any], params: Mapping[str, Any], part: str | None, name: str, options: Mapping[str, Any]
) -> Generator | Network:
    """The generator of a model, or another of its networks.

    Args:
        card: what ``model.json`` says.
        params: part -> weights, in numpy.
        part: None for the generator, or the only network of a model without one.
        name: for messages and reports.
        options: of the family's generator.

    Raises:
        ValueError: the model has no such part, or an option has a value that it cannot take.
        TypeError: the family has no such option.
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
    kind = parts[part]
    if unknown := sorted(set(options) - set(kind.options)):
        if kind.options:
            raise TypeError(f"{name} ({family}) has no option {', '.join(unknown)}; it has {', '.join(kind.options)}.")
        network = name if len(parts) == 1 else f"the {part} of {name}"
        raise TypeError(
            f"{network} takes no options, got {', '.join(unknown)}. Leave {'it' if len(unknown) == 1 else 'them'} out."
        )
    try:
        return _network(kind, part, card, params, name, options)
    except (FlaxError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, OptionError):
            raise
        raise CheckpointError(
            f"{name}: its model.json and its weights do not fit each other ({error}). Convert the model again."
        ) from error


def _network(
    kind: Part, part: str, card: Mapping[str, Any], params: Any, name: str, options: Mapping[str, Any]
) -> Generator | Network:
    config = card["config"]
    if kind.generator:
        settings = kind.generator(config, params, **options)
        return Generator.in_space(
            settings.function,
            settings.params,
            settings.latent_dim,
            prior=settings.prior,
            output_range=card["output_range"],
            name=name,
        )
    module, params = kind.module(config), jax.tree.map(jnp.asarray, params[part])
    if part == "generator":
        return Generator.from_module(module, params, config["latent_dim"], output_range=card["output_range"], name=name)
    network = Network(params, FlaxFunction(module), kind.inputs(config), f"{name}:{part}")
    jax.eval_shape(network.function, params, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in network.input_shapes))
    return network
