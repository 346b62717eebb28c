"""Linear maps, walked equation by equation, with another way to compute their products.

A map is linearised first, in float32; what it has become, a program that is linear in its tangents, is evaluated here.
Products of tangents are computed as the caller says. What does not depend on tangents (activations that a loop or
``jax.checkpoint`` computes again), products in :func:`geomgan.backend.always_float32` and operations that are not known
here stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from geomgan.backend import is_always_float32

PRODUCTS = ("dot_general", "conv_general_dilated")
_CALLS = (  # of programs by others that take just the same inputs
    *("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2"),
    *("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"),
)
Linear = Callable[..., Any]
Multiply = Callable[[Any, jax.Array, jax.Array], jax.Array]  # an equation and its two operands in float32
Traced = tuple[list[Any], list[bool]]  # values, and which of them depend on tangents


def walked(function: Linear, product: Multiply) -> Linear:
    """A linear function with its products of tangents computed by ``product``; ``jit`` and ``vmap`` it.

    It is not meant to be transposed: where a reverse pass is wanted, walk the transpose of ``function``.
    """

    def evaluate(*tangents: Any) -> Any:
        program, shape = jax.make_jaxpr(function, return_shape=True)(*tangents)
        leaves = jax.tree.leaves(tangents)
        results, _ = run(program, leaves, [True] * len(leaves), product)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return evaluate


def run(program: Any, inputs: Sequence[Any], moving: Sequence[bool], product: Multiply) -> Traced:
    """A program of inputs of which those that are ``moving`` depend on tangents."""
    jaxpr, constants = getattr(program, "jaxpr", program), getattr(program, "consts", ())
    known = {var: (value, False) for var, value in zip(jaxpr.constvars, constants, strict=True)}
    known |= dict(zip(jaxpr.invars, zip(inputs, moving, strict=True), strict=True))
    of = lambda atom: (atom.val, False) if hasattr(atom, "val") else known[atom]
    for equation in jaxpr.eqns:
        read = [of(atom) for atom in equation.invars]
        results = _equation(equation, [value for value, _ in read], [flag for _, flag in read], product)
        known |= dict(zip(equation.outvars, zip(*results, strict=True), strict=True))
    outputs = [of(atom) for atom in jaxpr.outvars]
    return [value for value, _ in outputs], [flag for _, flag in outputs]


def _equation(equation: Any, values: list[Any], moving: list[bool], product: Multiply) -> Traced:
    name, params = equation.primitive.name, equation.params
    if any(moving) and not is_always_float32(equation):
        if name in PRODUCTS and all(x.dtype == jnp.float32 for x in values):
            return [product(equation, values[0], values[1])], [True]
        if name in _CALLS:
            if params.get("prevent_cse") and params.get("differentiated"):  # or it would be kept, not computed again
                values = lax.optimization_barrier(values)
            return run(params.get("jaxpr", params.get("call_jaxpr")), values, moving, product)
        if name in _LOOPS:
            return _LOOPS[name](equation, values, moving, product)
    with equation.ctx.manager:
        results = equation.primitive.bind(*values, **equation.primitive.get_bind_params(params))
    results = results if equation.primitive.multiple_results else [results]
    return results, [any(moving)] * len(results)


def _scan(equation: Any, values: list[Any], moving: list[bool], product: Multiply) -> Traced:
    params, body = equation.params, equation.params["jaxpr"]
    alike = lambda outside, inside: sum(
        a.aval.shape == b.aval.shape for a, b in zip(outside, inside, strict=True)
    )  # versions of JAX keep these numbers in different places
    jaxpr = getattr(body, "jaxpr", body)
    count = alike(equation.outvars, jaxpr.outvars)  # what is stacked has an axis more outside
    first = alike(equation.invars, jaxpr.invars) - count
    moving, flags = _settled(body, moving, slice(first, first + count), product)

    def step(carried: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        results, _ = run(body, [*values[:first], *carried, *slices], moving, product)
        return results[:count], results[count:]

    same = {name: params[name] for name in ("length", "reverse", "unroll")}
    carried, stacked = lax.scan(step, values[first : first + count], values[first + count :], **same)
    return [*carried, *stacked], flags


def _while(equation: Any, values: list[Any], moving: list[bool], product: Multiply) -> Traced:
    params, body = equation.params, equation.params["body_jaxpr"]
    ends, first = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    fixed = values[ends:first]
    settled, flags = _settled(body, moving[ends:], slice(first - ends, None), product)
    goes_on = lambda state: run(params["cond_jaxpr"], [*values[:ends], *state], [False] * (ends + len(state)), product)
    step = lambda state: run(body, [*fixed, *state], settled, product)[0]
    return lax.while_loop(lambda state: goes_on(state)[0][0], step, values[first:]), flags


def _cond(equation: Any, values: list[Any], moving: list[bool], product: Multiply) -> Traced:
    index, *operands = values
    every = equation.params["branches"]
    flags = [any(parts) for parts in zip(*(_flags(branch, moving[1:], product) for branch in every), strict=True)]
    branches = [lambda *operands, branch=branch: run(branch, operands, moving[1:], product)[0] for branch in every]
    return lax.switch(index.astype(jnp.int32), branches, *operands), flags


_LOOPS = {"scan": _scan, "while": _while, "cond": _cond}


def _settled(body: Any, moving: Sequence[bool], carried: slice, product: Multiply) -> tuple[list[bool], list[bool]]:
    """Which inputs of a loop's body depend on tangents in any round, and which outputs."""
    moving = list(moving)
    while True:
        flags, before = _flags(body, moving, product), moving[carried]
        after = [a or b for a, b in zip(before, flags, strict=False)]
        if after == before:
            return moving, flags
        moving[carried] = after


def _flags(program: Any, moving: Sequence[bool], product: Multiply) -> list[bool]:
    """Which outputs of a program depend on tangents; computes nothing."""
    found: list[bool] = []

    def traced(*inputs: Any) -> list[Any]:
        results, flags = run(program, inputs, moving, product)
        found[:] = flags
        return results

    jax.eval_shape(traced, *(var.aval for var in getattr(program, "jaxpr", program).invars))
    return found
