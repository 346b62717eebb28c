"""Codes as words of a command: seeds, files of codes, images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = "seeds (whole numbers), .npy or .npz files with codes (FILE:INDEX for one of several), or images"


def codes(model: str, G: Any, words: Sequence[str]) -> Any:
    """The codes ``(n, d)`` that words name: draws of seeds, codes in files, and of images what the encoder says."""
    import numpy as np

    from geomgan.errors import OptionError, check_codes
    from geomgan.optimize import read_images
    from geomgan.zoo.encode import encode

    found = []
    for word in words:
        file, index = _parts(word)
        if word.isdecimal():
            found.append(_of_seed(G, int(word)))
        elif file.suffix in (".npy", ".npz"):
            found.append(_of_file(file, index))
        else:
            found.append(encode(model, read_images([word], G)))
        try:
            check_codes(found[-1], G.latent_dim)
        except ValueError as error:
            raise OptionError(f"{word}: {error}") from error
    return np.concatenate([np.asarray(z) for z in found])


def names(words: Sequence[str], others: Sequence[str], count: int) -> tuple[str, ...]:
    """What pairs are called: by their words where each names one code, else by numbers."""
    starts, ends = ([Path(word).name for word in side] * (count if len(side) == 1 else 1) for side in (words, others))
    if len(starts) == len(ends) == count:
        return tuple(f"{a} to {b}" for a, b in zip(starts, ends, strict=True))
    return tuple(f"{i + 1}" for i in range(count))


def _parts(word: str) -> tuple[Path, int | None]:
    file, colon, index = word.rpartition(":")
    return (Path(file), int(index)) if colon and index.isdecimal() else (Path(word), None)


def _of_seed(G: Any, seed: int) -> Any:
    import jax

    return G.sample_latent(jax.random.key(seed), 1)


def _of_file(file: Path, index: int | None) -> Any:
    import numpy as np

    from geomgan.errors import NotHereError, OptionError, reading

    if not file.is_file():
        raise NotHereError(f"{file} is no file; expected an array of codes.")
    with reading(file, "Expected codes (d,) or (n, d), in an .npz as 'codes'.", error=OptionError):
        z = np.load(file, allow_pickle=False)
        if file.suffix == ".npz":
            with z as arrays:
                z = arrays["codes"]
        if z.ndim not in (1, 2) or not np.issubdtype(z.dtype, np.floating):
            raise ValueError(f"it holds {z.dtype} {z.shape}")
    z = np.atleast_2d(z)
    if index is not None and index >= len(z):
        raise OptionError(f"{file} holds {len(z)} codes; expected an index from 0 to {len(z) - 1}, got {index}.")
    return z if index is None else z[index : index + 1]
