"""Linear maps with fewer multiplications in their convolutions, for many tangents at once.

Fields prepare the kernels of a network once for all codes (:mod:`geomgan.generators.prepared`). A map that is there
already, with plain kernels, is walked instead, and the kernels are combined in the program that pushes the tangents.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.generators.prepared import pays
from geomgan.generators.winograd import PLAIN_3, combined_taps, winograd
from geomgan.metric.walked import Linear, walked

_AXES = (0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)  # NHWC, HWIO, NHWC


def fewer(function: Linear, tangent: Any, count: int) -> Linear:
    """A linear function with its 3 x 3 convolutions by Winograd's way, where ``count`` tangents together are worth it.

    Call it outside the loop that pushes tangents: the kernels are combined here, not in each of its rounds.

    Args:
        function: linear in one ``tangent``; its kernels are held by it.
        tangent: one, or its shape and type.
        count: tangents pushed together.
    """
    if not pays(count):
        return function
    held = {id(leaf) for leaf in jax.tree.leaves(function)}
    kernels: dict[int, jax.Array] = {}

    def collect(equation: Any, dx: jax.Array, kernel: jax.Array) -> jax.Array:
        if id(kernel) in held and _suits(equation, kernel):
            kernels[id(kernel)] = kernel
        return _itself(equation, dx, kernel)

    jax.eval_shape(walked(function, collect), tangent)
    combined = {key: combined_taps(PLAIN_3, kernel) for key, kernel in kernels.items()}

    def product(equation: Any, dx: jax.Array, kernel: jax.Array) -> jax.Array:
        if id(kernel) not in combined or not _suits(equation, kernel):
            return _itself(equation, dx, kernel)
        return jax.vmap(lambda x: winograd(PLAIN_3, x, combined[id(kernel)]))(dx)

    return walked(function, product)


def _suits(equation: Any, kernel: Any) -> bool:
    """Whether it is the convolution that the scheme computes, of kernels that are wide enough for it to be faster."""
    params = equation.params
    if equation.primitive.name != "conv_general_dilated" or kernel.shape[:2] != (3, 3) or kernel.ndim != 4:
        return False
    one, numbers = (1, 1), params["dimension_numbers"]
    return (
        (numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec) == _AXES
        and params["padding"] == (one, one)
        and params["window_strides"] == params["lhs_dilation"] == params["rhs_dilation"] == one
        and params["feature_group_count"] == params["batch_group_count"] == 1
        and math.prod(kernel.shape[2:]) >= PLAIN_3.width**2
        and kernel.dtype == jnp.float32
    )


def _itself(equation: Any, dx: jax.Array, kernel: jax.Array) -> jax.Array:
    return equation.primitive.bind(dx, kernel, **equation.params)
