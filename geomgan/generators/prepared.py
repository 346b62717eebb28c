"""Prepared kernels: weights that hold, beside a kernel, what many tangents multiply with instead.

A metric pushes hundreds of tangents through the same convolutions. :func:`kernels_used` finds the weights that wide
convolutions take as their kernels, :func:`prepare` puts a :class:`Prepared` in the place of each, and layers dispatch
on it: samples, and derivatives with respect to kernels, stay with the definition; tangents of samples take the
combinations of taps of :mod:`geomgan.generators.winograd`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from geomgan.backend import backend
from geomgan.brief import brief
from geomgan.generators.winograd import (
    SCHEMES,
    Combinations,
    Scheme,
    combined_taps,
    pulled_taps,
    pulled_winograd,
    winograd,
)

Kernel = Any  # an array, or Prepared


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Prepared:
    """A kernel with what its tangents take, in the place of the kernel in a tree of weights.

    Attributes:
        plain: the kernel ``(..., in, out)``. It is the first leaf: Flax compares a parameter's shape with that.
        combinations: name of a scheme -> its combinations of taps.
        pulled: the same of the convolutions that reverse passes take, of kernels that never train; samples take the
            combinations too then. None where samples are as the definition has them, and derivatives with respect to
            kernels are possible.
    """

    plain: jax.Array
    combinations: dict[str, Combinations]
    pulled: dict[str, Combinations] | None = None


class KernelUse(NamedTuple):
    """A weight that a wide convolution takes as its kernel.

    Attributes:
        leaf: its place among the leaves.
        scheme: name of the scheme that computes the convolution.
        stacked: leading axes of the leaf over which the convolution is mapped: one for the members of an ensemble.
    """

    leaf: int
    scheme: str
    stacked: int


def pays(tangents: int) -> bool:
    """Whether so many tangents are worth prepared kernels on this device."""
    least = backend().fast_tangents
    return least is not None and tangents >= least


def kernels_used(function: Callable, *arguments: Any) -> tuple[KernelUse, ...]:
    """The leaves of the arguments that :func:`prepare` can replace in ``function(*arguments)``; runs nothing.

    Those that reach a wide convolution as they are, and nothing that does not know :class:`Prepared`: what is cast,
    cut or scaled on the way stays plain.
    """
    return kernels_in(jax.make_jaxpr(function)(*arguments).jaxpr)


def prepare(tree: Any, used: Sequence[KernelUse], *, frozen: bool = False) -> Any:
    """The tree with these of its leaves as :class:`Prepared`; a pure function, to be called once for many codes.

    Args:
        tree: the arguments of :func:`kernels_used`, or as many of the first as hold the leaves, for example ``(G, D)``.
        used: what that returned.
        frozen: whether samples and reverse passes take the combinations too, and the kernels have no derivatives.
    """
    leaves, structure = jax.tree.flatten(tree)
    kernels = {leaf: leaves[leaf] for leaf, _, _ in used}
    pulled = _combined(kernels, tuple(used), pulled=True) if frozen else {}
    for leaf, combinations in _combined(kernels, tuple(used)).items():
        leaves[leaf] = Prepared(leaves[leaf], combinations, pulled.get(leaf))
    return jax.tree.unflatten(structure, leaves)


@partial(jax.jit, static_argnames=("used", "pulled"))  # of kernels alone: a compiled program copies what it returns
def _combined(
    kernels: dict[int, jax.Array], used: tuple[KernelUse, ...], pulled: bool = False
) -> dict[int, dict[str, Combinations]]:
    found: defaultdict[int, dict[str, Combinations]] = defaultdict(dict)
    for leaf, scheme, stacked in used:
        combine: Callable = partial(pulled_taps if pulled else combined_taps, SCHEMES[scheme])
        for _ in range(stacked):
            combine = jax.vmap(combine)
        found[leaf][scheme] = combine(kernels[leaf])
    return dict(found)


def unprepared(tree: Any) -> Any:
    """The tree, or the one kernel, as it was before :func:`prepare`."""
    return jax.tree.map(lambda node: node.plain if _is_prepared(node) else node, tree, is_leaf=_is_prepared)


def any_prepared(tree: Any) -> bool:
    """Whether kernels of the tree are prepared already."""
    return any(map(_is_prepared, jax.tree.leaves(tree, is_leaf=_is_prepared)))


def _is_prepared(node: Any) -> bool:
    return isinstance(node, Prepared)


def itself(kernel: Kernel) -> jax.Array:
    """The kernel for another use than its convolution, which does not keep it from being prepared."""
    return kernel.plain if isinstance(kernel, Prepared) else kernel_use.bind(kernel, scheme="", stacked=0)


def with_fast_tangents(plain: Callable, scheme: Scheme, x: jax.Array, kernel: Kernel) -> jax.Array:
    """``plain(x, kernel)``, a convolution that ``scheme`` computes too: tangents of ``x`` take that if it is prepared.

    Sample ``(..., in)`` and kernel ``(..., in, out)``. Convolutions that are too narrow for the scheme to be faster
    are as they are.
    """
    weights = unprepared(kernel)
    if math.prod(weights.shape[-2:]) < scheme.width**2:
        return plain(x, weights)
    combinations = kernel.combinations.get(scheme.name) if isinstance(kernel, Prepared) else None
    if combinations is not None and kernel.pulled is not None:
        return _frozen(scheme, x, combinations, kernel.pulled[scheme.name])

    @jax.custom_jvp
    def convolved(x: jax.Array, weights: jax.Array, combinations: Combinations | None) -> jax.Array:
        # marked in here only: linearised maps keep the weights, and the mark's result would be a copy
        return plain(x, kernel_use.bind(weights, scheme=scheme.name, stacked=0) if combinations is None else weights)

    def push(primals: Sequence, tangents: Sequence) -> tuple[jax.Array, Any]:
        (x, weights, combinations), (dx, dweights, _) = primals, tangents
        y = plain(x, weights)
        dy = jnp.zeros_like(y)
        if not isinstance(dx, SymbolicZero):
            dy = plain(dx, weights) if combinations is None else winograd(scheme, dx, combinations)
        if not isinstance(dweights, SymbolicZero):
            dy = dy + plain(x, dweights)
        return y, dy

    convolved.defjvp(push, symbolic_zeros=True)
    return convolved(x, weights, combinations)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _frozen(scheme: Scheme, x: jax.Array, combinations: Combinations, pulled: Combinations) -> jax.Array:
    del pulled
    return winograd(scheme, x, combinations)


def _frozen_forth(scheme: Scheme, x: jax.Array, combinations: Combinations, pulled: Combinations) -> Any:
    return winograd(scheme, x, combinations), pulled


def _frozen_back(scheme: Scheme, pulled: Combinations, dy: jax.Array) -> Any:
    return pulled_winograd(scheme, dy, pulled), None, None


_frozen.defvjp(_frozen_forth, _frozen_back)


def kernels_in(jaxpr: Any) -> tuple[KernelUse, ...]:
    """:func:`kernels_used` of a traced program, for its inputs."""
    uses = _uses(jaxpr)
    found = []
    for leaf, var in enumerate(jaxpr.invars):
        others = {use for use in uses[var] if use != _ITSELF}
        convolutions = sorted(use for use in others if use is not None and use[1] >= 0)
        if len(convolutions) == len(others) and len({stacked for _, stacked in convolutions}) == 1:
            found += [KernelUse(leaf, *use) for use in convolutions]
    return tuple(found)


_Use = tuple[str, int] | None  # scheme and stacked axes; None: by something that wants an array
_ITSELF: _Use = ("", 0)


def _uses(jaxpr: Any) -> defaultdict[Any, list[_Use]]:
    """What takes each variable of a program, in it and in the functions that it calls."""
    uses: defaultdict[Any, list[_Use]] = defaultdict(list)
    for equation in jaxpr.eqns:
        params, inputs = equation.params, [v for v in equation.invars if not hasattr(v, "val")]
        if equation.primitive is kernel_use:
            uses[inputs[0]].append((params["scheme"], params["stacked"] if params["scheme"] else 0))
            continue
        body = params.get("jaxpr", params.get("call_jaxpr"))
        body = getattr(body, "jaxpr", body)
        if not hasattr(body, "eqns") or len(body.invars) != len(equation.invars):
            for var in inputs:
                uses[var].append(None)
            continue
        inside = _uses(body)
        kept = _constants(equation, body) if equation.primitive.name == "scan" else len(equation.invars)
        for i, (outer, inner) in enumerate(zip(equation.invars, body.invars, strict=True)):
            if not hasattr(outer, "val"):
                uses[outer] += inside[inner] if i < kept else [None]
    for var in jaxpr.outvars:
        if not hasattr(var, "val"):
            uses[var].append(None)
    return uses


def _constants(scan: Any, body: Any) -> int:
    """How many of a scan's first inputs its body sees unchanged: those behind them are carried, or cut into slices.

    Counted by shapes, as versions of JAX keep the numbers in different places.
    """
    same = lambda outside, inside: sum(a.aval.shape == b.aval.shape for a, b in zip(outside, inside, strict=True))
    return same(scan.invars, body.invars) - same(scan.outvars, body.outvars)


def _batched_use(arguments: Sequence, axes: Sequence, *, scheme: str, stacked: int) -> tuple[Any, Any]:
    (kernel,), (axis,) = arguments, axes
    stacked = stacked + 1 if axis == 0 and stacked >= 0 else -1  # only stacks along the first axis can be prepared
    return kernel_use.bind(kernel, scheme=scheme, stacked=stacked), axis


def _pushed_use(primals: Sequence, tangents: Sequence, **params: Any) -> tuple[Any, Any]:
    return kernel_use.bind(primals[0], **params), tangents[0]


kernel_use = Primitive("kernel_use")  # the identity, which says in a traced program what a weight is used for
kernel_use.def_impl(lambda kernel, **_: kernel)
kernel_use.def_abstract_eval(lambda kernel, **_: kernel)
mlir.register_lowering(kernel_use, lambda _, kernel, **__: [kernel])
batching.primitive_batchers[kernel_use] = _batched_use
ad.primitive_jvps[kernel_use] = _pushed_use
