"""Which families a file is of: whose network is found in it."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

from geomgan.models.families import CHECKPOINTS, Checkpoint
from weights_convert.containers import Fits, fitting
from weights_convert.recognise import finders


def fits_of(published: Checkpoint, signature: Sequence[str]) -> Fits:
    """What tells the networks of a family."""
    fits: Fits = getattr(finders, published.finder)(signature)
    return fits


def recognised(tree: Any) -> dict[str, int]:
    """Family of a single file -> how many patterns of its signature its network in ``tree`` has; the best ones first.

    A family that is told by more than names may have none of them.
    """
    found = dict[str, int]()
    for name, published in CHECKPOINTS.items():
        if published.signature:
            for tensors in fitting(tree, fits_of(published, published.signature)).values():
                patterns = sum(bool(fnmatch.filter(tensors, pattern)) for pattern in published.signature)
                found[name] = max(found.get(name, 0), patterns)
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))
