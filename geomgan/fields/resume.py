"""Whether what a store holds is of the model at hand: told by hashes, by a probe, or by computing some of it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import StoreError
from geomgan.metric.fingerprint import program_in, weights_in
from geomgan.metric.probe import alike
from geomgan.runs.settings import ANOTHER
from geomgan.runs.store import DONE, NOT_CONVERGED

ROUNDING = {"exact": 1e-3, "finite-difference": 1e-2}  # of a metric's largest entry, between versions of JAX


def reconciled(store: Path, stored: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The settings of this run as a store of the same model holds them, and why that it is the same is in doubt.

    Names of models are labels, and a probe is a measurement: where nothing else differs they are the stored ones.
    Hashes of programs count under the versions that traced them: others may trace a function to other equations.

    Args:
        store: the folder.
        stored: its settings.
        now: the settings of this run.

    Returns:
        What must equal ``stored``, and a phrase, empty where there is no doubt.

    Raises:
        StoreError: what the model calls gives other values.
    """
    tracer, doubt = stored.get("traced_by"), ""
    compared = dict(now)
    for name in ("generator", "distance"):
        theirs, ours = stored.get(name), now[name]
        same = weights_in(theirs) == weights_in(ours)
        if tracer is None or (same and (tracer != now["traced_by"] or program_in(theirs) == program_in(ours))):
            compared[name] = theirs
    if tracer != now["traced_by"]:
        compared["traced_by"] = tracer
        doubt = f"was written with {tracer}; these are {now['traced_by']}"
    if tracer is None:
        compared["probe"] = None
        doubt = "was written before stores recorded what is computed, so that its model cannot be verified"
    elif now["probe"] and alike(stored.get("probe"), now["probe"]):
        compared["probe"], doubt = stored["probe"], ""  # measured, which tells more than versions
    elif now["probe"] and stored.get("codes") == now["codes"]:
        raise StoreError(
            f"{store} belongs to another run: what its model calls outside JAX gives other values than it did, at the "
            f"first or the last code. Repeat the call with the model that began it, or {ANOTHER}."
        )
    return compared, doubt


def best_finished(status: np.ndarray, todo: Sequence[int], batch: int) -> list[int]:
    """The batch to compute again: of the finished ones, one with the most codes that did not fail; none if none is."""
    starts = sorted(set(range(0, len(status), batch)) - set(todo))
    fine = [np.isin(status[start : start + batch], (DONE, NOT_CONVERGED)).sum() for start in starts]
    return [starts[int(np.argmax(fine))]] if starts else []


def confirmed(store: Path, doubt: str, stored: Mapping[str, Any], again: Mapping[str, Any], allowed: float) -> str:
    """What to warn of a store in doubt, some codes of which were computed again.

    Args:
        store: the folder.
        doubt: of :func:`reconciled`.
        stored: name -> the values of these codes in the store.
        again: the same, computed now.
        allowed: by how much metrics may differ, relative to their largest entry.

    Raises:
        StoreError: they are of another model.
    """
    name = "tensors" if "tensors" in stored else "values"
    difference = max(_difference(a, b) for a, b in zip(stored[name], again[name], strict=True))
    if difference <= allowed:
        return f"{store} {doubt}. Of its metrics {len(stored[name])} were computed again and agree to {difference:.1g}."
    raise StoreError(
        f"{store} belongs to another run: it {doubt}, and metrics computed again differ by {difference:.2g} of their "
        f"largest entry, where rounding explains {allowed:.0e}. Repeat the call with the model that began it, or "
        f"{ANOTHER}."
    )


def _difference(stored: np.ndarray, again: np.ndarray) -> float:
    """Largest, relative to the largest entry; infinite where one is a number and the other is none."""
    numbers = np.isfinite(stored)
    if not np.array_equal(numbers, np.isfinite(again)):
        return np.inf
    stored, again = stored[numbers], again[numbers]
    largest = np.abs(stored).max(initial=0.0)
    return float(np.abs(stored - again).max(initial=0.0) / (largest or 1.0))
