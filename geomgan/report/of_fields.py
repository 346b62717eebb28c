"""What a report shows of a whole metric field: its spectra, how alike its codes are, and its layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan import analysis, plot
from geomgan.analysis.homogeneity import NAMES
from geomgan.report.findings import SHARES, Findings
from geomgan.report.page import Section, matrix_columns

EXPLAINED = {
    "log": "r of log rates and log eigenvalues (log consistency)",
    "linear": "r of rates and eigenvalues (linear)",
    "vectorised": "r of the entries of the tensors (vectorised)",
}
DEAD = 0.1  # contrast below which a control hardly has samples to compare
SHARE = "share of the trace of j in the axes that hold 99 % of i"
CHANCE = "the same for as many random axes, n / d"


def spectrum(found: Findings) -> Section:
    """Mean spectra of the model and its control."""
    see = (
        "Eigenvalues of the metric tensor by rank, over all codes: a small step of length t along the axis of "
        "eigenvalue λ changes the sample by the distance √λ t. The steeper the fall, the fewer directions change "
        "anything; below the noise floor nothing is known. "
    )
    if found.control:
        see += (
            f"Shuffled weights keep the architecture and lose what was learned; their samples differ between codes "
            f"{found.contrast:.2g} times as much as the model's"
        )
        see += ": the control is nearly dead, and says little." if found.contrast < DEAD else "."
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
        "entropy_dimension": "entropy dimension exp(−Σ p log p)",
        "orders": "orders of magnitude, from the largest eigenvalue to the smallest above the noise floor",
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
    low, high = np.log10(np.percentile(law.samples, [2.5, 97.5]))
    decades = np.log10(law.values[0] / max(law.values[-1], float(found.field.noise_floor[found.first])))
    see = (
        f"At code {found.first}, 95 % of random directions change the sample at rates α = vᵀ g v within "
        f"{high - low:.1f} decades, while the eigenvalues λ span {decades:.1f}: who walks at random does not meet the "
        f"extremes. The variance of α is {law.observed:.3g}; the law 2 / (d + 2) Var(λ) says {law.predicted:.3g}."
    )
    numbers = {"eigenvalue": law.values, "rate of change along a random direction (no relation of rows)": law.samples}
    return Section("random_directions", "The illusion of isotropy", see, plot.isotropy_illusion(law), numbers)


def homogeneity(found: Findings) -> Section:
    """Consistency of the model and its control."""
    table: dict[str, list[Any]] = {"over pairs of codes, mean": [EXPLAINED[name] for name in NAMES] + [SHARE, CHANCE]}
    for label, c in found.consistencies.items():
        rows = [analysis.consistency_interval(c, name) for name in NAMES]
        rows.append(found.shared[label])
        axes = found.anisotropies[label].intervals["dimensions_0.99"]
        rows.append((axes[0] / found.G.latent_dim, axes[1] / found.G.latent_dim, axes[2] / found.G.latent_dim))
        table[label] = [row[0] for row in rows]
        table[f"{label}: 95 % interval"] = [_interval(row) for row in rows]
    see = (
        "How the rates of change of code j along the axes of code i correlate with its own eigenvalues, over all "
        "pairs. It is 1 where codes share their axes; but a correlation does not see how much flatter the foreign "
        "axes are: the share of the trace does. Ranks below the noise floor are left out of the logarithm."
    )
    pairs = {label: c.off_diagonal("log") for label, c in found.consistencies.items()}
    of_i, of_j = np.nonzero(~np.eye(len(found.consistencies[found.name].log), dtype=bool))
    numbers = {"code i": of_i, "code j": of_j} | pairs
    figure = plot.consistency_histogram(found.consistencies)
    return Section("homogeneity", "Homogeneity", see, figure, numbers, table)


def matrix(found: Findings) -> Section:
    """Consistency of every pair of codes."""
    c = found.consistencies[found.name]
    see = (
        "Row i takes the axes of code i to the metric of code j, column j. A dark row is a code whose axes are its "
        "own; the more even the field, the less it matters at which code the axes are taken."
    )
    figure = plot.consistency_matrix(c)
    indices = c.indices.tolist()
    numbers = {"code i": indices} | matrix_columns(c.log, [f"log, j = {j}" for j in indices])
    numbers |= matrix_columns(c.linear, [f"linear, j = {j}" for j in indices])
    return Section("consistency", "Consistency of every pair", see, figure, numbers)


def scatter(found: Findings) -> Section:
    """What entries of that matrix correlate."""
    count = min(4, len(found.field.finished))
    see = (
        "What an entry of that matrix correlates: the rates of change of code j along the axes of code i, against "
        "the eigenvalues of j, in descending order. On the line the axes of i would be those of j; points above it "
        "at small eigenvalues say that the flat directions of j are not those of i."
    )
    one = analysis.consistency_example(found.field, 0, 1)
    numbers = {
        "rank": np.arange(1, len(one.target_values) + 1),
        "eigenvalue of the second code": one.target_values,
        "its rate along the axes of the first code": one.source_values,
    }
    return Section("pairs", "Codes, pair by pair", see, plot.consistency_scatter(found.field, count), numbers)


def against_distance(found: Findings) -> Section:
    """Consistency against latent distance."""
    relation = analysis.consistency_and_distance(found.consistencies[found.name], key=found.key)
    verdict = "closer codes have more similar metrics" if relation.r < 0 else "farther codes have more similar metrics"
    if relation.p >= 0.05:
        verdict = "no relation is seen"
    low, high = relation.distances.min(), relation.distances.max()
    see = (
        f"Whether closer codes have more similar metrics (mean of both directions of a pair): r = {relation.r:.2f}, "
        f"p = {relation.p:.2g} by permutations of codes, so {verdict}. Codes of the prior are {low:.3g} to {high:.3g} "
        "latent units apart; nothing is said of nearer ones."
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
        f"The axes of the samples at code {found.first}, measured in every layer by the sum of squared differences of "
        "its activations. Axes fall steepest in their own metric; the steeper the curve of a layer, the more of the "
        "anisotropy along these axes is already made there."
    )
    numbers: dict[str, Any] = {"rank": np.arange(1, len(alignment.values[-1]) + 1)}
    numbers |= dict(zip(alignment.names, alignment.amplification[-1], strict=True))
    figure = plot.amplification_curves(alignment)
    return Section("layers", "How the layers amplify the axes", see, figure, numbers)


def alignment(found: Findings) -> Section:
    """Consistency of every pair of layers."""
    alignment = found.alignment
    assert alignment
    see = (
        "How the rates of change of a layer (column) along the axes of another (row) correlate with its own "
        f"eigenvalues, at code {found.first}. High values mean the same order of axes, not the same steepness."
    )
    figure = plot.layer_matrix(alignment)
    return Section(
        "alignment",
        "Alignment of the layers",
        see,
        figure,
        {"layer i": alignment.names, **matrix_columns(alignment.log, alignment.names)},
    )


def comparison(found: Findings) -> Section:
    """The same codes under another distance."""
    assert found.other
    name, field = found.other
    result = analysis.compare(found.field, field)
    see = (
        f"The same codes under {found.D.name} and {name}. Entries of tensors compare the metrics themselves; spectra "
        "by rank correlate in any case, as both descend. Where the metric of one distance along the axes of the "
        "other is like its own spectrum, the axes belong to the generator more than to the distance."
    )
    measures = ("tensor_r", "log_tensor_r", "spectrum_r", "log_spectrum_r", "cross_ab_r", "cross_ab_log_r")
    numbers = {"code": result.indices} | {measure: getattr(result, measure) for measure in measures}
    return Section("distances", f"Under another distance: {name}", see,
                   plot.comparison(result, (found.D.name, name)), numbers)  # fmt: skip


def _per_code(found: Findings) -> dict[str, Any]:
    shape = found.anisotropies[found.name]
    rows = {f"dimensions for {share:g}": row for share, row in zip(shape.shares, shape.dimensions, strict=True)}
    more = {"participation ratio": shape.participation_ratio, "entropy dimension": shape.entropy_dimension}
    return {"code": shape.indices, **rows, **more, "orders of magnitude": shape.orders}


def _interval(row: tuple[float, float, float]) -> str:
    return "" if np.isnan(row[1]) else f"{row[1]:.3g} to {row[2]:.3g}"
