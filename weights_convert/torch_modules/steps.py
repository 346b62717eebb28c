"""What is no layer: inputs, views, what a forward does with two values, and what does nothing outside of training."""

from __future__ import annotations

import math
from typing import Any

from geomgan.generators.aten.program import Value
from weights_convert.torch_modules.arguments import Argument, sides, whole
from weights_convert.torch_modules.layer import Layer, Trace

CODE, CLASS = "code", "class_index"
SILENT = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")


def code(trace: Trace, *, shape: Any) -> Value:
    """The latent code, of this shape without its batch."""
    return trace.input(CODE, (1, *(shape if isinstance(shape, tuple) else (shape,))), first=True)


def class_index(trace: Trace) -> Value:
    """The class, an integer."""
    return trace.input(CLASS, (1,), "int64")


def one_hot(trace: Trace, *, num_classes: int) -> Value:
    """A class as numbers, a one in its place."""
    if not trace.integer:
        raise ValueError("it takes a class, not numbers: the line `Class` comes before it")
    return trace.node("to.dtype", trace.node("one_hot", trace.x, num_classes), "float32")


def view(trace: Trace, *, shape: Any) -> Value:
    """The same numbers in another shape, without its batch."""
    return _viewed(trace, (1, *(shape if isinstance(shape, tuple) else (shape,))))


def flatten(trace: Trace, *, start_dim: int, end_dim: int) -> Value:
    """Several axes become one."""
    shape = trace.shape
    first, last = start_dim % len(shape), end_dim % len(shape)
    return _viewed(trace, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(trace: Trace, *, dim: int, unflattened_size: Any) -> Value:
    """One axis becomes several."""
    shape, sizes = trace.shape, unflattened_size if isinstance(unflattened_size, tuple) else (unflattened_size,)
    axis = dim % len(shape)
    return _viewed(trace, (*shape[:axis], *sizes, *shape[axis + 1 :]))


def _viewed(trace: Trace, shape: tuple[int, ...]) -> Value:
    numbers, known = math.prod(trace.shape), math.prod(n for n in shape if n != -1)
    if shape.count(-1) > 1 or known < 1 or (numbers % known if -1 in shape else numbers != known):
        raise ValueError(f"{trace.shape[1:]} cannot be viewed as {shape[1:]}")
    return trace.node("view", trace.x, tuple(numbers // known if n == -1 else n for n in shape))


def keep(trace: Trace) -> Value:
    """Name a value, to be taken again later."""
    trace.kept[trace.path] = trace.x
    return trace.x


def _kept(trace: Trace) -> Value:
    if trace.path not in trace.kept:
        raise ValueError(f"no line `Keep {trace.path}` comes before it")
    return trace.kept[trace.path]


def concat(trace: Trace, *, dim: int) -> Value:
    """The value, and a kept one behind it."""
    return trace.node("cat", (trace.x, _kept(trace)), dim)


LAYERS = {
    "Code": Layer(code, {"shape": Argument(sides(1))}),
    "Class": Layer(class_index),
    "OneHot": Layer(one_hot, {"num_classes": Argument(whole(1))}),
    "View": Layer(view, {"shape": Argument(sides(-1))}),
    "Flatten": Layer(flatten, {"start_dim": Argument(whole(-8, 8), 1), "end_dim": Argument(whole(-8, 8), -1)}),
    "Unflatten": Layer(unflatten, {"dim": Argument(whole(-8, 8), 1), "unflattened_size": Argument(sides(-1))}),
    "Keep": Layer(keep),
    "From": Layer(_kept),
    "Concat": Layer(concat, {"dim": Argument(whole(-8, 8), 1)}),
    "Add": Layer(lambda trace: trace.node("add", trace.x, _kept(trace))),
    "Multiply": Layer(lambda trace: trace.node("mul", trace.x, _kept(trace))),
    **{kind: Layer(lambda trace: trace.x) for kind in SILENT},
}
