"""Which pairs are asked for, of what, and what the automatic choice may cost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import geomgan as gg
from geomgan.eigen.operator import Cost
from geomgan.errors import NotFiniteError
from tests.eigen.planted import Planted, wanted
from tests.small_models import linear_generator

EUCLIDEAN = gg.distances.euclidean()
INDEFINITE = np.r_[-9.0, np.linspace(-4, 5, 57), 7.0, 6.5]


@pytest.mark.parametrize("solver", ["dense", "block", "arpack"])
@pytest.mark.parametrize(
    ("which", "expected"), [("largest", [7, 6.5, 5]), ("smallest", None), ("magnitude", [7, 6.5, -9])]
)
def test_the_wanted_ones_come_in_descending_order(which, expected, solver):
    e = gg.eigenpairs(Planted(INDEFINITE), 3, which=which, solver=solver)
    expected = wanted(INDEFINITE, 3, which) if expected is None else expected
    np.testing.assert_allclose(e.values, expected, atol=1e-5)
    assert (np.diff(e.values) < 0).all()
    assert e.info["which"] == which
    assert e.converged.all()
    np.testing.assert_allclose(Planted(INDEFINITE).matmat(e.vectors), e.vectors * e.values, atol=2e-5)
    all_of_them = gg.eigenpairs(Planted(INDEFINITE), solver="dense").values
    chosen = {"largest": all_of_them[:3], "smallest": all_of_them[-3:]}.get(which, e.values)
    np.testing.assert_allclose(e.values, chosen, atol=1e-5)


@pytest.mark.parametrize("which", ["largest", "smallest", "magnitude"])
def test_the_traceable_one_agrees(which):
    g = Planted(INDEFINITE).to_dense().astype(np.float32)
    values, vectors = jax.jit(jax.vmap(lambda g: gg.eigh(g, 4, which=which)))(np.stack([g, -g]))
    np.testing.assert_allclose(values[0], wanted(INDEFINITE, 4, which), atol=1e-4)
    np.testing.assert_allclose(values[1], wanted(-INDEFINITE, 4, which), atol=1e-4)
    np.testing.assert_allclose(g @ vectors[0], vectors[0] * values[0], atol=1e-4)


@pytest.mark.parametrize("solver", ["dense", "block", "arpack"])
@pytest.mark.parametrize("which", ["smallest", "magnitude"])
def test_generalised_problems_have_ends_too(rng, which, solver):
    L = np.tril(rng.standard_normal((40, 40))) / 10 + np.eye(40)
    A, B = Planted(INDEFINITE[:40]).to_dense(), L @ L.T
    e = gg.eigenpairs(A, 3, which=which, solver=solver, relative_to=B, tol=1e-9, max_products=4000)
    np.testing.assert_allclose(e.values, wanted(scipy.linalg.eigh(A, B, eigvals_only=True), 3, which), atol=1e-7)


def test_the_sharpest_tuning_at_a_maximum_is_found():
    """At the maximum of a unit every curvature is negative: the sharpest are the most negative."""
    scales = np.array([1.0, 2.0, 3.0, 0.5, 0.1], np.float32)
    op = gg.hessian_operator(linear_generator(np.diag(scales)), lambda x: -jnp.sum(x**2), np.zeros(5))
    for which in ("magnitude", "smallest"):
        e = gg.eigenpairs(op, 2, which=which)
        np.testing.assert_allclose(e.values, [-8, -18], rtol=1e-5)
        assert np.abs(e.vectors).argmax(axis=0).tolist() == [1, 2]
    np.testing.assert_allclose(gg.eigenpairs(op, 1).values, [-0.02], rtol=1e-5)


def test_an_unknown_end_is_refused():
    for call in (gg.eigenpairs, gg.eigh):
        with pytest.raises(ValueError, match=r"which='smalest' is not known\. Did you mean 'smallest'"):
            call(np.eye(3), 2, which="smalest")
    with pytest.raises(ValueError, match="max_products is 0; expected a positive integer"):
        gg.eigenpairs(np.eye(3), max_products=0)


@pytest.mark.parametrize("cost", [Cost(1.0, 1.0), Cost(1.0, 3.0), Cost(1.0, 4.0)])
@pytest.mark.parametrize(
    "values", [np.linspace(1, 0.99, 400), np.linspace(1, 0.9, 400), np.r_[np.ones(40), np.linspace(0.9999, 0, 360)]]
)
def test_the_automatic_choice_costs_no_more_products_than_dense_has_rows(values, cost):
    operator = Planted(values, cost)
    e = gg.eigenpairs(operator, 12)
    assert operator.multiplied <= len(values)
    assert operator.multiplied * cost.product <= 2 * len(values) * cost.row
    assert e.converged.all()
    np.testing.assert_allclose(e.values, values[:12], atol=1e-6)
    if e.info["solver"] == "dense":
        assert e.info["given_up"] == operator.multiplied
        assert "block Lanczos was given up after" in e.info["reason"]


def test_the_automatic_choice_keeps_block_lanczos_where_it_is_cheap():
    operator = Planted(0.8 ** np.arange(400.0))
    e = gg.eigenpairs(operator, 12)
    assert (e.info["solver"], e.info["given_up"]) == ("block", 0)
    assert e.info["products"] == operator.multiplied < 100


def test_a_bound_of_the_users_own_is_kept():
    operator = Planted(np.linspace(1, 0.99, 400))
    with pytest.warns(UserWarning, match=r"Raise max_products \(now 60\)"):
        e = gg.eigenpairs(operator, 12, max_products=60)
    assert operator.multiplied <= 60
    assert e.info["solver"] == "block"


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_matrices_of_all_real_types_have_eigenpairs(dtype):
    values = np.array([8.0, 4.0, 2.0, 1.0])
    g = jnp.asarray(Planted(values).to_dense(), dtype)
    rounding = float(jnp.finfo(dtype).eps)
    exact = np.linalg.eigvalsh(np.asarray(g, np.float64))[::-1]
    for solver in ("dense", "block", "arpack"):
        e = gg.eigenpairs(g, 2, solver=solver)
        assert e.values.dtype == np.float64
        np.testing.assert_allclose(e.values, exact[:2], rtol=1e-6)  # of the matrix as it is, not rounded once more
        assert e.noise_floor == pytest.approx(8 * rounding * exact[0], rel=1e-6)
    found, vectors = gg.eigh(g, 2)
    assert found.dtype == vectors.dtype == dtype
    np.testing.assert_allclose(np.asarray(found, np.float64), values[:2], rtol=4 * rounding)
    np.testing.assert_allclose(gg.eigenpairs(g, 2, relative_to=2 * jnp.eye(4, dtype=dtype)).values, exact[:2] / 2)


def test_half_precision_networks_have_fields(rng):
    A = rng.standard_normal((40, 6)).astype(np.float32)
    G = linear_generator(jnp.asarray(A, jnp.bfloat16))
    expected = np.linalg.eigvalsh(np.asarray(G.params, np.float64).T @ np.asarray(G.params, np.float64))[::-1]
    for options in ({}, {"k": 2, "solver": "block"}, {"k": 2, "solver": "arpack"}):
        field = gg.metric_field(G, EUCLIDEAN, np.zeros((2, 6), np.float32), progress=False, **options)
        assert np.abs(field.values - expected[: field.values.shape[1]]).max() <= field.noise_floor.max()
        assert (field.noise_floor < 0.1 * expected[0]).all()


@pytest.mark.parametrize(
    "call",
    [
        jax.jit(lambda g: gg.eigenpairs(g).values),
        lambda g: jax.vmap(lambda g: gg.eigenpairs(g, 2).values)(jnp.stack([g, g])),
        jax.jit(lambda g: gg.eigenpairs(np.eye(3), relative_to=g).values),
        jax.grad(lambda g: gg.eigenpairs(g).values.sum()),
        jax.jit(lambda g: gg.eigenpairs(gg.metric_operator(linear_generator(g), EUCLIDEAN, jnp.zeros(3))).values),
    ],
    ids=["jit", "vmap", "relative_to", "grad", "operator"],
)
def test_a_traced_call_is_told_of_the_traceable_one(call):
    with pytest.raises(TypeError, match=r"is traced: geomgan.eigenpairs runs on the host.*Take geomgan.eigh\(g, k\)"):
        call(jnp.eye(3))


class NotFinite(Planted):
    """NaN in the third latent dimension."""

    def matmat(self, V):
        return np.where(np.arange(len(self.values))[:, None] == 2, np.nan, super().matmat(V))

    def to_dense(self):
        return np.where(np.arange(len(self.values)) == 2, np.inf, super().to_dense())


@pytest.mark.parametrize("solver", ["auto", "dense", "block", "arpack"])
@pytest.mark.parametrize("which", ["largest", "magnitude"])
def test_what_is_not_finite_is_said_before_any_library_sees_it(solver, which):
    with pytest.raises(NotFiniteError, match=r"NaN or infinite values of \d+, in latent dimensions .*2"):
        gg.eigenpairs(NotFinite(np.ones(30)), 3, solver=solver, which=which)
    with pytest.raises(NotFiniteError, match="the matrix of relative_to holds"):
        gg.eigenpairs(np.eye(30), 3, relative_to=NotFinite(np.ones(30)))
    with pytest.raises(NotFiniteError, match="g holds 1 NaN"):
        gg.eigenpairs(np.diag([1.0, np.nan]), 1, solver=solver)


@pytest.mark.parametrize("solver", ["auto", "dense", "block", "arpack"])
def test_a_map_that_is_zero_has_zeros_and_any_frame(solver):
    e = gg.eigenpairs(Planted(np.zeros(30)), 4, solver=solver)
    np.testing.assert_array_equal(e.values, np.zeros(4))
    np.testing.assert_allclose(e.vectors.T @ e.vectors, np.eye(4), atol=1e-12)
    assert e.converged.all()
    assert e.noise_floor == 0
