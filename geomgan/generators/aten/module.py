"""A program of ATen operators as a Flax module."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from geomgan.generators.aten.operators import OPERATORS
from geomgan.generators.aten.program import Argument, Node, Program, Value, Weight
from geomgan.generators.layers import tap


class Aten(nn.Module):
    """``(code, *others) -> sample``: the program on one code; every value of a node is an activation by its name.

    A code is flat and takes the shape of the program's first input. Samples and activations lose their batch of one,
    and channels come last: ``(1, C, H, W) -> (H, W, C)``.
    """

    program: Program

    @nn.compact
    def __call__(self, *inputs):
        program = self.program
        weights = {w.name: self.param(w.name, nn.initializers.zeros, w.shape, w.dtype) for w in program.weights}
        values: dict[str, Any] = {
            t.name: jnp.asarray(x, t.dtype).reshape(t.shape) for t, x in zip(program.inputs, inputs, strict=True)
        }

        def resolved(argument: Argument) -> Any:
            if isinstance(argument, tuple):
                return [resolved(part) for part in argument]
            if isinstance(argument, Value):
                return values[argument.name]
            return weights[argument.name] if isinstance(argument, Weight) else argument

        for node in program.nodes:
            result = OPERATORS[node.operator](*map(resolved, node.arguments), **_options(node, resolved))
            if node.parts:
                values |= {name: part for name, part in zip(node.parts, result, strict=True) if name}
            else:
                values[node.name] = result
                if jnp.issubdtype(result.dtype, jnp.floating):
                    tap(self, node.name, sample_of(result))
        return sample_of(values[program.output.name])


def _options(node: Node, resolved: Any) -> dict[str, Any]:
    return {name: resolved(value) for name, value in node.options}


def sample_of(value: Any) -> Any:
    """A value of torch's layout as a sample: without its batch of one, channels last."""
    x = value[0] if value.ndim and value.shape[0] == 1 else value
    return jnp.moveaxis(x, 0, -1) if x.ndim > 1 else x
