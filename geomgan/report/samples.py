"""Samples as files, pixel for pixel, beside real images, with the Fréchet distance between the two on features."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.distances.basic import euclidean
from geomgan.distances.classifiers import classifier_features
from geomgan.distances.distance import Distance, embed_tree
from geomgan.errors import StoreError, check_count, check_finite, check_key
from geomgan.generators import Generator
from geomgan.generators.generator import sample_of
from geomgan.metric.fingerprint import fingerprints
from geomgan.metric.pair import bound, with_programs
from geomgan.paths.measure import block_size
from geomgan.plot import files
from geomgan.plot.images import check_images, displayable, image_grid
from geomgan.report.section import as_json
from geomgan.runs.files import local_path, write_whole
from geomgan.runs.journal import open_journal
from geomgan.training import digit_features, frechet_distance, judged

SAMPLES, REAL, GRID = "samples", "real", 64
DIGIT_SHAPES = ((28, 28, 1), (32, 32, 1))
OF_DIGITS, OF_PHOTOS = "dense1 of the digit classifier", "means over the maps of AlexNet's relu5"
SMALLEST = 64  # pixels of a side for AlexNet; smaller images are enlarged


@brief
@dataclass(frozen=True)
class Written:
    """Samples that were written as files.

    Attributes:
        folder: of ``samples/*.png``, ``codes.npz``, ``grid.png`` and ``summary.json``.
        count: how many.
        features: what the Fréchet distance compares, or that it compares nothing.
        frechet: between the samples and the real images; None without those.
        floor: between these and as many other real ones, where there are: what a perfect model would have.
        judged: what the digit classifier says of the samples, of digits.
    """

    folder: Path
    count: int
    features: str
    frechet: float | None
    floor: float | None
    judged: dict[str, Any] | None

    def __str__(self) -> str:
        said = f"{self.count} samples are in {self.folder / SAMPLES}."
        if self.judged is not None:
            said += f" The digit classifier is sure of {100 * self.judged['confident_share']:.3g} % of them."
        if self.frechet is not None:
            said += f" Fréchet distance from as many real images, on {self.features}: {self.frechet:.4g}"
            said += "." if self.floor is None else f" (between real images {self.floor:.4g})."
        return said


def write_samples(
    G: Generator,
    count: int,
    key: jax.Array,
    out: str | os.PathLike[str],
    *,
    real: Callable[[int], np.ndarray] | None = None,
    progress: bool = True,
) -> Written:
    """Write samples as PNG files of exactly their size, and real images beside them, for judges such as the FID.

    The same call goes on where it was interrupted.

    Args:
        G: the generator, of images.
        count: of samples, and of real images.
        key: typed; of the codes, which are written as ``codes.npz``.
        out: the folder.
        real: gives so many real images ``(n, H, W, C)`` in the size and range of the samples, always the same ones
            first; fewer where there are no more.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: the samples are no images, or not finite.
        StoreError: the folder belongs to another call, holds other images, or cannot be written.
    """
    check_key(key)
    count, out = check_count(count, np.inf, "count"), local_path(out)
    check_images(G.sample_shape.shape)
    settings: dict[str, Any] = {"count": count, "key": np.asarray(jax.random.key_data(key)).tolist()}
    settings |= {"generator": fingerprints(with_programs(bound(G, euclidean())), (G.name, ""))["generator"]}
    with open_journal(out, settings):
        codes, buffer = np.asarray(G.sample_latent(key, count)), io.BytesIO()
        np.savez(buffer, codes=codes)
        write_whole(out / "codes.npz", buffer.getvalue())
        images = _written(_generated(G, codes), count, G, out / SAMPLES, "samples", progress)
        found = None if real is None else real(2 * count)
        theirs = None if found is None else _written(iter([found[:count]]), count, G, out / REAL, "real", progress)
        done = _judged(G, out, images, theirs, None if found is None else found[count:])
        write_whole(out / "grid.png", files.png(image_grid(images[:GRID], 8, None)))
        contents = {"count": count, "features": done.features, "frechet": done.frechet, "floor": done.floor}
        write_whole(out / "summary.json", json.dumps(as_json(contents | {"judged": done.judged}), indent=1) + "\n")
    return done


def _generated(G: Generator, codes: np.ndarray) -> Any:
    """Samples, a block at a time."""
    size = min(block_size(G), len(codes))
    for first in range(0, len(codes), size):
        rows = np.resize(codes[first : first + size], (size, codes.shape[1]))
        block = np.asarray(_samples(G, rows))[: len(codes) - first]
        check_finite(block, "the samples")
        yield block


@jax.jit
def _samples(G: Generator, codes: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(partial(sample_of, G))(codes)


def _written(blocks: Any, count: int, G: Generator, folder: Path, what: str, progress: bool) -> np.ndarray:
    """Write images as files; they as their bytes ``(n, H, W, C)``."""
    names, kept, i = {f"{i:05d}.png" for i in range(count)}, [], 0
    others = sorted(file.name for file in folder.glob("*.png") if file.name not in names)
    if others:
        raise StoreError(f"{folder} holds other images, such as {others[0]}; a judge would count them. Move them away.")
    with tqdm(total=count, desc=what, unit="image", disable=not progress) as bar:
        for block in blocks:
            for sample in block:
                shown = np.rint(255 * displayable(sample, G.output_range)).astype(np.uint8)
                shown = shown[..., : sample.shape[-1]]
                write_whole(folder / f"{i:05d}.png", _png(shown))
                kept.append(shown)
                i += 1
            bar.update(len(block))
    return np.stack(kept)


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def _judged(G: Generator, out: Path, images: np.ndarray, real: Any, others: Any) -> Written:
    shape, count = images.shape[1:], len(images)
    digits = shape in DIGIT_SHAPES
    says = judged(_as_digits(images)) if digits else None
    if real is None or len(real) < 2 or count < 2 or not (digits or shape[-1] == 3):
        return Written(out, count, "none", None, None, says)
    see = (lambda x: digit_features(_as_digits(x))) if digits else partial(_photo_features, shape)
    theirs = see(real)
    floor = None
    if len(others) == len(real):
        floor = frechet_distance(see(_bytes(others, G)), theirs)
    return Written(out, count, OF_DIGITS if digits else OF_PHOTOS, frechet_distance(see(images), theirs), floor, says)


def _bytes(images: np.ndarray, G: Generator) -> np.ndarray:
    shown = [np.rint(255 * displayable(x, G.output_range))[..., : x.shape[-1]] for x in images]
    return np.stack(shown).astype(np.uint8)


def _as_digits(images: np.ndarray) -> np.ndarray:
    return np.asarray(images / np.float32(127.5) - np.float32(1))


def _photo_features(shape: tuple[int, ...], images: np.ndarray) -> np.ndarray:
    D = classifier_features("alex", "relu5", resize=SMALLEST if min(shape[:2]) < SMALLEST else None)
    return np.stack([np.asarray(_means(D, x)) for x in images / np.float32(127.5) - np.float32(1)])


@jax.jit
def _means(D: Distance, image: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        (maps,) = jax.tree.leaves(embed_tree(D, image))
        return jnp.mean(maps, axis=(0, 1))
