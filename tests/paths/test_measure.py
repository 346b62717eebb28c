"""Blocks of samples and distances: how many programs, how large, and that they mix walks."""

from contextlib import contextmanager
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import backend
from geomgan.backend import CPU
from geomgan.paths import constant_speed_walk, equal_distance_walk, lines, measure, neighbour_distances, walk
from geomgan.paths.measure import block_size
from tests.small_models import linear_generator, small_dcgan, smooth_generator

EUCLIDEAN = gg.distances.euclidean()


@contextmanager
def counted_programs():
    """A list that gets an entry for each program compiled meanwhile; none is there from other tests."""
    jax.clear_caches()
    compiled, event = [], "/jax/core/compile/backend_compile_duration"
    listener = lambda name, *_, **__: compiled.append(name) if name == event else None
    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        yield compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)


def test_walks_of_all_lengths_share_one_program(rng):
    G = small_dcgan()
    D = gg.distances.lpips("alex", resize=64)
    z, vectors = rng.standard_normal(8), np.linalg.qr(rng.standard_normal((8, 8))).Q
    with counted_programs() as compiled:
        for n in (1, 8):
            for T in (5, 40, 61):
                walk(G, D, lines(z, vectors[:, :n]), np.linspace(-1, 1, T))
        equal_distance_walk(G, D, lines(z, vectors[:, :3]), 5)
        constant_speed_walk(G, D, lines(rng.standard_normal((2, 8)), vectors[:, :1]), 7, grid=9)
        walk(replace(G, name="shuffled"), D, lines(z, vectors), [0.5], keep=False)
    assert len(compiled) == 1


def gaussian(params, z):
    return gg.Gaussian(params @ z, jnp.exp(0.1 * (params @ z)))


def taxicab(params, x, y):
    del params
    return jnp.abs(x - y).sum() ** 2


A = np.random.default_rng(5).standard_normal((3, 9, 4)).astype(np.float32)
STOCHASTIC = gg.Generator.from_function(gaussian, jnp.asarray(A[0]), 4, output_range=None)
PAIRS = {
    "linear": (linear_generator(A[0]), EUCLIDEAN),
    "function": (linear_generator(A[0]), gg.distances.from_function(taxicab)),
    "ensemble": (gg.ensemble(linear_generator(A[0]), jnp.asarray(A)), EUCLIDEAN),
    "ensemble, function": (gg.ensemble(linear_generator(A[0]), jnp.asarray(A)), gg.distances.from_function(taxicab)),
    "mean": (STOCHASTIC, EUCLIDEAN),
    "distributions": (STOCHASTIC, gg.distances.gaussian()),
    "ensemble of means": (gg.ensemble(STOCHASTIC, jnp.asarray(A)), EUCLIDEAN),
}


@pytest.mark.parametrize("name", PAIRS)
def test_blocks_mix_series_of_several_references(rng, name):
    G, D = PAIRS[name]
    references = rng.standard_normal((7, 4)).astype(np.float32)[[0, 0, 1, 2, 2, 0, 3]]
    codes = rng.standard_normal((7, 3, 4))
    members = [replace(G, params=p, function=G.function.function) for p in A] if "ensemble" in name else [G]
    mean = lambda z: np.mean([np.asarray(member(z)) for member in members], axis=0)
    output = lambda member, z: member.distribution(z) if D.distribution else member(z)
    square = lambda a, b: np.mean([float(D(output(member, a), output(member, b))) for member in members])
    expected = [[square(z, x.astype(np.float32)) ** 0.5 for x in row] for z, row in zip(references, codes, strict=True)]
    keep = np.array([True, False, False, True, True, False, True])
    for batch in (1, 2, 5, 16, 100):
        found = measure(G, D, references, codes, keep=keep, batch=batch)
        np.testing.assert_allclose(found.distances, expected, rtol=1e-5)
        np.testing.assert_allclose(found.references, [mean(z) for z in references[keep]], atol=1e-6)
        samples = [[mean(x.astype(np.float32)) for x in row] for row in codes[keep]]
        np.testing.assert_allclose(found.samples, samples, atol=1e-5)
        between = neighbour_distances(G, D, codes, batch=batch)
        expected_between = [[square(*np.float32(row[i : i + 2])) ** 0.5 for i in range(2)] for row in codes]
        np.testing.assert_allclose(between, expected_between, rtol=1e-5)


def test_samples_that_nobody_keeps_are_not_held(rng):
    G = smooth_generator()
    found = measure(G, EUCLIDEAN, rng.standard_normal((2, 6)), rng.standard_normal((2, 9, 6)))
    assert found.samples.shape == (0, 9, 16, 16, 3)
    assert found.references.shape == (0, 16, 16, 3)


def spread(params, z):
    return jnp.broadcast_to(params * z.mean(), (1024, 1024, 3)) + jnp.arange(3.0)


def of_size(pixels):
    fn = lambda params, z: spread(params, z)[:pixels, :pixels]
    return gg.Generator.from_function(fn, jnp.ones(()), 4)


def test_blocks_of_large_images_are_small():
    sizes = {pixels: block_size(of_size(pixels)) for pixels in (28, 64, 256, 512, 1024)}
    assert sizes[28] == sizes[64] == CPU.walk_samples
    assert sizes[1024] == 1
    assert all(size == 1 or size * 3 * pixels**2 <= CPU.walk_values for pixels, size in sizes.items())
    assert block_size(of_size(64), 3) == 3


@pytest.mark.parametrize("series", [1, 5])
def test_parts_under_way_together_change_nothing(series, monkeypatch, rng):
    """However the rows are cut, each meets the row that it looks back at: a reference, or its neighbour."""
    G, D = small_dcgan(), gg.distances.mse()
    references, codes = rng.standard_normal((series, 8)), rng.standard_normal((series, 230 // series, 8))
    found = [(measure(G, D, references, codes, keep=True), neighbour_distances(G, D, codes))]
    monkeypatch.setattr(backend, "CPU", replace(CPU, steps=1))
    found.append((measure(G, D, references, codes, keep=True), neighbour_distances(G, D, codes)))
    (together, along), (alone, along_alone) = found
    for name in ("distances", "samples", "references"):
        np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(along, along_alone, rtol=1e-5, atol=1e-6)
    assert len(np.unique(together.distances)) == together.distances.size


def test_every_distance_is_written_once(monkeypatch, rng):
    """A part that wrote back what it had read of another's row would lose what that one writes meanwhile."""
    written = []

    class Recorded(np.ndarray):
        def __setitem__(self, index, value):
            if self.shape == (230,):
                written.extend(np.arange(230)[index])
            super().__setitem__(index, value)

    monkeypatch.setattr(np, "empty", lambda *of, empty=np.empty, **options: empty(*of, **options).view(Recorded))
    neighbour_distances(smooth_generator(), EUCLIDEAN, rng.standard_normal((1, 230, 6)))
    assert sorted(written) == list(range(230))
