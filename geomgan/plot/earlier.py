"""Two functions of earlier versions that walk and draw: a walk and a figure are two calls now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from geomgan.distances.distance import Distance
from geomgan.errors import check_choice, warn
from geomgan.generators.generator import Generator
from geomgan.paths.axes import equal_distance_walk, walk
from geomgan.paths.path import ends_of
from geomgan.plot.axes import axes_montage, references_montage
from geomgan.plot.images import check_images

PAGE_PIXELS = 96  # kept of each image of a page: a whole spectrum stays in memory


def axis_on_many(
    G: Generator,
    D: Distance,
    vector: Any,
    codes: Any,
    *,
    rank: int | None = None,
    side: int = 5,
    reach: float | None = None,
    path: str = "linear",
    spacing: str = "distance",
    labels: Sequence[str] | None = None,
    title: str | None = None,
    progress: bool = True,
) -> Any:
    """Walks along one direction from many references, and their figure; both are calls of their own now.

    ``geomgan.paths.axes.equal_distance_walk(G, D, codes, vector[:, None], side)``, or ``walk`` there for equal
    steps in ``t``, and :func:`geomgan.plot.references_montage`, whose arguments these are.

    Raises:
        ValueError: the samples are no images, or shapes do not fit.
    """
    _moved("axis_on_many", "geomgan.paths.axes.equal_distance_walk(G, D, codes, vector[:, None], side)",
           "geomgan.plot.references_montage(walks, G.output_range)")  # fmt: skip
    check_images(G.sample_shape.shape)
    check_choice(spacing, ("distance", "step"), "spacing")
    if np.shape(vector) != (G.latent_dim,):
        raise ValueError(
            f"vector has shape {np.shape(vector)}; expected ({G.latent_dim},): one direction. Of a matrix of "
            "eigenvectors take a column, vectors[:, i]."
        )
    codes, column = np.atleast_2d(codes), np.asarray(vector)[:, None]
    if labels is not None and len(labels) != len(codes):  # before the walks, which may take long
        raise ValueError(f"there are {len(labels)} labels for {len(codes)} references; expected one for each.")
    if spacing == "distance":
        walks = equal_distance_walk(G, D, codes, column, side, reach=reach, path=path, progress=progress)
    else:
        steps = np.linspace(*ends_of(reach, path), 2 * side + 1)
        walks = walk(G, D, codes, column, steps, path=path, progress=progress)
    return references_montage(walks, G.output_range, rank=rank, labels=labels, title=title)


def spectrum_pages(
    G: Generator,
    D: Distance,
    z: Any,
    vectors: Any,
    values: Any,
    *,
    rows: int = 16,
    side: int = 4,
    reach: float | None = None,
    path: str = "linear",
    ranks: Any = None,
    progress: bool = True,
) -> list[Any]:
    """The whole spectrum at one code, ``rows`` axes a page, walked equally far in ``t``; now two calls for each page.

    ``geomgan.paths.axes.walk(G, D, z, vectors[:, part], steps)`` and :func:`geomgan.plot.axes_montage`.

    Source: ``vis_eigen_frame`` of GAN-Geometry, which returns the last page only.

    Returns:
        Matplotlib figures.

    Raises:
        ValueError: the samples are no images, or shapes do not fit.
    """
    _moved("spectrum_pages", "geomgan.paths.axes.walk(G, D, z, vectors[:, part], steps)",
           "geomgan.plot.axes_montage(walks, values[part], G.output_range, ranks=ranks[part])")  # fmt: skip
    check_images(G.sample_shape.shape)
    vectors, values = np.asarray(vectors), np.asarray(values)
    if vectors.ndim != 2:
        raise ValueError(f"vectors have shape {vectors.shape}; expected ({G.latent_dim}, k): axes are columns.")
    if rows < 1 or side < 1:
        raise ValueError(f"rows is {rows} and side {side}; expected at least 1.")
    ranks = np.arange(1, vectors.shape[1] + 1) if ranks is None else np.asarray(ranks)
    steps = np.linspace(*ends_of(reach, path), 2 * side + 1)
    starts = range(0, vectors.shape[1], rows)
    pages: list[Any] = []
    for start in tqdm(starts, "pages", unit="page", disable=not progress):
        part = slice(start, start + rows)
        walks = walk(G, D, z, vectors[:, part], steps, path=path)
        title = f"Spectrum of the metric tensor, page {len(pages) + 1} of {len(starts)}"
        pages.append(axes_montage(walks, values[part], G.output_range, ranks=ranks[part], title=title,
                                  pixels=PAGE_PIXELS))  # fmt: skip
    return pages


def _moved(name: str, first: str, second: str) -> None:
    warn(
        f"geomgan.plot.{name} walks and draws; it goes in the next version. Walk first, walks = {first}, then draw "
        f"{second}.",
        DeprecationWarning,
    )
