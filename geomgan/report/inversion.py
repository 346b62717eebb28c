"""The page of an inversion: targets, reconstructions, errors, curves, and every run."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.optimize.inversion import Inversion
from geomgan.optimize.trials import CONVERGED, FAILED
from geomgan.plot.images import is_image
from geomgan.plot.inversion import MOST, loss_curves, reconstructions
from geomgan.report.section import Section
from geomgan.report.short import Asked, short_page
from geomgan.report.triple import Triple
from geomgan.runs.files import local_path

CODES = "codes.npz"
READ = """\
import geomgan
import numpy as np

found = np.load("codes.npz")
z = found["codes"][0]  # of the first target: the code of its best run
G = {opened}
x = G(z)"""


def inversion_page(found: Inversion, subject: Asked, out: str | os.PathLike[str]) -> tuple[str, Path]:
    """Write the page, its figures, ``summary.json``, and the codes as ``codes.npz`` into the folder ``out``.

    Returns:
        What was found, in a few sentences, and the page.

    Raises:
        StoreError: it cannot be written.
    """
    out = local_path(out)
    triples = TRIPLES if is_image(found.targets.shape[1:]) else TRIPLES[1:]
    said, title = str(found), f"Inversion with {subject.model}"
    more = {"targets": list(subject.names), "runs": _columns(found, subject)}
    return said, short_page(title, said, subject.command, triples, subject, found, out, **more)


def _tell_reconstructions(_: Any, found: Inversion) -> Section:
    name = next(name for name in [*found.measures] if name != "mse" or len(found.measures) == 1)
    best = found.of_best(found.measures[name])
    more = "" if len(found.targets) <= MOST else " The first {shown} of {targets} are shown."
    return Section(
        "reconstructions",
        "Targets and what was found",
        f"Of the best of {{runs}} runs for each target, {name} is {{median:.3g}} in the median and {{worst:.3g}} at "
        f"worst.{more}",
        {"runs": found.losses.shape[1], "median": float(np.median(best)), "worst": float(best.max()),
         "shown": min(MOST, len(best)), "targets": len(best)},
        numbers={"target": np.arange(len(best)), **{name: found.of_best(x) for name, x in found.measures.items()}},
    )  # fmt: skip


def _tell_curves(_: Any, found: Inversion) -> Section:
    B, R, steps = found.history.shape
    rows = {f"target {i // R} run {i % R}": row for i, row in enumerate(found.history.reshape(B * R, steps))}
    return Section(
        "curves",
        "How the losses fell",
        "{converged} of {runs} runs ended before the limit of {steps} steps as they made no more progress{lost}. All "
        "of them took {passes} forward passes in {seconds:.1f} s: a loss counts 1, its gradient 2 more, a "
        "Jacobian-vector product 1, a vector-Jacobian product 2.",
        {"converged": int((found.status == CONVERGED).sum()), "runs": B * R, "steps": steps,
         "lost": f"; {n} were not finite" if (n := int((found.status == FAILED).sum())) else "",
         "passes": int(found.passes.sum()), "seconds": found.seconds},
        numbers={"step": np.arange(1, steps + 1), **rows},
    )  # fmt: skip


def _tell_runs(subject: Any, found: Inversion) -> Section:
    buffer = io.BytesIO()
    np.savez(buffer, codes=found.best_codes, samples=found.best_samples, all_codes=found.codes, losses=found.losses)
    return Section(
        "runs",
        "Every run",
        "A code's distance from the prior is the root mean square of its components in deviations of the prior: about "
        "1 for codes that the prior draws; of the best runs it is {median:.2f} in the median.",
        {"median": float(np.median(found.of_best(found.prior_distance)))},
        table=_columns(found, subject),
        code={"The codes, in Python": READ.format(opened=subject.opened)},
        files={CODES: buffer.getvalue()},
    )


def _columns(found: Inversion, subject: Asked) -> dict[str, list[object]]:
    """A row for each run."""
    B, R = found.losses.shape
    best = np.arange(R) == found.best[:, None]
    columns: dict[str, list[object]] = {
        "target": [name for name in subject.names for _ in range(R)],
        "run": list(range(R)) * B,
        "best": ["yes" if x else "" for x in best.ravel()],
        "loss": found.losses.ravel().astype(float).tolist(),
    }
    columns |= {name: x.ravel().astype(float).tolist() for name, x in found.measures.items()}
    columns |= {"distance from the prior": found.prior_distance.ravel().astype(float).tolist()}
    if found.transforms is not None:
        T = found.transforms
        x, y = (T.translation[..., i].ravel().astype(float).tolist() for i in range(2))
        scale, turn = (values.ravel().astype(float).tolist() for values in (T.scale, np.degrees(T.angle)))
        columns |= {"scale": scale, "turn, degrees": turn, "x": x, "y": y}
    return columns | {"forward passes": found.passes.ravel().tolist(), "ended": found.status.ravel().tolist()}


TRIPLES = (
    Triple("reconstructions", _tell_reconstructions, draw=lambda _, found: reconstructions(found)),
    Triple("curves", _tell_curves, draw=lambda _, found: loss_curves(found)),
    Triple("runs", _tell_runs),
)
