"""Linear maps whose matrix products and convolutions run in a coarser format than float32.

The point of linearisation stays in float32: a map is linearised first, and what it has become, a program that is
linear in its tangents, is walked here equation by equation. Products of tangents are computed in the format. What does
not depend on tangents (activations that a loop or ``jax.checkpoint`` computes again), products in
:func:`geomgan.backend.always_float32` and operations that are not known here stay as they are: float32. Between
equations tangents are float32; where products give shorter numbers, compilers fuse what lies between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from geomgan.backend import FLOAT32, Format, format_of, is_always_float32

PRODUCTS = ("dot_general", "conv_general_dilated")
_CALLS = (  # of programs by others that take just the same inputs
    *("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2"),
    *("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"),
)
Linear = Callable[..., Any]
Traced = tuple[list[Any], list[bool]]  # values, and which of them depend on tangents


def coarse(function: Linear, precision: str) -> Linear:
    """A linear function with its products in ``precision``; itself where that is float32 on this device.

    ``jit`` and ``vmap`` it. It is not meant to be transposed: where a reverse pass is wanted, transpose ``function``,
    so that both ways round what they multiply.
    """
    form = format_of(precision)
    return function if form == FLOAT32 else in_format(function, form)


def in_format(function: Linear, form: Format) -> Linear:
    """A linear function with its products in a format."""

    def run(*tangents: Any) -> Any:
        program, shape = jax.make_jaxpr(function, return_shape=True)(*tangents)
        leaves = jax.tree.leaves(tangents)
        results, _ = _run(program, leaves, [True] * len(leaves), form)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return run


def _run(program: Any, inputs: Sequence[Any], moving: Sequence[bool], form: Format) -> Traced:
    """A program of inputs of which those that are ``moving`` depend on tangents."""
    jaxpr, constants = getattr(program, "jaxpr", program), getattr(program, "consts", ())
    known = {var: (value, False) for var, value in zip(jaxpr.constvars, constants, strict=True)}
    known |= dict(zip(jaxpr.invars, zip(inputs, moving, strict=True), strict=True))
    of = lambda atom: (atom.val, False) if hasattr(atom, "val") else known[atom]
    for equation in jaxpr.eqns:
        read = [of(atom) for atom in equation.invars]
        results = _equation(equation, [value for value, _ in read], [flag for _, flag in read], form)
        known |= dict(zip(equation.outvars, zip(*results, strict=True), strict=True))
    outputs = [of(atom) for atom in jaxpr.outvars]
    return [value for value, _ in outputs], [flag for _, flag in outputs]


def _equation(equation: Any, values: list[Any], moving: list[bool], form: Format) -> Traced:
    name, params = equation.primitive.name, equation.params
    if any(moving) and not is_always_float32(equation):
        if name in PRODUCTS and all(x.dtype == jnp.float32 for x in values):
            return [_product(equation, values[0], values[1], form)], [True]
        if name in _CALLS:
            if params.get("prevent_cse") and params.get("differentiated"):  # or it would be kept, not computed again
                values = lax.optimization_barrier(values)
            return _run(params.get("jaxpr", params.get("call_jaxpr")), values, moving, form)
        if name in _LOOPS:
            return _LOOPS[name](equation, values, moving, form)
    with equation.ctx.manager:
        results = equation.primitive.bind(*values, **equation.primitive.get_bind_params(params))
    results = results if equation.primitive.multiple_results else [results]
    return results, [any(moving)] * len(results)


def _scan(equation: Any, values: list[Any], moving: list[bool], form: Format) -> Traced:
    params, body = equation.params, equation.params["jaxpr"]
    alike = lambda outside, inside: sum(
        a.aval.shape == b.aval.shape for a, b in zip(outside, inside, strict=True)
    )  # versions of JAX keep these numbers in different places
    jaxpr = getattr(body, "jaxpr", body)
    count = alike(equation.outvars, jaxpr.outvars)  # what is stacked has an axis more outside
    first = alike(equation.invars, jaxpr.invars) - count
    moving, flags = _settled(body, moving, slice(first, first + count), form)

    def step(carried: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        results, _ = _run(body, [*values[:first], *carried, *slices], moving, form)
        return results[:count], results[count:]

    same = {name: params[name] for name in ("length", "reverse", "unroll")}
    carried, stacked = lax.scan(step, values[first : first + count], values[first + count :], **same)
    return [*carried, *stacked], flags


def _while(equation: Any, values: list[Any], moving: list[bool], form: Format) -> Traced:
    params, body = equation.params, equation.params["body_jaxpr"]
    ends, first = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    fixed = values[ends:first]
    settled, flags = _settled(body, moving[ends:], slice(first - ends, None), form)
    goes_on = lambda state: _run(params["cond_jaxpr"], [*values[:ends], *state], [False] * (ends + len(state)), form)
    step = lambda state: _run(body, [*fixed, *state], settled, form)[0]
    return lax.while_loop(lambda state: goes_on(state)[0][0], step, values[first:]), flags


def _cond(equation: Any, values: list[Any], moving: list[bool], form: Format) -> Traced:
    index, *operands = values
    every = equation.params["branches"]
    flags = [any(parts) for parts in zip(*(_flags(branch, moving[1:], form) for branch in every), strict=True)]
    run = [lambda *operands, branch=branch: _run(branch, operands, moving[1:], form)[0] for branch in every]
    return lax.switch(index.astype(jnp.int32), run, *operands), flags


_LOOPS = {"scan": _scan, "while": _while, "cond": _cond}


def _settled(body: Any, moving: Sequence[bool], carried: slice, form: Format) -> tuple[list[bool], list[bool]]:
    """Which inputs of a loop's body depend on tangents in any round, and which outputs."""
    moving = list(moving)
    while True:
        flags, before = _flags(body, moving, form), moving[carried]
        after = [a or b for a, b in zip(before, flags, strict=False)]
        if after == before:
            return moving, flags
        moving[carried] = after


def _flags(program: Any, moving: Sequence[bool], form: Format) -> list[bool]:
    """Which outputs of a program depend on tangents; computes nothing."""
    found: list[bool] = []

    def run(*inputs: Any) -> list[Any]:
        results, flags = _run(program, inputs, moving, form)
        found[:] = flags
        return results

    jax.eval_shape(run, *(var.aval for var in getattr(program, "jaxpr", program).invars))
    return found


def _product(equation: Any, a: jax.Array, b: jax.Array, form: Format) -> jax.Array:
    """A product of two float32 arrays, as float32."""
    params = equation.params
    if form.native:
        params = {**params, "precision": (lax.Precision.DEFAULT, lax.Precision.DEFAULT)}
    times = lambda a, b: equation.primitive.bind(a, b, **params)
    if form.halves:
        (a, small_a), (b, small_b) = _split(a, form), _of_kernel(equation, lambda b: _split(b, form), b)
        return times(a, b) + (times(a, small_b) + times(small_a, b))
    if form.native and form.narrow:
        params = {**params, "preferred_element_type": jnp.dtype(jnp.bfloat16)}
        b = _of_kernel(equation, lambda b: b.astype(jnp.bfloat16), b)
        return times(a.astype(jnp.bfloat16), b).astype(jnp.float32)
    if form.native:
        return times(a, b)
    y = times(_rounded(a, form), _rounded(b, form))
    return _rounded(y, form) if form.narrow else y


def _of_kernel(equation: Any, rounding: Callable[[jax.Array], Any], b: jax.Array) -> Any:
    """``rounding`` of a product's second operand, so that compilers still see what it is.

    A convolution with zeros between pixels is the reverse pass of one with a stride. XLA finds that where the kernel is
    a flipped one, and then needs no zeros: what is flipped is rounded before, not behind.
    """
    if all(step == 1 for step in equation.params.get("lhs_dilation", ())):
        return rounding(b)
    axes = equation.params["dimension_numbers"].rhs_spec[2:]
    return jax.tree.map(lambda x: lax.rev(x, axes), rounding(lax.rev(b, axes)))


def _split(x: jax.Array, form: Format) -> tuple[jax.Array, jax.Array]:
    """Two numbers of the format, whose sum is that of twice the digits nearest to ``x``."""
    large = _rounded(x, form)
    return large, _rounded(x - large, form)


def _rounded(x: jax.Array, form: Format) -> jax.Array:
    return lax.reduce_precision(x, exponent_bits=8, mantissa_bits=form.bits)
