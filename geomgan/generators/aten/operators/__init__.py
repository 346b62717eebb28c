"""ATen operators in JAX, by name: torch's arguments, order, defaults and layout ``(N, C, ...)``.

A file for each kind. An operator is a plain function of arrays; integers, lists and words are static. ``OPERATORS``
has them by ATen's name. A name alone stands for all overloads that have no entry of their own: ``"conv2d"`` is also
``conv2d.padding``, ``"max"`` is neither ``"max.dim"`` nor ``"max.other"``. What an operator does is in torch's
documentation; docstrings here say what differs, and what is not found there.
"""

from __future__ import annotations

from geomgan.generators.aten.operators import (
    activation,
    attention,
    convolution,
    creation,
    dense,
    distances,
    fourier,
    grid,
    indexing,
    normalisation,
    padding,
    patches,
    pointwise,
    pooling,
    recurrent,
    reduction,
    resampling,
    shape,
    spectrogram,
)
from geomgan.generators.aten.operators.arguments import Operators

OPERATORS: Operators = {
    **convolution.OPERATORS,
    **dense.OPERATORS,
    **normalisation.OPERATORS,
    **activation.OPERATORS,
    **pointwise.OPERATORS,
    **reduction.OPERATORS,
    **shape.OPERATORS,
    **indexing.OPERATORS,
    **padding.OPERATORS,
    **resampling.OPERATORS,
    **grid.OPERATORS,
    **pooling.OPERATORS,
    **attention.OPERATORS,
    **recurrent.OPERATORS,
    **distances.OPERATORS,
    **patches.OPERATORS,
    **spectrogram.OPERATORS,
    **fourier.OPERATORS,
    **creation.OPERATORS,
}

_DRAWING = """_fused_dropout _sample_dirichlet _standard_gamma bernoulli binomial cauchy exponential
fractional_max_pool2d fractional_max_pool3d geometric log_normal multinomial normal normal_functional poisson
rand rand_like randint randint_like randn randn_like random randperm rrelu_with_noise rrelu_with_noise_functional
uniform"""
RANDOM = frozenset(_DRAWING.split())
"""Operators that draw numbers: a generator is a function of its code, so that none of them is here."""

_OTHER_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "arctan2": "atan2",
    "clip": "clamp",
    "concat": "cat",
    "concatenate": "cat",
    "divide": "div",
    "ger": "outer",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "special_erf": "erf",
    "special_expit": "sigmoid",
    "special_logsumexp": "logsumexp",
    "subtract": "sub",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
}


def key_of(name: str) -> str:
    """The key of ``OPERATORS``, or the name in ``RANDOM``, of an operator as torch writes it.

    ``"torch.ops.aten.relu_.default"`` is ``"relu"``: in place is the same here, because arrays do not change; who
    reads a program gives what was changed its new value. The bare name comes back where there is no such operator.
    """
    base, _, overload = name.removeprefix("torch.ops.").removeprefix("aten.").partition(".")
    if base.endswith("_") and not base.endswith("__"):
        base = base[:-1]
    base = _OTHER_NAMES.get(base, base)
    full = f"{base}.{overload}"
    return full if full in OPERATORS else base
