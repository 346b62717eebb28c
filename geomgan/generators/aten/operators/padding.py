"""Zeros, constants, mirrored, repeated and wrapped pixels around arrays.

``pad`` lists (before, after) from the last axis on; negative numbers of zeros and constants cut.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # torch's names -> numpy's


def constant_pad_nd(x, pad, value=0):
    return lax.pad(x, jnp.asarray(value, x.dtype), [(*ends, 0) for ends in _ends(x, pad)])


def pad(x, pad, mode="constant", value=None):
    return constant_pad_nd(x, pad, value or 0) if mode == "constant" else _padded(x, pad, MODES[mode])


def _padded(x, pad, mode):
    """Pixels cut where numbers are negative, then padded."""
    ends = _ends(x, pad)
    cut = lax.pad(x, jnp.zeros((), x.dtype), [(min(a, 0), min(b, 0), 0) for a, b in ends])
    return jnp.pad(cut, [(max(a, 0), max(b, 0)) for a, b in ends], mode)


def _ends(x, pad):
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]


def _reflection(x, padding):
    return _padded(x, padding, "reflect")


def _replication(x, padding):
    return _padded(x, padding, "edge")


OPERATORS: Operators = {
    "pad": pad,
    "constant_pad_nd": constant_pad_nd,
    "_pad_circular": lambda x, pad: _padded(x, pad, "wrap"),
    **{f"reflection_pad{n}d": _reflection for n in (1, 2, 3)},
    **{f"replication_pad{n}d": _replication for n in (1, 2, 3)},
}
