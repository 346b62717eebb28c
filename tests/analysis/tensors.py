"""Random tensors and fields that the tests of the statistics share."""

import numpy as np

from geomgan.fields import MetricField


def random_tensors(rng, count=5, dim=6, decades=3.0, alike=0.0, negative=0):
    """Symmetric tensors with eigenvalues over so many decades; frames near one common frame for a large ``alike``.

    ``negative`` of the smallest eigenvalues get a minus sign.
    """
    common = alike * np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    tensors = []
    for _ in range(count):
        frame = np.linalg.qr(common + rng.standard_normal((dim, dim)) / dim**0.5)[0]
        values = 10 ** (-decades * np.sort(rng.random(dim)))
        values[dim - negative :] *= -1
        tensors.append((frame * values) @ frame.T)
    return np.stack([0.5 * (g + g.T) for g in tensors])


def eigh_descending(g):
    values, vectors = np.linalg.eigh(g)
    return values[::-1], vectors[:, ::-1]


def field_of(tensors, codes=None, failed=(), floor=1e-15):
    """A metric field that holds these tensors, the codes ``failed`` without results."""
    count, dim = tensors.shape[:2]
    pairs = [eigh_descending(g) for g in tensors]
    values, vectors = np.stack([v for v, _ in pairs]), np.stack([u for _, u in pairs])
    codes = np.random.default_rng(7).standard_normal((count, dim)) if codes is None else codes
    status = np.ones(count, np.int8)
    status[list(failed)] = 3
    values[list(failed)], vectors[list(failed)] = np.nan, np.nan
    tensors = tensors.copy()
    tensors[list(failed)] = np.nan
    return MetricField(
        codes,
        tensors,
        values,
        vectors,
        np.zeros((count, dim)),
        np.full(count, floor),
        status,
        {},
        {"generator": "random"},
    )
