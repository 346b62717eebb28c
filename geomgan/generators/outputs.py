"""What a generator's function may return besides one array: a distribution, or the samples of an ensemble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax

from geomgan.brief import brief


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gaussian:
    """What a stochastic decoder returns: the mean and the standard deviation of every pixel, of one shape."""

    mean: jax.Array
    std: jax.Array


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Members:
    """The outputs of an ensemble's members, stacked along the first axis: arrays, or a stacked :class:`Gaussian`."""

    outputs: Any


def mean_sample(output: Any) -> jax.Array:
    """The one sample that stands for an output: the mean of a distribution, and over an ensemble."""
    if isinstance(output, Members):
        return mean_sample(output.outputs).mean(axis=0)
    return output.mean if isinstance(output, Gaussian) else output
