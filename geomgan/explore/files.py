"""What is saved and opened: directions, codes, strips and films as bytes of the files that the library has for them."""

from __future__ import annotations

import io
import itertools
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions import Direction, DirectionSet, direction_set, load, traverse
from geomgan.directions.collection import content
from geomgan.errors import OptionError, check_codes, reading
from geomgan.explore.scene import Kept, Place
from geomgan.explore.travel import Travel
from geomgan.generators import Generator

STILLS, FRAMES, FPS = 9, 40, 24  # pictures of a strip; of a film from end to end


def file_name(G: Generator, what: str, ending: str) -> str:
    """A name of a file, of plain letters."""
    plain = re.sub(r"[^\w.+]+", "-", f"{G.name}-{what}").strip("-.")
    return f"{plain[:100] or 'explored'}.{ending}"


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, each with the first number that tells it from those before: axis 1, axis 1 (2)."""
    found: list[str] = []
    for name in names:
        others = (f"{name} ({i})" for i in itertools.count(2))
        found.append(name if name not in found else next(other for other in others if other not in (*found, *names)))
    return found


def directions_file(G: Generator, place: Place) -> bytes:
    """All straight directions of the sliders as one file of ``geomgan.directions.save``.

    Raises:
        OptionError: there are none, or they are of several spaces.
    """
    straight = [(axis.name, axis.move) for axis in place.axes if isinstance(axis.move, Direction)]
    spaces = {move.space for _, move in straight}
    if not straight or len(spaces) > 1:
        got = f"directions of {' and '.join(sorted(spaces))}" if straight else "no straight direction"
        raise OptionError(f"there are {got} among the sliders; expected some, of one space. Remove the others.")
    names = _distinct([name for name, _ in straight])
    moves = [move for _, move in straight]
    methods = sorted({move.method for move in moves if move.method})
    found = direction_set(
        G,
        np.stack([np.asarray(move.vector) for move in moves], axis=1),
        ", ".join(methods) or "explored",
        space=spaces.pop(),
        names=names,
        settings={"explored": True},
        scales=[float(move.scale) for move in moves],
        layers=[move.layers for move in moves],
    )
    return content(found)


def codes_file(G: Generator, place: Place, kept: Sequence[Kept]) -> bytes:
    """The code that is shown, and those that were kept, as an ``.npz`` of ``codes (n, d)`` and ``names``."""
    buffer = io.BytesIO()
    codes = np.stack([place.code, *(one.code for one in kept)]).astype(G.dtype)
    np.savez(buffer, codes=codes, names=np.array(["shown", *(one.name for one in kept)]))
    return buffer.getvalue()


def opened(G: Generator, data: bytes) -> DirectionSet | list[Kept]:
    """The directions or codes of a file, which is read as data.

    Raises:
        OptionError: it holds neither, or they are of another model.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "opened"
        file.write_bytes(data)
        fix = "Expected a file of geomgan.directions.save, or codes (d,) or (n, d) as .npy, or as 'codes' in an .npz."
        with reading("The file", fix, error=OptionError):
            arrays: Any = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.ndarray):
                with arrays as members:
                    if "codes" not in members:
                        return load(file, G)
                    names = [str(name) for name in members["names"]] if "names" in members else []
                    arrays = members["codes"]
            else:
                names = []
            codes = np.atleast_2d(np.asarray(arrays))
            check_codes(codes, G.latent_dim)
        names += [f"code {i + 1}" for i in range(len(names), len(codes))]
        return [Kept(name[:80] or "code", z.astype(np.float64)) for name, z in zip(names, codes, strict=False)]


def strip(G: Generator, place: Place, number: int, scale: Travel) -> bytes:
    """Pictures at equal distances along one slider, as a PNG with its scale."""
    from geomgan import plot

    walked, title = _walked(G, place, number, scale, np.linspace(*scale.ends, STILLS))
    buffer = io.BytesIO()
    plot.traversal(walked, G.output_range, title=title).savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def film(G: Generator, place: Place, number: int, scale: Travel) -> bytes:
    """A film there and back along one slider at constant perceptual speed, as a GIF."""
    from geomgan import plot

    walked, title = _walked(G, place, number, scale, np.linspace(*scale.ends, FRAMES))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.gif"
        return plot.traversal_film(file, walked, G.output_range, fps=FPS, caption=title, progress=False).read_bytes()


def _walked(G: Generator, place: Place, number: int, scale: Travel, arcs: np.ndarray) -> tuple[Any, str]:
    axis = place.axes[place.index(number)]
    base = place.along(number, np.zeros(1))[0].astype(G.dtype)
    walked = traverse(G, axis.move, base, np.array([scale.step(s) for s in arcs]))
    how = "equal steps in distance" if scale.measured else "equal steps as the metric predicts"
    return walked, f"{G.name} along {axis.name}: {how}, from {arcs[0]:.3g} to {arcs[-1]:.3g}"
