"""The job behind ``geomgan analyze``: fields, statistics, figures, and the page that shows them."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from geomgan import analysis
from geomgan.analysis.homogeneity import NAMES
from geomgan.distances.named import named_distances
from geomgan.fields import metric_field
from geomgan.plot.files import png
from geomgan.report.findings import CONTROL, Findings, measure
from geomgan.report.page import Section, csv_text, html_report
from geomgan.report.sections import sections
from geomgan.runs.files import write_whole


def analyze(
    model: str,
    distance: str,
    codes: int,
    top: int,
    seed: int,
    out: str | os.PathLike[str],
    resize: int | None = None,
    memory: int | str | None = None,
    *,
    control: bool = True,
    layers: bool | None = None,
    compare: str | None = None,
    sample_rate: float | None = None,
    model_options: Mapping[str, Any] | None = None,
) -> tuple[str, Path]:
    """Compute metric fields and write what they show into the folder ``out``.

    Writes the fields (``field.zarr``; ``control.zarr``, of the generator with shuffled weights; ``other.zarr``, under
    another distance), ``summary.json``, the ``figures`` with the numbers behind each, and ``report.html``. A finished
    run recomputes nothing; an interrupted one resumes.

    Args:
        model: a name of the catalogue, or the folder of a converted checkpoint.
        distance: see ``geomgan.distances.named.DISTANCES``.
        codes: number of latent codes, drawn from the model's prior.
        top: number of axes to show.
        seed: of the codes.
        out: the folder.
        resize: interpolate samples to this side before comparing them.
        memory: what one device may use; see :func:`geomgan.metric_field`.
        control: also analyse the generator with shuffled weights, at the same codes.
        layers: compare the layers of the generator; None does where that is little work.
        compare: a second distance for the same codes.
        sample_rate: of the samples, for the distances that need it.
        model_options: of the model, as :func:`geomgan.load` takes them.

    Returns:
        What was found, in one line, and the report.
    """
    from geomgan.zoo import load_generator

    G = load_generator(model, **(model_options or {}))
    D, *others = named_distances((distance, *((compare,) if compare else ())), resize, sample_rate=sample_rate)
    if codes < 1:
        raise ValueError(f"codes is {codes}; expected at least 1.")
    if not 1 <= top <= G.latent_dim:
        raise ValueError(f"top is {top}; expected 1 to {G.latent_dim}, the number of latent dimensions of {G.name}.")
    if layers and not G.layers:
        raise ValueError(f"{G.name} has no named layers to compare. Leave out --layers.")
    out = Path(out).expanduser()
    key = jax.random.key(seed)
    z = np.asarray(G.sample_latent(key, codes))
    run = {"model": model, "distance": distance, "codes": codes, "top": top, "seed": seed, "resize": resize}
    run |= {"control": control, "layers": layers, "compare": compare}
    run |= {"sample_rate": sample_rate} if sample_rate is not None else {}
    run |= {"options": dict(model_options)} if model_options else {}
    options: dict[str, Any] = {"memory": memory, "notes": run}
    field = metric_field(G, D, z, store=out / "field.zarr", **options)
    shuffled = None
    if control:
        mixed = analysis.shuffle_weights(G, key)
        shuffled = mixed, metric_field(mixed, D, z, store=out / "control.zarr", **options)
    other = None
    if compare:
        other = compare, metric_field(G, others[0], z, store=out / "other.zarr", **options)
    report, summary = out / "report.html", out / "summary.json"
    finished = json.loads(summary.read_text()) if summary.is_file() else {}
    computed = sum(f.provenance["computed_codes"] for f in (field, *(pair[1] for pair in (shuffled, other) if pair)))
    if report.is_file() and finished.get("run") == run and not computed:
        return finished["finding"], report
    found = measure(G.name, G, D, field, shuffled, other, layers=layers, top=top, key=key)
    contents = summarize(found, run)
    makers = sections(found)
    parts = [make(found) for make in tqdm(makers, "figures", unit="section")]
    _write_figures(out / "figures", parts)
    title = f"The latent geometry of {model} under {distance}"
    write_whole(report, html_report(title, contents["finding"], [*parts, _provenance(contents)]))
    write_whole(summary, json.dumps(contents, indent=1) + "\n")
    return contents["finding"], report


def summarize(found: Findings, run: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a field as plain numbers, and what they say in one or two sentences."""
    field, shape = found.field, found.anisotropies[found.name]
    values = field.values[field.finished]
    half, most = (shape.intervals[f"dimensions_{share}"][0] for share in (0.9, 0.99))
    span = 10 ** shape.intervals["orders"][0]
    finding = (
        f"{run['model']} under {run['distance']}: for small steps, {half:g} of {values.shape[1]} latent dimensions "
        f"hold 90 % of the trace of the metric and {most:g} hold 99 % (median of {len(values)} codes); the largest "
        f"eigenvalue, {values[:, 0].mean():.3g} on average, is {span:.2g} times the smallest above the noise floor."
    )
    alike = {label: analysis.consistency_interval(c) for label, c in found.consistencies.items()}
    if found.name in alike:
        share = found.shared[found.name][0]
        finding += (
            f" Rates of change along the axes of another code correlate with the eigenvalues, log r = "
            f"{alike[found.name][0]:.2f}"
        )
        finding += f" ({alike[CONTROL][0]:.2f} for shuffled weights)" if CONTROL in alike else ""
        chance = 100 * most / values.shape[1]
        finding += (
            f"; the {most:g} axes that hold 99 % of one code's trace hold {100 * share:.0f} % of another's "
            f"({chance:.0f} % by chance)."
        )
    if found.other:
        r = float(np.median(analysis.compare(found.field, found.other[1]).tensor_r))
        finding += f" The tensors under {found.other[0]} correlate with these with r = {r:.2f} (median)."
    return {
        "finding": finding,
        "run": dict(run),
        "mean_eigenvalues": [float(x) for x in values.mean(axis=0)],
        "noise_floor": float(np.median(field.noise_floor[field.finished])),
        "anisotropy": {label: _plain_intervals(a.intervals) for label, a in found.anisotropies.items()},
        "consistency": {
            label: _plain_intervals({name: analysis.consistency_interval(c, name) for name in NAMES})
            for label, c in found.consistencies.items()
        },
        "shared_trace": _plain_intervals(found.shared),
        "largest_residual": float(np.nanmax(field.residuals)),
        "failed_codes": sorted(field.failures),
        "provenance": {k: v for k, v in field.provenance.items() if k not in run},
    }


def _plain_intervals(intervals: Mapping[str, tuple[float, float, float]]) -> dict[str, Any]:
    """Estimate, low and high as JSON has them: null where there is none."""
    return {
        name: [None if np.isnan(x) else float(x) for x in interval] for name, interval in intervals.items()
    }  # fmt: skip


def _provenance(contents: Mapping[str, Any]) -> Section:
    """How the report was made, with the command that makes it again."""
    run = contents["run"]
    command = f"geomgan analyze {shlex.quote(run['model'])} --distance {run['distance']}" + "".join(
        f" --{name} {run[name]}" for name in ("codes", "top", "seed", "resize", "compare") if run[name] is not None
    )
    command += "" if run["control"] else " --no-control"
    command += "" if run["layers"] is None else " --layers" if run["layers"] else " --no-layers"
    details = {
        "command": command,
        "noise floor (median)": f"{contents['noise_floor']:.2e}",
        "largest residual ‖g v − λ v‖": f"{contents['largest_residual']:.2e}",
        "failed codes, left out": ", ".join(map(str, contents["failed_codes"])) or "none",
        **{name: _plain_text(value) for name, value in contents["provenance"].items()},
    }
    table = {"what": list(details), "value": list(details.values())}
    return Section("provenance", "How it was made", "", table=table)


def _write_figures(folder: Path, parts: Sequence[Section]) -> None:
    """The figures of all sections, and the numbers behind each."""
    for part in parts:
        if part.figure is not None:
            write_whole(folder / f"{part.name}.png", png(part.figure))
        if part.animation:
            write_whole(folder / f"{part.name}.gif", part.animation)
        if part.numbers:
            write_whole(folder / f"{part.name}.csv", csv_text(part.numbers))


def _plain_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain_text(entry)}" for name, entry in value.items())
    return "; ".join(map(_plain_text, value)) if isinstance(value, list) else str(value)
