"""Two metrics side by side, against transcriptions."""

import jax
import numpy as np
import pytest
import scipy.linalg
import scipy.spatial

import geomgan as gg
from geomgan.analysis import compare, eigenspaces, mean_metric
from tests.analysis.tensors import eigh_descending, field_of, random_tensors
from tests.small_models import smooth_generator

KEY = jax.random.key(0)


def r(x, y):
    return np.corrcoef(np.ravel(x), np.ravel(y))[0, 1]


def traceless(g):
    return g - np.trace(g) / len(g) * np.eye(len(g))


def by_definition(a, b):
    (va, ua), (vb, ub) = eigh_descending(a), eigh_descending(b)
    ab, ba = np.diag(ua.T @ b @ ua), np.diag(ub.T @ a @ ub)
    logs = [(u * np.log10(np.abs(v))) @ u.T for v, u in ((va, ua), (vb, ub))]
    slope, intercept = np.polyfit(np.log10(va), np.log10(vb), 1)
    return {
        "tensor_r": r(a, b),
        "log_tensor_r": r(*logs),
        "log_tensor_cosine": 1 - scipy.spatial.distance.cosine(*(traceless(g).ravel() for g in logs)),
        "spectrum_r": r(va, vb),
        "log_spectrum_r": r(np.log10(va), np.log10(vb)),
        "slope": slope,
        "intercept": intercept,
        "cross_ab_r": r(ab, vb),
        "cross_ab_log_r": r(np.log10(ab), np.log10(vb)),
        "cross_ba_r": r(ba, va),
        "cross_ba_log_r": r(np.log10(ba), np.log10(va)),
    }


def test_equals_its_definition(rng):
    a = random_tensors(rng, count=5, dim=8, decades=4)
    b = random_tensors(rng, count=5, dim=8, decades=3) + 0.1 * a
    result = compare(a, b)
    for name in by_definition(a[0], b[0]):
        expected = [by_definition(x, y)[name] for x, y in zip(a, b, strict=True)]
        np.testing.assert_allclose(getattr(result, name), expected, atol=1e-9, err_msg=name)
    cosines = [np.abs(np.diag(eigh_descending(x)[1].T @ eigh_descending(y)[1])) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(result.axis_cosines, cosines, atol=1e-12)


def test_a_power_of_a_metric_has_its_slope(rng):
    a = random_tensors(rng, count=3, dim=6, decades=3)
    squared = 10 * a @ a
    result = compare(a, squared)
    np.testing.assert_allclose(result.slope, 2, rtol=1e-9)
    np.testing.assert_allclose(result.intercept, 1, rtol=1e-9)
    for name in ("log_tensor_cosine", "log_spectrum_r", "cross_ab_log_r", "cross_ba_log_r"):
        np.testing.assert_allclose(getattr(result, name), 1, rtol=1e-9)
    assert (result.tensor_r < 1 - 1e-4).all()


def test_top_counts_ranks_only(rng):
    a, b = (random_tensors(rng, count=2, dim=6) for _ in range(2))
    result, whole = compare(a, b, top=3), compare(a, b)
    (va, _), (vb, ub) = eigh_descending(a[1]), eigh_descending(b[1])
    assert result.spectrum_r[1] == pytest.approx(r(va[:3], vb[:3]))
    assert result.cross_ba_r[1] == pytest.approx(r(np.diag(ub.T @ a[1] @ ub)[:3], va[:3]))
    assert result.axis_cosines.shape == (2, 3)
    np.testing.assert_array_equal(result.tensor_r, whole.tensor_r)
    np.testing.assert_array_equal(result.log_tensor_r, whole.log_tensor_r)
    with pytest.raises(ValueError, match="top is 7; expected an integer from 1 to 6"):
        compare(a, b, top=7)


def test_logarithms_of_indefinite_tensors_take_magnitudes_above_the_floor(rng):
    frame = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    a = ((frame * np.array([100, 10, 1, 1e-9])) @ frame.T)[None]
    b = ((frame * np.array([10, 1, 1e-12, -100])) @ frame.T)[None]
    result = compare(field_of(a, floor=1e-2), field_of(b, np.random.default_rng(7).standard_normal((1, 4)), floor=1e-3))
    logs_a, logs_b = np.array([2, 1, 0, -2.0]), np.array([1, 0, -3, 2.0])  # by rank: |-100| is last
    assert result.log_spectrum_r[0] == pytest.approx(r(logs_a, logs_b))
    assert result.log_tensor_r[0] == pytest.approx(r((frame * logs_a) @ frame.T, (frame * logs_b) @ frame.T))


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5])
def test_the_line_is_of_what_is_above_both_floors(rng, lost):
    """``λ_b = 10 λ_a²``, but the last ranks of b are rounding: where they are raised to the floor, the line bends."""
    frame = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    values = np.array([64.0, 32, 16, 8, 4, 2, 1])
    own, other = values[None] * np.ones((3, 1)), 10 * values[None] ** 2 * np.ones((3, 1))
    other[:, 7 - lost :] = 1e-14 * rng.standard_normal((3, lost))
    a, b = ((frame * each[:, None]) @ frame.T for each in (own, other))
    codes = rng.standard_normal((3, 7))
    result = compare(field_of(a, codes), field_of(b, codes, floor=1e-9))
    if lost < 6:
        np.testing.assert_allclose(result.slope, 2, rtol=1e-6)
        np.testing.assert_allclose(result.intercept, 1, atol=1e-6)
    assert (np.abs(result.log_spectrum_r - 1) > 1e-3).all()  # of which what is raised to the floor is a part
    np.testing.assert_allclose(result.cross_ab_log_r, 1 if lost < 5 else np.nan, atol=1e-6)  # two ranks have none


def test_one_rank_above_the_floors_has_no_line(rng):
    codes, a, b = rng.standard_normal((2, 3)), np.diag([3.0, 2, 1]), np.diag([1.0, 1e-15, 1e-16])
    result = compare(field_of(np.stack([a, a]), codes), field_of(np.stack([b, b]), codes, floor=1e-9))
    assert np.isnan(result.slope).all()
    assert np.isnan(result.intercept).all()


def test_codes_that_failed_in_either_are_left_out(rng):
    tensors, codes = random_tensors(rng, count=5), rng.standard_normal((5, 6))
    other = random_tensors(rng, count=5)
    result = compare(field_of(tensors, codes, failed=(1,)), field_of(other, codes, failed=(4,)))
    assert result.indices.tolist() == [0, 2, 3]
    assert result.left_out == 2
    np.testing.assert_allclose(result.tensor_r, compare(tensors, other).tensor_r[[0, 2, 3]])
    with pytest.raises(ValueError, match="no code is finished in both"):
        compare(field_of(tensors, codes, failed=(0, 1, 2)), field_of(other, codes, failed=(3, 4)))


def test_fields_at_other_codes_are_refused(rng):
    tensors, codes = random_tensors(rng, count=3), rng.standard_normal((3, 6))
    moved = codes.copy()
    moved[2, 0] += 0.1
    with pytest.raises(ValueError, match="1 of 3 codes differ"):
        compare(field_of(tensors, codes), field_of(tensors, moved))
    with pytest.raises(ValueError, match="a holds 3 codes and b holds 2"):
        compare(field_of(tensors, codes), field_of(tensors[:2], codes[:2]))
    with pytest.raises(ValueError, match="a has 6 dimensions and b has 5"):
        compare(tensors, tensors[:, :5, :5])


def test_distances_on_one_generator(rng):
    G, codes = smooth_generator(), 0.3 * rng.standard_normal((3, 6))
    mse, euclidean = (
        gg.metric_field(G, D, codes, progress=False) for D in (gg.distances.mse(), gg.distances.euclidean())
    )
    result = compare(mse, euclidean)  # they differ by the number of pixels
    for name in ("tensor_r", "log_tensor_cosine", "spectrum_r", "cross_ab_r"):
        np.testing.assert_allclose(getattr(result, name), 1, rtol=1e-6)
    np.testing.assert_allclose(result.slope, 1, rtol=1e-4)
    np.testing.assert_allclose(result.intercept, np.log10(768), rtol=1e-3)


def test_planes_at_known_angles():
    angles = np.array([0.0, 0.3])
    a = np.eye(6)[:, :2]
    b = np.stack([np.eye(6)[0], np.cos(0.3) * np.eye(6)[1] + np.sin(0.3) * np.eye(6)[4]], axis=1)
    result = eigenspaces(a, b, key=KEY)
    np.testing.assert_allclose(result.angles, angles, atol=1e-12)
    assert result.overlap == pytest.approx((1 + np.cos(0.3) ** 2) / 2)
    assert result.chance_overlap == pytest.approx(2 / 6)
    tiny = eigenspaces(a[:, :1], (a[:, :1] + 1e-9 * a[:, 1:2]), key=KEY)
    np.testing.assert_allclose(tiny.angles, 1e-9, rtol=1e-6)


def test_canonical_correlations(rng):
    a, b = rng.standard_normal((2, 30, 4))
    b[:, 0] = 2 + a @ [1, 2, 3, 4]  # an affine function of a: the first correlation is 1
    result = eigenspaces(a, b, draws=20, key=KEY)
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    matrix = np.linalg.solve(x.T @ x, x.T @ y) @ np.linalg.solve(y.T @ y, y.T @ x)
    expected = np.sqrt(np.sort(np.real(np.linalg.eigvals(matrix)))[::-1])
    np.testing.assert_allclose(result.cca, expected, atol=1e-7)
    assert result.cca[0] == pytest.approx(1)
    np.testing.assert_allclose(np.cos(result.angles)[::-1], np.cos(np.sort(scipy.linalg.subspace_angles(a, b)))[::-1])


def test_random_spaces_are_at_the_level_of_chance(rng):
    results = [eigenspaces(*np.linalg.qr(rng.standard_normal((2, 40, 5)))[0], draws=200, key=KEY) for _ in range(100)]
    assert np.mean([x.overlap for x in results]) == pytest.approx(5 / 40, rel=0.05)
    np.testing.assert_allclose(np.mean([x.cca for x in results], axis=0), results[0].cca_chance, atol=0.04)


def test_fields_stand_for_the_eigenvectors_of_their_mean(rng):
    a, b = (random_tensors(rng, count=4, dim=6) for _ in range(2))
    expected = eigenspaces(eigh_descending(mean_metric(a))[1], eigh_descending(mean_metric(b))[1], KEY, 2, draws=5)
    result = eigenspaces(field_of(a), b, KEY, 2, draws=5)
    np.testing.assert_allclose(result.angles, expected.angles, atol=1e-9)
    np.testing.assert_allclose(result.cca, expected.cca, atol=1e-9)
    whole = eigenspaces(a, b, key=KEY)
    np.testing.assert_allclose(whole.angles, 0, atol=1e-7)
    assert whole.overlap == pytest.approx(1)
    assert whole.cca.shape == (5,)


def test_spaces_that_do_not_compare(rng):
    with pytest.raises(ValueError, match="a has 6 dimensions and b has 5"):
        eigenspaces(np.eye(6)[:, :2], np.eye(5)[:, :2], key=KEY)
    with pytest.raises(ValueError, match="k is 3; expected an integer from 1 to 2"):
        eigenspaces(np.eye(6)[:, :2], np.eye(6), KEY, 3)
    with pytest.raises(ValueError, match="dependent columns"):
        eigenspaces(np.ones((6, 2)), np.eye(6), key=KEY)
