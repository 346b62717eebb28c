"""Published paths in their folders: deformators of GANLatentDiscovery, warps of WarpedGANSpace.

Nothing in their files is executed.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from geomgan.errors import CheckpointError, NotHereError, reading
from geomgan.generators import Generator
from geomgan.runs.files import local_path
from geomgan.runs.results import read_result

if TYPE_CHECKING:  # opening a model needs none of this
    from geomgan.directions.collection import DirectionSet
    from geomgan.directions.deformators import Deformator
    from geomgan.directions.predictors import Predictor
    from geomgan.directions.warps import Warps

ARGS, NAMES = "args.json", "human_annotation.txt"
WARPS, PREDICTOR = "support_sets.npz", "reconstructor.npz"  # of geomgan.directions.train_warps
_AGAIN = "Get it again."


class PublishedDeformator(NamedTuple):
    """What a published folder holds.

    Attributes:
        found: the directions; those that people named have their names.
        deformator: the map itself, exact where paths bend.
        predictor: the shift predictor, None where the folder has none.
        args: the options of the training, as ``args.json`` has them.
    """

    found: DirectionSet
    deformator: Deformator
    predictor: Predictor | None
    args: dict[str, Any]


def load_deformator(folder: str | os.PathLike[str], G: Generator) -> PublishedDeformator:
    """Read a published deformator: ``args.json``, ``models/deformator_<step>.pt`` and ``shift_predictor_<step>.pt``.

    The latest step is taken; ``human_annotation.txt``, with lines ``index: name``, names directions. Torch is not
    needed.

    Args:
        folder: the folder with ``args.json``.
        G: the generator whose codes it deforms.

    Raises:
        NotHereError: there is no folder, or no deformator in it.
        CheckpointError: a file is damaged, or holds another network, or another number of dimensions.
    """
    from geomgan.directions.latent_deformators import directions_of
    from geomgan.directions.published_deformators import deformator_of, predictor_of
    from weights_convert.containers import state_dict
    from weights_convert.torch_file import read_checkpoint

    root = local_path(folder)
    args = _read_args(root)
    file = _latest(root, "deformator")
    if file is None and args.get("deformator") != "id":
        raise NotHereError(
            f"{root} has no models/deformator_<step>.pt; expected the published layout: args.json, models/ and, where "
            "directions are named, human_annotation.txt. Name the folder with args.json."
        )
    paths = args.get("directions_count", args.get("max_latent_ind"))
    with reading(file or root, _AGAIN, error=CheckpointError):
        saved = {} if file is None else read_checkpoint(file)
        tensors = state_dict(saved) if saved else {}  # of the axes, and of random columns, nothing is saved
        deformator = deformator_of(tensors, G.latent_dim, args.get("deformator"), paths)
    with reading(root / NAMES, _AGAIN, error=CheckpointError):
        names = _read_names(root / NAMES, deformator.paths)
    settings = {"published": root.name, "file": None if file is None else file.name}
    found = directions_of(G, deformator, at=float(args.get("shift_scale", 6.0)), names=names, settings=settings)
    file = _latest(root, "shift_predictor")
    if file is None:
        return PublishedDeformator(found, deformator, None, args)
    with reading(file, _AGAIN, error=CheckpointError):
        tensors = state_dict(read_checkpoint(file))
        judge = predictor_of(tensors, args.get("shift_predictor"), args.get("shift_predictor_size"))
    return PublishedDeformator(found, deformator, judge, args)


class PublishedWarps(NamedTuple):
    """What a published experiment holds.

    Attributes:
        warps: the support sets.
        predictor: the reconstructor, None where the folder has none.
        args: the options of the training, as ``args.json`` has them.
    """

    warps: Warps
    predictor: Predictor | None
    args: dict[str, Any]


def load_warps(folder: str | os.PathLike[str], G: Generator) -> PublishedWarps:
    """Read an experiment of WarpedGANSpace: ``args.json``, ``models/support_sets.pt`` and ``models/reconstructor.pt``.

    Where those are missing, ``models/checkpoint.pt`` of an unfinished training is read. Torch is not needed. Of an
    experiment of :func:`geomgan.zoo.train_experiment` they are ``.npz``.

    Args:
        folder: the folder with ``args.json``.
        G: the generator whose codes the paths are of.

    Raises:
        NotHereError: there is no folder, or no support sets in it.
        CheckpointError: a file is damaged, or holds another network, or support sets of other dimensions.
    """
    from geomgan.directions.published_deformators import predictor_of, warps_of
    from weights_convert.containers import state_dict
    from weights_convert.torch_file import read_checkpoint

    root = local_path(folder)
    args = _read_args(root)
    if (root / "models" / WARPS).exists():
        return _read_own(root / "models", G, args)
    unfinished = root / "models" / "checkpoint.pt"
    files = {"support_sets": root / "models" / "support_sets.pt", "reconstructor": root / "models" / "reconstructor.pt"}
    if not files["support_sets"].exists():
        files = dict.fromkeys(files, unfinished)
    if not files["support_sets"].exists():
        raise NotHereError(
            f"{root} has neither models/support_sets.pt nor models/checkpoint.pt; expected the published layout of an "
            "experiment. Name the folder with args.json."
        )
    read = lambda part: state_dict(read_checkpoint(files[part]), *([part] if files[part] == unfinished else []))
    with reading(files["support_sets"], _AGAIN, error=CheckpointError):
        warps = warps_of(read("support_sets"), G.latent_dim)
    if not files["reconstructor"].exists():
        return PublishedWarps(warps, None, args)
    with reading(files["reconstructor"], _AGAIN, error=CheckpointError):
        judge = predictor_of(read("reconstructor"), args.get("reconstructor_type"))
    return PublishedWarps(warps, judge, args)


def _read_own(models: Path, G: Generator, args: dict[str, Any]) -> PublishedWarps:
    """What ``train_warps`` wrote."""
    import jax
    import jax.numpy as jnp

    from geomgan.directions.predictors import Predictor
    from geomgan.directions.warps import Warps

    warps = jax.tree.map(jnp.asarray, read_result(models / WARPS, Warps, _AGAIN))
    if warps.dim != G.latent_dim:
        raise CheckpointError(
            f"{models / WARPS} has paths of {warps.dim} dimensions, and codes of {G.name} have {G.latent_dim}; "
            "expected the same. Load the model, and the space, that they were trained on."
        )
    if not (models / PREDICTOR).exists():
        return PublishedWarps(warps, None, args)
    return PublishedWarps(warps, jax.tree.map(jnp.asarray, read_result(models / PREDICTOR, Predictor, _AGAIN)), args)


def _read_args(root: Path) -> dict[str, Any]:
    if not root.is_dir():
        raise NotHereError(f"{root} is no folder; expected one of a published deformator, with args.json in it.")
    file = root / ARGS
    if not file.exists():
        return {}
    with reading(file, _AGAIN, error=CheckpointError):
        args = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(args, dict):
            raise ValueError("it holds no options by name")
    return args


def _latest(root: Path, part: str) -> Path | None:
    """``models/<part>_<step>.pt`` of the largest step."""
    matches = [(file, re.fullmatch(rf"{part}_(\d+)\.pt", file.name)) for file in root.glob("models/*.pt")]
    steps = {int(match[1]): file for file, match in matches if match}
    return steps[max(steps)] if steps else None


def _read_names(file: Path, paths: int) -> dict[int | str, str]:
    """``index: name`` of every line; a name that is there twice gets its index behind it."""
    if not file.exists():
        return {}
    names: dict[int | str, str] = {}
    for line in filter(None, map(str.strip, file.read_text(encoding="utf-8").splitlines())):
        index, _, name = line.partition(":")
        if not index.strip().isdigit() or not name.strip() or int(index) >= paths:
            raise ValueError(f"{line[:80]!r} is not 'index: name' with an index below {paths}")
        given = name.strip()
        names[int(index)] = given if given not in names.values() else f"{given} ({int(index)})"
    return names
