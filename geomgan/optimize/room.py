"""How many runs fit into memory together: planned, and said, before they begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import numpy as np

from geomgan.backend import memory_budget, readable
from geomgan.errors import OutOfMemory
from geomgan.optimize.local import Method
from geomgan.optimize.loss import Loss

COPIES = 3  # of what a reverse pass keeps of a run: it, what it is computed from, and its gradient


@dataclass(frozen=True)
class RunPlan:
    """How runs are put into groups.

    Attributes:
        runs: all of them.
        groups: how many groups follow each other.
        size: runs of a group.
        bytes_per_run: estimated.
        budget: bytes that the device may use.
    """

    runs: int
    groups: int
    size: int
    bytes_per_run: int
    budget: int

    def rows(self) -> Iterator[np.ndarray]:
        """The runs of each group; the last one is filled up with its last run, so that one program serves all."""
        for i in range(self.groups):
            yield np.minimum(np.arange(i * self.size, (i + 1) * self.size), self.runs - 1)

    def __str__(self) -> str:
        whole, free = readable(self.runs * self.bytes_per_run), readable(self.budget)
        return (
            f"{self.runs} runs would take about {whole} together, and {free} may be used: they go in {self.groups} "
            f"groups of {self.size}, one after another."
        )


def plan_runs(method: Method, loss: Loss, runs: int, memory: int | str | None) -> RunPlan:
    """The groups of so many runs.

    Raises:
        OutOfMemory: not even one run fits.
        ValueError: ``memory`` is not a positive size.
    """
    budget = memory_budget(memory)
    code = jax.ShapeDtypeStruct((loss.dim,), loss.dtype)
    kept = jax.eval_shape(lambda stack, z: jax.vjp(stack[0].value, z)[1], loss, code)
    shared = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(loss.shared))
    each = max(1, COPIES * max(_bytes(kept) - shared, _bytes(jax.eval_shape(lambda s: s[0].target, loss))))
    state = jax.eval_shape(lambda stack, z: method.init(stack[0], z), loss, code)
    each += 2 * _bytes(state)
    together = method.together(loss, "step") or method.together(loss, "init")
    if together:  # Jacobians of so many runs at a time
        residual = _bytes(jax.eval_shape(lambda stack, z: stack[0].residual(z), loss, code))
        budget -= min(together, runs) * residual * loss.dim
    most = budget // each
    if most < 1:
        raise OutOfMemory(
            f"one run would take about {readable(each)}; {readable(max(budget, 0))} are left of what the device may "
            "use. Raise memory=, or take a smaller generator or distance."
        )
    groups = -(-runs // min(most, runs))
    return RunPlan(runs, groups, -(-runs // groups), each, memory_budget(memory))


def _bytes(tree: object) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
