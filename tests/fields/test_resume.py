"""A store goes on with the model that began it, and with no other; what cannot be told by hashes is told by values."""

import json
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.runs.store import read_attributes, write_attributes
from tests.child import python
from tests.fields import changed_programs as programs
from tests.small_models import same_field

A = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
CODES = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
D = gg.distances.euclidean()


def field(fn, store=None, params=A, codes=CODES, D=D, **options):
    G = gg.Generator.from_function(fn, jnp.asarray(params), 3, output_range=None, name=options.pop("name", "G"))
    return gg.metric_field(G, D, codes, store=store, progress=False, **options)


def of(seed, changed, folder):
    G, distance, options = programs.model(seed, changed)
    store = folder / f"{seed}.zarr"
    return gg.metric_field(G, distance, programs.codes(seed), store=store, progress=False, **options)


def resumed_elsewhere(seeds, folder):
    """How many codes a new process computes, for each store."""
    code = (
        "from pathlib import Path\nfrom tests.fields.test_resume import of\n"
        f"print([of(seed, False, Path({str(folder)!r})).provenance['computed_codes'] for seed in {list(seeds)}])"
    )
    return json.loads(python(code, PYTHONHASHSEED="3"))


def check_pairs(seeds, folder):
    for seed in seeds:
        assert of(seed, False, folder).provenance["computed_codes"] == 2
        with pytest.raises(gg.StoreError, match="belongs to another run"):
            of(seed, True, folder)
        assert of(seed, False, folder).provenance["computed_codes"] == 0
    assert resumed_elsewhere(seeds, folder) == [0] * len(seeds)


def test_stores_of_changed_programs_are_refused(tmp_path):
    names = list(programs.KINDS)
    check_pairs([names.index(name) for name in ("closed_over_number", "callable_object", "callback_weights")], tmp_path)


@pytest.mark.slow
def test_stores_of_200_changed_programs_are_refused(tmp_path):
    check_pairs(range(200), tmp_path)


def written_by(folder, **changes):
    """Change what a store says of the versions that wrote it; None removes an entry."""
    attributes = read_attributes(folder)
    settings = attributes["settings"]
    for name, value in changes.items():
        settings[name] = value(settings.get(name)) if callable(value) else value
        if settings[name] is None:
            del settings[name]
    write_attributes(folder, attributes)


def tanh(A, z):
    return jnp.tanh(A @ z)


def otherwise_traced(text):
    return text[:-16] + "0" * 16


EARLIER = {"traced_by": "jax 0.4.1, flax 0.8.0, geomgan 0.1.0", "generator": otherwise_traced}
BEFORE = {"traced_by": None, "probe": None, "generator": "G#0123456789abcdef", "distance": "D#01"}


@pytest.mark.parametrize("change", [EARLIER, BEFORE], ids=["another JAX", "before hashes"])
def test_the_same_model_is_recognised_by_its_values(tmp_path, change):
    store = tmp_path / "run.zarr"
    first = field(tanh, store, batch=2)
    written_by(store, **change)
    with pytest.warns(UserWarning, match="2 were computed again and agree to") as told:
        again = field(tanh, store, batch=2)
    assert any(("cannot be verified" if change is BEFORE else "jax 0.4.1") in str(one.message) for one in told)
    assert again.provenance["computed_codes"] == 0
    assert same_field(first, again)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        field(tanh, store, batch=2)  # recorded: nothing more to say


@pytest.mark.parametrize("change", [EARLIER, BEFORE], ids=["another JAX", "before hashes"])
@pytest.mark.parametrize("solver", ["dense", "block"])
def test_another_model_is_refused_by_its_values(tmp_path, change, solver):
    store = tmp_path / "run.zarr"
    field(tanh, store, batch=2, k=1, solver=solver)
    written_by(store, **change)
    before = (store / "zarr.json").read_text()
    with pytest.raises(gg.StoreError, match=r"metrics computed again differ by 0\.\d+ of their largest entry"):
        field(lambda A, z: jnp.tanh(0.9 * (A @ z)), store, batch=2, k=1, solver=solver)
    assert (store / "zarr.json").read_text() == before


def test_weights_count_under_every_version(tmp_path):
    store = tmp_path / "run.zarr"
    field(tanh, store)
    written_by(store, **EARLIER)
    with pytest.raises(gg.StoreError, match="generator: stored 'G#"):
        field(tanh, store, params=A * (1 + 1e-6))


def test_of_a_store_in_doubt_only_one_batch_is_computed_again(tmp_path):
    store = tmp_path / "run.zarr"
    complete = field(tanh, store, batch=1)
    (store / "status" / "c" / "0").unlink()  # the first batch is pending again
    written_by(store, **EARLIER)
    with (
        pytest.warns(UserWarning, match="is damaged: status at code 0"),
        pytest.warns(UserWarning, match="Of its metrics 1 were"),
    ):
        again = field(tanh, store, batch=1)
    assert again.provenance["computed_codes"] == 1
    assert same_field(complete, again)


def test_failed_codes_are_compared_too(tmp_path):
    fn = lambda A, z: jnp.where(z[0] > 0, jnp.nan, 1.0) * (A @ z)
    codes = np.float32([[1, 1, 1], [-1, 1, 1]])
    store = tmp_path / "run.zarr"
    with pytest.warns(UserWarning, match="code 0 failed"):
        field(fn, store, codes=codes, batch=2)
    written_by(store, **EARLIER)
    with pytest.raises(gg.StoreError, match="differ by inf"):
        field(lambda A, z: A @ z, store, codes=codes, batch=2)
    with pytest.warns(UserWarning, match="agree to 0"):
        field(fn, store, codes=codes, batch=2)


def test_a_network_behind_a_callback_goes_on_although_it_trembles(tmp_path):
    calls = []

    def called(scale):
        def host(z):
            calls.append(len(calls))
            return np.tanh(scale * (A @ z) * (1 + 1e-7 * np.sin(len(calls)))).astype(np.float32)

        shape = jax.ShapeDtypeStruct((12,), jnp.float32)
        return lambda _, z: jax.pure_callback(host, shape, z, vmap_method="sequential")

    store, options = tmp_path / "run.zarr", {"hvp": "finite-difference"}
    field(called(0.5), store, **options)
    written_by(store, **EARLIER)
    before = len(calls)
    assert field(called(0.5), store, **options).provenance["computed_codes"] == 0  # by its probe, without a warning
    assert len(calls) == before + 2
    with pytest.raises(gg.StoreError, match="what its model calls outside JAX gives other values"):
        field(called(0.51), store, **options)
    with pytest.raises(gg.StoreError, match="codes: stored"):
        field(called(0.5), store, codes=CODES + 1, **options)


def test_a_name_is_a_label(tmp_path):
    store = tmp_path / "run.zarr"
    field(tanh, store)
    again = field(tanh, store, name="renamed")
    assert again.provenance["computed_codes"] == 0
    assert again.provenance["generator"].startswith("G#")
