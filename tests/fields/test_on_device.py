"""Fields whose eigenpairs are found on the device, as accelerators do: here the CPU's devices are told to."""

import contextlib
import dataclasses

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan import backend
from geomgan.eigen.together import ANSWER
from geomgan.fields import solve
from geomgan.fields.devices import fetched
from geomgan.fields.field import compute_field
from tests.fields.device_cases import as_accelerators
from tests.fields.test_faults import fragile, small
from tests.small_models import largest_difference, linear_generator, same_field, small_dcgan, smooth_generator

MSE, EUCLIDEAN = gg.distances.mse(), gg.distances.euclidean()


@pytest.fixture
def on_device(monkeypatch):
    """Makes CPU devices work as accelerators do; call it with more fields of their table to change."""

    def change(**more):
        monkeypatch.setattr(backend, "CPU", as_accelerators(**more))

    change()
    return change


@pytest.fixture
def codes(rng):
    return rng.standard_normal((7, 8)).astype(np.float32)


class Counted:
    """The seams of a field, counting programs and fetches."""

    def __init__(self):
        self.programs, self.fetches = [], []

    def execute(self, program, *arguments):
        self.programs.append(type(program).__name__)
        return solve.execute(program, *arguments)

    def fetch(self, units):
        self.fetches.append(sorted(units[0]))
        return fetched(units)


def agree(field, host, rtol=1e-10):
    """Tensors, values and vectors of two fields, up to rounding in float64."""
    largest, tensors, vectors = host.values[:, :1], np.asarray(field.tensors), np.asarray(field.vectors)
    assert largest_difference(tensors, host.tensors) < rtol
    assert (np.abs(field.values - host.values) < rtol * largest).all()
    np.testing.assert_allclose(tensors @ vectors, vectors * field.values[:, None], atol=1e-12)
    assert (field.residuals < 1e-12 * largest).all()
    assert (np.take_along_axis(vectors, np.abs(vectors).argmax(1, keepdims=True), 1) > 0).all()
    np.testing.assert_allclose(field.noise_floor, host.noise_floor, rtol=1e-9)
    np.testing.assert_array_equal(field.status, host.status)


def test_a_dense_step_is_one_program_and_one_fetch(codes, on_device, monkeypatch):
    G = small_dcgan()
    field = compute_field(G, MSE, codes, batch=2, execute=(counted := Counted()).execute, fetch=counted.fetch)
    assert counted.programs == ["Rows"] * 4
    assert counted.fetches == [["residuals", "tensors", "values", "vectors"]] * 4
    few = compute_field(G, MSE, codes, batch=2, k=3, fetch=(counted := Counted()).fetch)
    np.testing.assert_allclose(few.values, field.values[:, :3], rtol=1e-12)
    monkeypatch.undo()
    agree(field, compute_field(G, MSE, codes, batch=2))


def test_a_store_of_the_host_is_finished_by_the_device(codes, on_device, monkeypatch, tmp_path):
    G, store = small_dcgan(), tmp_path / "run.zarr"
    on_the_device = compute_field(G, MSE, codes, batch=2)
    with monkeypatch.context() as host:
        host.setattr(backend, "CPU", dataclasses.replace(backend.CPU, solve_on_device=False, gram_on_host=True))
        whole = compute_field(G, MSE, codes, batch=2)
        compute_field(G, MSE, codes, batch=2, store=store)
    next((store / "status").glob("c/2")).unlink()
    next((store / "values").glob("c/2/0")).unlink()
    with pytest.warns(UserWarning, match="computed again"):
        resumed = compute_field(G, MSE, codes, batch=2, store=store)
    assert resumed.provenance["computed_codes"] == 2
    agree(resumed, whole)
    np.testing.assert_array_equal(resumed.values[4:6], on_the_device.values[4:6])
    assert same_field(gg.MetricField.read(store), resumed)


def planted(dim, m, rng):
    """``G(z) = A z`` whose metric falls over ten decades, and the eigenvalues of ``A`` as float32 holds it."""
    U, V = (np.linalg.qr(rng.standard_normal((size, dim)))[0] for size in (dim, m))
    values = 10.0 ** -np.linspace(0, 10, dim)
    return linear_generator(((V * np.sqrt(values)) @ U.T).astype(np.float32)), values


@pytest.mark.parametrize(
    "form", [{}, {"gram_block": 2**17}, {"gram_split": True}, {"gram_split": True, "gram_block": 2**17}]
)
def test_ten_decades_come_back_from_the_device(rng, on_device, form):
    on_device(**form)
    jax.clear_caches()  # the table is read while tracing
    G, values = planted(40, 3000, rng)
    field = gg.metric_field(G, EUCLIDEAN, np.zeros((3, 40), np.float32), batch=3, progress=False)
    np.testing.assert_allclose(field.values, np.broadcast_to(values, (3, 40)), rtol=1e-2)
    jax.clear_caches()


@pytest.mark.parametrize("solved", [True, False])
def test_codes_that_are_not_finite_fail_alone(codes, on_device, solved):
    """Also where the device's own algorithm gave up at a code, which LAPACK then answers."""
    G = small_dcgan()
    expected = compute_field(G, MSE, codes, batch=7)

    def fetch(units):
        (unit,) = fetched(units)
        unit = {name: np.array(array) for name, array in unit.items()}
        unit["values"][3] = unit["vectors"][3] = np.nan
        if solved:
            unit["tensors"][3, 1, 2] = np.nan
        return [unit]

    with pytest.warns(UserWarning, match="code 3 failed") if solved else contextlib.nullcontext():
        field = compute_field(G, MSE, codes, batch=7, fetch=fetch)
    others = [0, 1, 2, 4, 5, 6]
    np.testing.assert_array_equal(field.values[others], expected.values[others])
    assert field.status.tolist() == [1, 1, 1, 3 if solved else 1, 1, 1, 1]
    if not solved:
        np.testing.assert_allclose(field.values[3], expected.values[3], rtol=1e-10, atol=1e-12)


TOP = {"k": 3, "solver": "block", "batch": 2}  # one shape for all: compiling the solver takes seconds


def smooth_case(rng, n):
    return smooth_generator(24, hidden=28), rng.standard_normal((n, 24)).astype(np.float32)


def test_a_step_of_block_lanczos_is_one_program_and_one_fetch(rng, on_device, monkeypatch):
    G, codes = smooth_case(rng, 5)
    field = compute_field(G, MSE, codes, **TOP, execute=(counted := Counted()).execute, fetch=counted.fetch)
    assert counted.programs == ["Lanczos"] * 3
    assert counted.fetches == [sorted(ANSWER)] * 3
    monkeypatch.undo()
    host, dense = (compute_field(G, MSE, codes, **TOP | {"solver": solver}) for solver in ("block", "dense"))
    for expected in (host, dense):
        np.testing.assert_allclose(field.values, expected.values, atol=1e-5 * dense.values.max())
        np.testing.assert_allclose(np.abs(np.einsum("ndk,ndk->nk", field.vectors, expected.vectors)), 1, atol=1e-3)
    np.testing.assert_allclose(field.noise_floor, host.noise_floor, rtol=1e-4)
    np.testing.assert_array_equal(field.status, host.status)
    assert (field.residuals <= 1e-5 * field.values[:, :1]).all()


def test_what_coarse_products_found_is_refined_by_blocks(rng, on_device, monkeypatch):
    G, codes = smooth_case(rng, 2)
    field = compute_field(G, MSE, codes, **TOP, precision="tf32", execute=(counted := Counted()).execute)
    assert counted.programs[0] == "Lanczos"
    assert set(counted.programs[1:]) == {"Products"}
    monkeypatch.undo()
    exact, host = (compute_field(G, MSE, codes, **TOP, precision=name) for name in ("highest", "tf32"))
    for expected in (exact, host):
        np.testing.assert_allclose(field.values, expected.values, atol=1e-5 * exact.values.max())
    np.testing.assert_array_equal(field.status, host.status)


@pytest.mark.parametrize("options", [{"batch": 2}, TOP])
def test_the_devices_solvers_are_compiled_once(rng, on_device, options):
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(event) if "backend_compile" in event else None
    )
    G, codes = smooth_case(rng, 12)
    gg.metric_field(G, MSE, codes[:4], progress=False, **options)
    compiled.clear()
    gg.metric_field(G, MSE, codes, progress=False, **options)
    assert not compiled
    jax.monitoring.clear_event_listeners()


def test_a_search_with_no_room_left_goes_on_in_a_larger_program(rng, on_device):
    """A metric whose largest value repeats as often as a block has columns, above many that lie close together."""
    values = np.r_[np.full(6, 10.0), np.linspace(9, 0, 66)]
    Q = np.linalg.qr(rng.standard_normal((72, 72)))[0]
    G = linear_generator((np.sqrt(values) * Q).astype(np.float32))
    options = {"k": 12, "solver": "block", "batch": 2}
    counted = Counted()
    field = compute_field(G, EUCLIDEAN, np.zeros((2, 72), np.float32), **options, execute=counted.execute)
    assert 2 <= len(counted.programs) <= 3
    assert (field.status == 1).all()
    np.testing.assert_allclose(field.values, np.tile(values[:12], (2, 1)), atol=1e-4)


@pytest.mark.parametrize("solver", ["dense", "block"])
def test_networks_that_are_not_finite_are_left_out(on_device, solver):
    G, codes = fragile(), np.full((6, 4), 0.5, np.float32) + 0.01 * np.arange(24, dtype=np.float32).reshape(6, 4)
    codes[1, 0] = -6
    with pytest.warns(UserWarning, match="code 1 failed: NaN in layer logarithm"):
        field = gg.metric_field(G, MSE, codes, k=2, solver=solver, batch=3, progress=False)
    assert field.status.tolist() == [1, 3, 1, 1, 1, 1]
    for i in (0, 2, 3, 4, 5):
        expected = gg.eigenpairs(gg.metric_operator(G, MSE, codes[i])).values[:2]
        np.testing.assert_allclose(field.values[i], expected, rtol=1e-4, atol=1e-9)


def test_a_device_out_of_memory_multiplies_fewer_columns_in_the_program(rng, on_device):
    G, codes = smooth_case(rng, 2)
    expected = compute_field(G, MSE, codes, **TOP)
    with pytest.warns(UserWarning, match="going on with 2 tangents"):
        field = compute_field(G, MSE, codes, **TOP, execute=small(2, lambda program, _: program.columns))
    np.testing.assert_allclose(field.values, expected.values, rtol=1e-5)
