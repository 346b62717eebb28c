"""What is measured of a model when it is written: counts, cost, and a reference that its samples are compared with.

Every model folder holds ``reference.npz``, the samples of one code when it was written. For models whose authors'
system has been run, ``geomgan/models/references`` holds that system's samples instead.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import Generator, Network
from geomgan.generators.cost import count_flops, largest_array
from geomgan.home import home
from geomgan.models.build import build
from geomgan.models.card import EMBEDDED
from geomgan.models.checksum import weights_sha256
from geomgan.models.families import NETWORKS
from geomgan.models.folder import write_model

MOST_BYTES = 64 << 20  # of a reference
NUMBERS = 256  # of one sample that a reference keeps, at most
LARGEST = 50e9  # FLOPs of a forward pass: above, compiling and running it would dominate a conversion
WIDEST = 2.0**30  # bytes of one activation: a checkpoint from elsewhere must not take the memory
Run = Callable[[Generator | Network, Any], Any]
ORIGINALS = Path(__file__).parent / "references"


def write_measured(folder: str | os.PathLike[str], card: Mapping[str, Any], params: Mapping[str, Any]) -> Path:
    """``write_model`` with what :func:`measure` adds to the card, and the reference."""
    figures, reference = measure(card, params, original(Path(folder).expanduser()))
    return write_model(folder, {**card, **figures}, params, reference)


def measure(
    card: Mapping[str, Any],
    params: Mapping[str, Any],
    published: Path | None = None,
    *,
    largest: float = LARGEST,
    widest: float = WIDEST,
    run: Run | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray] | None]:
    """The measured entries of a model's card, and its reference where its forward pass is not too large.

    Args:
        card: with at least ``family``, and ``config`` where that is a network.
        params: weights by part.
        published: samples of the original, if there are any.
        largest: FLOPs of a forward pass above which it is not run.
        widest: bytes of one activation above which it is not run.
        run: ``(network, code) -> all that it returns, flat``; compiled by default.

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
    if card["family"] not in NETWORKS:
        return figures, None
    network = build(card, params, None, card["family"], {})
    shape = _input_shape(network)
    code = jax.ShapeDtypeStruct(shape, jnp.float32)
    flops, activation = count_flops(flat_output, network, code), largest_array(flat_output, network, code)
    figures["forward_gflop"] = float(f"{flops / 1e9:.4g}")
    if published:
        figures["parity"] = f"{difference_of(network, published):.1e} of the largest magnitude, against the original"
    if flops > largest:
        return {**figures, "reference": f"none: a forward pass takes more than {largest / 1e9:.0f} GFLOP"}, None
    if activation > widest:
        return {**figures, "reference": f"none: an activation takes {activation / 2**30:.1f} GiB"}, None
    codes = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    sample = np.asarray((run or flat_output)(network, codes[0]), np.float64)
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


def original(folder: Path) -> Path | None:
    """The samples of the original system, if ``folder`` is where a known model that has them lies."""
    path = ORIGINALS / f"{folder.name}.npz"
    if not path.is_file():
        return None
    places = {EMBEDDED.resolve(), (home() / "models").resolve()}
    return path if folder.resolve().parent in places else None


def difference_of(network: Generator | Network, reference: Path) -> float:
    """Largest difference of samples from stored ones, relative to these; infinite where their shapes differ."""
    with zipfile.ZipFile(reference) as archive:
        if (size := sum(entry.file_size for entry in archive.infolist())) > MOST_BYTES:
            raise CheckpointError(f"{reference} has {size} bytes of arrays; expected at most {MOST_BYTES}.")
    with np.load(reference, allow_pickle=False) as arrays:
        codes, theirs = arrays["codes"], np.asarray(arrays["samples"], np.float64)
    if codes.shape[1:] != _input_shape(network):
        return math.inf
    ours = np.stack([thinned(np.asarray(flat_output(network, code), np.float64)) for code in codes])
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max()) if ours.shape == theirs.shape else math.inf


def _input_shape(network: Generator | Network) -> tuple[int, ...]:
    return (network.latent_dim,) if isinstance(network, Generator) else network.input_shapes[0]


@jax.jit
def flat_output(network: Generator | Network, code: jax.Array) -> jax.Array:
    """All that the network returns for one code, flat: of a stochastic decoder the mean, then the deviation."""
    with jax.default_matmul_precision("highest"):
        output = network.function(network.params, code)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(output)])
