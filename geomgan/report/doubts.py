"""What stands before the finding of a report: samples and metrics from which little can be concluded."""

from __future__ import annotations

import numpy as np

from geomgan.distances import Distance
from geomgan.errors import warn
from geomgan.fields import MetricField
from geomgan.fields.flat import flat_code
from geomgan.generators import Generator
from geomgan.metric.diagnose import beyond_range, first_constant, samples_differ


def doubts_of_samples(G: Generator, D: Distance, z: np.ndarray) -> list[str]:
    """Sentences on samples that do not change, or whose distances are no numbers; each is also a warning, at once."""
    if not samples_differ(G, z) and (same := _same(G, D, z)):
        return [same]
    if beyond := beyond_range(G, D, z):
        warn(f"{beyond} What can be computed is written all the same.")
        return [beyond]
    return []


def doubts_of_field(G: Generator, D: Distance, field: MetricField) -> list[str]:
    """The same of a metric that is zero although the samples change, of which the field itself has warned.

    Or because the distance sees nothing of their change.
    """
    if still := flat_code(G, D, field):
        return [f"The metric is not that of the samples: {still}"]
    zero = not field.values[field.finished].any()
    return [same] if zero and (same := _same(G, D, field.codes)) else []


def _same(G: Generator, D: Distance, z: np.ndarray) -> str:
    constant = first_constant(G, D, z)
    if not constant:
        return ""
    same = f"All {len(z)} codes give the same sample: it stops changing at {constant}."
    warn(
        f"{same} The metric is zero then; what can be computed is written all the same. Look at the weights of "
        "that layer, or analyse an earlier one, G.at(layer)."
    )
    return same
