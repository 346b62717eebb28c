"""Whether a model still is what it was: its weights, and its samples beside those of the original or its conversion.

Every model folder holds ``reference.npz``, the samples of one code when it was written. For models whose authors'
system has been run, ``geomgan/zoo/references`` holds that system's samples instead.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import GeomganError
from geomgan.generators import Generator, Network
from geomgan.home import home
from geomgan.metric.flops import count_flops, largest_array
from geomgan.model_folder import REFERENCE, read_model, write_model
from geomgan.zoo.catalogue import catalogue
from geomgan.zoo.families import FAMILIES, build

NUMBERS = 256  # of one sample that a reference keeps, at most
LARGEST = 50e9  # FLOPs of a forward pass: above, compiling and running it would dominate a conversion
WIDEST = 2**30  # bytes of one activation: a checkpoint from elsewhere must not take the memory
TOLERANCE = 1e-4  # of the largest magnitude
ORIGINALS = Path(__file__).parent / "references"


@dataclass(frozen=True)
class Finding:
    """What :func:`check` found about one model.

    Attributes:
        name: of the model.
        against: whose samples it was compared with: ``"the original"``, ``"its conversion"``, ``"its training"``.
        difference: largest difference, relative to the largest magnitude; None where samples were not compared.
        verdict: ``"ok"``, or what is wrong or could not be compared.
        ok: whether nothing is wrong.
    """

    name: str
    against: str
    difference: float | None
    verdict: str
    ok: bool


def write_measured(folder: str | os.PathLike, card: Mapping[str, Any], params: Mapping[str, Any]) -> Path:
    """``write_model`` with what :func:`measure` adds to the card, and the reference."""
    figures, reference = measure(card, params, original(Path(folder).expanduser()))
    return write_model(folder, {**card, **figures}, params, reference)


def measure(
    card: Mapping[str, Any], params: Mapping[str, Any], published: Path | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray] | None]:
    """The measured entries of a model's card, and its reference where its forward pass is not too large.

    Args:
        card: with at least ``family``, and ``config`` where that is a network.
        params: weights by part.
        published: samples of the original, if there are any.

    Returns:
        ``parameters`` by part, ``weights_sha256``; for generators and networks ``forward_gflop``, ``parity`` with
        what was published, and ``reference`` (mean and deviation of one sample, or why there is none), all at the
        default options of ``geomgan.load``. The second is ``{"codes": (1, ...), "samples": (1, k)}`` or None.
    """
    leaves = {part: [np.asarray(leaf) for leaf in jax.tree.leaves(tree)] for part, tree in params.items()}
    figures: dict[str, Any] = {
        "parameters": {part: sum(leaf.size for leaf in of_part) for part, of_part in leaves.items()},
        "weights_sha256": weights_sha256(params),
    }
    if card["family"] not in FAMILIES:
        return figures, None
    network = build(card, params, None, card["family"], {})
    shape = _input_shape(network)
    code = jax.ShapeDtypeStruct(shape, jnp.float32)
    flops, widest = count_flops(_flat_output, network, code), largest_array(_flat_output, network, code)
    figures["forward_gflop"] = float(f"{flops / 1e9:.4g}")
    if published:
        figures["parity"] = f"{_difference(network, published):.1e} of the largest magnitude, against the original"
    if flops > LARGEST:
        return {**figures, "reference": f"none: a forward pass takes more than {LARGEST / 1e9:.0f} GFLOP"}, None
    if widest > WIDEST:
        return {**figures, "reference": f"none: an activation takes {widest / 2**30:.1f} GiB"}, None
    codes = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    sample = np.asarray(_flat_output(network, codes[0]), np.float64)
    if not np.isfinite(sample).all():
        return {**figures, "reference": "none: the sample of its code is not finite"}, None
    about = {"code": "numpy.random.default_rng(0).standard_normal", "mean": sample.mean(), "std": sample.std()}
    return {**figures, "reference": about}, {"codes": codes, "samples": thinned(sample)[None].astype(np.float32)}


def thinned(sample: np.ndarray) -> np.ndarray:
    """At most ``NUMBERS`` values of a flat sample, one for every stride, which meets all channels and columns."""
    stride = max(1, math.ceil(sample.size / NUMBERS))
    while math.gcd(stride, sample.size) > 1:
        stride += 1
    return sample[::stride]


def weights_sha256(params: Any) -> str:
    """The sha256 of all arrays of nested dictionaries: names, types, shapes and values."""
    digest = hashlib.sha256()
    for path, leaf in sorted(_flat(params).items()):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{path} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def check_all() -> Iterator[Finding]:
    """:func:`check` of every model that is here: those of the package, then the folders of the user's cache."""
    folders = [entry.folder for entry in catalogue().values() if entry.embedded]
    if (home() / "models").is_dir():
        folders += sorted(p for p in (home() / "models").iterdir() if p.is_dir() and not p.name.startswith("."))
    return map(check, folders)


def check(folder: Path) -> Finding:
    """Compare a model with its reference; what is damaged is found, not raised."""
    name = folder.resolve().name
    against = "-"
    try:
        card, params = read_model(folder)
        against, path = ("its conversion" if "files" in card else "its training"), folder / REFERENCE
        if published := original(folder):
            against, path = "the original", published
        if card.get("weights_sha256", digest := weights_sha256(params)) != digest:
            return Finding(name, against, None, "DIFFERS: its weights are not those that were written", False)
        if card["family"] not in FAMILIES:
            return Finding(name, "-", None, "ok: its weights; it has no samples", True)
        network = build(card, params, None, name, {})
        if not path.is_file():
            return _without_reference(name, card)
        difference = _difference(network, path)
    except GeomganError as error:
        return Finding(name, against, None, f"damaged: {error}", False)
    except Exception as error:  # numpy, JAX and Flax raise many kinds for a damaged reference, or one of other shapes
        return Finding(name, against, None, f"damaged: {type(error).__name__}: {error}", False)
    ok = difference <= TOLERANCE
    return Finding(name, against, difference, "ok" if ok else "DIFFERS", ok)


def original(folder: Path) -> Path | None:
    """The samples of the original system, if ``folder`` is where a model of the catalogue that has them lies."""
    known, path = catalogue().get(folder.name), ORIGINALS / f"{folder.name}.npz"
    return path if known and path.is_file() and known.folder.resolve() == folder.resolve() else None


def _without_reference(name: str, card: Mapping[str, Any]) -> Finding:
    why = card.get("reference", "none: written before there were any; convert it again")
    if isinstance(why, Mapping):
        return Finding(name, "-", None, f"damaged: {REFERENCE} is missing. Convert the model again.", False)
    return Finding(
        name, "-", None, f"ok: its weights; its samples have no reference ({why.removeprefix('none: ')})", True
    )


def _difference(network: Generator | Network, reference: Path) -> float:
    """Largest difference of samples from stored ones, relative to these; infinite where their shapes differ."""
    with np.load(reference, allow_pickle=False) as arrays:
        codes, theirs = arrays["codes"], np.asarray(arrays["samples"], np.float64)
    if codes.shape[1:] != _input_shape(network):
        return math.inf
    ours = np.stack([thinned(np.asarray(_flat_output(network, code), np.float64)) for code in codes])
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max()) if ours.shape == theirs.shape else math.inf


def _input_shape(network: Generator | Network) -> tuple[int, ...]:
    return (network.latent_dim,) if isinstance(network, Generator) else network.input_shapes[0]


@jax.jit
def _flat_output(network: Generator | Network, code: jax.Array) -> jax.Array:
    """All that the network returns for one code, flat: of a stochastic decoder the mean, then the deviation."""
    with jax.default_matmul_precision("highest"):
        output = network.function(network.params, code)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(output)])


def _flat(tree: Any, path: str = "") -> dict[str, np.ndarray]:
    if not isinstance(tree, Mapping):
        return {path: np.asarray(tree)}
    return {name: leaf for key, value in tree.items() for name, leaf in _flat(value, f"{path}/{key}").items()}
