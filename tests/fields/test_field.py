"""Metric fields and their stores."""

import dataclasses

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan import backend
from geomgan.fields import solve
from geomgan.fields.field import compute_field
from tests.small_models import largest_difference, same_field, small_dcgan

MSE = gg.distances.mse()


@pytest.fixture
def codes(rng):
    return rng.standard_normal((7, 8)).astype(np.float32)


def test_field_agrees_with_one_code_at_a_time(codes):
    G = small_dcgan()
    for batch in (1, 3, None):
        field = gg.metric_field(G, MSE, codes, batch=batch, progress=False)
        for i, z in enumerate(codes):
            assert largest_difference(field.tensors[i], gg.metric_tensor(G, MSE, z)) < 1e-5
            np.testing.assert_allclose(field.values[i], gg.eigenpairs(field.tensors[i]).values, rtol=1e-9)
        assert (field.status == 1).all()
    assert field.values.shape == (7, 8)
    assert field.provenance["solver"] == "dense"


@pytest.mark.parametrize("chunk", [None, 1, 4, 5])  # also one tangent at a time, and with a rest
def test_jacobians_overwrite_one_another(chunk, codes):
    """No more are made than steps are under way, and what came of earlier codes stays."""
    overwritten = []

    def execute(program, pair, codes, tangents, into):
        overwritten.append([leaf.unsafe_buffer_pointer() for leaf in into])
        return solve.execute(program, pair, codes, tangents, into)

    field = compute_field(small_dcgan(), MSE, codes, batch=1, chunk=chunk, execute=execute)
    assert len(overwritten) == 7
    assert len({tuple(pointers) for pointers in overwritten}) <= 2  # as many as steps are under way
    for z, g in zip(codes, field.tensors, strict=True):
        assert largest_difference(g, gg.metric_tensor(small_dcgan(), MSE, z)) < 1e-5


@pytest.mark.parametrize("chunk", [None, 3])
def test_small_networks_take_one_program(chunk, monkeypatch, codes):
    """Its sums are in double precision too: only the network's own rounding is left."""
    field = gg.metric_field(small_dcgan(), MSE, codes, batch=3, chunk=chunk, progress=False)
    monkeypatch.setattr(backend, "CPU", dataclasses.replace(backend.CPU, one_program=0))
    expected = gg.metric_field(small_dcgan(), MSE, codes, batch=3, chunk=chunk, progress=False)
    assert largest_difference(field.tensors, expected.tensors) < 1e-6
    np.testing.assert_array_equal(field.tensors, np.swapaxes(field.tensors, 1, 2))
    largest = expected.values[:, :1]
    assert (np.abs(field.values - expected.values) < 1e-6 * np.sqrt(expected.values * largest)).all()  # small ones too


@pytest.mark.parametrize("solver", ["block", "arpack"])
def test_iterative_fields_hold_the_largest_pairs(codes, solver):
    dense = gg.metric_field(small_dcgan(), MSE, codes[:3], progress=False)
    field = gg.metric_field(small_dcgan(), MSE, codes[:3], k=2, solver=solver, progress=False)
    assert field.tensors is None
    assert field.vectors.shape == (3, 8, 2)
    np.testing.assert_allclose(field.values, dense.values[:, :2], rtol=1e-4)


def test_general_distances_and_finite_differences(codes):
    expected = gg.metric_field(small_dcgan(), MSE, codes[:2], progress=False)
    D = gg.distances.from_function(lambda p, x, y: ((x - y) ** 2).mean())
    field = gg.metric_field(small_dcgan(), D, codes[:2], progress=False)
    assert largest_difference(field.tensors, expected.tensors) < 1e-5


def refused(*_):
    pytest.fail("computed again")


def test_a_finished_store_computes_and_compiles_nothing_again(codes, tmp_path):
    G = small_dcgan()
    first = gg.metric_field(G, MSE, codes, store=tmp_path / "run.zarr", batch=3, progress=False)
    assert first.provenance["computed_codes"] == 7
    jax.clear_caches()
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(event) if "backend_compile" in event else None
    )
    again = compute_field(G, MSE, codes, store=tmp_path / "run.zarr", batch=3, execute=refused)
    jax.monitoring.clear_event_listeners()
    assert not compiled
    assert again.provenance["computed_codes"] == 0
    assert same_field(first, again)
    assert same_field(first, gg.MetricField.read(tmp_path / "run.zarr"))


def test_plain_zarr_reads_the_store(codes, tmp_path):
    import zarr

    field = gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", progress=False)
    group = zarr.open_group(tmp_path / "run.zarr", mode="r")
    for name in ("codes", "tensors", "values", "vectors", "residuals", "noise_floor", "status"):
        np.testing.assert_array_equal(group[name][:], getattr(field, name))
    assert group.attrs["settings"]["distance"] == field.provenance["distance"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"D": gg.distances.euclidean()}, "distance: stored 'mse#.*now 'euclidean#"),
        ({"G": small_dcgan(seed=1)}, "generator: stored 'small-dcgan#"),
        ({"k": 3}, "k: stored 8, now 3"),
        ({"codes": np.zeros((7, 8), np.float32)}, "codes: stored"),
    ],
)
def test_a_store_of_another_run_is_refused(codes, tmp_path, change, named):
    arguments = {"G": small_dcgan(), "D": MSE, "codes": codes}
    gg.metric_field(**arguments, store=tmp_path / "run.zarr", progress=False)
    with pytest.raises(gg.StoreError, match=f"belongs to another run.*{named}"):
        gg.metric_field(**arguments | change, store=tmp_path / "run.zarr", progress=False)


def test_a_field_is_shown_in_one_line(codes, tmp_path):
    field = gg.metric_field(small_dcgan(), MSE, codes, k=3, store=tmp_path / "run.zarr", progress=False)
    start = f"MetricField({len(codes)} codes of dimension 8, 3 eigenpairs each, "
    assert repr(field) == f"{start}{len(codes)} finished, 0 failed; small-dcgan under mse)"
    pending = dataclasses.replace(field, status=np.array([3, *[0] * (len(codes) - 1)], np.int8))
    assert repr(pending).startswith(f"{start}0 finished, 1 failed, {len(codes) - 1} pending; ")


def test_a_folder_that_is_no_store_is_left_alone(codes, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(gg.StoreError, match="not a metric field"):
        gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(gg.StoreError, match="not a metric field"):
        gg.MetricField.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"codes": np.zeros(8)}, ValueError, r"codes\[None\]"),
        ({"codes": np.zeros((2, 9))}, ValueError, r"\(n, 8\)"),
        ({"codes": np.zeros((0, 8))}, ValueError, "at least one"),
        ({"codes": np.zeros((2, 8), int)}, TypeError, "floating point"),
        ({"k": 9}, ValueError, "from 1 to 8"),
        ({"solver": "blok"}, ValueError, "'block'"),
        ({"precision": "half"}, ValueError, "precision"),
    ],
)
def test_bad_arguments_leave_no_store(tmp_path, change, error, message):
    arguments = {"G": small_dcgan(), "D": MSE, "codes": np.zeros((2, 8))} | change
    with pytest.raises(error, match=message):
        gg.metric_field(**arguments, store=tmp_path / "run.zarr")
    assert not (tmp_path / "run.zarr").exists()
