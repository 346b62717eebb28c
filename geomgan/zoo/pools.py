"""Pools: latent codes with their pictures, laid out as WarpedGANSpace has them; those that were published load.

A pool is a folder of folders, one for each code, called by the SHA-1 of the code's bytes (which may have a number in
front of it): ``latent_code.pt`` or ``latent_code.npy``, ``(1, d)`` in float32, and a picture.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.directions.warp_walks import samples_of_codes
from geomgan.errors import CheckpointError, NotHereError, check_codes, reading
from geomgan.generators import Generator
from geomgan.pictures import is_image, png
from geomgan.runs.files import local_path, write_whole

CODE, PICTURE = "latent_code", "image"


@brief
@dataclass(frozen=True)
class Pool:
    """Latent codes that are used again and again.

    Attributes:
        codes: ``(n, d)``, float32, in the order of their folders.
        names: of the folders.
        pictures: the file of each code's picture; None where there is none.
        args: how it was made, where ``args.json`` says it.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    pictures: tuple[Path | None, ...]
    args: dict[str, Any]


def load_pool(folder: str | os.PathLike[str], dim: int | None = None) -> Pool:
    """Read a pool, a published one or one of :func:`write_pool`; nothing in its files is executed.

    Args:
        folder: of the pool.
        dim: dimensions that codes must have; any by default.

    Raises:
        NotHereError: there is no pool.
        CheckpointError: a file is damaged, is another code than its folder says, or has other dimensions.
    """
    root = local_path(folder)
    places = sorted(one for one in root.iterdir() if _file_of(one) is not None) if root.is_dir() else []
    if not places:
        raise NotHereError(
            f"{root} is no pool of latent codes; expected folders with {CODE}.pt or {CODE}.npy in them. `geomgan pool "
            "MODEL` makes one."
        )
    codes = [_read(one, dim) for one in places]
    if len(dims := {len(code) for code in codes}) > 1:
        raise CheckpointError(f"{root} holds codes of {min(dims)} and of {max(dims)} dimensions; expected one number.")
    pictures = (next(iter(sorted(one.glob(f"{PICTURE}.*"))), None) for one in places)
    args, file = {}, root / "args.json"
    if file.exists():
        with reading(file, "Remove it.", error=CheckpointError):
            args = dict(json.loads(file.read_text(encoding="utf-8")))
    return Pool(np.stack(codes), tuple(one.name for one in places), tuple(pictures), args)


def write_pool(
    G: Generator,
    codes: Any,
    folder: str | os.PathLike[str],
    args: dict[str, Any] | None = None,
    *,
    progress: bool = False,
) -> Pool:
    """Write codes and their samples as a pool, each file whole; codes that are there stay.

    Args:
        G: the generator, of images.
        codes: ``(n, d)``.
        folder: of the pool.
        args: how it was made, kept as ``args.json``.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: codes do not fit, or samples are no images.
        StoreError: it cannot be written.
    """
    root, codes = local_path(folder), np.asarray(check_codes(codes, G.latent_dim), np.float32)
    if not is_image(G.sample_shape.shape):
        raise ValueError(f"samples of {G.name} have shape {G.sample_shape.shape}; expected images (H, W, 1 or 3).")
    samples = samples_of_codes(G, codes, progress=progress)
    for i, (code, sample) in enumerate(zip(codes, samples, strict=True)):
        place = root / f"{i:03d}_{_digest(code)}"
        buffer = io.BytesIO()
        np.save(buffer, code[None])
        write_whole(place / f"{PICTURE}.png", png(sample, G.output_range))
        write_whole(place / f"{CODE}.npy", buffer.getvalue())
    write_whole(root / "args.json", json.dumps(args or {}, indent=1) + "\n")
    return load_pool(root, G.latent_dim)


def _file_of(place: Path) -> Path | None:
    """The file of a code in its folder, if there is one."""
    files = (place / f"{CODE}{suffix}" for suffix in (".pt", ".npy"))
    return next((file for file in files if file.is_file()), None)


def _read(place: Path, dim: int | None) -> np.ndarray:
    from weights_convert.torch_file import read_checkpoint

    file = _file_of(place)
    assert file is not None
    with reading(file, "Get it again.", error=CheckpointError, found="is no latent code"):
        saved = read_checkpoint(file) if file.suffix == ".pt" else np.load(file, allow_pickle=False)
        if not isinstance(saved, np.ndarray) or saved.ndim != 2 or len(saved) != 1 or saved.dtype != np.float32:
            raise ValueError("it holds no array (1, d) of float32")
        code = np.array(saved[0])
        if not np.isfinite(code).all():
            raise ValueError("it holds numbers that are not finite")
    said = re.search(r"[0-9a-f]{40}$", place.name)
    if said and said[0] != _digest(code):
        raise CheckpointError(
            f"{file} is another code than its folder says: the SHA-1 of its bytes is {_digest(code)}."
        )
    if dim not in (None, len(code)):
        raise CheckpointError(f"{file} has {len(code)} dimensions; expected {dim}, those of the model's codes.")
    return code


def _digest(code: np.ndarray) -> str:
    return hashlib.sha1(np.ascontiguousarray(code, np.float32).tobytes()).hexdigest()
