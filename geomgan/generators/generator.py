"""The Generator: a pure function ``z -> sample`` with its weights, prior and named activations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import free_on_host, usual_promotion
from geomgan.brief import brief
from geomgan.errors import (
    called,
    check_arguments,
    check_code,
    check_count,
    check_key,
    check_room,
    is_concrete,
    of_torch,
    said,
)
from geomgan.generators.network import FlaxFunction, PyTree, check_named
from geomgan.generators.outputs import Gaussian, mean_sample

Range = tuple[float, float]


def standard_normal(params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """The prior ``z ~ N(0, I)``: codes of ``shape`` ``(n, d)``."""
    del params
    return jax.random.normal(key, shape)


@dataclass(frozen=True)
class UserPrior:
    """A user's ``sample_latent(key, n)`` in the form of a prior of this package."""

    sample: Callable[[jax.Array, int], jax.Array]

    def __call__(self, params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        del params
        codes = jnp.asarray(self.sample(key, shape[0]))
        if codes.shape != shape:
            raise ValueError(f"sample_latent returned shape {codes.shape}; expected {shape}: (n, latent_dim).")
        return codes


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)  # compared by identity: hashable, so jax.jit takes it
class Generator:
    """A deterministic generative model ``G: z -> x`` as a frozen pytree: weights are leaves, all else is static.

    Make one with :meth:`from_function`, :meth:`from_module`, :meth:`from_torch` or ``geomgan.load``.

    Attributes:
        params: the weights, any pytree of arrays.
        function: ``(params, z) -> sample`` or :class:`Gaussian`, for one code; static.
        prior: ``(params, key, (n, d)) -> codes``; static.
        latent_dim: ``d``; static.
        output_range: nominal range of the samples, which are never clamped; None where there is none; static.
        name: static.
    """

    params: PyTree
    function: Callable[[PyTree, jax.Array], Any] = field(metadata={"static": True})
    prior: Callable[..., jax.Array] = field(metadata={"static": True})
    latent_dim: int = field(metadata={"static": True})
    output_range: Range | None = field(metadata={"static": True})
    name: str = field(metadata={"static": True})

    @classmethod
    def from_function(
        cls,
        fn: Callable[[PyTree, jax.Array], Any],
        params: PyTree,
        latent_dim: int,
        *,
        sample_latent: Callable[[jax.Array, int], jax.Array] | None = None,
        output_range: Range | None = (-1, 1),
        name: str | None = None,
    ) -> Generator:
        """A generator from any pure ``fn(params, z) -> sample``.

        Args:
            fn: maps the weights and one code ``(latent_dim,)`` to one sample, channels last, or to a
                :class:`Gaussian`. It is a static part of compiled programs: pass the same function object each time.
            params: pytree of weights; arguments of compiled programs, never constants.
            latent_dim: number of latent dimensions.
            sample_latent: ``(key, n) -> (n, latent_dim)``; by default ``N(0, I)``.
            output_range: nominal range of the samples; None where there is none.
            name: for messages and reports; by default the name of ``fn``.

        Raises:
            TypeError: ``fn`` is not callable, or does not return one floating-point array or a Gaussian.
            ValueError: ``latent_dim`` is not positive, ``output_range`` is not ``(low, high)``, or samples are empty.
        """
        if not callable(fn) or of_torch(fn):
            raise TypeError(f"fn is {type(fn).__name__}; expected a function (params, z) -> sample.{of_torch(fn)}")
        check_arguments(fn, "params, z", "sample", "One without weights is lambda params, z: fn(z), with params=()")
        size = np.asarray(latent_dim)
        if size.ndim or not np.issubdtype(size.dtype, np.integer) or size < 1:
            raise ValueError(
                f"latent_dim is {latent_dim!r}; expected a positive integer. Pass the number of dimensions of a code: "
                "codes are flat, and fn may reshape them."
            )
        if output_range is not None:
            low, high = (float(value) for value in output_range)
            if not low < high:
                raise ValueError(f"output_range is {output_range}; expected (low, high) with low < high.")
            output_range = (low, high)
        if sample_latent is not None:
            check_arguments(sample_latent, "key, n", "codes (n, latent_dim)", "Take a key, and how many codes to draw")
        prior = standard_normal if sample_latent is None else UserPrior(sample_latent)
        name = str(name or getattr(fn, "__name__", type(fn).__name__))
        params = jax.tree.map(jnp.asarray, params)
        generator = cls(params, fn, prior, int(latent_dim), output_range, name)
        sample = generator.sample_shape
        if not isinstance(sample, jax.ShapeDtypeStruct) or not jnp.issubdtype(sample.dtype, jnp.floating):
            got, fix = _returned(sample)
            raise TypeError(f"fn returns {got}; expected one floating-point array, or a geomgan.Gaussian. {fix}.")
        if not sample.size:
            raise ValueError(
                f"fn returns samples of shape {sample.shape}, which hold no value; expected some. Look at the sizes "
                "that it slices or reshapes to."
            )
        return generator

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        params: PyTree,
        latent_dim: int,
        *,
        prior: Callable[..., jax.Array] = standard_normal,
        output_range: Range | None = (-1, 1),
        name: str | None = None,
    ) -> Generator:
        """A generator from a Flax module whose ``__call__`` takes one code; its ``tap`` names become ``layers``.

        Raises:
            TypeError: ``module`` is no instance of ``flax.linen.Module``.
            ValueError: ``params`` are all the variables of the module, or it has more than its parameters.
        """
        name = name or type(module).__name__
        if not isinstance(module, nn.Module):
            other = (
                f"the class {getattr(module, '__name__', name)}" if isinstance(module, type) else type(module).__name__
            )
            hint = of_torch(module) or " One of NNX is split: docs/own_generator.md has the lines."
            raise TypeError(f"module is {other}; expected an instance of flax.linen.Module.{hint}")
        if isinstance(params, Mapping) and "params" in params and isinstance(params["params"], Mapping):
            others = ", ".join(f"'{key}'" for key in params if key != "params")
            raise ValueError(
                "params are all variables of the module; expected variables['params']."
                + (f" One that has {others} too is a function, for Generator.from_function." if others else "")
            )
        function = FlaxFunction(module)
        try:
            return cls.in_space(function, params, latent_dim, prior=prior, output_range=output_range, name=name)
        except flax.errors.ScopeCollectionNotFound as error:
            raise ValueError(
                f"{name} has variables besides its parameters ({said(error)}). It is a function of all of them: "
                "Generator.from_function(lambda variables, z: module.apply(variables, z), variables, latent_dim)."
            ) from None

    @classmethod
    def from_torch(
        cls,
        module: Any,
        example: Any,
        *,
        inputs: Mapping[str, Any] | None = None,
        sample_latent: Callable[[jax.Array, int], jax.Array] | None = None,
        output_range: Range | Literal["auto"] | None = "auto",
        name: str | None = None,
    ) -> Generator:
        """A generator from a PyTorch module, as a program in JAX: exact derivatives, named layers, no torch afterwards.

        The module is exported by ``torch.export`` in evaluation mode, and its graph becomes a program of the same
        operators; :func:`geomgan.save` writes it. Torch must be installed. Without it, files of ``torch.export.save``
        open through ``geomgan convert torch-export``.

        Args:
            module: a ``torch.nn.Module`` whose ``forward`` takes codes ``(n, ...)`` first and returns one tensor of
                samples ``(n, C, H, W)``, ``(n, C, T)`` or ``(n, k)``.
            example: one code ``(1, ...)``, as ``forward`` takes it. Codes here are flat and get that shape.
            inputs: values of the other arguments of ``forward``, by their names: noise, labels. They are fixed.
            sample_latent: ``(key, n) -> (n, latent_dim)``; by default ``N(0, I)``.
            output_range: nominal range of the samples; by default what the last operator says (``tanh``, ``sigmoid``,
                ``clamp``), else ``(-1, 1)``.
            name: for messages and reports; by default the class of the module.

        Raises:
            ModuleNotFoundError: torch is not installed.
            TypeError: ``module`` or ``example`` is of another type.
            ValueError: ``example`` is not one code.
            CheckpointError: the module does what no function of one code is made of: it draws random numbers, trains,
                has dynamic shapes or operators that are not known. They are named with their places. Or the sample of
                the example is not torch's, to 1e-4.
        """
        from geomgan.generators.aten.from_torch import check_sample, from_torch

        if sample_latent is not None:
            check_arguments(sample_latent, "key, n", "codes (n, latent_dim)", "Take a key, and how many codes to draw")
        settings, bounds, sample = from_torch(module, example, inputs or {})
        generator = cls.in_space(
            settings.function,
            settings.params,
            settings.latent_dim,
            prior=settings.prior if sample_latent is None else UserPrior(sample_latent),
            output_range=bounds or (-1, 1) if output_range == "auto" else output_range,
            name=name or type(module).__name__,
        )
        check_sample(generator(example.detach().float().cpu().numpy().ravel()), sample)
        return generator

    @classmethod
    def in_space(
        cls,
        function: Callable[[PyTree, jax.Array], Any],
        params: PyTree,
        latent_dim: int,
        *,
        prior: Callable[..., jax.Array] = standard_normal,
        output_range: Range | None = (-1, 1),
        name: str,
    ) -> Generator:
        """A generator from a function of this package (``FlaxFunction``, ``InSpace``) and a prior that sees params."""
        generator = cls.from_function(function, params, latent_dim, output_range=output_range, name=name)
        return replace(generator, prior=prior)

    @property
    def dtype(self) -> jnp.dtype:
        """The network's floating-point type, the widest of its weights: codes are cast to it."""
        types = {leaf.dtype for leaf in jax.tree.leaves(self.params) if jnp.issubdtype(leaf.dtype, jnp.floating)}
        if len(types) == 1:
            return types.pop()
        with usual_promotion():
            return jnp.result_type(*types) if types else jnp.zeros(()).dtype

    @property
    def sample_shape(self) -> jax.ShapeDtypeStruct:
        """Shape and dtype of one sample; runs nothing."""
        return jax.eval_shape(_generate, self, jax.ShapeDtypeStruct((self.latent_dim,), self.dtype))

    @property
    def space(self) -> str:
        """The latent space of the codes, by the name that ``geomgan.load`` takes; ``"z"`` of what has one only."""
        return str(getattr(self.function, "space", "z"))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the intermediate activations that :meth:`at` can reach; empty for a plain function."""
        layers = getattr(self.function, "layers", None)
        return layers(self.params, jax.ShapeDtypeStruct((self.latent_dim,), self.dtype)) if layers else ()

    def at(self, layer: str) -> Generator:
        """The same generator, cut at the activation ``layer``: layer-wise geometry.

        Raises:
            ValueError: there is no such layer; the nearest names are given.
        """
        check_named(self.function, self.name)
        function = self.function.at(layer, self.layers)  # type: ignore[attr-defined]
        return replace(self, function=function, output_range=None, name=f"{self.name}:{layer}")

    def sample_latent(self, key: jax.Array, n: int) -> jax.Array:
        """``n`` codes ``(n, d)`` from the model's own prior, with a ``jax.random.key``.

        Raises:
            TypeError: ``key`` is no typed key.
            ValueError: ``n`` is no positive integer.
        """
        check_key(key)
        fix = "Draw fewer at a time"
        check_room(n * self.latent_dim * self.dtype.itemsize, free_on_host(), f"{n} codes of {self.name}", fix)
        n = check_count(n, np.inf, "n", ", the number of codes to draw")
        return self.prior(self.params, key, (n, self.latent_dim)).astype(self.dtype)

    def __call__(self, z: Any) -> jax.Array:
        """The sample of one code ``z (d,)``; the mean for a stochastic decoder. ``jax.vmap(G)(z)`` for many.

        Raises:
            ValueError: ``z`` has another shape, or holds NaN or infinity.
            TypeError: ``z`` is not floating point.
        """
        z = checked_code(self, z)
        return _generate(self, jnp.asarray(z, self.dtype))

    def activations(self, z: Any) -> dict[str, jax.Array]:
        """All named activations of one code ``z (d,)``, in the order of ``layers``; one pass, compiled once.

        ``G.activations(z)[name]`` is ``G.at(name)(z)``, over an ensemble the mean of its members.
        ``jax.vmap(G.activations)(z)`` for many.

        Raises:
            ValueError: ``z`` has another shape, or holds NaN or infinity; or the generator was made from a plain
                function, which names none.
            TypeError: ``z`` is not floating point.
        """
        check_named(self.function, self.name)
        z = checked_code(self, z)
        return _activations(self, jnp.asarray(z, self.dtype))

    def distribution(self, z: Any) -> Gaussian:
        """Mean and standard deviation of one code's sample, for a stochastic decoder.

        Raises:
            ValueError: as ``__call__``, or the generator is deterministic.
        """
        z = checked_code(self, z)
        output = _output(self, jnp.asarray(z, self.dtype))
        if not isinstance(output, Gaussian):
            raise ValueError(f"{called(self.name)} is deterministic: it has no distribution. Call it for its sample.")
        return output


def _returned(sample: Any) -> tuple[str, str]:
    """What a function returns that is no floating-point array, and how it comes to return one."""
    if isinstance(sample, jax.ShapeDtypeStruct):
        return f"an array of {sample.dtype}", (
            "Return the values before they are rounded or cast; where that cannot be, cast them back, "
            "fn(params, z).astype('float32'), and take hvp='finite-difference', because rounding has no derivatives"
        )
    return str(sample), "Let it return the sample alone, such as lambda params, z: fn(params, z)[0]"


def checked_code(generator: Generator, z: Any) -> Any:
    """``z`` as an array, if it is one finite code of the generator, of concrete values in a range that can be right.

    Raises:
        ValueError: it has another shape, holds NaN or infinity, or is of another convention of the latent space.
        TypeError: it is not floating point.
    """
    z = check_code(z, generator.latent_dim)
    check_convention(generator, z)
    return z


def check_convention(generator: Generator, codes: Any) -> None:
    """Raise, or warn, where concrete codes ``(..., d)`` are of another convention than the generator's space."""
    check = getattr(generator.function, "check", None)
    if check is not None and is_concrete(codes) and all(map(is_concrete, jax.tree.leaves(generator.params))):
        check(generator.params, np.asarray(codes))


def output_of(generator: Generator, z: jax.Array) -> Any:
    """What the function returns for one code, unchecked and untouched by ``jit``."""
    with usual_promotion():
        return generator.function(generator.params, z)


def sample_of(generator: Generator, z: jax.Array) -> jax.Array:
    """The sample of one code, unchecked and untouched by ``jit``."""
    return mean_sample(output_of(generator, z))


def activations_of(generator: Generator, z: jax.Array) -> OrderedDict[str, Any]:
    """The named activations of one code, unchecked and untouched by ``jit``; over an ensemble :class:`Members`."""
    with usual_promotion():
        return generator.function.activations(generator.params, z)  # type: ignore[attr-defined]


@jax.jit
def _generate(generator: Generator, z: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return sample_of(generator, z)


@jax.jit
def _output(generator: Generator, z: jax.Array) -> Any:
    with jax.default_matmul_precision("highest"):
        return output_of(generator, z)


@jax.jit
def _activations(generator: Generator, z: jax.Array) -> OrderedDict[str, jax.Array]:
    with jax.default_matmul_precision("highest"):
        return OrderedDict((name, mean_sample(value)) for name, value in activations_of(generator, z).items())
