"""The loss curve of a training: one row of a CSV file for each window of steps, kept beside the checkpoint."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, NotFiniteError, reading
from geomgan.runs.files import write_whole

STEP = "step"


class Curve:
    """What a training's scalars were: their means over windows of steps.

    The windows end at fixed steps, so that a run that was killed and goes on has the same rows as one that was not.

    Attributes:
        rows: ``{"step": last step of the window, name: mean, ...}``.
    """

    def __init__(self, rows: list[dict[str, float]] | None = None) -> None:
        self.rows = rows or []
        self._window: list[Mapping[str, Any]] = []

    def add(self, scalars: Mapping[str, Any]) -> None:
        """Take the scalars of one step; their values are not waited for."""
        self._window.append(scalars)

    def end_window(self, step: int) -> dict[str, float]:
        """The means since the last window, as a new row.

        Raises:
            NotFiniteError: one of them is NaN or infinite.
        """
        names = self._window[0] if self._window else ()
        means = {name: float(np.mean([float(scalars[name]) for scalars in self._window])) for name in names}
        self._window = []
        if bad := [name for name, mean in means.items() if not np.isfinite(mean)]:
            raise NotFiniteError(
                f"the training diverged: {bad[0]} is {means[bad[0]]} at step {step}; expected finite numbers. Use a "
                "smaller learning rate. The last checkpoint is from before."
            )
        if means:
            self.rows.append({STEP: step, **means})
        return means

    def write(self, file: str | os.PathLike[str]) -> None:
        """Write all rows, whole; nothing where a training has no scalars.

        Raises:
            StoreError: it cannot be written.
        """
        if self.rows:
            text = io.StringIO()
            table = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(self.rows)
            write_whole(file, text.getvalue())


def read_curve(file: str | os.PathLike[str], last: int | None = None) -> Curve:
    """The curve that a training wrote, up to the step ``last``; an empty one where there is no file.

    Raises:
        CheckpointError: it cannot be read.
    """
    path = Path(file)
    if not path.exists():
        return Curve()
    with reading(path, "Remove it.", error=CheckpointError, found="is not a loss curve"):
        table = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), strict=True)
        rows = [{name: int(x) if name == STEP else float(x) for name, x in row.items()} for row in table]
        if STEP not in (table.fieldnames or ()):
            raise ValueError(f"it has the columns {table.fieldnames}; expected {STEP!r} and others")
    return Curve([row for row in rows if last is None or row[STEP] <= last])
