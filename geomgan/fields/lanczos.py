"""Block Lanczos at all codes of a step in one program: nothing goes to the host between its products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from geomgan.backend import top_level_jit
from geomgan.eigen import together
from geomgan.eigen.together import Limits, State
from geomgan.fields.devices import CODES, described, shard
from geomgan.fields.programs import Blocks, Products, multiplied
from geomgan.metric.pair import Pair


@dataclass(frozen=True)
class Lanczos(Blocks):
    """The ``k`` largest eigenpairs at each code of a step (:mod:`geomgan.eigen.together`).

    Attributes:
        k: pairs.
        capacity: columns that a space has room for.
    """

    k: int = 1
    capacity: int = 1

    def __call__(self, pair: Pair, codes: jax.Array, state: State, limits: Limits) -> State:
        wide = jax.dtypes.canonicalize_dtype(np.float64) == np.float64  # the network's own types
        with jax.enable_x64(True):
            limits = jax.tree.map(lambda number: shard(np.asarray(number), self.mesh), limits)
            return _lanczos(pair, codes, state, limits, program=self, wide=wide)

    def begin(self, seed: int) -> State:
        """The state before the first product, made on the devices."""
        with jax.enable_x64(True):
            start = shard(together.first_block(self.dim, self.width, seed), self.mesh)
            return _begin(start, program=self)

    def enlarged(self, state: State) -> State:
        """The state with the room that this program has."""
        with jax.enable_x64(True):
            return _enlarged(state, self.capacity)

    @property
    def products(self) -> Products:
        """The same products, one block at a time."""
        return Products(self.mesh, self.kind, self.precision, self.chunk, self.codes, self.dim, width=self.width)

    def lower(self, pair: Pair) -> Any:
        with jax.enable_x64(True):
            start = jax.ShapeDtypeStruct((self.dim, min(self.width, self.dim)), np.float64)
            shapes = jax.eval_shape(partial(together.begin, self.codes, self.k), start)
            state = jax.tree.map(lambda x: described(x.shape, x.dtype, self.mesh, CODES), shapes)
            codes = described((self.codes, self.dim), pair.G.dtype, self.mesh, CODES)
            limits = Limits(*(described((), kind, self.mesh) for kind in (float, float, int, int)))
            return _lanczos.lower(self.on_devices(pair), codes, state, limits, program=self, wide=False)


@partial(top_level_jit, static_argnames=("program", "wide"), donate_argnames="state")
def _lanczos(pair: Pair, codes: jax.Array, state: State, limits: Limits, *, program: Lanczos, wide: bool) -> State:
    def local(pair: Pair, codes: jax.Array, state: State, limits: Limits) -> State:
        def multiply(blocks: jax.Array) -> jax.Array:
            narrow = blocks.astype(pair.G.dtype)
            with jax.enable_x64(wide):
                width = blocks.shape[2]
                parts = [narrow[:, :, i : i + program.columns] for i in range(0, width, program.columns)]
                images = jnp.concatenate([multiplied(program, pair, codes, part) for part in parts], axis=2)
            return images.astype(jnp.float64)

        return together.run(multiply, state, limits)

    specs = (P(), P(CODES), P(CODES), P())
    run = jax.shard_map(local, mesh=program.mesh, in_specs=specs, out_specs=P(CODES), check_vma=False)
    return run(pair, codes, state, limits)


@partial(jax.jit, static_argnames="program")
def _begin(start: jax.Array, *, program: Lanczos) -> State:
    state = together.begin(program.codes, program.k, start)
    return jax.lax.with_sharding_constraint(state, NamedSharding(program.mesh, P(CODES)))


@partial(jax.jit, static_argnums=1)
def _enlarged(state: State, capacity: int) -> State:
    return together.enlarged(state, capacity)
