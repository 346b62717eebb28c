"""Directions applied to codes, as files: pictures, strips, films, and the codes themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions import DirectionSet, Traversal, schedule, traverse
from geomgan.distances.distance import Distance
from geomgan.errors import OptionError, check_count
from geomgan.generators import Generator
from geomgan.pictures import png
from geomgan.plot import save, traversal, traversal_film
from geomgan.plot.directions import FAR
from geomgan.plot.encoders import encoder
from geomgan.plot.images import KEPT, is_image, pixels, shared_range
from geomgan.report.pictures import BYTES
from geomgan.runs.files import local_path, write_whole, written

STILLS = 9  # images of a strip


def write_applied(
    G: Generator,
    found: DirectionSet,
    codes: np.ndarray,
    steps: Sequence[float],
    out: str | os.PathLike[str],
    *,
    kind: str = "linear",
    centred: bool = False,
    progress: bool = False,
) -> str:
    """Samples at steps along directions as PNG files, a strip for each code, and the codes; says what was done.

    ``codes.npz`` has ``codes (m, n, T, d)``, ``steps``, ``sigmas`` (see ``Traversal``), ``start (m, d)`` and ``names``.
    Samples that are no images are in it, too.
    """
    folder = local_path(out)
    walked = traverse(G, found, codes, steps, kind=kind, centred=centred, progress=progress)
    images = is_image(walked.samples.shape[3:])
    if images:
        bounds = shared_range(walked.samples, G.output_range)
        for (i, j, k), t in np.ndenumerate(walked.steps):
            name = f"code{i}_{j}-{_plain(walked.names[j])}_{t:+g}.png"
            write_whole(folder / name, png(walked.samples[i, j, k], bounds))
        _strips(walked, bounds, folder, _title(G, found))
    more = {} if images else {"samples": walked.samples}
    _codes(walked, codes, folder, **more)
    return f"{_said(walked)} See {folder}: {walked.steps.size} samples, codes.npz."


def write_traversal(
    G: Generator,
    found: DirectionSet,
    codes: np.ndarray,
    out: str | os.PathLike[str],
    *,
    reach: float = 3.0,
    frames: int = 60,
    order: str = "centred",
    spacing: str = "code",
    D: Distance | None = None,
    films: Sequence[str] = ("gif",),
    fps: float = 24,
    kind: str = "linear",
    centred: bool = False,
    progress: bool = False,
) -> str:
    """A strip of pictures for each code, films of all of them, and the codes of the strips; says what was done.

    Args:
        G: the generator.
        found: the directions.
        codes: ``(m, d)``.
        out: the folder.
        reach: the largest ``|t|``.
        frames: of a film.
        order: in which a film is shown, see :func:`geomgan.directions.schedule`.
        spacing: ``"code"`` or ``"distance"``, see :func:`geomgan.directions.traverse`.
        D: the squared distance of the latter.
        films: suffixes, of ``gif``, ``png`` and ``mp4``.
        fps: frames a second.
        kind: ``"linear"`` or ``"spherical"``.
        centred: start all walks along a direction at the same coordinate.
        progress: show progress bars, with the time left.

    Raises:
        ValueError: samples are no images, ``reach`` is not positive, or as :func:`geomgan.directions.traverse`.
    """
    shape, folder = G.sample_shape.shape, local_path(out)
    if not is_image(shape):
        raise ValueError(f"samples of {G.name} have shape {shape}; expected images (H, W, 1) or (H, W, 3).")
    if not reach > 0:
        raise OptionError(f"reach={reach} is not positive; expected the largest step to both sides.")
    for film in films:
        encoder(f".{film}", "the film", fps)  # before any work
    order_of_frames = schedule(order, check_count(frames, np.inf, "frames")) if films else np.zeros(0)
    options: dict[str, Any] = {"D": D, "spacing": spacing, "kind": kind, "centred": centred, "progress": progress}
    walked = traverse(G, found, codes, reach * schedule("linear", STILLS), **options)
    bounds = shared_range(walked.samples, G.output_range)
    _strips(walked, bounds, folder, _title(G, found))
    _codes(walked, codes, folder)
    if films:
        keep = partial(pixels, output_range=bounds, side=KEPT)
        moving = traverse(G, found, codes, reach * order_of_frames, keep=keep, **options)
        for suffix in films:
            traversal_film(folder / f"traversal.{suffix}", moving, BYTES, fps=fps, progress=progress)
    what = ", ".join(["strips", *(f"traversal.{suffix}" for suffix in films), "codes.npz"])
    return f"{_said(walked)} See {folder}: {what}."


def _strips(walked: Traversal, bounds: tuple[float, float], folder: Path, title: str) -> None:
    for i in range(len(walked.samples)):
        save(traversal(walked, bounds, i, title=f"{title}: code {i}"), folder / f"code{i}.png")


def _title(G: Generator, found: DirectionSet) -> str:
    return f"{G.name} along directions in {found.space} ({found.method})"


def _said(walked: Traversal) -> str:
    m, n = walked.steps.shape[:2]
    far = float(np.abs(walked.sigmas).max())
    what = f"{n} direction{'s' * (n > 1)} from {m} code{'s' * (m > 1)}"
    warning = f": beyond {FAR:g} the prior has hardly any codes" if far > FAR else ""
    ends = f"; the walks end at most {far:.2g} standard deviations from the prior's mean{warning}"
    return f"{what}{'' if np.isnan(far) else ends}."


def _codes(walked: Traversal, start: np.ndarray, folder: Path, **more: Any) -> None:
    arrays = {"codes": walked.codes, "steps": walked.steps, "sigmas": walked.sigmas, "start": start, **more}
    with written(folder / "codes.npz") as file:
        np.savez(file, names=np.array(walked.names), **arrays)


def _plain(name: str) -> str:
    """A name as a part of a file's name."""
    return re.sub(r"[^\w.]+", "-", name).strip("-") or "direction"
