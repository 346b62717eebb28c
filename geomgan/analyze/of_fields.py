"""What a report shows of a whole metric field: its spectra, how alike its codes are, and its layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan import analysis, plot
from geomgan.analysis.homogeneity import NAMES
from geomgan.analyze.findings import SHARES, Findings
from geomgan.plot.report import Section, matrix_columns


def spectrum(found: Findings) -> Section:
    """Mean spectra of the model and its control."""
    see = (
        "Eigenvalues of the metric tensor by rank: a step of length t along axis i changes the sample by about √λᵢ t. "
        "The steeper the fall, the fewer directions of the latent space change anything; below the noise floor nothing "
        "is known. " + ("Shuffled weights keep the architecture and lose what was learned." if found.control else "")
    )
    numbers: dict[str, Any] = {"rank": np.arange(1, found.field.codes.shape[1] + 1)}
    for label, field in found.fields.items():
        mean = analysis.mean_spectrum(field)
        numbers |= {f"{label}: mean": mean.mean, f"{label}: 5 %": mean.low, f"{label}: 95 %": mean.high}
    figure = plot.spectra(found.fields) if found.control else plot.spectrum(found.field)
    return Section("spectrum", "Spectrum", see, figure, numbers)


def anisotropy(found: Findings) -> Section:
    """A table of effective dimensions."""
    names = {f"dimensions_{share:g}": f"dimensions for {100 * share:g} % of the trace" for share in SHARES}
    names |= {
        "participation_ratio": "participation ratio (Σλ)²/Σλ²",
        "entropy_dimension": "entropy dimension exp(-Σ p log p)",
        "orders": "orders of magnitude above the noise floor",
    }
    table: dict[str, list[Any]] = {"statistic (median over codes)": list(names.values())}
    for label, shape in found.anisotropies.items():
        rows = [shape.intervals[name] for name in names]
        table[label] = [row[0] for row in rows]
        table[f"{label}: 95 % interval"] = [_interval(row) for row in rows]
    see = (
        f"How few of the {found.G.latent_dim} dimensions carry the metric: an isotropic space would need all of them. "
        "Intervals are bootstrapped over codes."
    )
    return Section("anisotropy", "Anisotropy", see, table=table, numbers=_per_code(found))


def illusion(found: Findings) -> Section:
    """Random directions against eigenvectors."""
    law = analysis.random_direction_law(found.metric(found.first), found.key)
    see = (
        "Random directions nearly all change the sample alike (narrow), although the axes differ by decades (wide): "
        f"who walks at random takes the space for isotropic. The variance is {law.observed:.3g}, by the law "
        f"2 / (d + 2) Var(λ) = {law.predicted:.3g}."
    )
    numbers = {"eigenvalue": law.values, "rate of change along a random direction": law.samples}
    return Section("random_directions", "The illusion of isotropy", see, plot.isotropy_illusion(law), numbers)


def homogeneity(found: Findings) -> Section:
    """Consistency of the model and its control."""
    table: dict[str, list[Any]] = {"consistency (mean over pairs)": list(NAMES)}
    for label, c in found.consistencies.items():
        rows = [analysis.consistency_interval(c, name) for name in NAMES]
        table[label] = [row[0] for row in rows]
        table[f"{label}: 95 % interval"] = [_interval(row) for row in rows]
    see = (
        "How well the axes at one code predict the metric at another, over all pairs of codes: 1 is a space whose axes "
        "are the same everywhere. Ranks below the noise floor are left out of the logarithm."
    )
    numbers = {label: c.off_diagonal("log") for label, c in found.consistencies.items()}
    figure = plot.consistency_histogram(found.consistencies)
    return Section("homogeneity", "Homogeneity", see, figure, numbers, table)


def matrix(found: Findings) -> Section:
    """Consistency of every pair of codes."""
    c = found.consistencies[found.name]
    see = (
        "Row i takes the axes of code i to the metric of code j. A dark row is a code whose axes are its own; "
        "an even field is one geometry for the whole space."
    )
    figure = plot.consistency_matrix(c)
    return Section("consistency", "Consistency of every pair", see, figure, matrix_columns(c.log, c.indices.tolist()))


def scatter(found: Findings) -> Section:
    """What entries of that matrix correlate."""
    count = min(4, len(found.field.finished))
    see = (
        "What one entry of that matrix correlates: the rates of change of code j along the axes of code i, against the "
        "eigenvalues of j. Points on the line mean that the axes of i are as good as those of j."
    )
    one = analysis.consistency_example(found.field, 0, 1)
    numbers = {"eigenvalue of code 1": one.target_values, "rate along the axes of code 0": one.source_values}
    return Section("pairs", "Four codes, pair by pair", see, plot.consistency_scatter(found.field, count), numbers)


def against_distance(found: Findings) -> Section:
    """Consistency against latent distance."""
    relation = analysis.consistency_and_distance(found.consistencies[found.name], key=found.key)
    see = (
        f"Whether closer codes have more similar metrics: r = {relation.r:.2f}, p = {relation.p:.2g} by permutations "
        "of codes. No slope means that homogeneity is global."
    )
    numbers = {"distance": relation.distances, "log consistency": relation.consistencies}
    return Section(
        "latent_distance", "Homogeneity and distance", see, plot.consistency_against_distance(relation), numbers
    )


def layers(found: Findings) -> Section:
    """Rates of change of every layer along the axes of the samples."""
    alignment = found.alignment
    assert alignment
    see = (
        "The axes of the samples, measured in every layer: the more alike the curves fall, the earlier in the network "
        "the anisotropy is made."
    )
    numbers = dict(zip(alignment.names, alignment.amplification[-1], strict=True))
    figure = plot.amplification_curves(alignment)
    return Section("layers", "How the layers amplify the axes", see, figure, numbers)


def alignment(found: Findings) -> Section:
    """Consistency of every pair of layers."""
    alignment = found.alignment
    assert alignment
    see = (
        "How well the axes of one layer (row) predict the metric of another (column). Layers that agree share their "
        "axes: the geometry is inherited through the network."
    )
    figure = plot.layer_matrix(alignment)
    return Section("alignment", "Alignment of the layers", see, figure, matrix_columns(alignment.log, alignment.names))


def comparison(found: Findings) -> Section:
    """The same codes under another distance."""
    assert found.other
    name, field = found.other
    result = analysis.compare(found.field, field)
    see = (
        f"The same codes under {found.D.name} and {name}. High correlations of the logarithms mean that the axes "
        "belong to the generator more than to the distance."
    )
    measures = ("tensor_r", "log_tensor_r", "spectrum_r", "log_spectrum_r", "cross_ab_r", "cross_ab_log_r")
    numbers = {measure: getattr(result, measure) for measure in measures}
    return Section("distances", f"Under another distance: {name}", see,
                   plot.comparison(result, (found.D.name, name)), numbers)  # fmt: skip


def _per_code(found: Findings) -> dict[str, Any]:
    shape = found.anisotropies[found.name]
    rows = {f"dimensions for {share:g}": row for share, row in zip(shape.shares, shape.dimensions, strict=True)}
    more = {"participation ratio": shape.participation_ratio, "entropy dimension": shape.entropy_dimension}
    return {"code": shape.indices, **rows, **more, "orders of magnitude": shape.orders}


def _interval(row: tuple[float, float, float]) -> str:
    return "" if np.isnan(row[1]) else f"{row[1]:.3g} to {row[2]:.3g}"
