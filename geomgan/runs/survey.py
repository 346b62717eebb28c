"""What of a store is whole: which batches are finished, and what of them is damaged, missing or another's."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from geomgan.runs import checksums
from geomgan.runs.arrays import StoredArray
from geomgan.runs.description import OLDER

PENDING, DONE, NOT_CONVERGED, FAILED = 0, 1, 2, 3  # values of `status`
LAZY = ("tensors", "vectors")  # arrays that grow with the square of the dimension are read when they are asked for
_MOST_SAID = 5  # faults in a message

Faults = dict[str, dict[int, str]]  # array -> chunk -> what is wrong with it


def survey(
    opened: Mapping[str, StoredArray], attributes: Mapping[str, Any], *, deep: bool
) -> tuple[dict[str, Any], Faults]:
    """The arrays of a store as :func:`read_store` gives them, and what is wrong with its finished batches.

    The status is read first: what it says to be done then is there, also beside a run that goes on.
    """
    status, older = opened["status"], attributes["geomgan"] == OLDER
    written, table = status.present(), np.zeros((0, 0), np.uint32)
    expected, faults = written, Faults()
    if not older:
        table, known = checksums.read(status.path.parent, len(written), len(opened))
        ended = any(run.get("ended") for run in attributes["runs"])  # so all batches are there
        lost = ~known if ended else known & False
        faults["checksums"] = {int(i): f"{checksums.FILE} has no line of it" for i in np.flatnonzero(lost)}
        expected, written = written | ended, written & known
    states, faults["status"] = replace(status, kept=expected).whole()
    done = written & by_batch(states != PENDING, status.batch)
    for i in [] if older else np.flatnonzero(written).tolist():
        if of_status(states[i * status.batch : (i + 1) * status.batch]) != table[i, -1]:
            faults["status"].setdefault(i, "it is not the status that was written")
    done[[i for found in faults.values() for i in found]] = False
    values: dict[str, Any] = {}
    columns = dict(zip(summed(opened), table.T, strict=False))  # older stores have none
    for name, kept in _kept(opened, done, older=older).items():
        array = replace(opened[name], kept=kept, sums=columns.get(name))
        if name in LAZY:
            values[name], faults[name] = array, array.faults(deep=deep)
        else:
            values[name], faults[name] = array.whole()
    values["status"] = np.where(np.repeat(done, status.batch)[: len(states)], states, PENDING).astype(states.dtype)
    return values, faults


def summed(arrays: Iterable[str]) -> list[str]:
    """The arrays whose chunks' checksums are kept, in the order of the columns; behind them is that of the status."""
    return sorted(name for name in arrays if name != "status")


def lazy(opened: Mapping[str, StoredArray], status: np.ndarray) -> dict[str, StoredArray]:
    """The large arrays of a store that is open, as :func:`survey` gives them where nothing is wrong.

    Args:
        opened: its arrays.
        status: of all codes.
    """
    of_status = opened["status"]
    done = by_batch(status != PENDING, of_status.batch)
    table, known = checksums.read(of_status.path.parent, len(done), len(opened))
    columns = dict(zip(summed(opened), table.T, strict=False)) if known[done].all() else {}
    return {name: replace(opened[name], kept=done, sums=columns.get(name)) for name in LAZY if name in opened}


def _kept(opened: Mapping[str, StoredArray], done: np.ndarray, *, older: bool) -> dict[str, np.ndarray]:
    """Array -> which of its chunks must be there.

    Earlier versions wrote no chunk of zeros: not that of codes of zero, which the settings' hash of the codes finds
    where all are done, nor those of a metric of zero, which are absent together.
    """
    kept = dict.fromkeys(summed(opened), done)
    zero = [name for name in ("tensors", "values", "residuals", "noise_floor") if name in opened]
    if older and zero:
        kept |= dict.fromkeys(zero, done & np.any([opened[name].present() for name in zero], axis=0))
        if "codes" in opened and done.all():
            kept["codes"] = opened["codes"].present()
    return kept


def of_status(status: np.ndarray) -> int:
    """The checksum of the status of a batch, which is written beside it: of its values, not of its file."""
    return zlib.crc32(np.ascontiguousarray(status, np.int8).tobytes())


def by_batch(of_code: np.ndarray, batch: int) -> np.ndarray:
    """Whether something holds for all codes of a batch, ``(batches,)``."""
    return np.logical_and.reduceat(of_code, range(0, len(of_code), batch))


def said_of(faults: Faults, opened: Mapping[str, StoredArray]) -> str:
    """What is wrong, in words; the first few, and how many more."""
    said = [
        f"{f'{name} at ' if len(faults) > 1 else ''}{opened['status'].rows(i)}: {text}"
        for name, found in faults.items()
        for i, text in sorted(found.items())
    ]
    more = f"; and {len(said) - _MOST_SAID} more" if len(said) > _MOST_SAID else ""
    return "; ".join(said[:_MOST_SAID]) + more
