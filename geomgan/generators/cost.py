"""What a function costs, read in its traced program: FLOPs, its widest array, the kernels that can be prepared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from geomgan.generators.prepared import KernelUse, kernel_use, kernels_in


@dataclass(frozen=True)
class Profile:
    """What a function gives and costs, from one trace.

    Attributes:
        outputs: shapes and types of the leaves of its result.
        flops: as :func:`count_flops` has them.
        largest: bytes, as :func:`largest_array` has them.
        kernels: as :func:`geomgan.generators.prepared.kernels_used` has them.
    """

    outputs: tuple[jax.ShapeDtypeStruct, ...]
    flops: float
    largest: int
    kernels: tuple[KernelUse, ...] = ()


def profile(function: Callable, *arguments: Any) -> Profile:
    """Trace ``function(*arguments)`` once; runs nothing, and keeps nothing of the trace."""
    traced = jax.make_jaxpr(function)(*arguments)
    return profile_in(traced.jaxpr, tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in traced.out_avals))


def profile_in(jaxpr: Any, outputs: tuple[jax.ShapeDtypeStruct, ...]) -> Profile:
    """:func:`profile` of a traced program, of whose outputs these count."""
    return Profile(outputs, _of(jaxpr), _largest(jaxpr), kernels_in(jaxpr))


def count_flops(function: Callable, *arguments: Any) -> float:
    """Floating-point operations of the matrix products and convolutions in ``function(*arguments)``; runs nothing.

    A compiler's own count takes the body of a loop once; here it is taken as often as the loop runs. A convolution
    over an input that is dilated with zeros (a transposed one) counts only the products that are not with zeros.
    Element-wise work is not counted.
    """
    return _of(jax.make_jaxpr(function)(*arguments).jaxpr)


def largest_array(function: Callable, *arguments: Any) -> int:
    """Bytes of the largest array that ``function(*arguments)`` makes, fused or not; runs nothing."""
    return _largest(jax.make_jaxpr(function)(*arguments).jaxpr)


def _largest(jaxpr: Any) -> int:
    makes = [equation for equation in jaxpr.eqns if equation.primitive is not kernel_use]  # that hands on a weight
    own = [out.aval.size * out.aval.dtype.itemsize for equation in makes for out in equation.outvars]
    return max([0, *own, *(_largest(body) for equation in jaxpr.eqns for body in _bodies(equation))])


def _bodies(equation: Any) -> list[Any]:
    """The programs inside an equation: of loops, branches, and functions of their own."""
    values = [v for value in equation.params.values() for v in (value if isinstance(value, tuple | list) else (value,))]
    return [body for body in (getattr(value, "jaxpr", value) for value in values) if hasattr(body, "eqns")]


def _of(jaxpr: Any) -> float:
    return sum(_equation(equation) for equation in jaxpr.eqns)


def _equation(equation: Any) -> float:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return 2.0 * equation.outvars[0].aval.size * math.prod(shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel, output = equation.invars[1].aval, equation.outvars[0].aval
        out_axis = params["dimension_numbers"].rhs_spec[0]
        per_output = kernel.size / kernel.shape[out_axis]
        return 2.0 * output.size * per_output / math.prod(params["lhs_dilation"])
    times = params.get("length", 1) if name == "scan" else 1
    inner = [_of(body) for body in _bodies(equation)]
    return times * (max(inner, default=0.0) if name == "cond" else sum(inner))
