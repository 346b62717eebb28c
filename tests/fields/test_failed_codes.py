"""A code whose network is not finite fails under every solver, and one whose metric is zero is done."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg

A = np.random.default_rng(0).standard_normal((12, 6)).astype(np.float32)
EUCLIDEAN = gg.distances.euclidean()
SOLVERS = [{}, {"k": 2, "solver": "block"}, {"k": 2, "solver": "arpack"}]
IDS = ["dense", "block", "arpack"]
CODES = np.full((4, 6), 0.5, np.float32) + 0.01 * np.arange(24, dtype=np.float32).reshape(4, 6)
CODES[2, 0] = -1


def constant(value):
    """``value`` where the first coordinate is negative, 1 elsewhere; no derivative."""
    return lambda z: jax.lax.stop_gradient(jnp.where(z[0] < 0, value, 1.0))


def appended(extra):
    """A sample with one more pixel, ``extra(z)``."""
    return lambda params, z: jnp.append(params @ z, extra(z)).reshape(13, 1, 1)


def features(x):
    """Two leaves, of which the small one knows the last pixel only."""
    return [x[:-1], x[-1:]]


NOT_FINITE = {
    "NaN in a pixel": (appended(constant(jnp.nan)), EUCLIDEAN),
    "infinity in a pixel": (appended(constant(jnp.inf)), EUCLIDEAN),
    "logarithm": (appended(lambda z: jnp.log(z[0])), EUCLIDEAN),
    "a leaf of its own": (appended(constant(jnp.nan)), gg.distances.features(lambda _, x: features(x))),
    "a leaf without derivative": (
        lambda params, z: (params @ z).reshape(12, 1, 1),
        gg.distances.features(
            lambda _, x: [x, jax.lax.stop_gradient(jnp.where(x.sum() < -0.1, jnp.nan, 1.0) * jnp.ones(2))]
        ),
    ),
    "general distance": (
        appended(constant(jnp.nan)),
        gg.distances.from_function(lambda p, x, y: ((x - y) ** 2).sum()),
    ),
    "a function with a finite derivative": (
        appended(lambda z: jnp.where(z[0] < 0, jnp.nan, 0.0) + z[0]),
        EUCLIDEAN,
    ),
}


def field(function, distance, options, codes=CODES):
    G = gg.Generator.from_function(function, jnp.asarray(A), 6, output_range=None)
    return gg.metric_field(G, distance, codes, progress=False, **options)


@pytest.mark.parametrize("options", SOLVERS, ids=IDS)
@pytest.mark.parametrize("name", NOT_FINITE)
def test_a_sample_that_is_not_finite_fails_its_code_only(name, options):
    function, distance = NOT_FINITE[name]
    codes = CODES
    if name == "a leaf without derivative":
        codes = codes.copy()
        codes[:, :] *= np.sign(A.sum(axis=0))  # sums of samples are positive
        codes[2] *= -1
        codes[2, 0] *= -0.1
    with pytest.warns(UserWarning, match="code 2 failed"):
        F = field(function, distance, options, codes)
    assert F.status.tolist() == [1, 1, 3, 1]
    assert np.isnan(F.values[2]).all()
    assert np.isfinite(F.values[[0, 1, 3]]).all()
    assert list(F.failures) == [2]


@pytest.mark.parametrize("options", SOLVERS, ids=IDS)
def test_a_metric_of_zero_is_done(options):
    """Behind a unit that is off nothing changes: eigenvalues are zero, and any frame will do."""
    F = field(lambda params, z: (jax.nn.relu(z[0]) * (params @ z)).reshape(12, 1, 1), EUCLIDEAN, options)
    assert F.status.tolist() == [1, 1, 1, 1]
    k = F.values.shape[1]
    np.testing.assert_array_equal(F.values[2], np.zeros(k))
    np.testing.assert_allclose(F.vectors[2].T @ F.vectors[2], np.eye(k), atol=1e-12)
    np.testing.assert_array_equal(F.residuals[2], np.zeros(k))
    assert F.noise_floor[2] == 0
    assert (F.values[[0, 1, 3], 0] > 1).all()


@pytest.mark.parametrize("options", SOLVERS, ids=IDS)
def test_a_metric_of_low_rank_is_done(options):
    """One dimension of six at the third code; more pairs are asked for than it has."""
    options = options | ({"k": 3} if options else {})
    F = field(
        lambda params, z: (params @ jnp.where(z[0] < 0, z * jnp.eye(6)[1], z)).reshape(12, 1, 1), EUCLIDEAN, options
    )
    assert (F.status == 1).all()
    k = F.values.shape[1]
    np.testing.assert_allclose(F.values[2], np.r_[(A[:, 1] ** 2).sum(), np.zeros(k - 1)], atol=1e-5)
    np.testing.assert_allclose(F.vectors[2].T @ F.vectors[2], np.eye(k), atol=1e-6)


def test_a_field_that_chose_block_lanczos_gives_a_code_up_to_the_dense_solver():
    """Two hundred values between 0.99 and 1: no iterative solver resolves them for what the matrix costs."""
    s = jnp.sqrt(jnp.linspace(1, 0.99, 200))
    G = gg.Generator.from_function(lambda s, z: (s * z).reshape(200, 1, 1), s, 200, output_range=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F = gg.metric_field(G, EUCLIDEAN, np.zeros((1, 200), np.float32), k=4, progress=False)
    assert F.provenance["solver"] == "block"
    assert F.status.tolist() == [1]
    np.testing.assert_allclose(F.values[0], np.linspace(1, 0.99, 200)[:4], rtol=1e-6)
    asked = gg.metric_field(G, EUCLIDEAN, np.zeros((1, 200), np.float32), k=4, solver="block", progress=False)
    assert asked.status[0] == 2 or np.allclose(asked.values[0], F.values[0], atol=1e-5)


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf])
def test_products_know_of_what_their_derivatives_do_not(value):
    """The operator of a code whose sample is not finite says so, also where all derivatives are."""
    G = gg.Generator.from_function(appended(constant(value)), jnp.asarray(A), 6, output_range=None)
    op = gg.metric_operator(G, EUCLIDEAN, CODES[2])
    assert np.isnan(op.matvec(np.ones(6))).all()
    for solver in ("dense", "block", "arpack"):
        with pytest.raises(ValueError, match=r"NaN or infinite values.*metric_field.*names the layer"):
            gg.eigenpairs(op, 2, solver=solver)
    hessian = gg.hessian_operator(G, jnp.sum, CODES[2])
    assert np.isnan(hessian.matvec(np.ones(6))).all()
