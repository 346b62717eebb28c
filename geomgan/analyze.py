"""The main job: from a model's name to the geometry of its latent space, as files and a report."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan import distances
from geomgan.analysis import anisotropy
from geomgan.distances import Distance
from geomgan.errors import StoreError, check_choice
from geomgan.generators import Generator
from geomgan.metric import MetricField, metric_field
from geomgan.metric.axes import AxisWalks, equal_distance_steps, walk

REACH, CURVE_STEPS, MONTAGE_SIDE = 3.0, 61, 5  # latent units to each side; samples a curve; images to each side


DISTANCES: dict[str, Callable[[int | None], Distance]] = {
    "mse": lambda resize: _plain(distances.mse, resize),
    "euclidean": lambda resize: _plain(distances.euclidean, resize),
    "lpips-alex": lambda resize: distances.lpips("alex", resize=resize),
    "lpips-vgg": lambda resize: distances.lpips("vgg", resize=resize),
    "lpips-squeeze": lambda resize: distances.lpips("squeeze", resize=resize),
    "ssim": lambda resize: _plain(distances.ssim, resize),
    "ms-ssim": lambda resize: _plain(distances.ms_ssim, resize),
    "digit-features": lambda resize: distances.classifier_features("digits", "conv3", resize=resize),
}


def named_distance(name: str, resize: int | None = None) -> Distance:
    """A distance by its name on the command line; ``ValueError`` with the nearest names if there is none."""
    check_choice(name, DISTANCES, "distance")
    return DISTANCES[name](resize)


def analyze(
    model: str,
    distance: str,
    codes: int,
    top: int,
    seed: int,
    out: str | os.PathLike,
    resize: int | None = None,
    memory: int | str | None = None,
) -> tuple[str, Path]:
    """Compute a metric field and write what it shows into the folder ``out``.

    Writes the field (``field.zarr``), ``summary.json``, ``spectrum.png``, ``axes.png``, ``curves.png`` and
    ``report.html``. A finished run recomputes nothing; an interrupted one resumes.

    Args:
        model: a name of the catalogue, or the folder of a converted checkpoint.
        distance: see ``DISTANCES``.
        codes: number of latent codes, drawn from the model's prior.
        top: number of axes to show.
        seed: of the codes.
        out: the folder.
        resize: interpolate samples to this side before comparing them.
        memory: what one device may use; see :func:`geomgan.metric_field`.

    Returns:
        What was found, in one line, and the report.
    """
    from geomgan.zoo import load

    G, D = load(model), named_distance(distance, resize)
    if codes < 1:
        raise ValueError(f"codes is {codes}; expected at least 1.")
    if not 1 <= top <= G.latent_dim:
        raise ValueError(f"top is {top}; expected 1 to {G.latent_dim}, the number of latent dimensions of {G.name}.")
    out = Path(out).expanduser()
    z = np.asarray(G.sample_latent(jax.random.key(seed), codes))
    run = {"model": model, "distance": distance, "codes": codes, "top": top, "seed": seed, "resize": resize}
    field = metric_field(G, D, z, store=out / "field.zarr", memory=memory, notes=run)
    report, summary = out / "report.html", out / "summary.json"
    finished = json.loads(summary.read_text()) if summary.is_file() else {}
    if report.is_file() and finished.get("run") == run and not field.provenance["computed_codes"]:
        return finished["finding"], report
    contents = summarize(field, run)
    first = int(field.finished[0])
    walks = walk(G, D, z[first], field.vectors[first, :, :top], np.linspace(-REACH, REACH, CURVE_STEPS), progress=True)
    figures = _figures(G, D, field, walks, top)
    try:
        for name, (_, figure, _) in zip(("spectrum", "curves", "axes"), figures, strict=False):
            figure.savefig(out / f"{name}.png", dpi=150, bbox_inches="tight")
        _write(report, _page(contents, figures))
        _write(summary, json.dumps(contents, indent=1) + "\n")
    except OSError as error:
        raise StoreError(
            f"cannot write the report to {out}: {error}. The metric field is safe; free space and repeat the command."
        ) from error
    return contents["finding"], report


def summarize(field: MetricField, run: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a field as plain numbers, and what they say in one sentence."""
    shape = anisotropy(field)
    half, most = (float(np.median(shape.dimensions[shape.shares.index(share)])) for share in (0.9, 0.99))
    dim, values = field.codes.shape[1], field.values[field.finished]
    effective = float(np.median(shape.participation_ratio))
    finding = (
        f"{run['model']} under {run['distance']}: {half:g} of {dim} latent dimensions hold 90 % of the change in its "
        f"samples and {most:g} hold 99 % (median of {len(field.finished)} codes); the largest eigenvalue is "
        f"{values[:, 0].mean():.3g}, {10 ** float(np.median(shape.orders)):.2g} times the smallest above the "
        f"noise floor."
    )
    return {
        "finding": finding,
        "run": dict(run),
        "mean_eigenvalues": [float(x) for x in values.mean(axis=0)],
        "noise_floor": float(np.median(field.noise_floor[field.finished])),
        "dimensions_for_share_of_trace": {
            str(share): float(np.median(row)) for share, row in zip(shape.shares, shape.dimensions, strict=True)
        },
        "participation_ratio": effective,
        "entropy_dimension": float(np.median(shape.entropy_dimension)),
        "orders_of_magnitude": float(np.median(shape.orders)),
        "largest_residual": float(np.nanmax(field.residuals)),
        "provenance": {k: v for k, v in field.provenance.items() if k not in run},
    }


def _figures(G: Generator, D: Distance, field: MetricField, walks: AxisWalks, top: int) -> list[tuple[str, Any, str]]:
    from geomgan import plot

    first = int(field.finished[0])
    values = field.values[first, :top]
    figures = [
        (
            "Spectrum",
            plot.spectrum(field),
            "Eigenvalues of the metric tensor by rank. A step of length t along axis i changes the sample by about "
            "√λᵢ t. The steeper the fall, the fewer directions of the latent space change anything.",
        ),
        (
            "How far each axis reaches",
            plot.distance_curves(walks, values),
            "Distance from the first code's sample along its own axes, and the quadratic prediction of the metric. "
            "They touch at the reference; where they part, the space is curved.",
        ),
    ]
    if len(G.sample_shape.shape) == 3 and G.sample_shape.shape[-1] in (1, 3):
        steps, step = equal_distance_steps(walks, MONTAGE_SIDE)
        rows = walk(G, D, field.codes[first], field.vectors[first, :, :top], steps)
        caption = (
            "Each row walks along one eigenvector of the metric tensor at the first code, the largest eigenvalue on "
            f"top. Each column is {step:.3g} further from the reference, so every row changes equally fast."
        )
        montage = plot.axes_montage(rows, values, G.output_range, step)
        figures.append(("What the axes do", montage, caption))
    return figures


def _page(contents: dict[str, Any], figures: list[tuple[str, Any, str]]) -> str:
    from geomgan import plot

    run = contents["run"]
    command = f"geomgan analyze {shlex.quote(run['model'])} --distance {run['distance']}" + "".join(
        f" --{name} {run[name]}" for name in ("codes", "top", "seed", "resize") if run[name] is not None
    )
    shares = {
        f"dimensions that hold {100 * float(share):g} % of the trace": f"{value:g}"
        for share, value in contents["dimensions_for_share_of_trace"].items()
    }
    numbers = {
        **shares,
        "participation ratio (Σλ)²/Σλ²": f"{contents['participation_ratio']:.2f}",
        "entropy dimension": f"{contents['entropy_dimension']:.2f}",
        "orders of magnitude above the noise floor": f"{contents['orders_of_magnitude']:.2f}",
        "noise floor": f"{contents['noise_floor']:.2e}",
        "largest residual ‖g v - λ v‖": f"{contents['largest_residual']:.2e}",
    }
    details = {"command": command, **{k: _plain_text(v) for k, v in contents["provenance"].items()}}
    order = [0, 2, 1] if len(figures) == 3 else [0, 1]
    title = f"The latent geometry of {run['model']} under {run['distance']}"
    tables = {"Numbers (medians over codes)": numbers, "How it was made": details}
    return plot.html_report(title, contents["finding"], [figures[i] for i in order], tables)


def _plain_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain_text(entry)}" for name, entry in value.items())
    return "; ".join(map(_plain_text, value)) if isinstance(value, list) else str(value)


def _plain(distance: Callable[[], Distance], resize: int | None) -> Distance:
    if resize is not None:
        raise ValueError("--resize is for the LPIPS distances. Leave it out.")
    return distance()


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
