"""Networks that round have exact derivatives, which are zero: what is said of them, and of what only looks so."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.metric.diagnose import beyond_range, flat
from tests.small_models import linear_generator

D = gg.distances.euclidean()
W = np.random.default_rng(3).standard_normal((40, 4)).astype(np.float32)
Z = np.random.default_rng(4).standard_normal((3, 4)).astype(np.float32)


def of(function, name):
    return gg.Generator.from_function(lambda W, z: function(W @ z), W, 4, output_range=None, name=name)


ROUNDING = {
    "round": of(lambda x: jnp.round(50 * x), "round"),
    "cast": of(lambda x: (100 * x).astype(jnp.int32).astype(jnp.float32), "cast"),
    "uint8": of(lambda x: (127.5 * (jnp.tanh(x) + 1)).astype(jnp.uint8).astype(jnp.float32), "uint8"),
    "steps": of(lambda x: jnp.floor(20 * x) / 20, "steps"),
    "sign": of(jnp.sign, "sign"),
}


def said(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("name", ROUNDING)
def test_a_metric_that_rounding_makes_zero_is_told(name):
    g, told = said(lambda: gg.metric_tensor(ROUNDING[name], D, Z[0]))
    assert not np.asarray(g).any()
    assert len(told) == 1
    assert told[0].startswith("derivatives along all of 4 latent dimensions are exactly zero, but steps of about 1")
    assert told[0].endswith(
        "Take hvp='finite-difference', which measures steps, or the values before they are rounded."
    )


def test_and_the_advice_gives_the_metric_of_what_was_rounded():
    g, told = said(lambda: gg.metric_tensor(ROUNDING["round"], D, Z[0], hvp="finite-difference"))
    assert not told
    np.testing.assert_allclose(g, 2500 * W.T @ W, rtol=0.02, atol=0.02 * 2500 * 40)


def test_rows_that_are_zero_are_counted():
    def some(W, z):
        return jnp.concatenate([W[:, :2] @ z[:2], jnp.round(9 * z[2:3]), 0 * z[3:]])

    G = gg.Generator.from_function(some, W, 4, output_range=None)
    _, told = said(lambda: gg.metric_tensor(G, D, Z[0]))
    assert ["derivatives along 2 of 4" in text for text in told] == [True]
    assert flat(G, D, Z[0], [False, False, False, True]) == ""  # this one is dead, and so the metric is right


@pytest.mark.parametrize(
    "G",
    [
        of(lambda x: x, "linear"),
        of(jax.nn.relu, "relu"),
        of(lambda x: 0 * x + 1, "constant"),
        linear_generator(W * [1, 1, 0, 1]),
    ],
    ids=lambda G: G.name,
)
def test_nothing_is_said_of_what_is_right(G):
    assert said(lambda: gg.metric_tensor(G, D, Z[0]))[1] == []
    assert said(lambda: gg.metric_field(G, D, Z, progress=False))[1] == []


def test_inside_jit_nothing_is_looked_at():
    g, told = said(lambda: jax.jit(gg.metric_tensor)(ROUNDING["round"], D, Z[0]))
    assert (told, np.asarray(g).any()) == ([], False)


def test_fields_say_it_once_for_all_codes_also_when_they_are_read_again(tmp_path):
    for _ in range(2):  # computed, and found complete
        field, told = said(lambda: gg.metric_field(ROUNDING["round"], D, Z, store=tmp_path / "run", progress=False))
        assert [text.partition(": ")[0] for text in told] == ["code 0 and 2 more"]
        assert not field.values.any()
    _, told = said(lambda: gg.metric_field(ROUNDING["round"], D, Z, k=2, solver="block", progress=False))
    assert [text.partition(": ")[0] for text in told] == ["code 0 and 2 more"]
    options = {"hvp": "finite-difference", "progress": False}
    field, told = said(lambda: gg.metric_field(ROUNDING["round"], D, Z, **options))
    assert told == []
    np.testing.assert_allclose(field.values, np.linalg.eigvalsh(2500 * W.T @ W)[::-1] + np.zeros((3, 1)), rtol=0.03)


def test_eigenpairs_of_an_operator_say_it():
    op = gg.metric_operator(ROUNDING["round"], D, Z[0])
    for solver in ("dense", "block", "arpack"):
        _, told = said(lambda: gg.eigenpairs(op, k=2, solver=solver))  # noqa: B023
        assert ["every eigenvalue is exactly zero" in text for text in told] == [True], solver
    one = gg.metric_operator(linear_generator(W * [1, 1, 0, 1]), D, Z[0])
    pairs, told = said(lambda: gg.eigenpairs(one, k=1, which="smallest"))
    assert (told, pairs.values[0]) == ([], pytest.approx(0, abs=1e-9))


def test_a_distance_that_rounds_is_a_problem():
    rounded = gg.distances.from_function(lambda p, x, y: jnp.sum((jnp.round(9 * x) - jnp.round(9 * y)) ** 2), ())
    report = gg.distances.check(rounded, jnp.asarray(W[:, 0]), jnp.asarray(W[:, 1]))
    assert not report.usable
    assert "its second derivative at x = y is exactly zero, although the samples differ" in str(report)
    assert gg.distances.check(D, jnp.asarray(W[:, 0]), jnp.asarray(W[:, 1])).usable


# Samples whose squares are no numbers


@pytest.mark.parametrize(("scale", "words"), [(1e30, "are no numbers"), (1e20, "are no numbers"), (1e-25, "vanish")])
def test_squares_that_no_type_holds_are_told(scale, words):
    G = of(lambda x: scale * x, "scaled")
    told = beyond_range(G, D, Z)
    assert f"Squared distances between samples {words} in float32" in told
    assert ("go up to" in told) == (scale > 1)


@pytest.mark.parametrize("scale", [1e17, 1.0, 1e-15])
def test_squares_that_are_numbers_are_not(scale):
    assert beyond_range(of(lambda x: scale * x, "scaled"), D, Z) == ""
    assert beyond_range(of(lambda x: scale + 0 * x, "constant"), D, Z) == ""
