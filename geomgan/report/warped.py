"""Walks along warps as files, laid out as those of WarpedGANSpace: pictures that belong to their codes, strips, films.

``CODE/original_image.png``, ``CODE/paths_images/path_000/000000.png``, ... and ``CODE/paths_latent_codes.npy``, the
codes ``(K, T, d)`` of these pictures, for each code of the pool; ``paths_strips/path_000.png`` and
``paths_gifs/path_000.gif`` with all codes. The range of values is one for all pictures.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from geomgan.directions.nonlinearity import nonlinearity
from geomgan.directions.warp_walks import walks_of_codes, warp_walks
from geomgan.directions.warps import Warps
from geomgan.errors import OptionError, check_choice
from geomgan.generators import Generator
from geomgan.pictures import png
from geomgan.plot import path_film, path_strip, save
from geomgan.plot.images import check_images
from geomgan.report.section import csv_of
from geomgan.runs.files import local_path, write_whole

FILMS = ("gif", "mp4", "png")


@dataclass(frozen=True)
class WarpedWalks:
    """How warps are walked.

    Attributes:
        step: ``ε``.
        steps: to each side.
        leap: every which step is a picture.
        paths: some of them; None for all.
        images: whether every picture is a file.
        films: suffixes of films.
        fps: frames a second of these.
        size: pixels of a picture in strips and films.
    """

    step: float = 0.2
    steps: int = 16
    leap: int = 1
    paths: Sequence[int] | None = None
    images: bool = True
    films: Sequence[str] = ("gif",)
    fps: float = 24
    size: int = 96


def configuration(how: WarpedWalks) -> str:
    """The name of the folder: steps on both sides, their length, and the length of a walk."""
    return f"{2 * how.steps}_{how.step:g}_{round(2 * how.steps * how.step, 3):g}"


def write_warped(
    G: Generator,
    warps: Warps,
    codes: np.ndarray,
    names: Sequence[str],
    out: str | os.PathLike[str],
    how: WarpedWalks = WarpedWalks(),
    *,
    progress: bool = False,
) -> str:
    """Walk codes along warps, and write pictures, codes, strips and films; says what was done.

    Args:
        G: the generator.
        warps: trained on it.
        codes: ``(m, d)``.
        names: of the codes, for their folders.
        out: the folder.
        how: steps, and what is written.
        progress: show a progress bar, with the time left.

    Raises:
        OptionError, ValueError: as :func:`geomgan.directions.warp_walks`; samples are no images, or a film is unknown.
        StoreError: it cannot be written.
    """
    check_images(G.sample_shape.shape)
    for film in how.films:
        check_choice(film, FILMS, "film")
    if len(names) != len(codes):
        raise OptionError(f"there are {len(names)} names for {len(codes)} codes; expected one for each.")
    folder = local_path(out)
    walked, t = warp_walks(warps, codes, step=how.step, steps=how.steps, leap=how.leap, paths=how.paths)
    chosen = list(range(warps.paths) if how.paths is None else how.paths)
    for name, of_code in zip(names, walked, strict=True):
        buffer = io.BytesIO()
        np.save(buffer, of_code)
        write_whole(folder / name / "paths_latent_codes.npy", buffer.getvalue())
    for i, k in enumerate(tqdm(chosen, "paths", unit="path", disable=not progress)):
        one = walks_of_codes(G, walked[:, i : i + 1], t, (f"warp {k}",))
        if how.images:
            _write_images(G, one.samples[:, 0], names, folder, k, first=i == 0)
        save(path_strip(one, 0, G.output_range, codes=_short(names)), folder / "paths_strips" / f"path_{k:03d}.png")
        for film in how.films:
            file = folder / f"paths_{film}s" / f"path_{k:03d}.{film}"
            file.parent.mkdir(parents=True, exist_ok=True)
            path_film(file, one, 0, G.output_range, fps=how.fps, size=how.size)
    bent = nonlinearity(walked)
    columns = {
        "path": chosen,
        "arc over chord": bent.arc_over_chord.mean(axis=0).tolist(),
        "turning, degrees": bent.turning.mean(axis=0).tolist(),
        "angle between codes, degrees": bent.angle.tolist(),
    }
    write_whole(folder / "nonlinearity.csv", csv_of(columns))
    ratio, turning = (np.median(x) for x in (bent.arc_over_chord, bent.turning))
    return (
        f"{len(chosen)} paths from {len(codes)} codes, {len(t)} pictures each, {abs(t[0]):.3g} to each side; the "
        f"median walk is {ratio:.3f} times as long as its chord and turns by {turning:.3g} degrees. See {folder}."
    )


def _write_images(G: Generator, samples: np.ndarray, names: Sequence[str], folder: Any, k: int, first: bool) -> None:
    for name, of_code in zip(names, samples, strict=True):
        if first:
            write_whole(folder / name / "original_image.png", png(of_code[len(of_code) // 2], G.output_range))
        for j, sample in enumerate(of_code):
            file = folder / name / "paths_images" / f"path_{k:03d}" / f"{j:06d}.png"
            write_whole(file, png(sample, G.output_range))


def _short(names: Sequence[str]) -> list[str]:
    return [name if len(name) <= 12 else f"{name[:11]}…" for name in names]
