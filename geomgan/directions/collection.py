"""Directions that one method found together: columns with names, scores and how they were found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions.direction import Direction, Layers
from geomgan.directions.fit import ROWS, check_fits, model_hash
from geomgan.errors import OptionError, as_array, nearest, reading
from geomgan.generators import Generator
from geomgan.runs.kinds import check_json
from geomgan.runs.results import read_result, write_result

ORTHONORMAL = 1e-3  # of |VᵀV - I|, for directions that are claimed to be orthonormal
_FIX = "Name a file of geomgan.directions.save (of geomgan analyze: axes-mean.npz), or find the directions again."


@dataclass(frozen=True, eq=False)
class DirectionSet:
    """Directions of one model, in one space, by one method: a sequence of :class:`Direction`, in numpy.

    Make one with :func:`direction_set`; ``found[3]``, ``found["smile"]`` and iteration give its directions.

    Attributes:
        vectors: ``(d, n)`` float32, columns; where the latent units of ``scales`` are to hold, of unit length.
        names: of each.
        space: the latent space that they are in.
        method: how they were found.
        settings: of the method, as JSON has them.
        scores: name -> ``(n,)``: what the method knows of each, such as its eigenvalue.
        scales: ``(n,)``, latent units of one step along each.
        origin: ``(d,)``, the centre that centred walks pass by; None for zero.
        layers: of each ``(a, b)``, the style layers that it moves, or None for all.
        orthonormal: whether the columns are claimed to be orthonormal.
        model: hash of the network, see :func:`model_hash`.
        model_name: for people.
        previews: ``(n, T, h, w, 3)`` uint8, small pictures of one code moved along each; or None.
        preview_steps: ``(T,)``, the steps of the previews; or None.
    """

    vectors: np.ndarray
    names: tuple[str, ...]
    space: str
    method: str
    settings: dict[str, Any]
    scores: dict[str, np.ndarray]
    scales: np.ndarray
    origin: np.ndarray | None
    layers: tuple[Layers | None, ...]
    orthonormal: bool
    model: str
    model_name: str
    previews: np.ndarray | None = None
    preview_steps: np.ndarray | None = None

    def __repr__(self) -> str:
        d, n = self.vectors.shape
        scores = f", scores {', '.join(self.scores)}" if self.scores else ""
        return (
            f"DirectionSet({n} of {d} dimensions in {self.space} of {self.model_name}, by {self.method or '?'}{scores})"
        )

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Direction]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, which: int | str) -> Direction:
        """One direction, by number or name."""
        i = self.index(which)
        how: dict[str, Any] = {"space": self.space, "layers": self.layers[i], "method": self.method}
        return Direction(self.vectors[:, i], float(self.scales[i]), self.origin, self.names[i], **how)

    def index(self, which: int | str) -> int:
        """The number of a direction that is called by its number, also from the end, or its name.

        Raises:
            OptionError: there is none.
            IndexError: there are fewer.
        """
        if isinstance(which, str):
            if which not in self.names:
                raise OptionError(f"there is no direction {which!r}. {nearest(which, self.names)}")
            return self.names.index(which)
        if not -len(self) <= which < len(self):
            raise IndexError(f"there is no direction {which}: there are {len(self)}, from 0.")
        return int(which) % len(self)

    def select(self, which: Sequence[int | str]) -> DirectionSet:
        """Some of the directions, in the order given."""
        rows = [self.index(one) for one in which]
        return replace(
            self,
            vectors=self.vectors[:, rows],
            names=tuple(self.names[i] for i in rows),
            layers=tuple(self.layers[i] for i in rows),
            scales=self.scales[rows],
            scores={name: score[rows] for name, score in self.scores.items()},
            previews=None if self.previews is None else self.previews[rows],
        )

    def named(self, names: Mapping[int | str, str]) -> DirectionSet:
        """The same with other names for some: number or present name -> new name."""
        new = {self.index(which): str(name) for which, name in names.items()}
        return checked(replace(self, names=tuple(new.get(i, name) for i, name in enumerate(self.names))))


def direction_set(
    G: Generator,
    vectors: Any,
    method: str,
    *,
    space: str | None = None,
    names: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    scores: Mapping[str, Any] | None = None,
    scales: Any = 1.0,
    origin: Any = None,
    layers: Layers | Sequence[Layers | None] | None = None,
    orthonormal: bool = False,
) -> DirectionSet:
    """Directions that were found for a model, checked.

    Args:
        G: the generator that they are of; its hash and name are kept.
        vectors: ``(d, n)``, columns.
        method: how they were found.
        space: the latent space that they are in; by default that of ``G``'s codes.
        names: of each; by default 0, 1, ...
        settings: of the method, what JSON can hold.
        scores: name -> ``(n,)``.
        scales: latent units of one step, one number or ``(n,)``.
        origin: ``(d,)``, the centre of the codes; None for zero.
        layers: of directions of ``w`` or ``z``: the layers ``(a, b)`` that they move in ``w+`` or ``z+``, one range or
            one for each.
        orthonormal: claim, and check, that the columns are orthonormal.

    Raises:
        ValueError: shapes do not fit, a number is not finite, names repeat, or the columns are not orthonormal.
        TypeError: JSON cannot hold the settings.
    """
    vectors = np.asarray(as_array(vectors, "vectors"))
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise ValueError(f"vectors have shape {vectors.shape}; expected (d, n), columns: one is v[:, None].")
    (d, n), settings = vectors.shape, dict(settings or {})
    if space in (None, G.space) and d != G.latent_dim:
        raise ValueError(f"vectors have {d} rows; expected {G.latent_dim}, the dimensions of a code of {G.name}.")
    check_json(settings, "settings")
    one = layers is None or (len(layers) == 2 and all(isinstance(x, int | np.integer) for x in layers))
    each = [layers] * n if one else list(layers or ())
    return checked(
        DirectionSet(
            vectors.astype(np.float32),
            tuple(map(str, range(n) if names is None else names)),
            space or G.space,
            method,
            settings,
            {name: np.array(score, np.float64) for name, score in (scores or {}).items()},
            np.array(np.broadcast_to(np.asarray(scales, np.float64), (n,)) if np.ndim(scales) == 0 else scales, float),
            None if origin is None else np.array(origin, np.float32),
            tuple(None if pair is None else (int(pair[0]), int(pair[1])) for pair in each),  # type: ignore[index, arg-type]
            orthonormal,
            model_hash(G),
            G.name,
        )
    )


def save(found: DirectionSet, file: str | os.PathLike[str]) -> DirectionSet:
    """Write directions as one file, whole: an ``.npz`` of arrays and a JSON header, without pickles.

    ``numpy.load(file)["vectors"]`` are the vectors for any program.

    Args:
        found: the directions.
        file: by convention ``*.npz``.

    Returns:
        The directions as :func:`load` gives them.

    Raises:
        TypeError: these are no directions, or they hold what no file can.
        StoreError: the file cannot be written.
    """
    if not isinstance(found, DirectionSet):
        raise TypeError(
            f"found is {type(found).__name__}; expected a DirectionSet: direction_set(G, vectors, 'by hand')."
        )
    return write_result(file, found, DirectionSet)


def content(found: DirectionSet) -> bytes:
    """The bytes of the file that :func:`save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "directions.npz"
        save(found, file)
        return file.read_bytes()


def load(file: str | os.PathLike[str], G: Generator | None = None, *, transfer: bool = False) -> DirectionSet:
    """Read directions that :func:`save` wrote, and check that they are of a model.

    Args:
        file: written by :func:`save`.
        G: the generator whose codes they are to move; None to look at them only.
        transfer: take directions of another model or space too, if their size fits.

    Raises:
        StoreError: the file is missing, damaged, holds pickles, or no directions.
        OptionError: they are of another model, space, or size; the message says which and what to do.
    """
    found = read_result(file, DirectionSet, _FIX)
    with reading(file, _FIX, found="holds no directions that can be used"):
        found = checked(found)
    if G is not None:
        check_fits(found, G, transfer=transfer)
    return found


def checked(found: DirectionSet) -> DirectionSet:
    """The directions, whose fields fit each other; raises ``ValueError``."""
    kinds = {"names": tuple, "layers": tuple, "scores": dict, "settings": dict, "vectors": np.ndarray}
    kinds |= {"scales": np.ndarray, "orthonormal": bool, "space": str, "method": str, "model": str, "model_name": str}
    for field in fields(found):
        value, kind = getattr(found, field.name), kinds.get(field.name, (np.ndarray, type(None)))
        if not isinstance(value, kind):
            raise ValueError(f"{field.name} is a {type(value).__name__}; expected a {kind}")
    if found.vectors.ndim != 2 or found.vectors.dtype != np.float32:
        raise ValueError(f"vectors are {found.vectors.dtype} of shape {found.vectors.shape}; expected float32 (d, n)")
    d, n = found.vectors.shape
    shapes = {"scales": (found.scales, (n,)), "origin": (found.origin, (d,))}
    shapes |= {f"scores[{name!r}]": (score, (n,)) for name, score in found.scores.items()}
    for name, (array, expected) in shapes.items():
        if array is not None and np.shape(array) != expected:
            raise ValueError(f"{name} has shape {np.shape(array)}; expected {expected}.")
    for name, array in (("vectors", found.vectors), ("scales", found.scales), ("origin", found.origin)):
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"{name} hold NaN or infinity; expected finite numbers.")
    if not (len(found.names) == len(set(found.names)) == len(found.layers) == n):
        raise ValueError(
            f"{n} directions have {len(set(found.names))} different names and {len(found.layers)} layers; "
            "expected one for each."
        )
    if any(not (0 <= pair[0] < pair[1]) for pair in found.layers if pair is not None):
        raise ValueError(f"layers are {found.layers}; expected (a, b) with 0 <= a < b for each, or None.")
    if found.space not in ROWS.values() and any(found.layers):
        raise ValueError(f"layers={found.layers} are of directions of 'w' or 'z', and these are of {found.space!r}.")
    if found.previews is not None:
        _check_previews(found, n)
    if found.orthonormal:
        _check_orthonormal(found.vectors)
    return found


def _check_previews(found: DirectionSet, n: int) -> None:
    assert found.previews is not None
    shape, steps = found.previews.shape, () if found.preview_steps is None else found.preview_steps.shape
    right = len(shape) == 5 and shape[0] == n and shape[4] == 3 and steps == shape[1:2]
    if not right or found.previews.dtype != np.uint8:
        raise ValueError(f"previews have shape {shape} at {steps} steps; expected bytes ({n}, T, h, w, 3).")


def _check_orthonormal(vectors: np.ndarray) -> None:
    d, n = vectors.shape
    if n > d:
        raise ValueError(f"{n} directions in {d} dimensions cannot be orthonormal; expected at most {d}.")
    off = float(np.abs(vectors.astype(np.float64).T @ vectors - np.eye(n)).max())
    if off > ORTHONORMAL:
        raise ValueError(
            f"the directions are not orthonormal: |VᵀV - I| is {off:.2g}, at most {ORTHONORMAL:g} expected."
        )
