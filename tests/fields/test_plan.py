"""Plans of metric fields: what they choose, and what they say."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.backend import CPU, memory_budget, readable
from geomgan.fields import plan as module
from geomgan.fields.plan import device_grid, duration, plan_field
from geomgan.fields.programs import Program
from geomgan.fields.rate import step_seconds
from geomgan.metric.chunks import tangent_chunk
from tests.small_models import linear_generator, small_dcgan, smooth_generator

MSE = gg.distances.mse()
KB = 2**10


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8 * 2**30),
        ("8 GiB", 8 * 2**30),
        ("1.5g", 1.5 * 2**30),
        ("500 MiB", 500 * 2**20),
        ("64k", 2**16),
        ("1TB", 2**40),
        ("1048576", 2**20),
        (" 123 B", 123),
        (1024, 1024),
    ],
)
def test_memory_is_read(text, size):
    assert memory_budget(text) == size


@pytest.mark.parametrize("text", ["", "much", "8XB", "-1GB", "0", 0, -5, "1.2.3GB", "GB"])
def test_bad_memory_is_refused(text):
    with pytest.raises(ValueError, match="such as '8GB'"):
        memory_budget(text)


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ("8", "memory is 8 bytes; expected at least 1.0 MiB. Did you mean '8GB'?"),
        ("8000 ", "memory is 8000 bytes; expected at least 1.0 MiB. Did you mean '8000MB'?"),
        (8, "memory is 8 bytes; expected at least 1.0 KiB. Did you mean '8GB'?"),
    ],
)
def test_a_missing_unit_is_noticed(memory, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        memory_budget(memory)


def test_memory_by_default_is_a_share_of_what_is_free():
    assert 2**20 < memory_budget() < 2**50


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (2**31, "2.0 GiB"), (2**41, "2048.0 GiB")],
)
def test_sizes_are_readable(size, text):
    assert readable(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.123, "0.12 s"), (42.4, "42 s"), (600, "10 min"), (5399, "90 min"), (7200, "2.0 h")]
)
def test_times_are_readable(seconds, text):
    assert duration(seconds) == text


class Device:
    """Stands for one of many."""

    process_index = 0


@pytest.mark.parametrize(
    ("codes", "batch", "devices", "grid"),
    [
        (16, 1, 8, (8, 1)),
        (16, 2, 8, (8, 1)),
        (16, 16, 8, (1, 8)),
        (2, 1, 8, (2, 4)),
        (3, 1, 8, (2, 4)),  # positions divide the devices
        (1, 1, 8, (1, 8)),
        (5, 1, 6, (3, 2)),
        (100, 7, 1, (1, 1)),
        (7, 2, 4, (4, 1)),
    ],
)
def test_devices_are_a_grid_of_codes_and_tangents(codes, batch, devices, grid):
    assert device_grid(codes, batch, [Device() for _ in range(devices)]) == grid


def heads(params, x):
    """Six leaves, each as large as the sample."""
    return [(i + 1) * jnp.tanh(i * x) + x for i in range(6)]


HEADS = gg.distances.features(heads)
LEAF = 6 * 768 * 4  # bytes of the Jacobian of one of them for six latent dimensions


@pytest.mark.parametrize(
    ("memory", "groups"),
    [
        (100 * LEAF, (None,)),
        (12 * LEAF, (None,)),
        (12 * LEAF - 2, ((0, 1, 2, 3, 4), (5,))),
        (4 * LEAF, ((0, 1), (2, 3), (4, 5))),
        (2 * LEAF, tuple((i,) for i in range(6))),
    ],
)
def test_parts_of_the_embedding_that_fit_are_taken_one_after_the_other(memory, groups):
    plan = plan_field(smooth_generator(6), HEADS, 3, solver="dense", memory=memory, estimate=False)
    assert plan.groups == groups
    assert (f"in {len(groups)} passes" in str(plan)) == (len(groups) > 1)


def test_a_field_in_parts_is_the_field(rng, tmp_path):
    G, codes = smooth_generator(6), rng.standard_normal((3, 6)).astype(np.float32)
    whole = gg.metric_field(G, HEADS, codes, progress=False)
    for memory, store in ((4 * LEAF, None), (2 * LEAF, tmp_path / "run.zarr")):
        parts = gg.metric_field(G, HEADS, codes, solver="dense", memory=memory, store=store, progress=False)
        np.testing.assert_allclose(parts.tensors, whole.tensors, rtol=1e-6, atol=1e-6 * np.abs(whole.tensors).max())
    resumed = gg.metric_field(G, HEADS, codes, store=tmp_path / "run.zarr", progress=False)  # keeps the parts
    assert resumed.provenance["computed_codes"] == 0
    assert resumed.provenance["groups"] == [[i] for i in range(6)]


def test_products_where_no_part_fits(rng):
    plan = plan_field(smooth_generator(6), HEADS, 3, k=2, memory=2 * LEAF - 2, estimate=False)
    assert plan.solver == "block"
    assert plan.reason == "no part of the Jacobian would fit into memory"
    codes = rng.standard_normal((2, 6)).astype(np.float32)
    field = gg.metric_field(smooth_generator(6), HEADS, codes, k=2, memory=2 * LEAF - 2, progress=False)
    whole = gg.metric_field(smooth_generator(6), HEADS, codes, progress=False)
    assert field.tensors is None
    np.testing.assert_allclose(field.values, whole.values[:, :2], rtol=1e-5)


def wide(params, z):
    first, second = params
    return jnp.tanh(second @ jnp.tanh(first @ z))


def wide_generator(latent_dim=32, width=20000):
    """Activations much larger than the sample: memory goes with the tangents pushed together."""
    rng = np.random.default_rng(0)
    params = [jnp.asarray(rng.standard_normal(s), jnp.float32) for s in ((width, latent_dim), (4, width))]
    return gg.Generator.from_function(wide, params, latent_dim, output_range=None, name="wide")


@pytest.mark.parametrize("options", [{}, {"k": 31, "solver": "block"}])
def test_the_chunk_is_reduced_until_the_compiled_program_fits(options):
    G, D = wide_generator(), gg.distances.euclidean()
    plan = lambda **more: plan_field(G, D, 1, estimate=False, **options, **more)
    most, least = plan(memory="1TB"), plan(chunk=1, memory="1TB")
    assert most.chunk == tangent_chunk(32)
    assert most.bytes > 3 * least.bytes > 0
    middle = (most.bytes + least.bytes) // 2
    fitted = plan(memory=middle)
    assert 1 <= fitted.chunk < most.chunk
    assert least.bytes <= fitted.bytes <= middle
    assert plan(memory=middle, chunk=most.chunk).chunk == most.chunk  # asked for


def test_batches_share_out_codes_and_fill_a_device():
    G = smooth_generator(6)
    assert plan_field(G, MSE, 5, estimate=False).batch == 5  # little work: all of them together
    assert plan_field(G, MSE, 1000, estimate=False).batch == 63  # 16 batches of equal size, of at most 64
    assert plan_field(G, MSE, 1000, batch=7, estimate=False).batch == 7
    assert plan_field(G, MSE, 3, batch=7, estimate=False).batch == 3
    assert plan_field(G, MSE, 1000, k=2, solver="block", estimate=False).batch == 1
    jacobian = 6 * 768 * 4
    assert plan_field(G, MSE, 1000, memory=12 * jacobian, estimate=False).batch == 3  # a quarter of the memory


def test_two_batches_are_under_way_where_memory_allows():
    G = small_dcgan()
    plan = partial(plan_field, G, MSE, 40, batch=4, estimate=False)
    assert plan().steps == 2
    assert "2 such batches under way" in str(plan())
    assert plan(memory=int(1.5 * plan().bytes)).steps == 1
    assert plan_field(G, MSE, 4, batch=4, estimate=False).steps == 1


def test_work_is_counted():
    A = np.random.default_rng(0).standard_normal((3000, 20)).astype(np.float32)
    plan = plan_field(linear_generator(A), gg.distances.euclidean(), 4, estimate=False)
    forward, gram = 2 * 3000 * 20, 2 * 20**2 * 3000
    assert plan.flops == pytest.approx(21 * forward + gram, rel=0.05)
    assert plan.seconds is None
    pairs = plan_field(linear_generator(A), gg.distances.euclidean(), 4, k=10, solver="block", estimate=False)
    assert pairs.flops == pytest.approx(3 * 26.5 * forward, rel=0.05)


def test_time_is_that_of_the_work_at_a_share_of_the_matrix_product(monkeypatch):
    monkeypatch.setattr(module, "matrix_product_rate", lambda precision: 1e9)
    plan = plan_field(small_dcgan(), MSE, 10)
    work = 10 * plan.flops / (1e9 * dict(CPU.efficiency)["dense"])
    assert work < plan.seconds < 1.2 * work
    monkeypatch.setattr(module, "step_seconds", lambda codes, dim: 7.0)
    many = plan_field(small_dcgan(), MSE, 10, batch=4)
    assert many.seconds == pytest.approx(10 * many.flops / (1e9 * dict(CPU.efficiency)["dense"]) + 3 * 7.0)
    assert "; " in str(many).splitlines()[-1]  # beside what compiling takes
    assert many.compilation > 0


def test_what_a_step_takes_beside_its_network_grows_with_its_matrices():
    assert 0 < step_seconds(1, 2) < step_seconds(4, 128) < step_seconds(400, 128)
    assert step_seconds(8, 1024) > 100 * step_seconds(8, 16)


@pytest.mark.parametrize("options", [{}, {"k": 2, "solver": "block"}])
def test_the_size_of_a_store_is_that_of_its_files(options, tmp_path):
    G = linear_generator(np.random.default_rng(0).standard_normal((60, 40)).astype(np.float32))
    codes = np.random.default_rng(1).standard_normal((24, 40)).astype(np.float32)
    plan = plan_field(G, gg.distances.euclidean(), 24, estimate=False, **options)
    gg.metric_field(G, gg.distances.euclidean(), codes, store=tmp_path / "run", progress=False, **options)

    data = [path.stat().st_size for path in (tmp_path / "run").rglob("c/**/*") if path.is_file()]
    assert (
        0 <= sum(data) - plan.stored <= 4 * (len(data) + 7 * 24)
    )  # checksums: in each file, and kept for each array of a batch
    store = next(line for line in str(plan).splitlines() if line.startswith("store"))
    assert store == f"store    {readable(plan.stored)} on the disk, if there is one (in memory otherwise)"


def test_a_plan_runs_nothing_and_says_what_it_chose(monkeypatch):
    for program in [Program, *Program.__subclasses__()]:
        monkeypatch.setattr(program, "__call__", lambda *_: pytest.fail("run"), raising=False)
    monkeypatch.setattr(module, "matrix_product_rate", lambda precision: 1e9)
    plan = plan_field(small_dcgan(), MSE, 40, memory="3GB", batch=4)
    lines = dict(line.split(maxsplit=1) for line in str(plan).splitlines())
    assert lines["codes"] == "40 of dimension 8"
    assert lines["method"] == f"dense, 8 eigenpairs each: {plan.reason}"
    assert lines["together"] == "4 codes and 8 tangents on each device, 2 such batches under way"
    assert lines["devices"] == "1 (1 for codes x 1 for tangents)"
    assert lines["memory"] == f"{readable(plan.bytes)} on each device besides the weights, of 3.0 GiB"
    assert lines["work"] == f"{plan.flops / 1e9:.3g} GFLOP for each code"
    assert lines["time"].startswith("about ")
    assert plan.bytes > 4 * 8 * 16 * 16 * 3 * 4 / 4  # no less than a part of the Jacobian


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"codes": 0}, ValueError, "positive integer"),
        ({"codes": 2.5}, ValueError, "positive integer"),
        ({"batch": 0}, ValueError, "codes computed together"),
        ({"chunk": 0}, ValueError, "tangents computed together"),
        ({"k": 9}, ValueError, "from 1 to 8"),
        ({"memory": "lots"}, ValueError, "8GB"),
        ({"solver": "dens"}, ValueError, "'dense'"),
        ({"precision": "half"}, ValueError, "precision"),
        ({"G": jax.numpy.sin}, TypeError, "expected a Generator"),
    ],
)
def test_bad_arguments(options, error, message):
    arguments = {"G": small_dcgan(), "D": MSE, "codes": 4} | options
    with pytest.raises(error, match=message):
        plan_field(**arguments)


def test_a_plan_that_does_not_fit_says_what_would():
    G = smooth_generator(6)
    plan = plan_field(G, HEADS, 3, solver="dense", memory="1KB", estimate=False)
    line = next(line for line in str(plan).splitlines() if line.startswith("memory"))
    assert not plan.fits
    least = re.fullmatch(
        r"memory   does not fit: needs ([\d.]+ [KM]iB) besides the weights, has 1\.0 KiB; smallest that fits: "
        r"memory='([\d.]+[KM]iB)', or a few pairs by solver='block'",
        line,
    )[2]
    enough = plan_field(G, HEADS, 3, solver="dense", chunk=1, groups=plan.groups, memory=least, estimate=False)
    assert enough.fits
    assert enough.bytes == plan.bytes
    assert "does not fit" not in str(enough)
