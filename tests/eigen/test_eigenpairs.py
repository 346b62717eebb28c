"""Eigenpairs: planted spectra, agreement of the solvers, generalised problems, honest non-convergence."""

import jax
import numpy as np
import pytest
import scipy.linalg

import geomgan as gg
from geomgan.eigen import dense
from geomgan.eigen.block import block_lanczos
from tests.small_models import largest_difference, linear_generator, small_dcgan

EUCLIDEAN = gg.distances.euclidean()


def planted(values, rows=200, seed=0):
    """A linear generator whose metric has the eigenvalues ``values``, and its eigenvectors."""
    rng = np.random.default_rng(seed)
    dim = len(values)
    U, V = np.linalg.qr(rng.standard_normal((rows, dim)))[0], np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    return linear_generator((U * np.sqrt(values) @ V.T).astype(np.float32)), V


def test_ten_decades_come_back():
    values = 10 ** np.linspace(0, -10, 40)
    G, V = planted(values)
    e = gg.eigenpairs(gg.metric_operator(G, EUCLIDEAN, np.zeros(40)), solver="dense")
    np.testing.assert_allclose(e.values, values, rtol=1e-2)
    np.testing.assert_allclose(np.abs((e.vectors * V).sum(0)), 1, atol=1e-3)
    assert e.noise_floor < values[-1]
    field = gg.metric_field(G, EUCLIDEAN, np.zeros((3, 40)), progress=False)
    np.testing.assert_allclose(field.values, np.tile(values, (3, 1)), rtol=1e-2)


def test_noise_floor_separates_signal_from_rounding():
    """Seven true dimensions of twenty: everything below them is rounding, and lies below the stated floor."""
    values = np.r_[10 ** np.linspace(0, -4, 7), np.zeros(13)]
    G, _ = planted(values)
    e = gg.eigenpairs(gg.metric_operator(G, EUCLIDEAN, np.zeros(20)), solver="dense")
    assert (e.values[:7] > e.noise_floor).all()
    assert (np.abs(e.values[7:]) < e.noise_floor).all()


@pytest.mark.parametrize(
    "distance", [gg.distances.mse, lambda: gg.distances.lpips("alex", resize=64)], ids=["mse", "lpips"]
)
def test_solvers_agree_on_the_top_20_of_the_embedded_model(distance):
    G = gg.load("digits-dcgan")
    op = gg.metric_operator(G, distance(), G.sample_latent(jax.random.key(0), 1)[0])
    dense = gg.eigenpairs(op, 20, solver="dense")
    for solver in ("arpack", "block"):
        e = gg.eigenpairs(op, 20, solver=solver)
        assert e.converged.all()
        assert e.info["solver"] == solver
        assert np.abs(e.values / dense.values - 1).max() < 1e-4
        assert (e.residuals <= 1e-5 * e.values[0]).all()
        overlap = np.abs((e.vectors[:, :5] * dense.vectors[:, :5]).sum(0))
        assert overlap.min() > 1 - 1e-3


def test_scipys_eigsh_takes_the_operator():
    from scipy.sparse.linalg import eigsh

    G = small_dcgan(latent_dim=30)
    op = gg.metric_operator(G, gg.distances.mse(), np.ones(30))
    values = eigsh(op.as_linear_operator(), 5, return_eigenvectors=False, v0=np.ones(30))[::-1]
    np.testing.assert_allclose(values, gg.eigenpairs(op, 5, solver="dense").values, rtol=1e-5)


def test_conventions(rng):
    A = rng.standard_normal((12, 12))
    e = gg.eigenpairs(A @ A.T)
    assert (np.diff(e.values) <= 0).all()
    np.testing.assert_allclose(e.vectors.T @ e.vectors, np.eye(12), atol=1e-12)
    assert (e.vectors[np.abs(e.vectors).argmax(0), np.arange(12)] > 0).all()
    np.testing.assert_allclose((e.vectors * e.values) @ e.vectors.T, A @ A.T, atol=1e-10)
    assert e.residuals.max() < 1e-10
    np.testing.assert_array_equal(gg.eigenpairs(A @ A.T, 3).values, e.values[:3])


@pytest.mark.parametrize("solver", ["dense", "arpack", "block"])
def test_generalised_problem(rng, solver):
    A, B = (M @ M.T + 0.1 * np.eye(30) for M in rng.standard_normal((2, 30, 30)))
    e = gg.eigenpairs(A, 4, relative_to=B, solver=solver, tol=1e-10)
    expected = scipy.linalg.eigh(A, B, eigvals_only=True)[::-1][:4]
    np.testing.assert_allclose(e.values, expected, rtol=1e-7)
    np.testing.assert_allclose(A @ e.vectors, B @ e.vectors * e.values, atol=1e-4)
    np.testing.assert_allclose(e.vectors.T @ B @ e.vectors, np.eye(4), atol=1e-7)


def test_generalised_problem_of_two_operators():
    G, z = small_dcgan(latent_dim=6, scale=0.3), np.ones(6)
    pixels, half = (gg.metric_operator(g, EUCLIDEAN, z) for g in (G, G.at("block1")))
    e = gg.eigenpairs(pixels, 2, relative_to=half)
    expected = scipy.linalg.eigh(pixels.to_dense(), half.to_dense(), eigvals_only=True)[::-1][:2]
    np.testing.assert_allclose(e.values, expected, rtol=1e-8)


def test_indefinite_matrices_are_sorted_descending(rng):
    Q = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    values = np.linspace(-5, 3, 40)
    for solver in ("dense", "arpack", "block"):
        e = gg.eigenpairs(Q * values @ Q.T, 4, solver=solver)
        np.testing.assert_allclose(e.values, values[::-1][:4], rtol=1e-4)


def test_block_solver_restarts_on_a_flat_spectrum(rng):
    """600 dimensions, a basis of at most 60: it has to restart to resolve neighbours one per cent apart."""
    dim = 600
    Q = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    values = 0.99 ** np.arange(dim)
    matrix = Q * values @ Q.T
    found, vectors, residuals, products = block_lanczos(lambda V: matrix @ V, dim, 10, 1e-8, 5000, 0)
    np.testing.assert_allclose(found, values[:10], rtol=1e-7)
    assert residuals.max() <= 1e-8
    assert products < 5000
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(10), atol=1e-10)


def test_block_solver_survives_low_rank():
    matrix = np.diag(np.r_[3.0, 2.0, np.zeros(48)])
    values, vectors, residuals, _ = block_lanczos(lambda V: matrix @ V, 50, 5, 1e-10, 500, 0)
    np.testing.assert_allclose(values, [3, 2, 0, 0, 0], atol=1e-10)
    assert residuals.max() < 1e-9
    assert np.abs(vectors[:2, :2]).max() == pytest.approx(1)


@pytest.mark.parametrize("solver", ["arpack", "block"])
def test_non_convergence_is_reported(rng, solver):
    Q = np.linalg.qr(rng.standard_normal((400, 400)))[0]
    matrix = Q * 0.999 ** np.arange(400) @ Q.T
    with pytest.warns(UserWarning, match=f"{solver}: .* of 8 eigenpairs reached.*Raise max_products"):
        e = gg.eigenpairs(matrix, 8, solver=solver, max_products=30, tol=1e-10)
    assert len(e.values) < 8 or not e.converged.all()
    assert len(e.values) == e.vectors.shape[1] == len(e.residuals) == len(e.converged)


def test_iterative_solvers_are_reproducible():
    op = gg.metric_operator(small_dcgan(latent_dim=30), gg.distances.mse(), np.ones(30))
    for solver in ("arpack", "block"):
        first, second = (gg.eigenpairs(op, 4, solver=solver, seed=3) for _ in range(2))
        np.testing.assert_array_equal(first.values, second.values)
        np.testing.assert_array_equal(first.vectors, second.vectors)


def test_automatic_choice_follows_the_cost():
    op = gg.metric_operator(small_dcgan(latent_dim=30), gg.distances.mse(), np.ones(30))
    assert gg.eigenpairs(op).info["solver"] == "dense"
    wide, _ = planted(np.linspace(2, 1, 600) ** 8, rows=700)
    e = gg.eigenpairs(gg.metric_operator(wide, EUCLIDEAN, np.zeros(600)), 2)
    assert e.info["solver"] == "block"
    assert "forward passes" in e.info["reason"]
    np.testing.assert_allclose(e.values, (np.linspace(2, 1, 600) ** 8)[:2], rtol=1e-4)


@pytest.mark.parametrize(
    ("g", "options", "error", "message"),
    [
        (np.eye(3), {"k": 4}, ValueError, "from 1 to 3"),
        (np.eye(3), {"k": 0}, ValueError, "from 1 to 3"),
        (np.eye(3), {"solver": "lanczos"}, ValueError, "'arpack'|Known"),
        (np.eye(3)[:2], {}, ValueError, r"expected one matrix \(d, d\)"),
        (
            np.triu(np.ones((3, 3))),
            {},
            ValueError,
            r"g is not symmetric: it differs .* by 1, where its largest entry is 1; .* Pass 0\.5 \* \(g \+ g\.T\)",
        ),
        (np.full((3, 3), np.nan), {}, ValueError, "NaN"),
        (np.eye(3, dtype=int), {}, TypeError, "floating point"),
        (np.eye(3), {"relative_to": np.diag([1.0, 1.0, -1.0])}, ValueError, "not positive definite.*ridge"),
        (np.eye(3), {"relative_to": np.eye(4)}, ValueError, "expected 3"),
        (np.eye(3), {"tol": 0.0}, ValueError, "positive number"),
    ],
)
def test_bad_arguments(g, options, error, message):
    with pytest.raises(error, match=message):
        gg.eigenpairs(g, **options)


@pytest.mark.parametrize(("matrix", "by"), [([[1.0, 5], [0, 2]], "5"), ([[3.0, 1], [1.01, 3]], "0.01")])
def test_a_matrix_that_is_not_symmetric_is_refused_outside_jit(matrix, by):
    for solve in (gg.eigenpairs, gg.eigh):
        with pytest.raises(ValueError, match=f"g is not symmetric: it differs from its transpose by {by}, "):
            solve(np.array(matrix))
    values, _ = jax.jit(gg.eigh)(np.array(matrix))
    np.testing.assert_allclose(
        values, np.linalg.eigvalsh(0.5 * (np.array(matrix) + np.array(matrix).T))[::-1], rtol=1e-5
    )


def test_tensors_of_torch_and_lists_are_matrices():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch to run this")
    matrix = [[2.0, 1.0], [1.0, 2.0]]
    for given in (torch.tensor(matrix), torch.tensor(matrix, dtype=torch.float64), matrix):
        np.testing.assert_allclose(gg.eigenpairs(given).values, [3, 1], atol=1e-6)
        np.testing.assert_allclose(gg.eigh(given)[0], [3, 1], atol=1e-6)
        np.testing.assert_allclose(gg.eigenpairs(np.eye(2), relative_to=given).values, [1, 1 / 3], atol=1e-6)
    with pytest.raises(TypeError, match=r"g is a Tensor that numpy cannot read .*\. Pass x.detach\(\)"):
        gg.eigenpairs(torch.tensor(matrix, requires_grad=True))


def test_eigenpairs_are_a_pytree():
    e = gg.eigenpairs(np.eye(3))
    doubled = jax.tree.map(lambda x: 2 * x if isinstance(x, np.ndarray) and x.dtype == float else x, e)
    np.testing.assert_array_equal(doubled.values, 2 * e.values)
    assert doubled.info == e.info
    assert largest_difference(doubled.vectors, 2 * e.vectors) == 0
    assert repr(e).startswith("Eigenpairs(3 of dimension 3, 3 converged, noise floor ")
    assert repr(jax.tree.map(lambda _: None, e)) == "Eigenpairs(None)"


def test_pairs_of_a_stack_are_those_of_the_host(rng):
    """In one program: values, signs and residuals as LAPACK's on the host; what is not finite is NaN, alone."""
    frames = rng.standard_normal((5, 30, 20))
    g = frames @ np.swapaxes(frames, 1, 2)  # ten values of zero each
    g[2, 3, 4] = np.nan
    with jax.enable_x64(True):
        values, vectors, residuals = (np.asarray(x) for x in jax.jit(dense.pairs_of_stack, static_argnums=1)(g, 20))
    assert (
        [np.isnan(x).any() for x in values]
        == [np.isnan(x).all() for x in vectors]
        == [False, False, True, False, False]
    )
    good = [0, 1, 3, 4]
    expected, frame, _ = dense.largest_pairs(g[good], 20)
    np.testing.assert_allclose(values[good], expected, rtol=1e-12)
    np.testing.assert_allclose(vectors[good], frame, atol=1e-9)
    assert residuals[good].max() < 1e-12 * expected.max()
