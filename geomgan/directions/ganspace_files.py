"""The files of GANSpace's own code: caches of components (``.npz``) and exported edits (``.pkl``), read as data."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.components import Components
from geomgan.directions.fit import ROWS, driven_rows
from geomgan.errors import CheckpointError, OptionError, check_choice, check_finite, reading
from geomgan.generators import Generator
from geomgan.restricted_pickle import load_file

METHOD = "ganspace"
_FIX = "Take a file of GANSpace's folders cache/components (.npz) or out/directions (.pkl)."
_TOLD = ("model_name", "output_class", "edit_type", "component_index", "edit_start", "edit_end", "truncation")


def read_ganspace(file: str | os.PathLike[str], G: Generator) -> DirectionSet:
    """The directions in a file that GANSpace's own code has written; nothing in it is executed.

    A cache holds all components: ``lat_comp (k, 1, d)``, ``lat_mean``, ``lat_stdev``, and for scores ``act_stdev``,
    ``var_ratio`` and ``random_stdevs``. An export holds one, with the style layers ``edit_start`` to ``edit_end - 1``
    that it moves by ``x · lat_stdev · lat_comp``: of ``W`` rows of ``w+``, of a BigGAN-deep's ``Z`` rows of ``z+``;
    what else it tells is in ``settings``.

    Args:
        file: ``.npz`` or ``.pkl``; told apart by what is in them.
        G: the generator that they were found for: the files do not hold its weights. StyleGANs in ``w`` or ``w+`` for
            directions of ``W``.

    Raises:
        CheckpointError: the file is missing, damaged, holds code or other things than directions.
        OptionError: they are of another space or size than the codes of ``G``, or move single layers of a code that
            has none.
    """
    what = f"{os.fspath(file)}"
    with reading(what, _FIX, error=CheckpointError, found="holds no directions of GANSpace"):
        if zipfile.is_zipfile(file):
            with np.load(Path(file), allow_pickle=False) as archive:
                return _of_cache(dict(archive), G)
        contents = load_file(Path(file))
        if not isinstance(contents, Mapping):
            raise ValueError(f"found a {type(contents).__name__}; expected a dictionary")
        return _of_export(contents, G)


def read_ganspace_components(file: str | os.PathLike[str], G: Generator, layer: str) -> Components:
    """The components of activations in such a file, for :func:`geomgan.directions.activation_edits`.

    ``act_comp (k, 1, C, H, W)`` with ``act_mean``, ``act_stdev``, ``var_ratio`` and ``random_stdevs`` in a cache; of an
    export its one ``act_comp`` with ``act_stdev``. Channels come last here. Nothing in the file is executed.

    Args:
        file: ``.npz`` or ``.pkl``.
        G: the generator that they were found for.
        layer: one of ``G.layers`` whose activations they are of; the files have the names of the authors' modules.

    Returns:
        The components. What the file does not say is NaN, of an export also ``mean``; ``count`` is 0 in a cache.

    Raises:
        CheckpointError: the file is missing, damaged, holds code or no activations.
        OptionError: there is no such layer, or it has another size.
    """
    check_choice(layer, G.layers, "layer")
    with reading(os.fspath(file), _FIX, error=CheckpointError, found="holds no components of activations"):
        if zipfile.is_zipfile(file):
            with np.load(Path(file), allow_pickle=False) as archive:
                told: Mapping[str, Any] = dict(archive)
            parts = np.asarray(told["act_comp"], np.float64)
        else:
            told = load_file(Path(file))
            if not isinstance(told, Mapping):
                raise ValueError(f"found a {type(told).__name__}; expected a dictionary")
            parts = np.asarray(told["act_comp"], np.float64)[None]
        check_finite(parts, "act_comp")
    k, shape = len(parts), G.at(layer).sample_shape.shape
    if parts[0].size != np.prod(shape):
        raise OptionError(f"components of {parts[0].size} numbers do not fit {layer}, which has {int(np.prod(shape))}.")
    rows = lambda x: _channels_last(np.asarray(x, np.float64), shape)
    numbers = lambda name: np.resize(np.asarray(told.get(name, np.nan), np.float64).reshape(-1), k)
    vectors = np.stack([rows(part) for part in parts], axis=1)
    return Components(
        mean=rows(told["act_mean"]) if "act_mean" in told else np.full(len(vectors), np.nan),
        vectors=vectors / np.linalg.norm(vectors, axis=0),
        stdevs=numbers("act_stdev"),
        ratios=numbers("var_ratio"),
        random=numbers("random_stdevs"),
        residuals=np.full(k, np.nan),
        count=int(dict(told.get("decomposition", {})).get("samples", 0)),
    )


def _channels_last(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An activation ``(..., C, H, W)`` as a flat row with channels last."""
    return np.moveaxis(x.reshape(shape[-1], *shape[:-1]), 0, -1).ravel()


def _of_cache(arrays: Mapping[str, np.ndarray], G: Generator) -> DirectionSet:
    vectors = np.asarray(arrays["lat_comp"], np.float64)
    vectors = vectors.reshape(len(vectors), -1)
    k, d = vectors.shape
    scores = {"act_stdev": "act_stdev", "variance_ratio": "var_ratio", "random_stdev": "random_stdevs"}
    return direction_set(
        G,
        vectors.T,
        METHOD,
        space=_space(G, d, ""),
        scores={ours: np.asarray(arrays[theirs], np.float64).reshape(-1)[:k] for ours, theirs in scores.items()},
        scales=np.broadcast_to(np.asarray(arrays["lat_stdev"], np.float64).reshape(-1), (k,)),
        origin=np.asarray(arrays["lat_mean"]).reshape(-1),
    )


def _of_export(contents: Mapping[str, Any], G: Generator) -> DirectionSet:
    vector = np.asarray(contents["lat_comp"], np.float64).reshape(-1)
    check_finite(vector, "lat_comp")
    space = _space(G, len(vector), str(contents.get("latent_space", "")))
    settings = {name: _plain(contents[name]) for name in _TOLD if name in contents}
    return direction_set(
        G,
        vector[:, None],
        METHOD,
        space=space,
        names=[str(contents.get("name", "0"))],
        settings=settings,
        scores={"act_stdev": [float(np.ravel(contents.get("act_stdev", np.nan))[0])]},
        scales=float(np.ravel(contents.get("lat_stdev", 1.0))[0]),
        layers=_layers(G, contents.get("edit_start"), contents.get("edit_end")),
    )


def _space(G: Generator, size: int, said: str) -> str:
    """The space of directions of this size, which the file may say: ``"W"``, ``"Z"``."""
    rows = driven_rows(G)
    space = ROWS.get(G.space, G.space) if rows else G.space
    if said.upper() in ("W", "Z") and said.lower() != space:
        raise OptionError(
            f"these directions are in {said.lower()}, and the codes of {G.name} in {G.space}. Load the model with "
            f"space={said.lower()!r}."
        )
    d = G.latent_dim // (rows[1] - rows[0]) if rows and space != G.space else G.latent_dim
    if size != d:
        raise OptionError(f"these directions have {size} dimensions, and the codes of {G.name} {d}.")
    return space


def _layers(G: Generator, start: Any, end: Any) -> tuple[int, int] | None:
    """The style layers that an edit moves; None for all of them."""
    if start is None or end is None:
        return None
    rows, (first, last) = driven_rows(G), (int(start), int(end))
    if rows is None:
        if first > 0:
            raise OptionError(
                f"this edit moves layers {first} to {last - 1} alone, and one code of {G.name} is for all layers."
            )
        return None
    return None if first <= 0 and last >= rows[1] else (max(first, 0), min(last, rows[1]))


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float | bool | None) else str(value)
