"""Codes whose metric is zero although their samples change: what a field says of networks that round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geomgan.distances.distance import Distance
from geomgan.generators.generator import Generator
from geomgan.metric.diagnose import flat

if TYPE_CHECKING:
    from geomgan.fields.field import MetricField


def flat_code(G: Generator, D: Distance, field: MetricField) -> str:
    """The first code at which derivatives hide what finite steps show, in a sentence; empty where there is none.

    Eigenvalues are looked at of all codes, the tensor of the first finished one; networks run only where these are
    exactly zero, in whole or along some latent dimensions. Of finite differences nothing is asked.
    """
    finished = field.finished
    if not len(finished) or field.provenance.get("hvp") != "exact":
        return ""
    still = finished[~field.values[finished].any(axis=1)]
    i = int(still[0]) if len(still) else int(finished[0])
    if len(still):
        zero = np.ones(field.codes.shape[1], bool)
    elif field.tensors is not None and field.values[i, -1] <= field.noise_floor[i]:  # else no row of it is zero
        zero = np.diagonal(np.asarray(field.tensors[i])) == 0
    else:
        return ""
    said = flat(G, D, field.codes[i], zero)
    of = f"code {i} and {len(still) - 1} more" if len(still) > 1 else f"code {i}"
    return f"{of}: {said}" if said else ""
