"""What a step of a field needs besides its codes, and what it gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from geomgan.backend import epsilon, tensor_error
from geomgan.eigen.choice import reachable, relative_noise
from geomgan.fields.devices import fetched, joined, shard, units_here
from geomgan.fields.plan import Plan
from geomgan.fields.programs import Program
from geomgan.metric.pair import Pair
from geomgan.runs.store import DONE, FAILED, NOT_CONVERGED

Results = dict[str, np.ndarray]
Execute = Callable[..., Any]
Units = list[dict[str, jax.Array]]


def execute(program: Program, *arguments: Any) -> Any:
    """Run a program; what a job does with its programs, unless a test says otherwise."""
    return program(*arguments)  # type: ignore[operator]


@dataclass(frozen=True)
class Job:
    """What a step needs besides its codes.

    Attributes:
        pair: on every device, with the kernels that its programs want.
        plan: of the field.
        programs: that the plan compiles.
        mesh: of devices.
        precision, hvp, tol, seed: as for :func:`geomgan.metric_field`.
        execute: runs a program.
        fetch: brings results of a step to the host.
        spare: Jacobians done with: the next overwrite them.
    """

    pair: Pair
    plan: Plan
    programs: tuple[Program, ...]
    mesh: Mesh
    precision: str
    hvp: str
    tol: float
    seed: int
    execute: Execute = execute
    fetch: Callable[..., list[dict[str, np.ndarray]]] = fetched
    spare: deque[list[jax.Array]] = field(default_factory=deque)

    @cached_property
    def tangents(self) -> jax.Array:
        """The unit vectors, as the devices take them."""
        program = self.programs[0]
        return shard(program.unit_vectors().astype(self.pair.G.dtype), self.mesh, program.axis)

    @property
    def final(self) -> str:
        """The precision that results are of: what iterative solvers find by coarse products is refined in float32."""
        return self.precision if self.plan.solver == "dense" else "highest"

    @property
    def noise(self) -> float:
        """Noise of eigenvalues relative to the largest."""
        rounding = epsilon(self.pair.G.dtype, self.final)
        return relative_noise(self.plan.solver == "dense" and self.plan.kind.jacobian, rounding, self.plan.dim)

    @property
    def error(self) -> float:
        """Relative error of metric tensors, and of products."""
        return tensor_error(self.pair.G.dtype, self.final)

    def reachable(self, precision: str) -> float:
        """The relative residual at which pairs have converged that products in ``precision`` find."""
        return max(self.tol, reachable(epsilon(self.pair.G.dtype, precision)))


def leaving(job: Job, arrays: dict[str, jax.Array]) -> Units:
    """Results of a step, which go to the host as soon as they are there."""
    units = units_here(arrays, job.plan.batch)
    for array in jax.tree.leaves(units):
        array.copy_to_host_async()
    return units


def failed(n: int, dim: int, k: int) -> Results:
    """Results of ``n`` codes before anything is known of them."""
    return {
        "values": np.full((n, k), np.nan),
        "vectors": np.full((n, dim, k), np.nan),
        "residuals": np.full((n, k), np.nan),
        "noise_floor": np.full(n, np.nan),
        "status": np.full(n, FAILED, np.int8),
    }


def put(
    results: Results,
    i: int | np.ndarray,
    values: np.ndarray,
    vectors: np.ndarray,
    residuals: np.ndarray,
    noise: Any,
    *,
    converged: bool,
) -> None:
    """The pairs of code ``i``, or of several codes."""
    found = values.shape[-1]  # ARPACK returns only what converged
    results["values"][i, :found] = values
    results["vectors"][i, :, :found] = vectors
    results["residuals"][i, :found] = residuals
    results["noise_floor"][i] = noise
    results["status"][i] = DONE if converged else NOT_CONVERGED


def everywhere(job: Job, common: Results, units: list[Results]) -> Results:
    """Results of a whole step on every process, from those of the units whose devices this process has."""
    own = {name: np.concatenate([unit[name] for unit in units]) for name in units[0]}
    if jax.process_count() == 1:
        return common | own
    return common | {name: joined(rows, job.mesh, job.plan.batch) for name, rows in own.items()}
