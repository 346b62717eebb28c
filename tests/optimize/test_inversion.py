"""Inversion of small generators: closed forms, resuming, groups, bad input."""

import os
import subprocess
import sys
from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import optimize as go
from geomgan.optimize import trials
from geomgan.optimize.local import begin
from tests.fixtures import ROOT
from tests.small_models import linear_generator, smooth_generator

D = gg.distances.mse()
KEY = jax.random.key(3)


def targets(G, n=3, seed=0):
    codes = np.asarray(G.sample_latent(jax.random.key(seed), n))
    return codes, np.asarray(jax.vmap(G)(codes))


def same(a, b):
    """Whether two inversions agree bit for bit, but for their seconds."""
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name), equal_nan=f.name == "history")
        for f in fields(a)
        if f.name in ("codes", "samples", "losses", "passes", "status", "history", "best", "starts")
    )


def test_a_smooth_generator_is_inverted():
    G = smooth_generator()
    codes, x = targets(G)
    found = go.invert(G, x, D, key=KEY, restarts=3, progress=False)
    assert found.codes.shape == (3, 3, 6)
    assert found.samples.shape == (3, 3, 16, 16, 3)
    np.testing.assert_allclose(found.best_codes, codes, atol=1e-3)
    np.testing.assert_allclose(found.measures["mse"], found.losses, rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose(found.of_best(found.prior_distance), np.sqrt((codes**2).mean(axis=1)), atol=1e-3)
    assert (found.status == "converged").all()
    ended = np.isfinite(found.history).sum(axis=-1)
    np.testing.assert_array_equal(found.passes, ended * (1 + 6 + 4) + 1)  # of the dense model, and the last look
    assert "3 targets, 3 runs each by levenberg-marquardt" in str(found)
    again = go.invert(G, x, D, key=KEY, restarts=3, progress=False)
    assert same(found, again)


def test_the_penalty_is_ridge_regression():
    """Of a linear map, ``argmin ‖Az - t‖² + p/d ‖z - μ‖²`` in closed form, with the prior of its own codes."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((9, 4)).astype(np.float32)
    G, t = linear_generator(A), rng.standard_normal((2, 9)).astype(np.float32)
    found = go.invert(G, t, gg.distances.euclidean(), key=KEY, restarts=1, penalty=3.0, progress=False)
    expected = np.linalg.solve(A.T @ A + 3.0 / 4 * np.eye(4), A.T @ t.T).T
    np.testing.assert_allclose(found.best_codes, expected, atol=1e-4)


def test_a_masked_part_does_not_count():
    G = smooth_generator()
    codes, x = targets(G, 2)
    spoiled, mask = x.copy(), np.ones((16, 16))
    spoiled[:, 3:9, 2:7] = 1.0
    mask[3:9, 2:7] = 0
    found = go.invert(G, spoiled, D, key=KEY, restarts=3, masks=mask, progress=False)
    np.testing.assert_allclose(found.best_codes, codes, atol=1e-3)
    assert np.abs(go.invert(G, spoiled, D, key=KEY, restarts=3, progress=False).best_codes - codes).max() > 0.02


def test_runs_start_at_the_nearest_of_a_pool(tmp_path):
    G = smooth_generator()
    _, x = targets(G, 2)
    options = {"key": KEY, "restarts": 2, "start": "nearest", "steps": 1, "progress": False}
    found = go.invert(G, x, D, pool=37, out=tmp_path, **options)
    kept = gg.runs.results.read_result(tmp_path / "parts" / "starts.npz", go.starts.Starts)
    pool = np.asarray(jax.vmap(G)(kept.pool))
    distances = ((pool[None] - x[:, None]) ** 2).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(kept.distances, distances, rtol=1e-4)
    np.testing.assert_array_equal(found.starts, kept.pool[np.argsort(distances, axis=1)[:, :2]])
    assert (found.passes == 10 + 11 + 1).all()  # 37 samples shared by 4 runs, one step, the last look
    assert np.array_equal(go.invert(G, x, D, pool=kept.pool, **options).codes, found.codes)


def test_groups_give_what_one_program_gives():
    """Runs that do not fit together go one group after the other, which is said before."""
    G = smooth_generator()
    _, x = targets(G)
    whole = go.invert(G, x, D, key=KEY, restarts=3, progress=False)
    each = go.room.plan_runs(go.levenberg_marquardt(), go.losses(G, D, x), 9, None)
    assert each.groups == 1
    jacobians = 9 * 6 * (768 + 6) * 4
    with pytest.warns(UserWarning, match="they go in 3 groups of 3"):
        parts = go.invert(G, x, D, key=KEY, restarts=3, progress=False, memory=jacobians + 4 * each.bytes_per_run)
    np.testing.assert_allclose(parts.codes, whole.codes, atol=1e-4)
    with pytest.raises(gg.OutOfMemory, match="one run would take about"):
        go.invert(G, x, D, key=KEY, memory=2048, progress=False)


KILLED = """
import sys, jax, numpy as np
from geomgan import optimize as go
from geomgan.optimize import trials
from tests.optimize.test_inversion import D, KEY, long_run
import geomgan.runs.loop as loop
saved = loop.save
def save(file, *rest):
    saved(file, *rest)
    if file.name.startswith("group-1"):
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
loop.save = save
long_run(sys.argv[1])
"""


def long_run(out):
    """Sixty steps of Adam in an own eigenbasis, in two groups."""
    G = smooth_generator()
    _, x = targets(G, 2)
    method = go.adam(0.05, metric="own", scale=0.5, every=25)
    plan = go.room.plan_runs(method, go.losses(G, D, x), 4, None)
    memory = 4 * 6 * (768 + 6) * 4 + 3 * plan.bytes_per_run
    options = {"method": method, "steps": 60, "patience": 200, "memory": memory, "progress": False}
    return go.invert(G, x, D, key=KEY, restarts=2, out=out, **options)


@pytest.mark.filterwarnings("ignore:4 runs would take")
def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, script, tmp_path / "out"], env=environment, cwd=ROOT, capture_output=True)
    assert ended.returncode == -9, ended.stderr.decode()
    assert (tmp_path / "out" / "group-1.state.npz").exists()
    resumed, whole = long_run(tmp_path / "out"), long_run(None)
    assert same(resumed, whole)
    assert not list((tmp_path / "out").glob("*.state.npz"))
    assert same(long_run(tmp_path / "out"), whole)
    G = smooth_generator()
    options = {"method": go.adam(0.05, metric="own", scale=0.5, every=25), "patience": 200, "restarts": 2}
    with pytest.raises(gg.StoreError, match="steps: stored 60, now 61"):
        go.invert(G, targets(G, 2)[1], D, key=KEY, out=tmp_path / "out", steps=61, **options)


def test_a_run_whose_loss_is_not_finite_ends_and_says_so():
    G = gg.Generator.from_function(lambda p, z: jnp.where(z > 1, jnp.nan, z), (), 1, output_range=None)
    start = np.array([[0.0], [2.0]], np.float32)
    found = go.invert(G, np.full((1, 1), 0.5, np.float32), D, key=KEY, start=start, restarts=2, progress=False)
    assert found.status.tolist() == [["converged", "not finite"]]
    np.testing.assert_allclose(found.best_codes, [[0.5]], atol=1e-4)
    with pytest.raises(gg.errors.NotFiniteError, match="no run of 2"):
        go.invert(G, np.full((1, 1), 0.5, np.float32), D, key=KEY, start=start + 2, restarts=2, progress=False)


@pytest.mark.parametrize("method", ["levenberg-marquardt", "adam"])
def test_a_constant_loss_is_refused(method):
    G = gg.Generator.from_function(lambda p, z: jnp.zeros(3) * z[0], (), 2, output_range=None)
    with pytest.raises(ValueError, match="the loss is constant: none of 4 runs moves"):
        go.invert(G, np.ones((1, 3), np.float32), D, key=KEY, method=method, progress=False)
    found = go.invert(linear_generator(np.eye(2)), np.ones((1, 2), np.float32), D, key=KEY, method=method,
                      start=np.ones((1, 2), np.float32), restarts=1, progress=False)  # fmt: skip
    assert found.losses[0, 0] < 1e-12  # at the minimum already, which is another thing


def test_one_more_target_does_not_change_a_run():
    """A run in a batch of two is the run alone."""
    G = smooth_generator()
    _, x = targets(G, 2)
    start = np.zeros((1, 6), np.float32)
    both = go.invert(G, x, D, key=KEY, start=start, restarts=1, method="adam", steps=30, progress=False)
    alone = go.invert(G, x[1:], D, key=KEY, start=start, restarts=1, method="adam", steps=30, progress=False)
    np.testing.assert_allclose(both.codes[1], alone.codes[0], atol=1e-5)


def test_checkpoints_and_the_loop_agree_on_what_is_finished(tmp_path):
    """A checkpoint of the last step is read and not computed again."""
    G = smooth_generator()
    _, x = targets(G, 1)
    loss, codes, file = go.losses(G, D, x), np.zeros((1, 6), np.float32), tmp_path / "state.npz"
    stop = trials.Stop(30, None, 0.0)
    first = trials.descend_all(go.adam(0.1), loss, codes, stop, checkpoint=file, progress=False)
    second = trials.descend_all(go.adam(0.1), loss, codes, stop, checkpoint=file, progress=False)
    assert np.array_equal(first.unknowns, second.unknowns)
    assert np.array_equal(first.history, second.history)
    assert first.status.tolist() == ["step limit"]
    assert int(begin(go.adam(0.1), loss, jnp.asarray(codes)).passes[0]) == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"targets": np.zeros((1, 8, 8, 3), np.float32)}, ValueError, r"expected \(B, 16, 16, 3\)"),
        ({"targets": np.zeros((16, 16, 3), np.float32)}, ValueError, r"targets\[None\]"),
        ({"targets": np.full((1, 16, 16, 3), 200.0, np.float32)}, ValueError, "expected -1 to 1, the range of smooth"),
        ({"targets": np.full((1, 16, 16, 3), np.nan, np.float32)}, ValueError, "NaN"),
        ({"targets": np.zeros((1, 16, 16, 3), np.uint8)}, TypeError, "expected floating point"),
        ({"method": "newton"}, ValueError, "method='newton' is not known"),
        ({"start": "here"}, ValueError, "start='here' is not known"),
        ({"start": np.zeros((7, 6))}, ValueError, r"expected \(4, 6\)"),
        ({"start": "nearest", "pool": 3}, ValueError, "the pool has 3 codes; expected at least 4"),
        ({"restarts": 0}, ValueError, "restarts is 0"),
        ({"penalty": -1.0}, ValueError, "penalty is -1.0"),
        ({"masks": np.zeros((16, 16))}, ValueError, "zero everywhere"),
        ({"masks": np.zeros((4, 16))}, ValueError, r"expected \(16, 16\)"),
        ({"masks": np.full((16, 16), 255.0)}, ValueError, "Divide 8-bit masks by 255"),
        ({"registration": "both"}, ValueError, "registration='both' is not known"),
        ({"D": [(-1.0, D)]}, ValueError, "weights of distances"),
        ({"D": []}, ValueError, "no distance is given"),
        ({"D": gg.distances.lpips("alex")}, ValueError, "expected at least"),
        ({"key": 3}, TypeError, r"jax.random.key\(3\)"),
        ({"method": go.adam(metric=np.eye(6)), "registration": "sample"}, ValueError, "metric='own'"),
        ({"method": go.adam(metric=np.eye(5))}, ValueError, "5 components; expected 6"),
    ],
)
def test_what_does_not_fit_is_said_before_any_work(options, error, message):
    G = smooth_generator()
    arguments = {"targets": np.zeros((1, 16, 16, 3), np.float32), "D": D, "key": KEY, "progress": False} | options
    with pytest.raises(error, match=message):
        go.invert(G, **arguments)
