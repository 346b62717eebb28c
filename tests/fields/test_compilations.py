"""How often a model is traced and what is compiled before the first results, by JAX's own account; batches."""

import itertools
from collections import Counter
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import backend
from geomgan.fields.layers import layer_tensors
from geomgan.fields.plan import STORED, plan_field
from tests.small_models import largest_difference, small_dcgan, smooth_generator

EUCLIDEAN = gg.distances.euclidean()
LARGE = ("_rows", "_small", "_products", "_metric_tensor", "_at", "_block")  # programs that hold the network


@contextmanager
def compilations():
    """A counter of the programs that are compiled (or read from the cache of compiled ones), by name."""
    found = Counter()

    def listen(event, _, **told):
        if event.endswith("/backend_compile_duration"):
            found[str(told.get("fun_name")).removeprefix("jit(").removesuffix(")")] += 1

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


class Counted:
    """A generator of its own for each test, which counts how often its network is traced."""

    def __init__(self, dim=40):
        rng, self._ticks = np.random.default_rng(0), (ticks := itertools.count())  # that is no state of the network
        weights = [rng.standard_normal(shape).astype(np.float32) for shape in ((dim, 50), (50, 192))]

        def network(params, z):
            next(ticks)
            return jnp.tanh(jnp.tanh(z @ params[0]) @ params[1]).reshape(8, 8, 3)

        self.G = gg.Generator.from_function(network, weights, dim)
        self.codes = np.asarray(self.G.sample_latent(jax.random.key(0), 6))
        self._before = self._count()

    def _count(self):
        return int(repr(self._ticks).removeprefix("count(").removesuffix(")"))

    @property
    def traces(self):
        """Since it was made."""
        return self._count() - self._before


@pytest.mark.parametrize(
    ("options", "program"),
    [
        ({}, "_rows"),
        ({"precision": "tf32"}, "_rows"),
        ({"k": 3, "solver": "block"}, "_products"),
        ({"memory": "200KB"}, "_rows"),  # a chunk that fits is found by shapes
    ],
)
def test_a_field_is_traced_twice_and_compiled_once(tmp_path, options, program):
    """Once for plan, hashes and kernels, once as what runs: the plan's program, with a store or without."""
    model, options = Counted(), {**options, "progress": False}
    with compilations() as found:
        first = gg.metric_field(model.G, EUCLIDEAN, model.codes, **options)
        assert model.traces == 2
        stored = gg.metric_field(model.G, EUCLIDEAN, model.codes, store=tmp_path / "run.zarr", **options)
        gg.metric_field(model.G, EUCLIDEAN, model.codes, store=tmp_path / "run.zarr", **options)
    assert model.traces == 2
    assert {name: count for name, count in found.items() if name in LARGE} == {program: 1}
    np.testing.assert_array_equal(stored.values, first.values)


def test_a_plan_compiles_what_its_field_runs():
    model = Counted()
    with compilations() as found:
        gg.plan(model.G, EUCLIDEAN, len(model.codes))
        planned = sum(count for name, count in found.items() if name in LARGE)
        gg.metric_field(model.G, EUCLIDEAN, model.codes, progress=False)
    assert (model.traces, planned, found["_rows"]) == (2, 1, 1)


def test_a_metric_is_one_program():
    model = Counted()
    with compilations() as found:
        for z in model.codes:
            gg.metric_tensor(model.G, EUCLIDEAN, z)
    assert found == {"_metric_tensor": 1}
    assert model.traces == 2  # of kernels that can be prepared, and the program


def test_walks_are_one_program_for_all_lengths():
    model = Counted()
    paths = gg.paths.leaving(model.codes[0], np.eye(40)[:, :3])
    with compilations() as found:
        for count in (5, 9, 40):
            gg.paths.walk(model.G, EUCLIDEAN, paths, np.linspace(-1, 1, count))
    assert found["_block"] == 1
    assert sum(found.values()) == 1


def test_layers_are_one_program():
    G, codes = small_dcgan(), np.random.default_rng(0).standard_normal((2, 8)).astype(np.float32)
    with compilations() as found:
        for z in codes:
            layer_tensors(G, EUCLIDEAN, z, G.layers[:3])
    assert found["_rows"] == 1


def test_results_in_memory_need_no_hash_of_weights(tmp_path):
    model = Counted()
    kept = gg.metric_field(model.G, EUCLIDEAN, model.codes, progress=False).provenance["generator"]
    stored = gg.metric_field(model.G, EUCLIDEAN, model.codes, store=tmp_path / "run.zarr", progress=False)
    name, _, program = stored.provenance["generator"].partition("#weights ")
    assert kept == f"{name}#program {program.partition(', program ')[2]}"


@pytest.mark.parametrize("dim", [8, 48])
def test_accelerators_take_thousands_of_codes_of_small_models_together(monkeypatch, dim):
    """As many as fill the device; batches are of equal size, and chunks of a store stay small."""
    G, few = smooth_generator(dim), plan_field(smooth_generator(dim), EUCLIDEAN, 10_000, estimate=False).batch
    monkeypatch.setattr(backend, "CPU", backend.ACCELERATOR)
    plan = plan_field(G, EUCLIDEAN, 10_000, memory="60GB", estimate=False)
    assert few <= 64
    assert plan.batch == {8: 3334, 48: 1667}[dim]
    assert plan.batch * 16 * dim**2 <= STORED
    tight = plan_field(G, EUCLIDEAN, 10_000, memory="64MB", estimate=False)
    assert 1 < tight.batch < plan.batch
    assert tight.fits


def test_a_field_in_the_form_of_accelerators_is_that_of_the_cpu(monkeypatch, rng):
    G, codes = smooth_generator(7), rng.standard_normal((90, 7)).astype(np.float32)
    here = gg.metric_field(G, EUCLIDEAN, codes, progress=False)
    monkeypatch.setattr(backend, "CPU", backend.ACCELERATOR)
    there = gg.metric_field(G, EUCLIDEAN, codes, progress=False)
    assert (here.provenance["batch"], there.provenance["batch"]) == (45, 90)
    assert largest_difference(there.tensors, here.tensors) < 1e-5
    assert largest_difference(there.values, here.values) < 1e-5
