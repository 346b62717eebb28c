"""What a report shows of the spectra of a field: how steep, how few dimensions, and what random directions meet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from geomgan import analysis, plot
from geomgan.analysis import Anisotropy, MeanSpectrum, RandomDirectionLaw
from geomgan.brief import brief
from geomgan.report.control import as_shown, contrast, contrast_found, facts_of, said_of
from geomgan.report.section import Section, interval_columns
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

SHARES = (0.9, 0.99, 0.999, 0.9999)


@brief
@dataclass(frozen=True)
class Spectra:
    """Mean spectra of the fields.

    Attributes:
        means: by the label of the field.
        contrast: how much the control's samples differ between codes (mean standard deviation), relative to the
            model's; NaN without a control.
    """

    means: dict[str, MeanSpectrum]
    contrast: float


@brief
@dataclass(frozen=True)
class Shapes:
    """Anisotropy of each field.

    Attributes:
        of: by the label of the field.
        contrast: of the control.
    """

    of: dict[str, Anisotropy]
    contrast: float


def _spectra(subject: Subject, _: Results) -> Spectra:
    means = {label: analysis.mean_spectrum(field) for label, field in subject.fields.items()}
    return Spectra(means, contrast(subject))


def _draw_spectra(subject: Subject, result: Spectra) -> Any:
    if subject.control:
        return plot.spectra(as_shown(result.means, result.contrast))
    names = (str(subject.field.provenance[part]).split("#")[0] for part in ("generator", "distance"))
    return plot.spectrum(result.means[subject.name], "Spectrum of {} under {}".format(*names))


def _tell_spectra(subject: Subject, result: Spectra) -> Section:
    see = (
        "Eigenvalues of the metric tensor by rank, over all codes: a small step of length t along the axis of "
        "eigenvalue λ changes the sample by the distance √λ t. The steeper the fall, the fewer directions change "
        "anything; below the noise floor nothing is known. The curve is the arithmetic mean of {codes} codes."
    )
    see += said_of(result.contrast)
    facts = {"codes": result.means[subject.name].count} | facts_of(result.contrast)
    numbers: dict[str, Any] = {"rank": np.arange(1, subject.field.codes.shape[1] + 1)}
    for label, mean in as_shown(result.means, result.contrast).items():
        numbers |= {f"{label}: mean": mean.mean, f"{label}: 5 %": mean.low, f"{label}: 95 %": mean.high}
    return Section("spectrum", "Spectrum", see, facts, numbers)


def _shapes(subject: Subject, results: Results) -> Shapes:
    shape = partial(analysis.anisotropy, key=subject.key, shares=SHARES)
    return Shapes({label: shape(field) for label, field in subject.fields.items()}, contrast_found(subject, results))


def _tell_shapes(subject: Subject, result: Shapes) -> Section:
    names = {f"dimensions_{share:g}": f"dimensions for {100 * share:g} % of the trace" for share in SHARES}
    names |= {
        "participation_ratio": "participation ratio (Σλ)²/Σλ²",
        "entropy_dimension": "entropy dimension exp(−Σ p log p)",
        "orders": "orders of magnitude, from the largest eigenvalue to the smallest above the noise floor",
    }
    table: dict[str, Any] = {"statistic (median over codes)": list(names.values())}
    for label, shape in as_shown(result.of, result.contrast).items():
        table |= interval_columns(label, [shape.intervals[name] for name in names])
    see = (
        "How few of the {dimensions} dimensions carry the metric: an isotropic space would need all of them. Medians "
        "of {codes} codes, with 95 % intervals by a bootstrap over codes; of dimensions, which are counts, so many as "
        "do for at least half of the codes."
    )
    see += said_of(result.contrast)
    own = result.of[subject.name]
    facts = {"dimensions": subject.G.latent_dim, "codes": len(own.indices)} | facts_of(result.contrast)
    numbers = {"code": own.indices}
    numbers |= {f"dimensions for {share:g}": row for share, row in zip(own.shares, own.dimensions, strict=True)}
    numbers |= {"participation ratio": own.participation_ratio, "entropy dimension": own.entropy_dimension}
    numbers["orders of magnitude"] = own.orders
    return Section("anisotropy", "Anisotropy", see, facts, numbers, table)


def _law(subject: Subject, _: Results) -> RandomDirectionLaw:
    floor = float(subject.field.noise_floor[subject.first])
    return analysis.random_direction_law(subject.metric(subject.first), subject.key, noise_floor=floor)


def _tell_law(subject: Subject, law: RandomDirectionLaw) -> Section:
    low, high = np.log10(np.percentile(law.samples, [2.5, 97.5]))
    known, lost = len(law.known), len(law.values) - len(law.known)
    lowest = law.noise_floor if lost else float(law.values[-1])
    facts = {
        "code": subject.first,
        "random_decades": float(high - low),
        "decades": float(np.log10(law.values[0] / lowest)),
        "draws": len(law.samples),
        "observed": law.observed,
        "low": law.interval[0],
        "high": law.interval[1],
        "predicted": law.predicted,
    }
    span = "{decades:.1f}"
    if lost:
        facts |= {"known": known, "dimensions": len(law.values)}
        span = "at least {decades:.1f}, down to the noise floor, which only {known} of {dimensions} are above"
    see = (
        "At code {code}, 95 % of random directions change the sample at rates α = vᵀ g v within {random_decades:.1f} "
        f"decades, while the eigenvalues λ span {span}: who walks at random does not meet the extremes. The "
        "variance of α over {draws} draws is {observed:.3g} (95 % interval {low:.3g} to {high:.3g}); the law "
        "2 / (d + 2) Var(λ) says {predicted:.3g}."
    )
    numbers = {"eigenvalue": law.values, "rate of change along a random direction (no relation of rows)": law.samples}
    return Section("random_directions", "The illusion of isotropy", see, facts, numbers)


SPECTRUM = Triple("spectrum", _tell_spectra, Spectra, _spectra, _draw_spectra)
ANISOTROPY = Triple("anisotropy", _tell_shapes, Shapes, _shapes)
RANDOM_DIRECTIONS = Triple(
    "random_directions", _tell_law, RandomDirectionLaw, _law, lambda _, law: plot.isotropy_illusion(law)
)
