"""Means of metrics, against closed forms."""

import jax
import numpy as np
import pytest
import scipy.linalg

from geomgan.analysis import eigenspaces, mean_metric
from tests.analysis.tensors import field_of, random_tensors

KINDS = ("arithmetic", "log-euclidean", "affine-invariant")


def test_commuting_tensors_have_the_geometric_mean(rng):
    frame = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    values = 10 ** rng.uniform(-4, 1, (7, 5))
    tensors = (frame * values[:, None]) @ frame.T
    expected = (frame * values.prod(axis=0) ** (1 / 7)) @ frame.T
    for kind in KINDS[1:]:
        np.testing.assert_allclose(mean_metric(tensors, kind), expected, atol=1e-9 * expected.max())
    np.testing.assert_allclose(mean_metric(tensors), tensors.sum(axis=0) / 7, rtol=1e-14)


def test_two_tensors_have_the_midpoint_of_their_geodesic(rng):
    a, b = random_tensors(rng, count=2, dim=6, decades=3)
    root = np.real(scipy.linalg.sqrtm(a))
    inverse = np.linalg.inv(root)
    expected = root @ np.real(scipy.linalg.sqrtm(inverse @ b @ inverse)) @ root
    np.testing.assert_allclose(mean_metric(np.stack([a, b]), "affine-invariant"), expected, atol=1e-9)


def test_log_euclidean_is_the_exponential_of_mean_logarithms(rng):
    tensors = random_tensors(rng, count=4, dim=6, decades=3)
    expected = scipy.linalg.expm(sum(np.real(scipy.linalg.logm(g)) for g in tensors) / 4)
    np.testing.assert_allclose(mean_metric(tensors, "log-euclidean"), expected, atol=1e-10)


def test_affine_invariant_minimises_the_sum_of_squared_distances(rng):
    tensors = random_tensors(rng, count=6, dim=4, decades=4)
    mean = mean_metric(tensors, "affine-invariant")

    def cost(x):
        return sum((np.log(scipy.linalg.eigh(g, x, eigvals_only=True)) ** 2).sum() for g in tensors)

    assert np.linalg.norm(sum(np.real(scipy.linalg.logm(np.linalg.solve(mean, g))) for g in tensors)) < 1e-7
    for _ in range(5):
        step = 1e-2 * rng.standard_normal((4, 4))
        change = scipy.linalg.expm(0.5 * (step + step.T))
        root = np.real(scipy.linalg.sqrtm(mean))
        assert cost(root @ change @ root) > cost(mean)


def test_affine_invariance(rng):
    tensors = random_tensors(rng, count=5, dim=6, decades=6)
    change = rng.standard_normal((6, 6))
    moved = mean_metric(change.T @ tensors @ change, "affine-invariant")
    expected = change.T @ mean_metric(tensors, "affine-invariant") @ change
    np.testing.assert_allclose(moved, expected, atol=1e-7 * np.abs(expected).max())
    inverse = mean_metric(np.linalg.inv(tensors), "affine-invariant")
    np.testing.assert_allclose(inverse @ mean_metric(tensors, "affine-invariant"), np.eye(6), atol=1e-6)


def test_kinds_differ_as_they_should(rng):
    tensors = random_tensors(rng, count=5, dim=6, decades=4)
    determinants = [np.linalg.slogdet(mean_metric(tensors, kind))[1] for kind in KINDS]
    geometric = np.mean([np.linalg.slogdet(g)[1] for g in tensors])
    np.testing.assert_allclose(determinants[1:], geometric, rtol=1e-9)
    assert determinants[0] > geometric + 1


def test_rounding_noise_is_raised_to_the_floor(rng):
    frame = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    tensors = np.stack([(frame * np.array(v)) @ frame.T for v in ([4, 1, 1e-3, -1e-9], [1, 1, 1e-3, 0.0])])
    expected = (frame * np.array([2, 1, 1e-3, (4e-6 * 1e-6) ** 0.5])) @ frame.T
    for kind in KINDS[1:]:
        np.testing.assert_allclose(mean_metric(tensors, kind, floor=1e-6), expected, atol=1e-12)
    field = field_of(tensors, floor=1e-8)
    expected = (frame * np.array([2, 1, 1e-3, 1e-8])) @ frame.T
    np.testing.assert_allclose(mean_metric(field, "log-euclidean"), expected, atol=1e-12)


def test_indefinite_tensors_have_no_logarithm(rng):
    tensors = random_tensors(rng, count=3, dim=4)
    tensors[1] -= 2 * np.trace(tensors[1]) * np.eye(4)
    for kind in KINDS[1:]:
        with pytest.raises(ValueError, match=r"tensor 1 has eigenvalues from .* expected positive definite .* 1 of 3"):
            mean_metric(tensors, kind)
    np.testing.assert_allclose(mean_metric(tensors), tensors.mean(axis=0))


def test_failed_codes_are_left_out(rng):
    tensors = random_tensors(rng, count=4)
    np.testing.assert_allclose(mean_metric(field_of(tensors, failed=(2,))), tensors[[0, 1, 3]].mean(axis=0))


def test_says_when_it_does_not_converge(rng):
    tensors = random_tensors(rng, count=5, dim=6, decades=6)
    with pytest.raises(ValueError, match=r"did not converge: .* after 2 iterations"):
        mean_metric(tensors, "affine-invariant", iterations=2)


@pytest.mark.parametrize(
    ("options", "match"),
    [({"kind": "affine"}, "affine-invariant"), ({"floor": 2.0}, "floor is 2.0"), ({"tol": 0}, "tol is 0")],
)
def test_options_out_of_range(options, match):
    with pytest.raises(ValueError, match=match):
        mean_metric(np.eye(3)[None], **options)


def test_a_lapack_that_gives_up_changes_nothing(rng, monkeypatch):
    tensors = random_tensors(rng)
    before = {kind: mean_metric(tensors, kind) for kind in ("log-euclidean", "affine-invariant")}
    spaces = eigenspaces(tensors[:2], tensors[2:], jax.random.key(0), 3, draws=2)

    def gives_up(matrices):
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    monkeypatch.setattr(np.linalg, "eigh", gives_up)
    for kind, mean in before.items():
        np.testing.assert_allclose(mean_metric(tensors, kind), mean, rtol=1e-8, atol=1e-10)
    again = eigenspaces(tensors[:2], tensors[2:], jax.random.key(0), 3, draws=2)
    np.testing.assert_allclose(again.angles, spaces.angles, atol=1e-7)
