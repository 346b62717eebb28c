"""Making a study: axes of the mean metric hidden among random directions, as a page and the key to it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.analysis.mean_metrics import mean_metric
from geomgan.brief import brief
from geomgan.distances import Distance
from geomgan.eigen import eigenpairs
from geomgan.errors import check_choice, reading
from geomgan.fields import metric_field
from geomgan.generators import Generator
from geomgan.plot.images import is_image
from geomgan.runs.files import local_path, write_whole
from geomgan.runs.settings import ANOTHER, check_settings
from geomgan.study.files import FORMAT, KEY, PAGE
from geomgan.study.walks import EQUAL, StudyWalks, study_walks

ROWS = 5  # references of a question, as in the paper
MOST_QUESTIONS, SPREAD_CODES = 500, 256


@brief
@dataclass(frozen=True)
class StudyPlan:
    """What a study is made of.

    Attributes:
        model: a name of the catalogue, or the folder of a converted checkpoint.
        distance: see ``geomgan.distances.named.DISTANCES``.
        codes: number of latent codes of the mean metric, drawn from the model's prior.
        ranks: of the eigenvectors, 1 the largest eigenvalue.
        controls: number of random directions, uniform on the sphere.
        columns: pictures in a row, odd: the middle one is the reference.
        equal: ``"distance"`` or ``"latent"``, in which of the two all rows of all questions go equally far.
        reach: largest step to each side, in radii of the prior: the root mean square distance of its codes from their
            mean. Along random directions the same share of the radius changes samples about as much in any dimension.
        seed: of the codes, the controls and the order of the page.
        resize: interpolate samples to this side before comparing them.
        pixels: larger pictures are reduced to this side; smaller ones are enlarged by a whole factor.
        title: of the page.
        contact: whom the page asks participants to send their answers to.
        options: of the model, as :func:`geomgan.load` takes them: ``{"space": "w"}``.
    """

    model: str
    distance: str = "lpips-alex"
    codes: int = 16
    ranks: tuple[int, ...] = tuple(range(1, 9))
    controls: int = 8
    columns: int = 7
    equal: str = "distance"
    reach: float = 0.6
    seed: int = 0
    resize: int | None = None
    pixels: int = 128
    title: str = "Pictures that change"
    contact: str = ""
    options: Mapping[str, Any] | None = None

    def contents(self) -> dict[str, Any]:
        """The plan as JSON has it. Options are left out where there are none: studies of version 0.1 had none."""
        contents = json.loads(json.dumps(asdict(self)))
        return contents if self.options else {name: x for name, x in contents.items() if name != "options"}


def parse_ranks(text: str) -> tuple[int, ...]:
    """Ranks from a text such as ``"1,2,5-8"``.

    Raises:
        ValueError: the text is something else.
    """
    ranks: list[int] = []
    for part in text.split(","):
        ends = part.strip().split("-")
        if len(ends) > 2 or not all(end.strip().isdecimal() and len(end.strip()) < 7 for end in ends):
            raise ValueError(f"ranks={text!r} is not a list of ranks; expected a text such as '1,2,5-8'.")
        ranks += range(int(ends[0]), int(ends[-1]) + 1)
    return tuple(ranks)


def write_study(
    G: Generator, D: Distance, plan: StudyPlan, out: str | os.PathLike[str], memory: int | str | None = None
) -> tuple[str, Path]:
    """Compute the axes of a model's mean metric and write a study of them into the folder ``out``.

    Writes the metric field (``field.zarr``), the page for participants (``study.html``) and the key to it
    (``study_key.json``), which stays with the researcher: nothing in the page tells an eigenvector of the arithmetic
    mean metric from a random direction. A question shows one direction at five references, codes of the prior that
    the mean does not contain; they are the same in all questions. All randomness comes from ``plan.seed``: the same
    plan writes the same files, so the seed is for the researcher's eyes, too.

    With ``equal="distance"`` a row goes equally far from its reference in all questions, in equal steps of the
    distance: as far as all of them get from that reference within ``plan.reach``. Axes and controls then differ in
    what changes, not in how much. With ``equal="latent"`` all go ``plan.reach`` to both sides, and axes change more
    than controls.

    Args:
        G: the generator, which the plan calls ``model``; one's own will do.
        D: the squared distance, which the plan calls ``distance``.
        plan: the study.
        out: the folder; a finished study is not computed again, an interrupted one resumes.
        memory: what one device may use; see :func:`geomgan.metric_field`.

    Returns:
        What was made, in one line, and the page.

    Raises:
        ValueError: the plan does not fit, or the model does not make images; raised before any work.
        StoreError: the folder holds another study, or cannot be written.
    """
    from geomgan.study.page import picture_row, study_page

    _check(plan, G)
    out = local_path(out)
    page, key_file = out / PAGE, out / KEY
    earlier = _earlier(key_file, plan)
    if earlier and page.is_file():
        return earlier["finding"], page
    codes_key, spread_key, references_key, controls_key, names_key = jax.random.split(jax.random.key(plan.seed), 5)
    z = np.asarray(G.sample_latent(codes_key, plan.codes))
    notes = {name: getattr(plan, name) for name in ("model", "distance", "codes", "seed", "resize")}
    notes |= {"options": dict(plan.options)} if plan.options else {}
    field = metric_field(G, D, z, store=out / "field.zarr", memory=memory, notes=notes)
    mean = mean_metric(field)
    top = eigenpairs(mean).vectors[:, np.array(plan.ranks) - 1]
    random = np.asarray(jax.random.normal(controls_key, (G.latent_dim, plan.controls)), np.float64)
    vectors = np.hstack([top, random / np.linalg.norm(random, axis=0)])
    labels = [f"axis {rank}" for rank in plan.ranks] + [f"control {i + 1}" for i in range(plan.controls)]
    names = [row.tobytes().hex() for row in np.asarray(jax.random.bits(names_key, (len(labels), 2), np.uint32))]

    spread = np.asarray(G.sample_latent(spread_key, SPREAD_CODES), np.float64).std(axis=0)
    reach = plan.reach * float(np.linalg.norm(spread))
    references = np.asarray(G.sample_latent(references_key, ROWS))
    draw = lambda samples, shown_range: picture_row(samples, shown_range, plan.pixels)
    walks = study_walks(G, D, references, vectors, labels, reach, plan.columns, plan.equal, draw)

    content = _content(plan, dict(zip(names, walks.drawn, strict=True)))
    finding = (
        f"{len(plan.ranks)} axes of {plan.model} under {plan.distance} are hidden among {plan.controls} random "
        f"directions: {len(labels)} questions of {ROWS} rows. {walks.said}"
    )
    key = {
        **{"format": FORMAT, "study": content["study"], "finding": finding, "rows": ROWS, "plan": plan.contents()},
        "trials": _entries(plan, names, labels, vectors, mean, walks),
        **{"references": references.tolist(), "range": walks.said, "provenance": field.provenance},
    }
    write_whole(key_file, json.dumps(key, indent=1) + "\n")  # before the page: there is no page without its key
    write_whole(page, study_page(content))
    return finding, page


def _check(plan: StudyPlan, G: Generator) -> None:
    """Raise ``ValueError`` unless ``G`` makes images and the plan fits it."""
    shape = G.sample_shape.shape
    if not is_image(shape):
        raise ValueError(
            f"{G.name} makes samples of shape {shape}; a study shows pictures and needs (H, W, 1) or (H, W, 3)."
        )
    check_choice(plan.equal, EQUAL, "equal")
    questions = len(plan.ranks) + plan.controls
    wrong = [rank for rank in plan.ranks if not 1 <= rank <= G.latent_dim]
    for fits, message in (
        (plan.codes >= 1, f"codes is {plan.codes}; expected at least 1."),
        (len(plan.ranks) >= 1, "there are no ranks; expected at least one axis."),
        (
            not wrong,
            f"rank {next(iter(wrong), None)} does not exist; expected 1 to {G.latent_dim}, the latent dimensions.",
        ),
        (len(set(plan.ranks)) == len(plan.ranks), f"ranks {plan.ranks} name an axis twice; expected each once."),
        (plan.controls >= 0, f"controls is {plan.controls}; expected 0 or more."),
        (questions <= MOST_QUESTIONS, f"{questions} questions are too many; expected at most {MOST_QUESTIONS}."),
        (plan.columns % 2 == 1 and 3 <= plan.columns <= 15, f"columns is {plan.columns}; expected odd, 3 to 15."),
        (0 < plan.reach < float("inf"), f"reach is {plan.reach}; expected a positive number of radii of the prior."),
        (16 <= plan.pixels <= 1024, f"pixels is {plan.pixels}; expected 16 to 1024."),
    ):
        if not fits:
            raise ValueError(message)


def _earlier(path: Path, plan: StudyPlan) -> dict[str, Any] | None:
    """The key that is there already, of the same plan."""
    if not path.is_file():
        return None
    with reading(path, "Name another folder for the study.", found="is damaged"):
        key = json.loads(path.read_text(encoding="utf-8"))
        stored = {**key["plan"]}
        if not isinstance(key["finding"], str):
            raise TypeError("its finding is no text")
    fix = f"The study may have answers by now: repeat the call with the stored settings, or {ANOTHER}."
    check_settings(path, stored, plan.contents(), fix=fix)
    return key


def _content(plan: StudyPlan, pictures: dict[str, list[str]]) -> dict[str, Any]:
    """What participants get. Names are random, so their order tells nothing."""
    content: dict[str, Any] = {"format": FORMAT, "rows": ROWS, "columns": plan.columns}
    content |= {"title": plan.title, "contact": plan.contact}
    content["trials"] = [{"id": name, "images": pictures[name]} for name in sorted(pictures)]
    content["study"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return content


def _entries(
    plan: StudyPlan, names: list[str], labels: list[str], vectors: np.ndarray, mean: np.ndarray, walks: StudyWalks
) -> dict[str, dict[str, Any]]:
    """What the key says about each question: the direction, its ``vᵀ g v`` in the mean metric, and its walks."""
    return {
        name: {
            "kind": "axis" if i < len(plan.ranks) else "control",
            "label": labels[i],
            "rank": plan.ranks[i] if i < len(plan.ranks) else None,
            "eigenvalue": float(vectors[:, i] @ mean @ vectors[:, i]),
            "vector": vectors[:, i].tolist(),
            "steps": walks.steps[i].tolist(),
            "distances": walks.distances[i].tolist(),
        }
        for i, name in enumerate(names)
    }
