"""Fields with coarse products: what they state, what is refined, and which stores go on."""

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.runs.store import read_attributes, write_attributes
from tests.small_models import same_field, small_dcgan

G, D = small_dcgan(latent_dim=12, scale=0.2), gg.distances.mse()
CODES = G.sample_latent(jax.random.key(0), 3)


def field(precision, **options):
    return gg.metric_field(G, D, CODES, precision=precision, progress=False, **options)


@pytest.fixture(scope="module")
def exact():
    return field("highest")


@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize(("name", "least"), [("tf32", 1e-5), ("bf16", 1e-4), ("high", 0)])
def test_tensors_are_off_by_what_is_stated_at_most(exact, name, least, chunk):
    coarse = field(name, chunk=chunk)
    for g, true, error in zip(coarse.tensors, exact.tensors, coarse.relative_error, strict=True):
        assert least <= np.linalg.norm(g - true) / np.linalg.norm(true) <= error
    assert coarse.status.tolist() == [1, 1, 1]
    assert coarse.provenance["runs"][0]["products"].startswith(
        {"tf32": "TF32", "bf16": "bfloat16"}.get(name, "float32")
    )
    assert (exact.relative_error < 1e-5).all()


@pytest.mark.parametrize("solver", ["block", "arpack"])
def test_pairs_of_iterative_solvers_are_those_of_float32_products(exact, solver):
    coarse = field("tf32", solver=solver, k=3)
    np.testing.assert_allclose(coarse.values, exact.values[:, :3], rtol=2e-5)
    assert (coarse.relative_error < 1e-5).all()
    for g, values, vectors, residuals in zip(
        exact.tensors, coarse.values, coarse.vectors, coarse.residuals, strict=True
    ):
        off = np.linalg.norm(g @ vectors - vectors * values, axis=0)
        np.testing.assert_allclose(off, residuals, atol=2e-6 * values[0])
    within = (coarse.residuals <= 4e-6 * coarse.values[:, :1]).all(axis=1)
    assert np.array_equal(coarse.status == 1, within)


def test_a_block_of_many_codes_gives_each_what_it_gives_alone(exact):
    wide = field("bf16", solver="block", k=6, chunk=4, batch=3)
    np.testing.assert_allclose(wide.values, exact.values[:, :6], rtol=2e-4)


def test_a_coarse_store_resumes(tmp_path):
    whole = field("tf32", store=tmp_path / "whole.zarr")
    again = field("tf32", store=tmp_path / "whole.zarr")
    assert again.provenance["computed_codes"] == 0
    assert same_field(whole, again)
    assert np.array_equal(whole.relative_error, gg.MetricField.read(tmp_path / "whole.zarr").relative_error)


def test_a_store_whose_whole_network_was_coarse_is_another_computation(tmp_path):
    store = tmp_path / "older.zarr"
    field("tf32", store=store)
    attributes = read_attributes(store)
    del attributes["settings"]["precision_of"], attributes["provenance"]["relative_error"]
    write_attributes(store, attributes)
    assert np.isnan(gg.MetricField.read(store).relative_error).all()
    with pytest.raises(gg.StoreError, match="precision_of: stored None, now 'tangents'"):
        field("tf32", store=store)


def test_stores_in_float32_know_nothing_of_it(tmp_path):
    field("highest", store=tmp_path / "f.zarr")
    assert "precision_of" not in read_attributes(tmp_path / "f.zarr")["settings"]


def test_the_plan_says_it():
    said = str(gg.plan(G, D, 3, precision="tf32", estimate=False))
    assert "of tangents in TF32, emulated by rounding: tensors are off by 4e-03 at most" in said
    assert "refined in float32" in str(gg.plan(G, D, 3, k=2, solver="block", precision="bf16"))
    assert "float32, which is what 'high' means on this device" in str(
        gg.plan(G, D, 3, precision="high", estimate=False)
    )
    assert "products" not in str(gg.plan(G, D, 3, estimate=False))
