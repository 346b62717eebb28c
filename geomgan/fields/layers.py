"""Metric tensors of all layers of a generator at one code, from one push of the tangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from geomgan.backend import memory_budget
from geomgan.distances.distance import Distance
from geomgan.fields.devices import CODES, device_mesh, replicate, shard
from geomgan.fields.plan import together
from geomgan.fields.programs import Rows
from geomgan.generators.generator import Generator
from geomgan.metric.chunks import tangent_chunk
from geomgan.metric.layered import layered
from geomgan.metric.maps import Pushforward
from geomgan.metric.operator import metric_operator


def layer_tensors(
    G: Generator,
    D: Distance,
    z: Any,
    names: Sequence[str],
    *,
    precision: str = "highest",
    memory: int | str | None = None,
    progress: bool = False,
) -> np.ndarray:
    """``(L + 1, d, d)`` in float64: the metric of every layer in ``names``, then that of the sample under ``D``.

    One program pushes the tangents through the whole network once and keeps the rows of all layers; layers are taken
    in groups, a program each, where their Jacobians together take more than half of ``memory``. ``precision`` is as for
    :func:`geomgan.metric_tensor`.

    Raises:
        TypeError, ValueError: arguments do not fit.
    """
    pair = layered(G, D, names)
    mesh = device_mesh(1, jax.devices()[:1])
    shapes = jax.eval_shape(type(pair).parts, pair, pair.code)
    sizes = [pair.dim * sum(leaf.size * leaf.dtype.itemsize for leaf in part) for part in shapes]
    starts = np.cumsum([0, *map(len, shapes)])
    placed, codes = replicate(pair, mesh), shard(np.asarray(z, pair.G.dtype)[None], mesh, CODES)
    tensors: list[np.ndarray] = []
    with tqdm(total=len(sizes), desc="metrics of layers", unit="layer", disable=not progress) as bar:
        for parts in together(sizes, memory_budget(memory) // 2):
            group = tuple(range(starts[parts[0]], starts[parts[-1] + 1]))
            program = Rows(mesh, Pushforward, precision, tangent_chunk(pair.dim), 1, pair.dim, group=group)
            tangents = shard(program.unit_vectors().astype(pair.G.dtype), mesh, program.axis)
            leaves = program(program.prepared(placed), codes, tangents)
            for part in parts:
                own = leaves[starts[part] - group[0] : starts[part + 1] - group[0]]
                tensors.append(np.asarray(program.tensors(own))[0])
                bar.update()
    if D.embedding is None:
        tensors.append(metric_operator(G, D, z, precision=precision).to_dense())
    return np.stack(tensors)
