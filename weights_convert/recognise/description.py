"""What a file of weights looks like, in words: its networks, their layers, and the family that it is nearest to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from geomgan.models.families import CHECKPOINTS
from weights_convert.containers import AVERAGED, GENERATES, OTHERS, place, state_dicts, tensor_names
from weights_convert.modules import StateDict

MOST = 6  # of anything in a list
OF_TRAINING = re.compile(r"optim|schedul|scaler|^opt", re.IGNORECASE)
LAYOUTS = {  # published layouts that are no family here -> patterns of names that only they have
    "a KL autoencoder of diffusers": (r"decoder\.up_blocks\.\d+\.resnets", r"decoder\.conv_norm_out\."),
    "an autoencoder of latent diffusion": (r"decoder\.up\.\d+\.block\.\d+\.conv1\.", r"decoder\.mid\.attn_1\."),
    "a U-Net of diffusers": (r"down_blocks\.\d+\.", r"up_blocks\.\d+\.", r"time_embedding\."),
    "a tiny autoencoder (TAESD)": (r"(layers\.|^)\d+\.conv\.0\.weight", r"(layers\.|^)\d+\.conv\.4\.weight"),
    "a language model": (r"attn\.[qkv]_?proj", r"embed_tokens|wte"),
}
KINDS = {2: ("matrix", "matrices"), 3: ("1-D kernel", "1-D kernels"), 4: ("kernel", "kernels")}  # by axes of a weight


def contents(tree: Any) -> str:
    """The networks in a file with their layers, as what follows "it holds"."""
    shown: dict[str, str] = {}
    for path, tensors in state_dicts(tree):
        key = str(path[0])[:40] if path else ""
        if OF_TRAINING.search(key):
            shown[key] = f"{key} of training"
        else:
            shown[place(path)] = _network(place(path), tensors)
    return listed(list(shown.values()), "; ") or "no tensors"


def layout(tree: Any) -> str:
    """The published layout of a file, of those that are no family here, as a sentence; empty where none is known."""
    names = tensor_names(tree)
    has = lambda pattern: any(re.search(pattern, name) for name in names)
    what = next((what for what, patterns in LAYOUTS.items() if all(map(has, patterns))), "")
    return f"Its names are those of {what}, which is no family here." if what else ""


def nearest_family(tree: Any) -> str:
    """The family that more than half of its signature's names are there of, and those that are not, as a sentence."""
    names, best = tensor_names(tree), ("", list[str](), 0.5)
    for family, published in CHECKPOINTS.items():
        missing = [p for p in published.signature if not any(fnmatchcase(f".{name}", f"*.{p}") for name in names)]
        share = 1 - len(missing) / max(len(published.signature), 1)
        if missing and share > best[2]:
            best = family, missing, share
    family, missing, _ = best
    return f"The nearest family is {family}, of which it lacks {', '.join(missing)}." if family else ""


def listed(parts: Sequence[str], comma: str = ", ") -> str:
    """A few of the parts, and how many more there are."""
    return comma.join([*parts[:MOST], *([f"{len(parts) - MOST} more"] if len(parts) > MOST else [])])


def _network(where: str, tensors: Mapping[Any, np.ndarray]) -> str:
    numbers = sum(array.size for array in tensors.values())
    size = f"{len(tensors)} tensors of {numbers:,} numbers"
    kind = "a whole module" if isinstance(tensors, StateDict) and tensors.parts else ""
    parts = sorted({str(name).partition(".")[0] for name in tensors})
    layers = ", ".join(filter(None, [_layers(tensors), f"under {listed(parts)}" if 1 < len(parts) < MOST else ""]))
    said = ", ".join(filter(None, [_role(where), kind, size]))
    return f"{f'{where}: ' if where else ''}{said}{f' ({layers})' if layers else ''}"


def _role(where: str) -> str:
    """What a network is by the name of its key."""
    key = where.rpartition(".")[2]
    roles = {"averaged": AVERAGED.search, "a generator": GENERATES.search, "no generator by its name": OTHERS.fullmatch}
    return next((role for role, is_one in roles.items() if key and is_one(key)), "")


def _layers(tensors: Mapping[Any, np.ndarray]) -> str:
    """How many layers of each kind, by the names and shapes of their tensors."""
    counts: Counter[tuple[str, str]] = Counter()
    for name, array in tensors.items():
        last = str(name).rpartition(".")[2]
        if last == "running_mean":
            counts["batch norm", "batch norms"] += 1
        elif last in ("weight", "weight_orig", "weight_v") and array.ndim in KINDS:
            counts[KINDS[array.ndim]] += 1
    return ", ".join(f"{count} {many if count > 1 else one}" for (one, many), count in counts.items())
