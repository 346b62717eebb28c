"""The main job: from a generator and a distance to the geometry of its latent space, as files and a page."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from geomgan import analysis
from geomgan.brief import brief
from geomgan.distances import Distance
from geomgan.entry import explained
from geomgan.errors import (
    GeomganError,
    check_codes,
    check_count,
    check_folder,
    check_key,
    check_not_traced,
    is_key,
    warn,
)
from geomgan.fields import MetricField, metric_field
from geomgan.generators import Generator
from geomgan.generators.generator import activations_of, output_of
from geomgan.generators.program_hash import program_hash
from geomgan.metric.outputs import squared_distance
from geomgan.metric.pair import bind, bound, check_options, check_types, profile_of
from geomgan.report.doubts import doubts_of_field, doubts_of_samples
from geomgan.report.finding import finding_of, how_it_was_made, summary_of
from geomgan.report.page import html_report
from geomgan.report.section import Section, missing
from geomgan.report.subject import Subject, called
from geomgan.report.table import TRIPLES
from geomgan.report.triple import Results, Triple
from geomgan.report.written import written
from geomgan.runs.files import local_path, write_whole
from geomgan.runs.journal import PARTS, SETTINGS, Journal, open_journal
from geomgan.runs.kinds import read_json
from geomgan.runs.lock import locked

LAYER_WORK = 3e12  # FLOPs up to which layers are compared without being asked for
UNDEFINED = (ValueError, ArithmeticError)  # what is raised of numbers that have no such statistic
AXES = 8  # to show, unless said otherwise
PAGE, SUMMARY = "report.html", "summary.json"


@brief
@dataclass(frozen=True)
class Report:
    """What a report found, and where it is.

    Attributes:
        finding: in a few sentences.
        page: the file to open, ``report.html``: complete in itself.
        summary: every number of the page, ``summary.json``.
        directions: the axes, ``directions.npz``.
        folder: of all these, with the stored fields, the saved results and the figures.
        computed: names of the results that this call computed; those of an earlier, interrupted one are not in it.
    """

    finding: str
    page: Path
    summary: Path
    directions: Path
    folder: Path
    computed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.finding} See {self.page}."


@partial(explained, called="geomgan.report")
def report(
    G: Generator,
    D: Distance,
    codes: Any,
    *,
    out: str | os.PathLike[str],
    key: jax.Array,
    top: int | None = None,
    control: bool | None = None,
    layers: bool | None = None,
    compare: Distance | None = None,
    memory: int | str | None = None,
    precision: str = "highest",
    hvp: str = "exact",
    progress: bool = True,
    notes: Mapping[str, Any] | None = None,
    triples: Sequence[Triple] = TRIPLES,
) -> Report:
    """Analyse a generator and write what was found into the folder ``out``: what ``geomgan analyze`` does.

    Writes the metric fields (``field.zarr``; ``control.zarr``, of the generator with shuffled weights; ``other.zarr``,
    under another distance), each result (``parts``), the ``figures`` as PNG and SVG with the numbers behind each,
    ``directions.npz`` for further use, ``summary.json`` with every number, and ``report.html``, one file that shows it
    all. The same call resumes an interrupted run where it was, result by result; a finished one computes nothing.

    ::

        G = gg.Generator.from_function(decode, params, latent_dim=64)
        gg.report(G, gg.distances.mse(), 16, key=jax.random.key(0), out="runs/mine")

    Args:
        G: the generator: a loaded one, or one's own. Parts that need images are left out where samples are none.
        D: the squared distance.
        codes: ``(n, d)``, or a number of codes to draw from the generator's prior.
        out: the folder.
        key: of everything random, a ``jax.random.key``.
        top: number of axes to show; by default 8, or all of a smaller latent space.
        control: also analyse the generator with shuffled weights, at the same codes; None does where it has any.
        layers: compare the layers of the generator; None does where that is little work.
        compare: a second distance, for the same codes.
        memory: what one device may use; see :func:`geomgan.metric_field`.
        precision: of products of tangents, as for :func:`geomgan.metric_field`; the page says what it comes to.
        hvp: ``"exact"``, or ``"finite-difference"`` for what has no derivatives: its layers are not compared then.
        progress: show progress bars, with the time left.
        notes: recorded with the results. ``"model"``, ``"distance"`` and ``"compare"`` are what the page calls them,
            ``"command"`` is what makes it again, and ``"opened"`` the Python expression that gives the generator.
        triples: the parts of the page, in its order.

    Returns:
        What was found, and where it is.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
        StoreError: the folder belongs to another run, or cannot be written.
        GeomganError: no code has a finite metric.
    """
    notes = dict(notes or {})
    check_types(G, D)
    check_not_traced("geomgan.report", "Call it outside", G, D, codes, key)
    check_key(key)
    check_options(precision, hvp)
    z = _codes(G, codes, key)
    top = min(AXES, G.latent_dim) if top is None else top
    layers = False if hvp != "exact" and layers is None else layers
    _check(G, D, top, layers, compare)
    mixed = _shuffled(G, key, control)
    out = local_path(out)
    check_folder(out, "the report")
    command, opened = notes.pop("command", ""), notes.pop("opened", "...  # the generator of this report")
    model, distance = str(notes.get("model", G.name)), called(D, str(notes.get("distance", D.name)))
    run = {"codes": len(z), "top": top, "control": mixed is not None, "layers": layers} | notes
    run |= {"hvp": hvp} if hvp != "exact" else {}
    run |= {"precision": precision} if precision != "highest" else {}
    run["compare"] = notes.get("compare", compare.name if compare else None)
    options: dict[str, Any] = {"memory": memory, "precision": precision, "hvp": hvp, "progress": progress, "notes": run}
    doubts = doubts_of_samples(G, D, z)
    Thread(target=import_module, args=("matplotlib.figure",), daemon=True).start()  # while devices compute

    field = metric_field(G, D, z, store=out / "field.zarr", **options)
    shuffled = (mixed, metric_field(mixed, D, z, store=out / "control.zarr", **options)) if mixed else None
    second = metric_field(G, compare, z, store=out / "other.zarr", **options) if compare else None
    other = (str(run["compare"]), second) if second else None
    if not len(field.finished):
        raise GeomganError(
            f"no code of {G.name} has a finite metric: {next(iter(field.failures.values()), 'unknown')}. "
            "geomgan.distances.check(D, x, y) tells what the distance cannot take; try other codes."
        )

    compared = layers if layers is not None else bool(G.layers) and _layer_work(G, D) <= LAYER_WORK
    subject = Subject(model, G, bind(G, D), field, shuffled, other, compared, top, key, opened, progress)
    chosen = [triple for triple in triples if triple.wanted(subject)]
    settings = _settings(subject)
    _make_room(out, settings)
    with open_journal(out, settings) as journal:
        results = _results(triples, subject, journal)
        page, summary = out / PAGE, out / SUMMARY
        told = _earlier(summary) if page.is_file() else {}
        whole = all(journal.finished(triple.of or triple.name) for triple in chosen)
        there = all((out / name).is_file() for name in told.get("files", [PAGE]))
        if not (whole and there and told.get("run") == json.loads(json.dumps(run)) and "finding" in told):
            sections = _made(chosen, subject, results, out)
            found = [section.name for section in sections if not section.missing]
            finding = finding_of(subject, distance, results, found)
            finding = " ".join([*(doubts or doubts_of_field(G, D, field)), finding])
            told = summary_of(subject, finding, run, results, sections)
            sections.append(how_it_was_made(told, command or _call(run)))
            title = f"The latent geometry of {model} under {distance}"
            write_whole(page, html_report(title, finding, sections))
            write_whole(summary, json.dumps(told, indent=1) + "\n")
        return Report(told["finding"], page, summary, out / "directions.npz", out, tuple(journal.computed))


def _shuffled(G: Generator, key: jax.Array, control: bool | None) -> Generator | None:
    """The control, where it is wanted or, unless that is said, where there are weights to shuffle."""
    try:
        return None if control is False else analysis.shuffle_weights(G, key)
    except ValueError:
        if control:
            raise
        return None


def _codes(G: Generator, codes: Any, key: jax.Array) -> np.ndarray:
    if np.ndim(codes) == 0 and not is_key(codes):
        whole = isinstance(codes, int | np.integer) and not isinstance(codes, bool) and codes > 0
        count = int(codes) if whole else check_count(codes, np.inf, "codes", ", or codes (n, d)")
        return np.asarray(G.sample_latent(key, count))  # which says of too many what they would take
    return np.asarray(check_codes(codes, G.latent_dim))


def _check(G: Generator, D: Distance, top: int, layers: bool | None, compare: Distance | None) -> None:
    """Raise for what would fail after minutes."""
    if not 1 <= top <= G.latent_dim:
        raise ValueError(f"top is {top}; expected 1 to {G.latent_dim}, the number of latent dimensions of {G.name}.")
    if layers and not G.layers:
        raise ValueError(f"{G.name} has no named layers to compare. Leave layers= out.")
    bind(G, D)
    if compare is not None:
        check_types(G, compare)
        bind(G, compare)


def _layer_work(G: Generator, D: Distance) -> float:
    return profile_of(bound(G, D)).flops * G.latent_dim * len(G.layers)


def _settings(subject: Subject) -> dict[str, Any]:
    """What the results depend on: fields by their fingerprints, what else is computed, and the report's choices."""
    G, D, names = subject.G, subject.D, ("generator", "distance", "codes", "precision")
    of = lambda field: {name: field.provenance[name] for name in names}
    fields: Mapping[str, MetricField] = subject.fields | (dict([subject.other]) if subject.other else {})
    key = np.asarray(jax.random.key_data(subject.key)).tolist()
    sample = jax.eval_shape(output_of, G, code := jax.ShapeDtypeStruct((G.latent_dim,), G.dtype))
    return {
        "fields": {label: of(field) for label, field in fields.items()},
        "layers": program_hash(activations_of, G, code) if subject.layers else None,
        "compared": program_hash(squared_distance, D, sample, sample),
        "range": G.output_range,
        **{"top": subject.top, "key": key},
    }


def _make_room(out: Path, settings: Mapping[str, Any]) -> None:
    """Remove the results of other choices over the same fields; what takes longest, the fields, is in their stores."""
    file, parts = out / SETTINGS, out / PARTS
    with locked(out):
        if file.is_file() and _earlier(file).get("settings") != json.loads(json.dumps(settings)):
            shutil.rmtree(parts, ignore_errors=True)
            file.unlink()


def _earlier(file: Path) -> dict[str, Any]:
    """What a file of an earlier run says; nothing where it is missing or damaged, as all of it is made again then."""
    try:
        contents = read_json(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return contents if isinstance(contents, dict) else {}


def _results(triples: Sequence[Triple], subject: Subject, journal: Journal) -> Results:
    """The results by their names: each is computed when it is first asked for, or read if an earlier run saved it."""
    known, by_name = dict[str, Any](), {triple.name: triple for triple in (*TRIPLES, *triples)}

    def result(name: str) -> Any:
        triple = by_name[name]
        if triple.of:
            return result(triple.of)
        if name not in known:
            assert triple.kind
            assert triple.compute
            compute = triple.compute
            known[name] = journal.part(name, triple.kind, lambda: compute(subject, result))
        return known[name]

    return result


def _made(triples: Sequence[Triple], subject: Subject, results: Results, out: Path) -> list[Section]:
    """All sections, with their figures and files written: a part is drawn while the next one is computed."""
    with ThreadPoolExecutor(1, "drawing") as artist:
        sections: list[Future[Section]] = []
        try:
            for triple in tqdm(triples, "parts of the report", unit="part", disable=not subject.progress):
                sections.append(artist.submit(_drawn, triple, subject, _found(triple, subject, results), out))
            return [section.result() for section in sections]
        except BaseException:
            artist.shutdown(cancel_futures=True)
            raise


def _found(triple: Triple, subject: Subject, results: Results) -> Any:
    """A result, or the error that says why there is none: the other parts are made all the same."""
    try:
        with np.errstate(**subject.undefined):
            return results(triple.name)
    except UNDEFINED as error:
        return error


def _drawn(triple: Triple, subject: Subject, found: Any, out: Path) -> Section:
    """A section whose figure, numbers and files are written beside the page, or one that says why there is none."""
    try:
        if isinstance(found, Exception):
            raise found
        with np.errstate(**subject.undefined):
            return written(triple, subject, found, out)
    except UNDEFINED as error:
        if subject.undefined:
            return missing(triple.name, "the metric is zero at every code.")
        warn(f"the part {triple.name!r} of the report could not be made: {error}")
        return missing(triple.name, str(error))


def _call(run: Mapping[str, Any]) -> str:
    """The call that makes a report again, where no command was given."""
    names = ("top", "control", "layers", "precision", "hvp")
    more = "".join(f", {name}={run[name]!r}" for name in names if run.get(name) is not None)
    return f"geomgan.report(G, D, codes, out=..., key=...{more})"
