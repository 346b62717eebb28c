"""Eigenvalues that repeat: every solver finds all copies, or says that it did not converge."""

import warnings

import numpy as np
import pytest
import scipy.linalg

import geomgan as gg
from geomgan.eigen.block import block_lanczos, block_width
from geomgan.eigen.lapack import symmetric
from geomgan.eigen.outside import may_hide_copies, steps_that_prove
from tests.eigen.planted import Planted, wanted

ITERATIVE = ("block", "arpack")


def spectrum(copies, dim, lowest=0.0, highest=1.0):
    """``{value: copies}`` above values from ``lowest`` to ``highest``."""
    top = [value for value, number in copies.items() for _ in range(number)]
    return np.r_[top, np.linspace(lowest, highest, dim - len(top))]


SPECTRA = {
    "more copies than columns": (spectrum({3.0: 10}, 512, 0.0, 0.0), 12),
    "two values that repeat": (spectrum({10.0: 6, 5.0: 6}, 200), 8),
    "close to the others": (spectrum({10.0: 6}, 200, 0.0, 9.0), 8),
    "three times the columns": (spectrum({7.0: 12, 6.0: 12, 5.0: 12}, 300), 8),
    "a small one": (spectrum({1.0: 1, 1e-3: 15}, 150, 0.0, 1e-4), 14),
    "cut off by k": (spectrum({2.0: 20}, 100), 9),
    "nearly the same": (np.r_[5 * (1 + 1e-9 * np.arange(11)), np.linspace(0, 1, 150)], 12),
    "less than two tolerances apart": (np.r_[5 * (1 + 1e-6 * np.arange(9)), np.linspace(0, 1, 150)], 12),
    "of both signs": (np.r_[[-4.0] * 9, [3.0] * 9, np.linspace(-1, 1, 100)], 16),
    "the identity": (np.ones(64), 9),
    "zero": (np.zeros(64), 9),
    "few values": (np.r_[3.0, [2.0] * 5, np.zeros(90)], 12),
}


@pytest.mark.parametrize("solver", ITERATIVE)
@pytest.mark.parametrize(
    ("name", "which"),
    [
        *((name, "largest") for name in SPECTRA),
        *((name, "magnitude") for name in ("of both signs", "more copies than columns", "zero")),
        *((name, "smallest") for name in ("of both signs", "two values that repeat", "few values")),
    ],
)
def test_all_copies_are_found(name, which, solver):
    values, k = SPECTRA[name]
    if which == "smallest":
        values = -values
    e = gg.eigenpairs(Planted(values), k, solver=solver, which=which, max_products=20 * len(values))
    scale = np.abs(values).max()
    assert e.converged.all()
    np.testing.assert_allclose(e.values, wanted(values, k, which), atol=2e-6 * scale)
    np.testing.assert_allclose(e.vectors.T @ e.vectors, np.eye(k), atol=1e-9)
    assert np.linalg.norm(Planted(values).matmat(e.vectors) - e.vectors * e.values, axis=0).max() <= 1.01e-6 * scale


@pytest.mark.parametrize("solver", ITERATIVE)
def test_all_copies_are_found_through_rounded_products(solver):
    values = spectrum({4.0: 9, 2.0: 9}, 256)
    e = gg.eigenpairs(Planted(values, dtype=np.float32), 20, solver=solver)
    assert e.converged.all()
    np.testing.assert_allclose(e.values, wanted(values, 20), atol=1e-4)


@pytest.mark.parametrize("solver", ITERATIVE)
def test_all_copies_of_a_generalised_problem_are_found(rng, solver):
    """``g = B``, six times over in a subspace: the generalised values are 5 and fractions."""
    L = np.tril(rng.standard_normal((60, 60))) / 60 + np.eye(60)
    g = L * spectrum({5.0: 9}, 60) @ L.T
    e = gg.eigenpairs(g, 10, relative_to=L @ L.T, solver=solver)
    assert e.converged.all()
    np.testing.assert_allclose(e.values, scipy.linalg.eigh(g, L @ L.T, eigvals_only=True)[::-1][:10], atol=1e-5)


def random_spectrum(seed, largest):
    """Up to ``largest`` dimensions, with values that repeat up to three times as often as a block has columns."""
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(20, largest + 1))
    k = int(rng.integers(1, min(dim, 40) + 1))
    most, values = 3 * block_width(dim, k), []
    while len(values) < dim:
        copies = int(rng.integers(2, most + 1)) if rng.random() < 0.4 else 1
        values += [10 ** rng.uniform(-4, 1) * rng.choice([1, -1], p=[0.8, 0.2])] * copies
    return np.array(values[:dim]), k, str(rng.choice(["largest", "smallest", "magnitude"], p=[0.6, 0.2, 0.2]))


def complete_or_said(seed, largest):
    values, k, which = random_spectrum(seed, largest)
    expected, scale = wanted(values, k, which), np.abs(values).max()
    finished = []
    for solver in ("block", "arpack", "auto"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            e = gg.eigenpairs(Planted(values), k, which=which, solver=solver, seed=seed, max_products=3 * len(values))
        converged = len(e.values) == k and e.converged.all()
        assert converged != bool(said)
        if converged:
            np.testing.assert_allclose(e.values, expected, atol=1e-6 * scale, err_msg=f"{solver}, seed {seed}")
        finished.append(converged)
    assert finished[2]  # auto ends with the dense solver
    return finished


def test_random_spectra_are_complete_or_said_not_to_be():
    assert sum(complete_or_said(seed, 128)[0] for seed in range(10)) >= 7


@pytest.mark.slow
def test_three_hundred_random_spectra_are_complete_or_said_not_to_be():
    assert sum(complete_or_said(seed, 512)[0] for seed in range(300)) > 200


@pytest.mark.parametrize(
    ("fall", "before"), [(10 ** np.linspace(0, -8, 100), 60), ((1 + np.arange(512.0)) ** -1.5, 90)]
)
def test_a_spectrum_without_repetitions_pays_nothing(fall, before):
    """As many products as at ceefb5b, which did not look for copies."""
    e = gg.eigenpairs(Planted(fall), 20, solver="block")
    assert e.converged.all()
    assert not may_hide_copies(e.values, block_width(len(fall), 20), 1e-6)
    assert e.info["products"] <= before + 10
    arpack = gg.eigenpairs(Planted(fall), 20, solver="arpack")
    assert arpack.converged.all()
    np.testing.assert_allclose(arpack.values, fall[:20], atol=1e-6)


def test_a_search_that_did_not_end_is_said():
    values = spectrum({10.0: 30}, 200, 0.0, 9.0)
    enough = gg.eigenpairs(Planted(values), 8, solver="block").info["products"]
    operator = Planted(values)
    with pytest.warns(UserWarning, match="block: 8 eigenpairs converged, but values repeat.*Raise max_products"):
        e = gg.eigenpairs(operator, 8, solver="block", max_products=enough - 1)
    assert not e.converged.any()
    assert operator.multiplied == e.info["products"] < enough


def test_advice_can_help():
    """Where all products that there are were used, more of them are no advice."""
    rough = np.random.default_rng(0)
    rounded = Planted(np.linspace(1, 2, 40))
    exact = rounded.matmat
    rounded.matmat = lambda V: exact(V) + 1e-3 * rough.standard_normal(V.shape)
    with pytest.warns(UserWarning, match="rounding of its products allows no more. Raise tol, or take solver='dense'"):
        e = gg.eigenpairs(rounded, 30, solver="block")
    assert not e.converged.all()


@pytest.mark.parametrize(
    ("values", "shown", "hides"),
    [
        ([3, 2, 1], 1, True),  # a single vector shows one copy of each
        ([3, 2, 1], 2, False),
        ([3, 2, 2 + 1e-5, 1], 2, True),
        ([3, 2, 2 + 1e-5, 1], 3, False),
        ([-2, 2, -2], 2, True),
        ([5, 5, 5], 4, False),  # fewer are wanted than a block shows
    ],
)
def test_copies_can_hide_where_as_many_were_shown(values, shown, hides):
    assert may_hide_copies(np.sort(np.array(values, float)), shown, 1e-6) == hides


def test_steps_that_prove_bound_the_chance_to_miss():
    """Against 2000 random starts: one value of 1 above zeros to 0.5, which Ritz values below 0.7 must not hide."""
    rng = np.random.default_rng(0)
    values = np.r_[1.0, np.linspace(0, 0.5, 99)]
    chance = lambda steps: 1.648 * 100**0.5 * np.exp(-(0.3**0.5) * (2 * steps - 1))
    for steps in (3, 5):
        start = rng.standard_normal((2000, 100))
        krylov = np.stack([start * values**i for i in range(steps)], axis=2)
        Q = np.linalg.qr(krylov)[0]
        top = np.linalg.eigvalsh(np.swapaxes(Q, 1, 2) @ (values[:, None] * Q))[:, -1]
        assert (top < 0.7).mean() <= chance(steps)
    assert steps_that_prove(0.3, 100, 1) == pytest.approx(15.67, abs=0.01)
    assert steps_that_prove(0.3, 100, 4) < steps_that_prove(0.3, 100, 1) < steps_that_prove(0.1, 100, 1)
    assert steps_that_prove(0.0, 100, 1) == np.inf


def test_the_solver_unpacks_as_before():
    values = np.linspace(1, 2, 30)
    found, vectors, residuals, products = block_lanczos(lambda V: values[:, None] * V, 30, 3, 1e-8, 300, 0)
    np.testing.assert_allclose(found, values[::-1][:3], atol=1e-8)
    assert vectors.shape == (30, 3)
    assert residuals.shape == (3,)
    assert 0 < products <= 300


def test_values_that_repeat_end_no_lapack(monkeypatch):
    """As where divide and conquer gives up (docs/surprises.md): the other algorithm answers, for stacks too."""

    def gives_up(matrices):
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    matrices = np.stack([Planted(spectrum({3.0: 5}, 12)).to_dense(), np.diag(np.arange(12.0))])
    monkeypatch.setattr(np.linalg, "eigh", gives_up)
    values, vectors = symmetric(matrices)
    np.testing.assert_allclose(values[0], np.sort(spectrum({3.0: 5}, 12)), atol=1e-12)
    np.testing.assert_allclose(matrices @ vectors, vectors * values[:, None], atol=1e-12)
