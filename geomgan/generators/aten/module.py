"""A program of ATen operators as a Flax module."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from geomgan.generators.aten.layout import ChannelsLast, channels_first
from geomgan.generators.aten.program import Program, Tensor
from geomgan.generators.aten.run import run
from geomgan.generators.layers import tap
from geomgan.generators.prepared import unprepared


class Aten(nn.Module):
    """``(code, *others) -> sample``: the program on one code; every value of a node is an activation by its name.

    A code is flat and takes the shape of the program's first input. Samples and activations lose their batch of one,
    and channels come last: ``(1, C, H, W) -> (H, W, C)``.
    """

    program: Program

    @nn.compact
    def __call__(self, *inputs):
        values = run(self.program, inputs, {w.name: self._weight(w) for w in self.program.weights})
        samples = {name: sample_of(value) for name, value in values.items()}
        given = {t.name for t in self.program.inputs}
        for name, sample in samples.items():
            if name not in given and jnp.issubdtype(sample.dtype, jnp.floating):
                tap(self, name, sample)
        return samples[self.program.output.name]

    def _weight(self, weight: Tensor) -> Any:
        """Not by ``param``, which refuses names that Flax has for its own, such as ``init``."""
        if not self.has_variable("params", weight.name):
            self.put_variable("params", weight.name, jnp.zeros(weight.shape, weight.dtype))
        value: Any = self.get_variable("params", weight.name)
        if (shape := unprepared(value).shape) != weight.shape:
            raise ValueError(f"the weight {weight.name} has the shape {shape}; expected {weight.shape}")
        return value


def sample_of(value: Any) -> Any:
    """A value as a sample: without its batch of one, channels last."""
    if isinstance(value, ChannelsLast) and value.array.shape[0] == 1:
        return value.array[0]
    value = channels_first(value)
    x = value[0] if value.ndim and value.shape[0] == 1 else value
    return jnp.moveaxis(x, 0, -1) if x.ndim > 1 else x
