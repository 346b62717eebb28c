"""What was found, in a few sentences, and every number of a report as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.plot.style import codes_of
from geomgan.report.control import DEAD
from geomgan.report.other import mean_r
from geomgan.report.section import Section, as_json
from geomgan.report.subject import CONTROL, Subject
from geomgan.report.triple import Results


def finding_of(subject: Subject, distance: str, results: Results, names: Sequence[str]) -> str:
    """What a report found, in one to three sentences.

    Args:
        subject: of the report.
        distance: what the page calls its distance.
        results: of its triples.
        names: of the triples that it has.
    """
    if "anisotropy" not in names:
        finished = codes_of([len(subject.field.finished)])
        return f"{subject.name} under {distance}: {finished}, and no spectrum to tell of."
    own = results("anisotropy").of[subject.name]
    dims, codes = subject.G.latent_dim, len(own.indices)
    half, most, orders = (own.intervals[name] for name in ("dimensions_0.9", "dimensions_0.99", "orders"))
    n, ratio = "one code", tuple(10**x for x in orders)
    if codes > 1:
        n = f"medians of {codes} codes, {_intervals(half, most)}"
    text = (
        f"{subject.name} under {distance}: for small steps, {half[0]:g} of {dims} latent dimensions "
        f"hold 90 % of the trace of the metric and {most[0]:g} hold 99 % ({n}); "
    )
    if orders[0] > 0:
        text += f"the largest eigenvalue is {ratio[0]:.2g} times the smallest above the noise floor"
        text += f" (median{_if_any(ratio, '.2g')})." if codes > 1 else "."
    else:
        text += "one eigenvalue alone is above the noise floor."
    if "homogeneity" in names:
        alike = results("homogeneity")
        r = {label: intervals["log"] for label, intervals in alike.intervals.items()}
        pairs = f"mean over pairs of {len(alike.consistencies[subject.name].indices)} codes"
        shared = [100 * share for share in alike.shared[subject.name]]
        if np.isfinite(r[subject.name][0]):
            text += (
                f" Rates of change along the axes of another code correlate with the eigenvalues, log r = "
                f"{r[subject.name][0]:.2f} ({pairs}, {_intervals(r[subject.name], style='.2f')}; axes in random "
                "directions: 0"
            )
            if CONTROL in r and alike.contrast >= DEAD:  # what is nearly dead is nothing to compare with
                text += f"; shuffled weights: {r[CONTROL][0]:.2f}{_if_any(r[CONTROL], '.2f')}"
            text += ")."
        text += (
            f" The axes that hold 99 % of one code's trace hold {shared[0]:.0f} % of another's "
            f"({pairs}{_if_any(shared, '.0f')}; {100 * most[0] / dims:.0f} % by chance)."
        )
    if subject.other and "distances" in names:
        compared = results("distances").tensor_r
        middle, count = mean_r(compared, subject), int(np.isfinite(compared).sum())
        of = f"mean of {count} codes, {_intervals(middle, style='.2f')}" if count > 1 else "one code"
        text += f" The tensors under {subject.other[0]} correlate with these with r = {middle[0]:.2f} ({of})."
    return text


def _intervals(*intervals: Sequence[float], style: str = "g") -> str:
    """The ends of intervals over the same codes, or that these are too few."""
    if not np.isfinite([interval[1:] for interval in intervals]).all():
        return "too few for an interval"
    ends = " and ".join(f"{low:{style}} to {high:{style}}" for _, low, high in intervals)
    return f"95 % interval{'s' * (len(intervals) > 1)} {ends}"


def _if_any(interval: Sequence[float], style: str) -> str:
    """The same behind a comma, where there is one."""
    return f", {_intervals(interval, style=style)}" if np.isfinite(interval[1:]).all() else ""


def summary_of(
    subject: Subject,
    finding: str,
    run: Mapping[str, Any],
    results: Results,
    sections: Sequence[Section],
) -> dict[str, Any]:
    """Every number that the page shows, in full precision, as JSON has it.

    Args:
        subject: of the report.
        finding: what was found.
        run: with which settings.
        results: of its triples.
        sections: what is told: the numbers in their sentences, and their tables, are under ``"sections"``.
    """
    field = subject.field
    values = field.values[field.finished]
    found = {section.name for section in sections if not section.missing}
    alike = results("homogeneity") if "homogeneity" in found else None
    shapes = results("anisotropy").of if "anisotropy" in found else {}
    contents = {
        "finding": finding,
        "run": run,
        "mean_eigenvalues": values.mean(axis=0),
        "noise_floor": float(np.median(field.noise_floor[field.finished])),
        "relative_error": float(np.median(field.relative_error[field.finished])),
        "anisotropy": {label: shape.intervals for label, shape in shapes.items()},
        "consistency": alike.intervals if alike else {},
        "shared_trace": alike.shared if alike else {},
        "largest_residual": float(np.nanmax(field.residuals)),
        "failed_codes": sorted(field.failures),
        "files": [name for section in sections for name in section.files],
        "provenance": {name: entry for name, entry in field.provenance.items() if name not in run},
        "sections": {
            section.name: {"heading": section.heading, "said": section.said}
            | {name: part for name in ("facts", "table") if (part := getattr(section, name))}
            for section in sections
        },
    }
    return as_json(contents)


def how_it_was_made(contents: Mapping[str, Any], command: str) -> Section:
    """The provenance of a report, with the command that makes it again."""
    details = {
        "command": command,
        "noise floor (median)": f"{contents['noise_floor']:.2e}",
        "relative error of the metrics, at most": f"{contents['relative_error']:.0e}",
        "largest residual ‖g v − λ v‖": f"{contents['largest_residual']:.2e}",
        "failed codes, left out": ", ".join(map(str, contents["failed_codes"])) or "none",
        **{name: _plain(value) for name, value in contents["provenance"].items() if value is not None},
    }
    table = {"what": list(details), "value": list(details.values())}
    return Section("provenance", "How it was made", table=table)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(entry)}" for name, entry in value.items())
    return "; ".join(map(_plain, value)) if isinstance(value, list) else str(value)
