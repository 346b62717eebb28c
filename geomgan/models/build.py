"""From a card and weights to the generator, or another network, that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.errors import CheckpointError, check_choice, reading
from geomgan.generators import Generator, Network
from geomgan.generators.network import FlaxFunction
from geomgan.models.families import FAMILIES, NETWORKS, Part


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
    if family not in NETWORKS:
        use = f"Use it as {FAMILIES[family].use('FOLDER')}." if family in FAMILIES else "Update geomgan."
        raise CheckpointError(f"{name} is of the family {family!r}, which is no generator or network. {use}")
    parts = NETWORKS[family]
    part = part or ("generator" if "generator" in parts else next(iter(parts)))
    check_choice(part, parts, "part")
    if part not in params:
        raise ValueError(f"{name} was converted without its {part}. Convert it again from a checkpoint that has it.")
    kind = parts[part]
    known = kind.options_of(card.get("config", {}))
    if unknown := sorted(set(options) - set(known)):
        if known:
            raise TypeError(f"{name} ({family}) has no option {', '.join(unknown)}; it has {', '.join(known)}.")
        network = name if len(parts) == 1 else f"the {part} of {name}"
        raise TypeError(
            f"{network} takes no options, got {', '.join(unknown)}. Leave {'it' if len(unknown) == 1 else 'them'} out."
        )
    what, fix = f"{name}: its model.json and its weights", "Convert the model again."
    with reading(what, fix, error=CheckpointError, found="do not fit each other"):
        return _network(kind, part, card, params, name, options)


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
    network = Network(params, FlaxFunction(module), kind.inputs(config, **options), f"{name}:{part}")
    jax.eval_shape(network.function, params, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in network.input_shapes))
    return network
