"""The axes of one code, moving: pictures one step of distance after the other, for a hand to move along."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.paths import Walks, lines, walk
from geomgan.paths.spacing import even_steps
from geomgan.report.axes import REACH, left_out, moving_ranks, radii
from geomgan.report.pictures import kept
from geomgan.report.section import Section
from geomgan.report.strip import Strip, strip_of
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

PICTURES, PIXELS = 41, 160  # of the longest walk; of a picture's longer side


@brief
@dataclass(frozen=True)
class Moving:
    """Walks along the axes of one code, whose pictures follow each other at one distance.

    Attributes:
        walks: along each axis, as far as ``REACH`` to both sides; the reference is one of the pictures.
        ranks: ``(n,)``, of the axes, from 1.
        sides: ``(n, 2)``, trust radii towards negative and positive ``t``.
        gap: the distance, the same for all.
    """

    walks: tuple[Walks, ...]
    ranks: np.ndarray
    sides: np.ndarray
    gap: float


def _compute(subject: Subject, results: Results) -> Moving:
    (z, vectors, _), ranks = subject.axes, moving_ranks(results, subject.top)
    paths, walks = lines(z, vectors[:, ranks - 1]), []
    steps, gap = even_steps(subject.G, subject.D, paths, PICTURES, reach=REACH)
    for path, t in zip(paths, steps, strict=True):
        walked = walk(subject.G, subject.D, path, t)
        shown = kept(walked.samples, subject.G, side=PIXELS)
        walks.append(replace(walked, samples=shown, spacing="arc length", gaps=np.array([gap])))
    return Moving(tuple(walks), ranks, results("trust_radius").sides[ranks - 1], gap)


def _strip(rank: int, walks: Walks, sides: np.ndarray, gap: float) -> Strip:
    (t,), (images,) = walks.steps, walks.samples
    zero = int(np.flatnonzero(t == 0)[0])
    arcs = gap * (np.arange(len(t)) - zero)
    low, high = -sides[0], sides[1]
    trust = (
        float(np.interp(low, t, arcs)) if low > t[0] else -np.inf,
        float(np.interp(high, t, arcs)) if high < t[-1] else np.inf,
    )
    return strip_of(f"axis {rank}", images, zero, gap, trust)


def _tell(subject: Subject, result: Moving) -> Section:
    strips = tuple(
        _strip(rank, walks, sides, result.gap)
        for rank, walks, sides in zip(result.ranks, result.walks, result.sides, strict=True)
    )
    still, named = left_out(result.ranks, subject.top)
    see = (
        "Each axis of code {code} in equal steps: from one picture to the next the sample moves by {gap:.2g} in "
        "distance, on every axis, so equal travel is equal visible change. Zero is the sample of the code; numbers are "
        "the distance travelled, as far as {reach:g} latent units to both sides. The blue part of a slider is within "
        "the trust radius, where the metric at the code speaks for the pictures."
    ) + still
    facts = {"code": subject.first, "gap": result.gap, "reach": REACH} | named
    ends = np.array([walks.steps[0, [0, -1]] for walks in result.walks])
    far = np.array([result.gap * np.array([s.zero, s.frames - 1 - s.zero]) * [-1, 1] for s in strips])
    table = {
        "axis": result.ranks,
        "distance from": far[:, 0],
        "distance to": far[:, 1],
        "t from": ends[:, 0],
        "t to": ends[:, 1],
    } | radii(result.sides)
    numbers: dict[str, Any] = {}
    for rank, walks, strip in zip(result.ranks, result.walks, strips, strict=True):
        numbers[f"axis {rank}: distance travelled"] = result.gap * (np.arange(strip.frames) - strip.zero)
        numbers[f"axis {rank}: t"] = walks.steps[0]
        numbers[f"axis {rank}: distance from the start"] = walks.distances[0]
    return Section("walk", "The axes, moving", see, facts, numbers, table, strips=strips)


MOVING = Triple("walk", _tell, Moving, _compute, wanted=lambda subject: subject.images)
