"""Metric tensors at many codes, on all devices, stored as they are finished."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from geomgan.backend import FLOAT32, format_of, free_on_host, tensor_error
from geomgan.distances.distance import Distance
from geomgan.eigen.choice import SOLVERS
from geomgan.errors import StoreError, check_codes, check_folder, check_not_traced, check_room, warn
from geomgan.fields.arrays import bytes_of, shapes_of
from geomgan.fields.devices import agreed, device_mesh, fetched, replicate, together, wait_for_writer
from geomgan.fields.flat import flat_code
from geomgan.fields.job import Execute, Job, execute
from geomgan.fields.plan import FEWER, chosen, fitted
from geomgan.fields.resume import ROUNDING, best_finished, confirmed, reconciled
from geomgan.fields.steps import steps
from geomgan.generators.generator import Generator, check_convention
from geomgan.metric.diagnose import first_non_finite
from geomgan.metric.fingerprint import fingerprints
from geomgan.metric.pair import bound, check_options, check_types, with_programs
from geomgan.metric.probe import probe
from geomgan.runs.arrays import MEND, check_process
from geomgan.runs.background import Background
from geomgan.runs.files import local_path
from geomgan.runs.kinds import COUNT, check_json
from geomgan.runs.provenance import environment, now
from geomgan.runs.store import (
    DONE,
    FAILED,
    NOT_CONVERGED,
    PENDING,
    StoredArray,
    lazy,
    open_store,
    read_attributes,
    read_store,
    unfinished,
    write_attributes,
    write_batch,
)

UPDATE = 60.0  # seconds between two entries of a run in its store: how far it is, should it be killed
SETTINGS = {  # of a store: what they must be
    **dict.fromkeys(("generator", "distance", "codes", "precision", "hvp"), str),
    "solver": frozenset(SOLVERS) - {"auto"},
    **dict.fromkeys(("n", "k", "chunk", "batch"), COUNT),
    "probe": (type(None), [(type(None), [float])]),
    "groups": (type(None), [(type(None), [range(2**31)])]),
}
OVERFLOW = "NaN or infinity that no single value on the way shows: an overflow of sums of squares"


@dataclass(frozen=True)
class MetricField:
    """Metric tensors and their eigenpairs at ``n`` codes.

    Numpy arrays; ``tensors`` and ``vectors`` of a stored field are read from disk as they are indexed, and
    ``numpy.asarray`` reads them whole.

    Attributes:
        codes: ``(n, d)``.
        tensors: ``(n, d, d)`` float64, or None where an iterative solver never formed them.
        values: ``(n, k)`` float64, descending; NaN for a failed code.
        vectors: ``(n, d, k)`` float64, columns.
        residuals: ``(n, k)``, ``‖g v - λ v‖``.
        noise_floor: ``(n,)``, eigenvalues below it are rounding noise; see also ``relative_error``.
        status: ``(n,)`` int8: 0 pending, 1 done, 2 done but not every pair converged, 3 failed: the network is not
            finite there.
        failures: code -> where its network stops being finite.
        provenance: model and distance with their hashes (of their weights where there is a store), the plan and why,
            precision, and for each run its versions, devices and times; a run that was killed or interrupted has
            ``"ended": None``.
    """

    codes: np.ndarray
    tensors: np.ndarray | StoredArray | None
    values: np.ndarray
    vectors: np.ndarray | StoredArray
    residuals: np.ndarray
    noise_floor: np.ndarray
    status: np.ndarray
    failures: dict[int, str]
    provenance: dict[str, Any]

    def __repr__(self) -> str:
        counts = {"finished": len(self.finished), "failed": int((self.status == FAILED).sum())}
        counts |= {"pending": pending} if (pending := int((self.status == PENDING).sum())) else {}
        G, D = (str(self.provenance.get(name, "unknown")).rsplit("#", 1)[0] for name in ("generator", "distance"))
        return (
            f"MetricField({len(self.codes)} codes of dimension {self.codes.shape[1]}, {self.values.shape[1]} "
            f"eigenpairs each, {', '.join(f'{count} {what}' for what, count in counts.items())}; {G} under {D})"
        )

    @property
    def finished(self) -> np.ndarray:
        """Indices of the codes that have results: neither pending nor failed."""
        return np.flatnonzero(np.isin(self.status, (DONE, NOT_CONVERGED)))

    @property
    def relative_error(self) -> np.ndarray:
        """``(n,)``, of the tensors (Frobenius norm), at most: all eigenvalues may be off by as much of the largest.

        It follows from ``precision``; pairs of an iterative solver are those of float32 products always. NaN where a
        store with a coarse precision is older than that was known: its points of linearisation were coarse too.
        """
        stated = self.provenance.get("relative_error")
        if stated is None:
            stated = FLOAT32.error if self.provenance.get("precision", "highest") == "highest" else np.nan
        largest = np.abs(self.values).max(axis=1)
        return np.maximum(self.noise_floor / np.where(largest == 0, 1, largest), stated)

    @classmethod
    def read(cls, store: str | os.PathLike[str]) -> MetricField:
        """The field in a store that :func:`metric_field` wrote, also an unfinished one (see ``status``).

        Raises:
            StoreError: there is none, or something of it is damaged, missing or in another's place: the message names
                the array and the codes, and how to get them again.
        """
        arrays, attributes = read_store(store, SETTINGS)
        _check_agreement(store, arrays, attributes["settings"])
        arrays.setdefault("tensors", None)
        failures = {int(code): where for code, where in attributes["failures"].items()}
        provenance = {**attributes["provenance"], **attributes["settings"], "runs": attributes["runs"]}
        return cls(**arrays, failures=failures, provenance=provenance)


def metric_field(
    G: Generator,
    D: Distance,
    codes: Any,
    *,
    k: int | None = None,
    store: str | os.PathLike[str] | None = None,
    solver: str = "auto",
    chunk: int | None = None,
    batch: int | None = None,
    precision: str = "highest",
    hvp: str = "exact",
    tol: float = 1e-6,
    seed: int = 0,
    memory: int | str | None = None,
    devices: Sequence[jax.Device] | None = None,
    progress: bool = True,
    notes: Mapping[str, Any] | None = None,
) -> MetricField:
    """Metric tensors at many codes, with their ``k`` largest eigenpairs.

    Codes are shared out over all devices (and their tangents, where there are more devices than codes), of all
    processes after ``jax.distributed.initialize``: the same call in each, and the same numbers. Every device runs the
    same program, compiled once.

    Args:
        G: the generator.
        D: the squared distance.
        codes: ``(n, d)``.
        k: eigenpairs for each code; by default all ``d``.
        store: a folder (``run.zarr``) into which each finished batch is written; the same call resumes it, bit for
            bit, and computes nothing when it is complete. "The same" means what is computed: weights, options, and the
            traced programs of ``G`` and ``D`` with every constant in them (closures, defaults, globals, helpers), not
            names or sources; what they call outside JAX is told by its values at the first and the last code. Another
            version of JAX, Flax or geomgan may trace a function otherwise: then, and where the store was written
            before programs were recorded, some finished codes are computed again and must agree, with a warning. What
            of it is damaged or missing is computed again, with a warning that names it. None keeps the field in
            memory. Several processes need a folder that all of them see.
        solver: as in :func:`geomgan.eigenpairs`; ``"auto"`` is the cheapest by estimate that fits into memory. The
            dense one also keeps the tensors.
        chunk: tangents computed together.
        batch: codes that a device computes together, and that are stored together; by default one, and more where
            one is too little work.
        precision: of products of tangents: ``"highest"``, ``"high"``, ``"tf32"`` or ``"bf16"``, as for
            :func:`geomgan.metric_tensor`; ``relative_error`` and the noise floor follow.
        hvp: ``"exact"`` or ``"finite-difference"``.
        tol: residual at which iterative solvers stop, relative to the largest eigenvalue: in float32, also where the
            products that found the pairs were coarse.
        seed: of the iterative solvers' start vectors.
        memory: bytes that one device may use, or ``"8GB"``; see :func:`geomgan.plan`. A device that
            runs out all the same is given half as many tangents at a time, with a warning.
        devices: by default all.
        progress: show a progress bar, with the time left.
        notes: recorded in the provenance; what JSON can hold.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
        StoreError: the store belongs to another run, is in use, is at a URL, or cannot be written; finished batches
            are safe.
        OutOfMemory: a device has no memory even for one tangent at a time.
    """
    options: dict[str, Any] = {"k": k, "store": store, "solver": solver, "chunk": chunk, "batch": batch}
    options |= {"precision": precision, "hvp": hvp, "tol": tol, "seed": seed, "memory": memory, "devices": devices}
    return compute_field(G, D, codes, **options, progress=progress, notes=notes or {})


def compute_field(
    G: Generator,
    D: Distance,
    codes: Any,
    *,
    k: int | None = None,
    store: str | os.PathLike[str] | None = None,
    solver: str = "auto",
    chunk: int | None = None,
    batch: int | None = None,
    precision: str = "highest",
    hvp: str = "exact",
    tol: float = 1e-6,
    seed: int = 0,
    memory: int | str | None = None,
    devices: Sequence[jax.Device] | None = None,
    progress: bool = False,
    notes: Mapping[str, Any] = MappingProxyType({}),
    execute: Execute = execute,
    fetch: Callable[..., Any] = fetched,
    write: Callable[..., None] = write_batch,
) -> MetricField:
    """:func:`metric_field` with its seams.

    ``execute`` runs a program, ``fetch`` brings a step's results to the host, ``write`` stores a finished batch.
    """
    check_types(G, D)
    check_json(notes, "notes")
    check_not_traced("geomgan.metric_field", "Take jax.vmap(geomgan.metric_tensor, (None, None, 0)) there", G, D, codes)
    folder = None if store is None else local_path(store).resolve()
    if folder:
        check_process()
        check_folder(folder, "the store")
    check_room(math.prod(np.shape(codes)) * np.dtype(G.dtype).itemsize, free_on_host(), "these codes", FEWER)
    codes = np.asarray(check_codes(codes, G.latent_dim))
    check_convention(G, codes)
    check_options(precision, hvp)
    n, dim = codes.shape
    if not tol > 0:
        raise ValueError(f"tol is {tol!r}; expected a positive number.")
    pair, every = with_programs(bound(G, D)), list(devices or jax.devices())
    sizes: dict[str, Any] = {"solver": solver, "chunk": chunk, "batch": batch, "groups": None}
    resumed = folder is not None and (folder / "zarr.json").is_file()
    stored: dict[str, Any] = read_attributes(folder, SETTINGS)["settings"] if folder and resumed else {}
    if stored:  # a resumed run keeps its sizes
        sizes = {name: stored.get(name) if size in (None, "auto") else size for name, size in sizes.items()}
    plan = chosen(pair, n, k=k, **sizes, hvp=hvp, memory=memory, devices=every, auto=solver == "auto")
    fit: Callable[..., Any] = partial(fitted, pair, precision=precision, devices=every, adjust=sizes["chunk"] is None)
    shapes = shapes_of(n, dim, plan.k, G.dtype, dense=plan.solver == "dense")
    if folder is None:
        check_room(
            bytes_of(shapes),
            free_on_host(),
            f"the results of {n} codes",
            "Give store=, which keeps them on disk, or fewer",
        )
    plan = plan if resumed else fit(plan)
    cast = np.ascontiguousarray(codes, np.dtype(G.dtype))
    settings = {
        **fingerprints(pair, (G.name, D.name), weights=folder is not None),
        "probe": probe(pair, codes) if folder else None,
        "codes": _name_of(cast),
        **{"n": n, "k": plan.k, "solver": plan.solver, "chunk": plan.chunk, "batch": plan.batch},
        "groups": plan.groups,
        **{"precision": precision, "hvp": hvp, "tol": tol, "seed": seed},
        **({} if precision == "highest" else {"precision_of": "tangents"}),  # once it was of the whole network
    }
    final = precision if plan.solver == "dense" else "highest"
    provenance: dict[str, Any] = {
        "plan": str(plan).split("\n"),
        "relative_error": tensor_error(G.dtype, final),
        **notes,
    }
    mesh = device_mesh(-(-n // plan.batch), every)
    run: dict[str, Any] = environment(mesh.devices.size) | {"products": str(format_of(precision, G.dtype))}
    writer = folder if jax.process_index() == 0 else None
    with ExitStack() as stack:
        opened: dict[str, StoredArray] = {}
        todo: list[int] = list(range(0, n, plan.batch))
        arrays: dict[str, Any] = {}
        with together():
            expected, doubt = reconciled(folder, stored, settings) if folder and stored else (settings, "")
            if writer:
                opened = stack.enter_context(open_store(writer, expected, provenance, shapes, plan.batch))
                todo, arrays = unfinished(writer, opened, {"codes": cast})
            elif not folder:
                arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
        todo = agreed(todo, n)
        status = arrays.get("status", np.zeros(n, np.int8)).copy()
        attributes = read_attributes(writer) if writer else {"failures": {}, "runs": []}
        failures = {int(code): where for code, where in attributes["failures"].items()}
        again = agreed(best_finished(status, todo, plan.batch), n) if doubt else []
        plan = fit(plan) if resumed and (todo or again) else plan
        earlier, done = attributes["runs"], 0
        started = said = time.perf_counter()

        def say(ended: str | None = None) -> None:
            """Record the run, also in the store: one that is killed is seen by its end, which is missing."""
            nonlocal run, said
            said = time.perf_counter()
            run |= {"seconds": round(said - started, 3), "codes": done, "ended": ended}
            if writer and todo:
                attributes["runs"] = [*earlier, run]
                attributes["failures"] = {str(code): where for code, where in failures.items()}
                write_attributes(writer, attributes)

        if todo or again:
            programs, placed = tuple(plan.programs(mesh, precision)), replicate(pair, mesh)
            placed = programs[0].prepared(placed) if programs else placed
            job = Job(placed, plan, programs, mesh, precision, hvp, tol, seed, execute, fetch)
        for ((start, results),) in steps(job, codes, again, progress=False) if again else ():
            with together():
                if writer:
                    held = {name: array[start : start + plan.batch] for name, array in opened.items() if name in shapes}
                    allowed = ROUNDING[hvp] + 30 * job.error
                    warn(confirmed(writer, doubt, held, results, allowed))
        if writer and doubt:
            attributes["settings"] = settings
            write_attributes(writer, attributes)
        with together():
            say()
        background = stack.enter_context(Background())
        for batches in steps(job, codes, todo, progress) if todo else ():
            with together():
                for start, results in batches:
                    rows = slice(start, min(start + plan.batch, n))
                    found = _explained(G, D, codes[rows], results["status"], start)
                    failures |= found
                    if found or time.perf_counter() - said > UPDATE:
                        say()
                    if writer:
                        background.later(write, writer, opened, rows, {name: results[name] for name in shapes})
                    for name, array in arrays.items():
                        array[rows] = results[name]
                    done += rows.stop - start
        with together():
            background.wait()
            say(ended=now())
        if writer:  # all of it was read or written just now
            arrays |= lazy(opened, arrays["status"])
            provenance, settings = attributes["provenance"], attributes["settings"]
    if folder:
        wait_for_writer()
    if folder and not writer:
        field = MetricField.read(folder)
        field = replace(field, provenance={**field.provenance, "computed_codes": done})
    else:
        runs = attributes["runs"] if writer else [run]
        provenance = {**provenance, **settings, "runs": runs, "computed_codes": done}
        field = MetricField(**{"tensors": None, **arrays}, failures=failures, provenance=provenance)
    if still := flat_code(G, D, field):
        warn(still)
    return field


def _check_agreement(store: str | os.PathLike[str], arrays: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raise ``StoreError`` unless what was read is the field that its settings tell of."""
    codes = arrays.get("codes", np.zeros((0, 0)))
    sizes = {"n": settings["n"], "dim": codes.shape[-1], "k": settings["k"], "dtype": codes.dtype}
    expected = shapes_of(**sizes, dense=settings["solver"] == "dense")
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if found != expected:
        differ = [f"{name} is {found.get(name)}; expected {expected.get(name)}" for name in {*found, *expected}]
        raise StoreError(f"{store} is not a metric field: {'; '.join(differ)}. Compute it again in another folder.")
    if (arrays["status"] != PENDING).all() and _name_of(codes) != settings["codes"]:
        raise StoreError(
            f"{store} cannot be read: codes are others than those it was made for (their hash is {_name_of(codes)}; "
            f"expected {settings['codes']}). {MEND}"
        )


def _name_of(codes: np.ndarray) -> str:
    """The hash that stands for codes in the settings of a store."""
    return hashlib.sha256(codes.tobytes()).hexdigest()[:16]


def _explained(G: Generator, D: Distance, codes: np.ndarray, status: np.ndarray, start: int) -> dict[int, str]:
    """Code -> where its network stops being finite, for the failed ones of a batch; also as warnings."""
    found = {}
    for i in np.flatnonzero(status == FAILED):
        found[start + int(i)] = where = first_non_finite(G, D, codes[i]) or OVERFLOW
        warn(f"code {start + i} failed: {where}. The other codes are not affected.")
    return found
