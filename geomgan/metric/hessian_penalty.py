"""The Hessian Penalty of any function of a latent code (Peebles, Peebles, Zhu, Efros and Torralba, ECCV 2020).

For a scalar ``x(z)`` with Hessian ``H`` and random signs ``v``, equation 5 of the paper says

    ``Var_v(vᵀ H v) = 2 Σ_{i≠j} H_ij²``,

which is zero where the coordinates of ``z`` act on ``x`` independently. The penalty takes the variance over ``k`` draws
of ``v`` for every number of a sample, reduces it, and sums over layers. ``vᵀ H v`` is computed

``"differences"``  as published, by ``[x(z + εv) - 2 x(z) + x(z - εv)] / ε²``. The middle term is the same for all
                   ``v``, and a variance does not see it: ``2k`` samples, not ``2k + 1``, give the same value.
``"exact"``        by a derivative of a derivative in forward mode, without ``ε``.

The two differ where curvature changes within ``ε √d`` of the code, and always at kinks: a network of ReLUs is piecewise
linear, its second derivative misses every kink, and differences see those within their step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from geomgan.backend import usual_promotion
from geomgan.errors import OptionError, check_choice, check_codes, check_key, is_concrete, warn
from geomgan.generators.generator import Generator, activations_of, sample_of
from geomgan.generators.outputs import mean_sample
from geomgan.metric.derivatives import needs_derivatives

Function = Callable[[jax.Array], Any]
METHODS = ("differences", "exact")
REDUCTIONS: dict[str, Callable[..., jax.Array]] = {"max": jnp.max, "mean": jnp.mean}
CLEAR = 10.0  # times rounding: differences whose deviation is less are noise
_SAME = 1e-5  # of the largest value: samples that differ less are the same
_FIX = "Take method='differences', which needs function values only"


@dataclass(frozen=True)
class _Of:
    """``(G, z) -> sample``, or the activations ``layers`` by name; equal by value, so that programs are shared."""

    layers: tuple[str, ...] | None

    def __call__(self, G: Generator, z: jax.Array) -> Any:
        if self.layers is None:
            return sample_of(G, z)
        found = activations_of(G, z)
        return {name: mean_sample(found[name]) for name in self.layers}


def function_of(f: Any, layers: Sequence[str] | None = None) -> Callable[[jax.Array], Any]:
    """``z (d,) -> sample``, or the activations ``layers`` by name, of a generator or of any function; a pytree.

    Raises:
        OptionError: a layer is not there.
        ValueError: layers are named of a plain function.
        TypeError: ``f`` cannot be called.
    """
    if isinstance(f, Generator):
        for name in layers or ():
            check_choice(name, f.layers, "layers")
        return Partial(_Of(None if layers is None else tuple(layers)), f)
    if not callable(f):
        raise TypeError(f"f is {type(f).__name__}; expected a Generator, or a function of one code (d,).")
    if layers is not None:
        raise ValueError("layers are named of a Generator; let a plain function return what is to be penalised.")
    return f if isinstance(f, Partial) else Partial(f)


def random_signs(key: jax.Array, k: int, codes: Any) -> jax.Array:
    """``k`` draws of random signs for every coordinate of the codes ``(n, d)``: ``(k, n, d)`` of -1 and 1."""
    return jax.random.rademacher(key, (k, *np.shape(codes)), jnp.asarray(codes).dtype)


def quadratic_forms(f: Function, z: jax.Array, v: jax.Array, method: str, epsilon: Any) -> Any:
    """``vᵀ H v`` of every number of ``f(z)`` for each row of ``v (k, d)``, in leaves ``(k, ...)``.

    By differences they are larger by ``2 f(z) / ε²``, which no variance over ``v`` sees.
    """
    if method == "exact":
        with needs_derivatives(_FIX):
            push = lambda z, v: jax.jvp(f, (z,), (v,))[1]
            return jax.vmap(lambda v: jax.jvp(lambda z: push(z, v), (z,), (v,))[1])(v)
    steps = epsilon * jnp.stack([v, -v])
    return jax.tree.map(lambda x: x.sum(0) / epsilon**2, jax.vmap(jax.vmap(f))(z + steps))


def mixed_forms(f: Function, z: jax.Array, u: jax.Array, v: jax.Array, method: str, epsilon: Any) -> Any:
    """``uᵀ H v`` of every number of ``f(z)`` for pairs of rows of ``u`` and ``v (k, d)``, in leaves ``(k, ...)``."""
    if method == "exact":
        with needs_derivatives(_FIX):
            push = lambda z, v: jax.jvp(f, (z,), (v,))[1]
            return jax.vmap(lambda u, v: jax.jvp(lambda z: push(z, v), (z,), (u,))[1])(u, v)
    steps = epsilon / 2 * jnp.stack([u + v, -u - v, u - v, v - u])  # signs: half of their coordinates move, by ε
    values = jax.vmap(jax.vmap(f))(z + steps)
    return jax.tree.map(lambda x: (x[0] + x[1] - x[2] - x[3]) / epsilon**2, values)


def variances(f: Function, z: jax.Array, v: jax.Array, method: str, epsilon: Any, ddof: int) -> Any:
    """``Var_v(vᵀ H v)`` of every number of ``f(z)``, from the rows of ``v (k, d)``."""
    return jax.tree.map(lambda x: jnp.var(x, axis=0, ddof=ddof), quadratic_forms(f, z, v, method, epsilon))


def hessian_penalty(
    f: Any,
    codes: Any,
    key: jax.Array | None = None,
    *,
    layers: Sequence[str] | None = None,
    k: int = 2,
    method: str = "differences",
    epsilon: float = 0.1,
    ddof: int = 1,
    reduction: str | None = "max",
    signs: Any = None,
    separate: bool = False,
) -> Any:
    """The Hessian Penalty at codes: ``Σ_layers reduce Var_v(vᵀ H v)``, an estimate of ``2 Σ_{i≠j} H_ij²``.

    Pure and traceable: differentiate it with respect to the weights of a generator to train with it.

    Args:
        f: a :class:`Generator`, or a function of one code ``(d,)`` that returns an array or a tree of arrays, the
            activations of layers.
        codes: ``(n, d)``; each has its own signs.
        key: a ``jax.random.key`` for the signs.
        layers: names of a generator's activations to penalise in place of its samples.
        k: draws of signs, at least 2.
        method: ``"differences"`` or ``"exact"``, see :mod:`geomgan.metric.hessian_penalty`.
        epsilon: ``ε`` of the differences, in latent units: the value of theirs depends on it.
        ddof: 1 divides by ``k - 1`` (unbiased; the published PyTorch code), 0 by ``k`` (the published TensorFlow code:
            half of the value where ``k`` is 2).
        reduction: ``"max"`` or ``"mean"`` over all numbers of all samples; None leaves them, ``(n, ...)`` a layer.
        signs: ``(k, n, d)`` of -1 and 1 in place of ``key`` and ``k``.
        separate: the layers' penalties, in the structure of what ``f`` returns, rather than their sum.

    Raises:
        OptionError: an option has a value that it cannot take; ``f`` has no derivatives and ``method`` needs them.
        TypeError: there is neither key nor signs.
        ValueError: codes or signs have a wrong shape.

    Warns:
        UserWarning: ``epsilon`` is so small that the differences are rounding; not under ``jit``.
    """
    function, (v,) = function_of(f, layers), _signs(f, codes, key, k, signs, 1)
    check_options(len(v), method, epsilon, ddof)
    if reduction is not None:
        check_choice(reduction, REDUCTIONS, "reduction")
    found, clear = _penalties(function, jnp.asarray(codes, v.dtype), v, method, epsilon, ddof)
    if is_concrete(clear) and method == "differences" and not clear:
        warn(rounding_warning(epsilon, v.dtype))
    if reduction is None:
        return found
    found = jax.tree.map(REDUCTIONS[reduction], found)
    return found if separate else sum(jax.tree.leaves(found))


def hessian_ratio(
    f: Any,
    codes: Any,
    key: jax.Array,
    *,
    layers: Sequence[str] | None = None,
    k: int = 8,
    method: str = "differences",
    epsilon: float = 0.1,
) -> Any:
    """The share of the Hessian's energy that is off its diagonal: ``E Σ_{i≠j} H_ij² / E Σ_ij H_ij²``, from 0 to 1.

    The penalty itself falls when a network's output or its dependence on ``z`` shrinks, without any change of axes; the
    share does not see scales. Energies are means over numbers and codes before they are divided. The numerator is half
    the variance of ``vᵀ H v``, the denominator the mean of ``(uᵀ H v)²`` over independent signs: both without bias, so
    that an estimate can leave the interval a little.

    Arguments are those of :func:`hessian_penalty`: codes ``(n, d)``, or one.

    Returns:
        A number, or one a layer in the structure of what ``f`` returns. NaN where all second derivatives are zero.

    Raises:
        OptionError, ValueError: as :func:`hessian_penalty`.
    """
    function, (u, v) = function_of(f, layers), _signs(f, codes, key, k, None, 2)
    check_options(k, method, epsilon, 1)
    return _shares(function, jnp.asarray(codes, v.dtype), u, v, method, epsilon)


def check_options(k: int, method: str, epsilon: float, ddof: int) -> None:
    """Raise ``OptionError`` for numbers that the penalty cannot take."""
    check_choice(method, METHODS, "method")
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 2:
        raise OptionError(f"k is {k!r}; expected at least 2 draws of signs: one has no variance. Pass k=2.")
    if ddof not in (0, 1):
        raise OptionError(f"ddof is {ddof!r}; expected 1 (divide by k - 1, as PyTorch) or 0 (by k, as TensorFlow).")
    number = isinstance(epsilon, int | float | np.number) and not isinstance(epsilon, bool)
    if not (number and 0 < float(epsilon) < np.inf):
        raise OptionError(f"epsilon is {epsilon!r}; expected a positive number of latent units, such as 0.1.")


def clear_of_rounding(forms: jax.Array, spread: jax.Array) -> jax.Array:
    """The deviation of quadratic forms by differences, root of the mean ``spread``, in units of their rounding."""
    return jnp.sqrt(spread.mean()) / (jnp.finfo(forms.dtype).eps * jnp.abs(forms).max())


def rounding_warning(epsilon: float, dtype: Any) -> str:
    """What is said where differences are not ``CLEAR`` of their rounding."""
    return (
        f"epsilon={epsilon:g} is too small for {dtype}: the second differences, or most of them, are rounding (or the "
        "function has no curvature). Take a larger one, method='exact', or float64 codes and weights under "
        "jax.enable_x64()."
    )


def check_deterministic(f: Callable[[jax.Array], Any], z: Any, name: str) -> None:
    """Raise ``ValueError`` where two evaluations of one code differ: differences would see that, and nothing else.

    It is traced twice, so that numbers drawn while a function is traced are found too.
    """
    first, second = (jax.tree.leaves(jax.jit(lambda z: f(z))(jnp.asarray(z))) for _ in range(2))
    same = lambda a, b: np.allclose(a, b, rtol=0, atol=_SAME * float(np.abs(a).max()))  # threads may round otherwise
    if not all(map(same, first, second)):
        raise ValueError(
            f"{name} gave two different samples of one code; expected a deterministic function. Fix what it draws: "
            "noise as an argument or a weight, dropout off, batch norm with stored statistics."
        )


def _signs(f: Any, codes: Any, key: Any, k: int, signs: Any, count: int) -> list[jax.Array]:
    """The codes are checked; ``count`` arrays of signs ``(k, n, d)`` of the type in which ``f`` computes."""
    d = f.latent_dim if isinstance(f, Generator) else np.shape(codes)[-1] if np.ndim(codes) else 1
    check_codes(codes, d)
    dtype = f.dtype if isinstance(f, Generator) else jnp.asarray(codes).dtype
    if signs is not None:
        if np.ndim(signs) != 3 or np.shape(signs)[1:] != np.shape(codes):
            raise ValueError(f"signs have shape {np.shape(signs)}; expected (k, *{np.shape(codes)}), for every code.")
        return [jnp.asarray(signs, dtype)]
    if key is None:
        raise TypeError("there is neither key nor signs; expected a key for random signs. Pass jax.random.key(0).")
    check_key(key)
    check_options(k, "exact", 1.0, 1)
    keys = (key,) if count == 1 else jax.random.split(key, count)
    return [random_signs(one, k, jnp.asarray(codes, dtype)) for one in keys]


@partial(jax.jit, static_argnames=("method", "ddof"))
def _penalties(f: Function, codes: jax.Array, v: jax.Array, method: str, epsilon: Any, ddof: int) -> tuple[Any, Any]:
    """Variances in leaves ``(n, ...)``, and whether they are clear of rounding."""
    with jax.default_matmul_precision("highest"), usual_promotion():
        forms = jax.vmap(lambda z, v: quadratic_forms(f, z, v, method, epsilon), (0, 1))(codes, v)
    found = jax.tree.map(lambda x: jnp.var(x, axis=1, ddof=ddof), forms)
    clear = jax.tree.map(clear_of_rounding, forms, found)
    return found, jnp.stack(jax.tree.leaves(clear)).max() > CLEAR


@partial(jax.jit, static_argnames="method")
def _shares(f: Function, codes: jax.Array, u: jax.Array, v: jax.Array, method: str, epsilon: Any) -> Any:
    with jax.default_matmul_precision("highest"), usual_promotion():
        off = jax.vmap(lambda z, v: variances(f, z, v, method, epsilon, 1), (0, 1))(codes, v)
        both = jax.vmap(lambda z, u, v: mixed_forms(f, z, u, v, method, epsilon), (0, 1, 1))(codes, u, v)
    return jax.tree.map(lambda off, both: off.mean() / (2 * (both**2).mean()), off, both)
