"""Consistency, against transcriptions of its definition in double precision."""

import dataclasses

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan import backend
from geomgan.analysis import consistency, consistency_example, consistency_interval, homogeneity
from tests.analysis.tensors import eigh_descending, field_of, random_tensors
from tests.small_models import smooth_generator

KEY = jax.random.key(0)


def by_definition(tensors, floors=None):
    """Linear, logarithmic and vectorised r and dropped ranks, pair by pair."""
    count = len(tensors)
    floors = np.zeros(count) if floors is None else floors
    linear, log, vectorised = np.empty((3, count, count))
    dropped = np.empty((count, count), int)
    for i, g_i in enumerate(tensors):
        _, frame = eigh_descending(g_i)
        for j, g_j in enumerate(tensors):
            target, own = eigh_descending(g_j)
            cosines = frame.T @ own
            source = np.diag(cosines @ np.diag(target) @ cosines.T)
            kept = (source > floors[j]) & (target > floors[j])
            dropped[i, j] = (~kept).sum()
            linear[i, j] = np.corrcoef(source, target)[0, 1]
            log[i, j] = np.corrcoef(np.log10(source[kept]), np.log10(target[kept]))[0, 1]
            vectorised[i, j] = np.corrcoef(g_i.ravel(), g_j.ravel())[0, 1]
    return linear, log, vectorised, dropped


@pytest.mark.parametrize("work", [0.0, 2e11], ids=["single", "double"])
@pytest.mark.parametrize(
    ("count", "dim", "decades", "alike", "negative"),
    [(5, 6, 2, 0, 0), (12, 16, 6, 0, 0), (12, 16, 10, 30, 0), (12, 16, 3, 2, 3)],
)
def test_equals_its_definition(monkeypatch, rng, work, count, dim, decades, alike, negative):
    monkeypatch.setattr(homogeneity, "DOUBLE_WORK", work)
    tensors = random_tensors(rng, count, dim, decades, alike, negative)
    result = consistency(tensors)
    linear, log, vectorised, dropped = by_definition(tensors)
    tolerance = 1e-12 if work else 1e-6
    np.testing.assert_allclose(result.linear, linear, atol=tolerance)
    np.testing.assert_allclose(result.log, log, atol=tolerance)
    np.testing.assert_allclose(result.vectorised, vectorised, atol=1e-12)
    np.testing.assert_array_equal(result.dropped, dropped)
    assert dropped.max() >= negative


def test_blocks_do_not_matter(monkeypatch, rng):
    tensors = random_tensors(rng, count=11, dim=6)
    whole = consistency(tensors)
    four_codes = 4 * 4 * 6**2  # so the last block is padded
    monkeypatch.setattr(backend, "CPU", dataclasses.replace(backend.CPU, consistency_bytes=four_codes))
    np.testing.assert_allclose(consistency(tensors).log, whole.log, atol=1e-14)
    np.testing.assert_allclose(consistency(tensors).linear, whole.linear, atol=1e-14)


def test_rounding_noise_can_be_left_out(rng):
    tensors = random_tensors(rng, count=4, dim=6, decades=6, alike=1e4)
    floor = 1e-4
    result = consistency(field_of(tensors, floor=floor), above_floor=True)
    linear, log, _, dropped = by_definition(tensors, np.full(4, floor))
    np.testing.assert_allclose(result.log, log, atol=1e-12)
    np.testing.assert_array_equal(result.dropped, dropped)
    assert dropped.min() > 0
    np.testing.assert_allclose(result.linear, linear, atol=1e-12)


def test_metrics_with_common_axes_are_consistent(rng):
    frame = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    values = np.sort(10 ** rng.uniform(-4, 0, (5, 6)), axis=1)[:, ::-1]
    result = consistency((frame * values[:, None]) @ frame.T)
    np.testing.assert_allclose(result.log, 1, atol=1e-6)
    np.testing.assert_allclose(result.linear, 1, atol=1e-12)
    assert result.summary("log").count == 20


def test_is_invariant_to_rotation_and_scale(rng):
    tensors = random_tensors(rng, count=5, dim=6, alike=1)
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    scales = 10 ** rng.uniform(-30, 30, (5, 1, 1))
    moved, result = consistency(scales * (rotation.T @ tensors @ rotation)), consistency(tensors)
    for name in ("log", "linear"):
        np.testing.assert_allclose(moved.matrix(name), result.matrix(name), atol=1e-10)
    np.testing.assert_allclose(consistency(scales * tensors).vectorised, result.vectorised, atol=1e-12)


def test_a_sphere_has_no_consistency(rng):
    sphere = np.eye(6)
    result = consistency(np.stack([sphere, 2 * sphere, *random_tensors(rng, count=3)]))
    for matrix in (result.log, result.linear):
        assert np.isnan(matrix[:, :2]).all()  # its eigenvalues are constant
        assert np.isfinite(matrix[2:, 2:]).all()
    assert result.summary("log").count == 5 * 4 - 2 * 4
    flat = consistency(np.ones((2, 3, 3)) * np.eye(3))
    assert np.isnan(flat.summary("linear").mean)


def test_summary_is_off_the_diagonal(rng):
    result = consistency(random_tensors(rng, count=6, alike=1))
    entries = [result.log[i, j] for i in range(6) for j in range(6) if i != j]
    summary = result.summary("log")
    assert (summary.mean, summary.median, summary.std, summary.count) == pytest.approx(
        (np.mean(entries), np.median(entries), np.std(entries), 30)
    )
    with pytest.raises(gg.errors.OptionError, match="'linear'"):
        result.summary("linaer")


def test_failed_codes_are_left_out_and_counted(rng):
    tensors = random_tensors(rng, count=6)
    result = consistency(field_of(tensors, failed=(0, 4)))
    kept = [1, 2, 3, 5]
    assert result.left_out == 2
    assert result.indices.tolist() == kept
    np.testing.assert_allclose(result.log, by_definition(tensors[kept])[1], atol=1e-12)


def test_one_code_is_not_enough(rng):
    tensors = random_tensors(rng, count=2)
    with pytest.raises(ValueError, match="undefined for one code"):
        consistency(tensors[:1])
    with pytest.raises(ValueError, match="undefined for one code"):
        consistency(field_of(tensors, failed=(1,)))


def test_example_shows_what_is_correlated(rng):
    tensors = random_tensors(rng, count=4, dim=6, negative=1)
    linear, log, _, dropped = by_definition(tensors)
    scatter = consistency_example(tensors, 2, 1)
    frame = eigh_descending(tensors[2])[1]
    np.testing.assert_allclose(scatter.source_values, np.diag(frame.T @ tensors[1] @ frame), atol=1e-14)
    np.testing.assert_allclose(scatter.target_values, eigh_descending(tensors[1])[0], atol=1e-14)
    assert scatter.r_linear == pytest.approx(linear[2, 1], abs=1e-12)
    assert scatter.r_log == pytest.approx(log[2, 1], abs=1e-12)
    assert scatter.dropped == dropped[2, 1]
    with pytest.raises(ValueError, match="j is 4; expected 0 to 3"):
        consistency_example(tensors, 0, 4)


def test_interval_resamples_codes(rng):
    result = consistency(random_tensors(rng, count=12, alike=1))
    estimate, low, high = consistency_interval(result, KEY, "log", draws=2000)
    assert estimate == pytest.approx(result.summary("log").mean)
    means, draw = [], np.random.default_rng(3)
    for _ in range(2000):  # the definition, draw by draw
        codes = draw.integers(12, size=12)
        pairs = [result.log[a, b] for a in codes for b in codes if a != b]
        means.append(np.mean(pairs))
    expected = np.percentile(means, [2.5, 97.5])
    width = expected[1] - expected[0]
    assert abs(low - expected[0]) < 0.15 * width
    assert abs(high - expected[1]) < 0.15 * width
    narrow = consistency_interval(result, KEY, "log", draws=2000, level=0.5)
    assert low < narrow[1] < narrow[2] < high
    assert consistency_interval(result, draws=50, key=KEY) == consistency_interval(result, draws=50, key=KEY)
    with pytest.raises(ValueError, match="level is 95"):
        consistency_interval(result, level=95, key=KEY)


def test_of_a_generator():
    G = smooth_generator()
    field = gg.metric_field(
        G, gg.distances.mse(), 0.3 * np.random.default_rng(0).standard_normal((5, 6)), progress=False
    )
    result = consistency(field)
    linear, log, vectorised, _ = by_definition(np.asarray(field.tensors))
    np.testing.assert_allclose(result.log, log, atol=1e-9)
    np.testing.assert_allclose(result.linear, linear, atol=1e-9)
    np.testing.assert_allclose(result.vectorised, vectorised, atol=1e-12)
    np.testing.assert_array_equal(result.codes, field.codes)
