"""Metric tensors at many codes, in batches, stored as they are finished."""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import CodeType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import check_codes
from geomgan.generators.generator import Generator
from geomgan.metric import linear
from geomgan.metric.eigenpairs import check_k, choose_solver, eigenpairs, largest_pairs, relative_noise
from geomgan.metric.store import DONE, NOT_CONVERGED, PENDING, open_store, read_store, write_batch
from geomgan.metric.tensor import gram64, jacobians, metric_operator, prepare, tangents_at_once

BATCH_BYTES, BATCH_FLOPS = (
    64 * 2**20,
    2e9,
)  # codes are batched up to about this much Jacobian, and this much work


@dataclass(frozen=True)
class MetricField:
    """Metric tensors and their eigenpairs at ``n`` codes, in numpy.

    Attributes:
        codes: ``(n, d)``.
        tensors: ``(n, d, d)`` float64, or None where an iterative solver never formed them.
        values: ``(n, k)`` float64, descending.
        vectors: ``(n, d, k)`` float64, columns.
        residuals: ``(n, k)``, ``‖g v - λ v‖``.
        noise_floor: ``(n,)``, eigenvalues below it are rounding noise.
        status: ``(n,)`` int8: 0 pending, 1 done, 2 done but not every pair converged.
        provenance: model and distance with their hashes, versions, device, precision, times.
    """

    codes: np.ndarray
    tensors: np.ndarray | None
    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    noise_floor: np.ndarray
    status: np.ndarray
    provenance: dict[str, Any]

    @classmethod
    def read(cls, store: str | os.PathLike) -> MetricField:
        """The field in a store that :func:`metric_field` wrote, also an unfinished one (see ``status``).

        Raises:
            StoreError: there is none.
        """
        arrays, attributes = read_store(store)
        arrays.setdefault("tensors", None)  # type: ignore[arg-type]
        return cls(**arrays, provenance={**attributes["provenance"], **attributes["settings"]})


def metric_field(
    G: Generator,
    D: Distance,
    codes: Any,
    *,
    k: int | None = None,
    store: str | os.PathLike | None = None,
    solver: str = "auto",
    chunk: int | None = None,
    batch: int | None = None,
    precision: str = "highest",
    hvp: str = "exact",
    tol: float = 1e-6,
    seed: int = 0,
    progress: bool = True,
    notes: Mapping[str, Any] | None = None,
) -> MetricField:
    """Metric tensors at many codes, with their ``k`` largest eigenpairs.

    Args:
        G: the generator.
        D: the squared distance.
        codes: ``(n, d)``.
        k: eigenpairs for each code; by default all ``d``.
        store: a folder (``run.zarr``) into which each finished batch is written; the same call resumes it, and
            computes nothing when it is complete. "The same" means weights, options, and functions of one name and
            code. None keeps the field in memory only.
        solver: as in :func:`geomgan.eigenpairs`; the dense one also keeps the tensors.
        chunk: tangents computed together.
        batch: codes computed together; by default one, and more where one is too little work.
        precision: of matrix products.
        hvp: ``"exact"`` or ``"finite-difference"``.
        tol: residual at which iterative solvers stop, relative to the largest eigenvalue.
        seed: of the iterative solvers' start vectors.
        progress: show a progress bar, with the time left.
        notes: recorded in the provenance.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
        StoreError: the store belongs to another run, is in use, or cannot be written; finished batches are safe.
    """
    codes = np.asarray(codes)
    check_codes(codes, G.latent_dim)
    n, d = codes.shape
    D, _ = prepare(G, D, codes[0], precision, hvp)
    k, kind, chunk = check_k(k, d), linear.kind_of(D, hvp), tangents_at_once(chunk, d, hvp)
    size = d * linear.embedding_bytes(G, D)
    solver, reason = choose_solver(kind, d, k, size, solver)
    batch = min(n, batch or (_batch_size(G, D, size) if solver == "dense" and kind == "pushforward" else 1))
    settings = {
        "generator": fingerprint(G),
        "distance": fingerprint(D),
        "codes": hashlib.sha256(np.ascontiguousarray(codes, np.dtype(G.dtype)).tobytes()).hexdigest()[:16],
        **{"n": n, "k": k, "solver": solver, "chunk": chunk, "batch": batch, "precision": precision},
        **{"hvp": hvp, "tol": tol, "seed": seed},
    }
    provenance = {**_environment(), "solver_reason": reason, **(notes or {})}
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "codes": ((n, d), np.dtype(G.dtype)),
        "values": ((n, k), np.float64),
        "vectors": ((n, d, k), np.float64),
        "residuals": ((n, k), np.float64),
        "noise_floor": ((n,), np.float64),
        "status": ((n,), np.int8),
    }
    if solver == "dense":
        shapes["tensors"] = ((n, d, d), np.float64)
        compute = partial(_dense_batch, G, D, k=k, kind=kind, chunk=chunk, precision=precision, hvp=hvp)
    else:
        options = {"chunk": chunk, "precision": precision, "hvp": hvp}
        compute = partial(_iterative_batch, G, D, k=k, solver=solver, tol=tol, seed=seed, options=options)
    results: dict[str, Any] = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
    opening: Any = open_store(store, settings, provenance, shapes, batch) if store else nullcontext({})
    with opening as opened:
        for name in opened:
            results[name][...] = opened[name].read().result()
        todo = [i for i in range(0, n, batch) if (results["status"][i : i + batch] == PENDING).any()]
        started = time.perf_counter()
        for i in _progress(todo, n, batch, progress):
            rows = slice(i, min(i + batch, n))
            padded = codes[np.minimum(np.arange(i, i + batch), n - 1)]  # the last batch compiles nothing new
            for name, value in compute(padded).items():
                results[name][rows] = value[: rows.stop - i]
            if store:
                write_batch(store, opened, rows, {name: results[name][rows] for name in shapes})
        provenance["seconds"] = round(time.perf_counter() - started, 3)
        provenance["computed_codes"] = sum(min(i + batch, n) - i for i in todo)
    results.setdefault("tensors", None)
    return MetricField(**results, provenance={**provenance, **settings})


def fingerprint(tree: Generator | Distance) -> str:
    """Name and hash of a generator or distance: of its weights, and of everything static in it."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        leaf = np.asarray(leaf)
        digest.update(f"{leaf.dtype}{leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    for name, value in sorted(vars(tree).items()):
        if name != "params":
            digest.update(f"{name}={_describe(value)};".encode())
    return f"{tree.name}#{digest.hexdigest()[:16]}"


def _describe(value: Any) -> str:
    """A text that is the same in every process: functions by name and code, values by their representation."""
    if isinstance(value, partial):
        keywords = {name: _describe(argument) for name, argument in sorted(value.keywords.items())}
        return f"partial({_describe(value.func)}, {[_describe(argument) for argument in value.args]}, {keywords})"
    if not hasattr(value, "__qualname__"):
        return repr(value)
    code = getattr(inspect.unwrap(value), "__code__", None)
    return f"{value.__module__}.{value.__qualname__} {_describe_code(code) if code else ''}"


def _describe_code(code: CodeType) -> str:
    constants = [_describe_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _dense_batch(
    G: Generator, D: Distance, codes: np.ndarray, *, k: int, kind: str, chunk: int, precision: str, hvp: str
) -> dict[str, np.ndarray]:
    if kind == "pushforward":
        leaves = jacobians(G, D, jnp.asarray(codes, G.dtype), kind, precision, chunk)
        tensors = [gram64([np.asarray(leaf[i]) for leaf in leaves]) for i in range(len(codes))]
    else:
        tensors = [metric_operator(G, D, z, chunk=chunk, precision=precision, hvp=hvp).to_dense() for z in codes]
    values, vectors, residuals = (np.stack(x) for x in zip(*(largest_pairs(g, k) for g in tensors), strict=True))
    floor = relative_noise(kind, "dense", linear.epsilon(G.dtype, precision), G.latent_dim) * np.abs(values).max(axis=1)
    return {
        "codes": codes,
        "tensors": np.stack(tensors),
        "values": values,
        "vectors": vectors,
        "residuals": residuals,
        "noise_floor": floor,
        "status": np.full(len(codes), DONE, np.int8),
    }


def _iterative_batch(
    G: Generator,
    D: Distance,
    codes: np.ndarray,
    *,
    k: int,
    solver: str,
    tol: float,
    seed: int,
    options: dict[str, Any],
) -> dict[str, np.ndarray]:
    pairs = [eigenpairs(metric_operator(G, D, z, **options), k, solver=solver, tol=tol, seed=seed) for z in codes]

    def padded(x: np.ndarray) -> np.ndarray:  # ARPACK returns only what converged
        return np.concatenate([x, np.full((*x.shape[:-1], k - x.shape[-1]), np.nan)], axis=-1)

    return {
        "codes": codes,
        "values": np.stack([padded(e.values) for e in pairs]),
        "vectors": np.stack([padded(e.vectors) for e in pairs]),
        "residuals": np.stack([padded(e.residuals) for e in pairs]),
        "noise_floor": np.array([e.noise_floor for e in pairs]),
        "status": np.array(
            [DONE if len(e.values) == k and e.converged.all() else NOT_CONVERGED for e in pairs], np.int8
        ),
    }


def _batch_size(G: Generator, D: Distance, jacobian_bytes: int) -> int:
    by_memory = BATCH_BYTES // max(jacobian_bytes, 1)
    by_work = BATCH_FLOPS // max(linear.forward_flops(G, D) * G.latent_dim, 1.0)
    return int(max(1, min(by_memory, by_work, 64)))


def _environment() -> dict[str, Any]:
    from importlib.metadata import version

    device = jax.devices()[0]
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("geomgan", "jax", "flax", "numpy")},
        },
        "device": f"{device.platform}: {device.device_kind}",
    }


def _progress(todo: list[int], n: int, batch: int, show: bool) -> Iterator[int]:
    from tqdm import tqdm

    done = n - sum(min(i + batch, n) - i for i in todo)
    with tqdm(total=n, initial=done, desc="metric tensors", unit="code", disable=not show or not todo) as bar:
        for i in todo:
            yield i
            bar.update(min(i + batch, n) - i)
