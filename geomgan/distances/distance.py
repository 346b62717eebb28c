"""The Distance: a squared distance between two samples, with an embedding wherever there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import usual_promotion
from geomgan.brief import brief
from geomgan.errors import as_array, check_finite, check_floating, is_concrete
from geomgan.generators.outputs import Gaussian

PyTree = Any
Range = tuple[float, float]
DEFAULT_RANGE: Range = (-1.0, 1.0)  # of samples whose range nobody said


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)  # compared by identity: hashable, so jax.jit takes it
class Distance:
    """A squared distance ``d²(x, y)`` on samples, as a frozen pytree: weights are leaves, all else is static.

    With an embedding, ``d²(x, y) = ‖embed(x) - embed(y)‖²`` exactly, and the pull-back metric is ``JᵀJ``, first order.
    Without one, only ``function`` is known and the metric is half of the Hessian of ``d²``. A distance with both takes
    its values from ``function`` and its metric from the embedding, which then agrees to second order at ``x = y``.

    Attributes:
        params: the weights.
        embedding: ``(params, x) -> arrays`` whose joint squared difference ``Σ|a - b|²`` is the distance (complex ones
            count with their real and imaginary parts), or None; static.
        function: ``(params, x, y) -> ()``, or None where the embedding says it; static.
        name: static.
        expects: the range of values the embedding was made for; None: samples are taken as they are; static.
        input_range: the range of the samples, mapped affinely to ``expects``; None: the generator's, or ``(-1, 1)``
            when there is no generator; static.
        check_shape: ``shape -> None``, raises for samples that the distance cannot take; static.
        distribution: whether it compares :class:`Gaussian` outputs of stochastic decoders, not samples; static.
    """

    params: PyTree
    embedding: Callable[..., PyTree] | None = field(metadata={"static": True})
    function: Callable[..., jax.Array] | None = field(metadata={"static": True})
    name: str = field(metadata={"static": True})
    expects: Range | None = field(default=None, metadata={"static": True})
    input_range: Range | None = field(default=None, metadata={"static": True})
    check_shape: Callable[[tuple[int, ...]], None] | None = field(default=None, metadata={"static": True})
    distribution: bool = field(default=False, metadata={"static": True})

    def __call__(self, x: Any, y: Any) -> jax.Array:
        """``d²(x, y)``, a scalar; ``jax.vmap`` for many.

        Raises:
            ValueError: the samples differ in shape, have a shape that the distance cannot take, hold NaN, or lie in
                a range that cannot be right.
            TypeError: the samples are not floating point.
        """
        x, y = self._read(x), self._read(y)
        shapes = [[np.shape(leaf) for leaf in jax.tree.leaves(sample)] for sample in (x, y)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{self.name} got samples of shapes {shapes[0][0]} and {shapes[1][0]}; expected one shape for both. "
                "Resize or crop one of them first; for stacks of samples use jax.vmap."
            )
        self.check(x)
        self.check(y)
        return _distance(self, x, y)

    def embed(self, x: Any) -> jax.Array:
        """The embedding of one sample as a flat real vector ``(m,)``; complex features as real and imaginary parts.

        Raises:
            ValueError: this distance has no embedding, or as :meth:`__call__`.
        """
        if self.embedding is None:
            raise ValueError(f"{self.name} has no embedding: only its values are known.")
        x = self._read(x)
        self.check(x)
        return _embed(self, x)

    def _read(self, x: Any) -> Any:
        return x if isinstance(x, Gaussian) else as_array(x, f"the sample given to {self.name}")

    def check(self, x: Any) -> None:
        """Raise unless ``x`` can be compared: its dtype and shape, and on concrete samples its values."""
        if self.distribution:
            if not isinstance(x, Gaussian):
                raise TypeError(f"{self.name} compares distributions; got {type(x).__name__}, expected a Gaussian.")
            for leaf in (x.mean, x.std):
                check_floating(leaf, f"the distribution given to {self.name}")
                check_finite(leaf, f"the distribution given to {self.name}")
            return
        dtype = np.asarray(x).dtype if not hasattr(x, "dtype") else x.dtype
        if not jnp.issubdtype(dtype, jnp.floating):
            expected = f"floating point in {self.input_range or DEFAULT_RANGE}" if self.expects else "floating point"
            raise TypeError(
                f"{self.name} got a sample of dtype {dtype}; expected {expected}. For uint8 images use x / 127.5 - 1."
            )
        if not np.size(x):
            raise ValueError(
                f"{self.name} got a sample of shape {np.shape(x)}, without a value; expected at least one."
            )
        if self.check_shape is not None:
            self.check_shape(np.shape(x))
        if not is_concrete(x):
            return
        check_finite(x, f"the sample given to {self.name}")
        if self.expects is not None:
            low, high = self.input_range or DEFAULT_RANGE
            values = np.asarray(x)  # numpy, because jax.numpy would trace even a concrete array inside jit
            smallest, largest = float(values.min()), float(values.max())
            margin = 2 * (high - low)  # samples are never clamped, so they may overshoot; [0, 255] in (-1, 1) may not
            if smallest < low - margin or largest > high + margin:
                raise ValueError(
                    f"{self.name} got values from {smallest:.4g} to {largest:.4g}; expected about {low:g} to {high:g}. "
                    "Rescale the sample, or say its range with input_range=(low, high)."
                )

    def astype(self, dtype: Any) -> Distance:
        """The same distance with floating-point weights of ``dtype``."""
        return replace(self, params=_cast(self.params, dtype))


def from_embedding(embedding: Callable[..., PyTree], params: PyTree, name: str, **options: Any) -> Distance:
    """A distance ``‖φ(x) - φ(y)‖²``; ``options`` are fields of :class:`Distance`."""
    return Distance(params, embedding, None, name, **options)


def checked_range(input_range: Any) -> Range | None:
    """``input_range`` as floats; ``ValueError`` unless low < high."""
    if input_range is None:
        return None
    low, high = (float(value) for value in input_range)
    if not low < high:
        raise ValueError(f"input_range is {input_range}; expected (low, high) with low < high.")
    return (low, high)


def embed_tree(distance: Distance, x: Any) -> PyTree:
    """The embedding as a pytree of real arrays, unchecked: what the metric differentiates.

    Complex features, of a Fourier transform for example, become real ones here and nowhere else: then ``‖a - b‖²`` is
    ``Σ|a - b|²``, and ``JᵀJ`` is ``Re JᴴJ``.
    """
    assert distance.embedding is not None
    with usual_promotion():
        x = _to_expected_range(distance, x)
        leaves, tree = jax.tree.flatten(distance.embedding(_promoted(distance.params, x), x))
        if not sum(jnp.size(leaf) for leaf in leaves):
            raise ValueError(f"{distance.name} makes no features of a sample {jnp.shape(x)}; expected at least one.")
        return jax.tree.unflatten(tree, map(_as_real, leaves))


def distance_of(distance: Distance, x: Any, y: Any) -> jax.Array:
    """``d²(x, y)``, unchecked and untouched by ``jit``."""
    with usual_promotion():
        if distance.function is not None:
            x, y = _to_expected_range(distance, x), _to_expected_range(distance, y)
            return _checked_value(distance, distance.function(_promoted(distance.params, x), x, y))
        difference = jax.tree.map(jnp.subtract, embed_tree(distance, x), embed_tree(distance, y))
        return sum((jnp.sum(leaf**2) for leaf in jax.tree.leaves(difference)), start=jnp.zeros((), _dtype(x)))


def _as_real(leaf: Any) -> Any:
    """A complex array as its real and imaginary parts, along a new last axis; others as they are."""
    return jnp.stack([leaf.real, leaf.imag], axis=-1) if jnp.iscomplexobj(leaf) else leaf


def _checked_value(distance: Distance, value: Any) -> Any:
    """What a function of two samples returned, if it can be a squared distance."""
    if jnp.shape(value) == () and jnp.issubdtype(jnp.result_type(value), jnp.floating):
        return value
    got = f"{jnp.result_type(value)} of shape {jnp.shape(value)}"
    fix = "sum it"
    if jnp.iscomplexobj(value):
        fix = "sum (a - b) * conj(a - b) and take .real, or give the complex features to geomgan.distances.features"
    raise TypeError(f"{distance.name} returns {got}; expected one real floating-point number: {fix}.")


def _to_expected_range(distance: Distance, x: jax.Array) -> jax.Array:
    source = distance.input_range or DEFAULT_RANGE
    if distance.expects is None or source == distance.expects:
        return x
    (low, high), (new_low, new_high) = source, distance.expects
    scale = (new_high - new_low) / (high - low)
    return x * scale + (new_low - low * scale)


def _cast(params: PyTree, dtype: Any) -> PyTree:
    return jax.tree.map(lambda p: p.astype(dtype) if jnp.issubdtype(p.dtype, jnp.floating) else p, params)


def _promoted(params: PyTree, x: Any) -> PyTree:
    """Weights in the sample's precision where that is the higher one: a float64 generator is compared in float64."""
    dtype = _dtype(x)
    return jax.tree.map(
        lambda p: p.astype(jnp.promote_types(p.dtype, dtype)) if jnp.issubdtype(p.dtype, jnp.inexact) else p, params
    )


def _dtype(x: Any) -> Any:
    return jax.tree.leaves(x)[0].dtype


@jax.jit
def _distance(distance: Distance, x: jax.Array, y: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return distance_of(distance, x, y)


@jax.jit
def _embed(distance: Distance, x: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(embed_tree(distance, x))])
