"""Finite differences against closed forms: coarse samples, magnitudes, scales, kinks, and the floors that they say."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from tests.small_models import largest_difference, linear_generator

EUCLIDEAN = gg.distances.euclidean()
SQUARED = gg.distances.from_function(lambda params, x, y: jnp.sum((x - y) ** 2))


def decaying(rng, outputs, dim, decades=0.0):
    """A matrix ``(outputs, dim)`` whose singular values fall by so many decades, along no axis of the codes."""
    left, right = (np.linalg.qr(rng.standard_normal((n, dim)))[0] for n in (outputs, dim))
    return (left * 10.0 ** -np.linspace(0, decades, dim)) @ right.T


def served(A, levels=None, scale=1.0):
    """``tanh(A z / scale)`` from a callback, in so many steps of the range (-1, 1), and its Jacobian."""
    A = A.astype(np.float32)

    def on_the_host(z):
        x = np.tanh(A @ (np.asarray(z) / np.float32(scale)))
        x = x if levels is None else np.round((x + 1) * levels / 2) / (levels / 2) - 1
        return x.astype(np.float32)

    def fn(params, z):
        return jax.pure_callback(on_the_host, jax.ShapeDtypeStruct((len(A),), jnp.float32), z, vmap_method="sequential")

    def jacobian(z):
        A64 = A.astype(float)
        return (1 - np.tanh(A64 @ np.asarray(z, float) / scale) ** 2)[:, None] * A64 / scale

    return gg.Generator.from_function(fn, (), A.shape[1]), jacobian


def quiet(fn, *arguments, **options):
    """The result, where a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fn(*arguments, hvp="finite-difference", **options)


@pytest.mark.parametrize("D", [EUCLIDEAN, SQUARED], ids=["embedded", "general"])
@pytest.mark.parametrize(("levels", "off"), [(None, 2e-3), (65535, 1e-2), (255, 0.05)])
def test_coarse_samples_have_the_right_metric(rng, D, levels, off):
    G, jacobian = served(rng.standard_normal((192, 8)) / 3, levels)
    for z in (np.full(8, 0.3, np.float32), np.zeros(8, np.float32), rng.standard_normal(8).astype(np.float32)):
        J = jacobian(z)
        g = np.asarray(quiet(gg.metric_tensor, G, D, z), float)
        assert np.trace(g) == pytest.approx((J**2).sum(), rel=off)
        assert largest_difference(g, J.T @ J) < 2 * off


@pytest.mark.parametrize("scale", [1e-3, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("levels", [None, 255])
def test_steps_fit_the_scale_of_the_codes(rng, scale, levels):
    G, jacobian = served(rng.standard_normal((192, 8)) / 3, levels, scale)
    z = (scale * rng.standard_normal(8)).astype(np.float32)
    J = jacobian(z)
    assert largest_difference(quiet(gg.metric_tensor, G, EUCLIDEAN, z), J.T @ J) < (0.1 if levels else 2e-3)


@pytest.mark.parametrize("far", [1.0, 1e2, 1e4])
def test_codes_far_from_zero_are_rounded_and_linear_maps_do_not_mind(rng, far):
    A = rng.standard_normal((20, 7)).astype(np.float32)
    z = (far * rng.standard_normal(7)).astype(np.float32)
    for D, off in ((EUCLIDEAN, 1e-5), (SQUARED, 1e-4)):
        assert largest_difference(quiet(gg.metric_tensor, linear_generator(A), D, z), A.T @ A) < off


def test_double_precision_gains_nine_digits(rng, float64):
    A, z = rng.standard_normal((50, 6)) / 2, rng.standard_normal(6)
    G = gg.Generator.from_function(lambda A, z: jnp.tanh(A @ z), A, 6)
    J = (1 - np.tanh(A @ z) ** 2)[:, None] * A
    assert largest_difference(quiet(gg.metric_tensor, G, EUCLIDEAN, z), J.T @ J) < 1e-8
    assert largest_difference(quiet(gg.metric_tensor, G, SQUARED, z), J.T @ J) < 1e-6


@pytest.mark.parametrize(("levels", "least", "most"), [(None, 17, 24), (65535, 10, 17), (255, 5, 9), (15, 1, 3)])
def test_what_is_above_the_noise_floor_is_right(rng, levels, least, most):
    """Over ten decades of eigenvalues: those above it come within a factor of two, and their space is the right one."""
    G, jacobian = served(3 * decaying(rng, 300, 24, decades=5), levels)
    z = rng.standard_normal(24).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        e = gg.eigenpairs(gg.metric_operator(G, EUCLIDEAN, z, hvp="finite-difference"))
    right = gg.eigenpairs(jacobian(z).T @ jacobian(z))
    above = int((e.values > e.noise_floor).sum())
    assert least <= above <= most
    assert np.abs(np.log2(e.values[:above] / right.values[:above])).max() < 1
    lost = 1 - ((right.vectors[:, : above + 2].T @ e.vectors[:, :above]) ** 2).sum(axis=0)
    assert lost.max() < 0.3


@pytest.mark.parametrize("levels", [3, 5])
def test_a_warning_tells_where_no_step_fits(rng, levels):
    G, _ = served(rng.standard_normal((192, 8)) / 30, levels)
    z = rng.standard_normal(8).astype(np.float32)
    for fn in (gg.metric_tensor, gg.metric_operator):
        with pytest.warns(UserWarning, match="uncertain by .* %.*8 bits"):
            fn(G, EUCLIDEAN, z, hvp="finite-difference")
    with pytest.warns(UserWarning, match="uncertain by"):
        field = gg.metric_field(G, EUCLIDEAN, z[None], hvp="finite-difference", progress=False)
    assert field.noise_floor[0] > 0.04 * field.values[0, 0]
    assert np.isfinite(jax.jit(lambda z: gg.metric_tensor(G, EUCLIDEAN, z, hvp="finite-difference"))(z)).all()


def test_noise_that_is_no_rounding_counts_as_well(rng):
    """A server that answers with an error of 1e-3 each time."""
    A = decaying(rng, 200, 12, decades=4).astype(np.float32)

    def on_the_host(z):
        return (A @ z + 1e-3 * rng.standard_normal(200)).astype(np.float32)

    def fn(params, z):
        return jax.pure_callback(on_the_host, jax.ShapeDtypeStruct((200,), jnp.float32), z, vmap_method="sequential")

    G = gg.Generator.from_function(fn, (), 12, output_range=None)
    e = gg.eigenpairs(gg.metric_operator(G, EUCLIDEAN, np.ones(12, np.float32), hvp="finite-difference"))
    above = int((e.values > e.noise_floor).sum())
    assert 2 <= above <= 8
    np.testing.assert_allclose(e.values[:above], np.linalg.eigvalsh(A.T @ A)[::-1][:above], rtol=0.5)


def test_kinks_are_stepped_around(rng):
    A = rng.standard_normal((400, 10)).astype(np.float32)
    G = gg.Generator.from_function(lambda A, z: jax.nn.relu(A @ z), A, 10, output_range=None)
    z = rng.standard_normal(10).astype(np.float32)
    J = A[A @ z > 0]
    assert largest_difference(quiet(gg.metric_tensor, G, EUCLIDEAN, z), J.T @ J) < 0.02


def test_a_constant_function_has_a_metric_of_zero_and_no_warning():
    G = gg.Generator.from_function(lambda p, z: jnp.ones(5) + 0 * z.sum(), (), 4)
    for D in (EUCLIDEAN, SQUARED):
        assert (np.asarray(quiet(gg.metric_tensor, G, D, np.ones(4, np.float32))) == 0).all()


def test_a_sample_that_is_not_finite_has_no_metric():
    """NaN at the code alone: every step lands beside it."""
    G = gg.Generator.from_function(lambda p, z: jnp.where((z == 1).all(), jnp.nan, 1.0) * z, (), 3)
    for D in (EUCLIDEAN, SQUARED):
        assert np.isnan(quiet(gg.metric_tensor, G, D, np.ones(3, np.float32))).any()
    with pytest.warns(UserWarning, match="NaN in the sample"):
        field = gg.metric_field(G, EUCLIDEAN, np.ones((1, 3)), hvp="finite-difference", progress=False)
    assert field.status.tolist() == [3]


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"k": 2, "solver": "block"}], ids=["alone", "batch", "block"])
def test_fields_have_the_floor_of_their_codes(rng, options):
    G, jacobian = served(rng.standard_normal((60, 5)), 65535)
    codes = rng.standard_normal((4, 5)).astype(np.float32)
    field = gg.metric_field(G, EUCLIDEAN, codes, hvp="finite-difference", progress=False, **options)
    for i, z in enumerate(codes):
        expected = np.linalg.eigvalsh(jacobian(z).T @ jacobian(z))[::-1]
        np.testing.assert_allclose(field.values[i], expected[: len(field.values[i])], rtol=0.02)
    op = gg.metric_operator(G, EUCLIDEAN, codes[1], hvp="finite-difference")
    assert field.noise_floor[1] == pytest.approx(gg.eigenpairs(op).noise_floor, rel=1e-2)
    assert (field.noise_floor > 1e-9 * field.values[:, 0]).all()
