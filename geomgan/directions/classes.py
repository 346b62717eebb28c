"""Classes that are drawn with the codes, for trainings whose directions are to serve all of them.

A class-conditional generator has its class fixed. Where a training draws one for every code, the embedding becomes a
second part of the code: ``(z, e)`` is a code of a generator like any other, and both samples of a pair, or all samples
around one code, have the same class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError, as_array
from geomgan.generators import Generator
from geomgan.generators.network import PyTree


def class_table(G: Generator, classes: Any) -> jax.Array:
    """Embeddings of classes, one a row, that fit the one of the generator.

    Raises:
        OptionError: the generator has no class beside its codes, or they do not fit it.
    """
    context = G.params.get("context", {}) if isinstance(G.params, dict) else {}
    present = context.get("embedding", context.get("classes"))
    if present is None or G.space != "z":
        raise OptionError(f"{G.name} has no class beside its codes of {G.space}. Leave classes out.")
    table, width = np.asarray(as_array(classes, "classes")), np.shape(present)[-1]
    if table.ndim != 2 or not len(table) or table.shape[1] != width:
        raise OptionError(f"classes have shape {table.shape}; expected (m, {width}): an embedding a row.")
    return jnp.asarray(table, G.dtype)


def with_class(params: PyTree, embedding: jax.Array) -> PyTree:
    """The parameters of a generator with another class; pure."""
    context = params["context"]
    changed = {"embedding": embedding} if "embedding" in context else {"classes": embedding[None]}
    return {**params, "context": {**context, **changed}}


@dataclass(frozen=True)
class _OfClass:
    """``(params, (z, e)) -> function(params with the class e, z)``, equal by value."""

    function: Callable[[PyTree, jax.Array], Any]

    def __call__(self, params: PyTree, code: jax.Array) -> Any:
        d = code.shape[-1] - params["classes"].shape[1]
        return self.function(with_class(params["whole"], code[d:]), code[:d])


@dataclass(frozen=True)
class _AnyClass:
    """The prior of codes, each with a class of the table."""

    prior: Callable[..., jax.Array]

    def __call__(self, params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        (n, d), table = shape, params["classes"]
        key_code, key_class = jax.random.split(key)
        codes = self.prior(params["whole"], key_code, (n, d - table.shape[1]))
        return jnp.concatenate([codes, table[jax.random.randint(key_class, (n,), 0, len(table))]], axis=1)


def of_classes(G: Generator, classes: Any) -> Generator:
    """The generator with codes ``(z, e)``: ``e`` is one of the embeddings ``classes (m, e)``, all equally likely.

    Raises:
        OptionError: as :func:`class_table`.
    """
    table = class_table(G, classes)
    params, d = {"whole": G.params, "classes": table}, G.latent_dim + table.shape[1]
    return replace(G, params=params, function=_OfClass(G.function), prior=_AnyClass(G.prior), latent_dim=d)
