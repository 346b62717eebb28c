"""From a program and its weights to what a generator needs; the inputs besides the code are its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError
from geomgan.generators.aten.module import Aten
from geomgan.generators.aten.program import Program, Tensor, Value, Weight
from geomgan.generators.aten.weights import taken_by
from geomgan.generators.network import FlaxFunction
from geomgan.generators.spaces import InSpace, Settings

_SAME = {"clone", "expand", "flatten", "reshape", "squeeze", "to.dtype", "unsqueeze", "view"}  # numbers as they are


@dataclass(frozen=True)
class Beside:
    """``(context, code) -> (code, *others)``, the others by their names in the context."""

    names: tuple[str, ...]

    def __call__(self, context: Mapping[str, jax.Array], z: jax.Array) -> tuple[jax.Array, ...]:
        return (z, *(context[name] for name in self.names))


def configuration(program: Program, inputs: Mapping[str, int]) -> dict[str, Any]:
    """What :func:`generator` takes: ``inputs`` are the usual values of those besides the code."""
    config = {"latent_dim": program.latent_dim, "program": program.to_json()}
    return config | ({"inputs": dict(inputs)} if inputs else {})


def network(config: Mapping[str, Any]) -> Aten:
    """The module of a configuration; a ``ValueError`` where its program is none."""
    program = Program.from_json(config["program"])
    if program.latent_dim != config["latent_dim"]:
        raise ValueError(f"its code has {program.latent_dim} numbers; the card says {config['latent_dim']}")
    return Aten(program)


def generator(config: Mapping[str, Any], params: Mapping[str, Any], **given: int) -> Settings:
    """What a ``Generator`` needs; options are the whole numbers of ``config["inputs"]``, such as ``class_index``.

    Args:
        config: as :func:`configuration` makes it.
        params: ``{"generator": weights by name}``.
        given: by the name of an input, for all numbers of it.

    Raises:
        OptionError: an input has no such value.
        ValueError: as :func:`network`.
    """
    module, usual = network(config), config.get("inputs", {})
    function, weights = FlaxFunction(module), jax.tree.map(jnp.asarray, params["generator"])
    program = module.program
    if len(program.inputs) == 1:
        return Settings(function, weights, program.latent_dim)
    others = {t.name: filled(program, t, given.get(t.name, usual[t.name])) for t in program.inputs[1:]}
    params = {"network": weights, "context": others}
    return Settings(InSpace(function, Beside(tuple(others))), params, program.latent_dim)


def filled(program: Program, tensor: Tensor, value: Any) -> jax.Array:
    """An input whose numbers all are ``value``; an ``OptionError`` where it cannot be that."""
    below = _rows(program, tensor.name)
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value < (2**31 if below is None else below):
        most = "" if below is None else f" to {below - 1}"
        raise OptionError(f"{tensor.name}={value!r}; expected a whole number from 0{most}.")
    return jnp.full(tensor.shape, value, tensor.dtype)


def _rows(program: Program, name: str) -> int | None:
    """How many rows the table has that the input ``name`` takes one of; None where it is no place in a table."""
    shapes, same = {w.name: w.shape for w in program.weights}, {name}
    for node in program.nodes:
        values = {taken.name for taken in taken_by(node) if isinstance(taken, Value)}
        if values and values <= same:
            table, *others = node.arguments
            if node.operator == "embedding" and isinstance(table, Weight):
                return shapes[table.name][0]
            if node.operator == "one_hot" and others and isinstance(others[0], int) and others[0] > 0:
                return others[0]
            same |= {node.name} if node.operator in _SAME else set()
    return None
