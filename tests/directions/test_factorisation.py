"""SeFa against singular vectors, a transcription of the published code, and metric axes of linear networks."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import sefa
from geomgan.directions.factorisation import factorised, layer_numbers
from geomgan.errors import OptionError
from geomgan.generators.first_layers import first_layers
from geomgan.generators.sngan import SNGAN
from tests.fixtures import assert_close, random_params
from tests.generators.test_style_spaces import WIDTH, loaded


def published(matrices, normalize=True):
    """The published factorisation, with its unsymmetric solver: values and rows of vectors, in no order."""
    weight = np.concatenate(matrices, axis=1).astype(np.float32)
    if normalize:
        weight = weight / np.linalg.norm(weight, axis=0, keepdims=True)
    values, vectors = np.linalg.eig(weight.dot(weight.T))
    return values, vectors.T


def cosines(a, b):
    """Between columns, up to sign."""
    return np.abs((a * b).sum(axis=0)) / np.linalg.norm(a, axis=0) / np.linalg.norm(b, axis=0)


def test_without_normalisation_they_are_left_singular_vectors(rng):
    A = rng.standard_normal((6, 40)) * np.arange(1, 7)[:, None]
    values, vectors = factorised(A, normalize=False)
    left, singular, _ = np.linalg.svd(A)
    np.testing.assert_allclose(values, singular**2, rtol=1e-10)
    np.testing.assert_allclose(cosines(vectors, left), 1, atol=1e-10)
    assert (vectors[np.abs(vectors).argmax(axis=0), range(6)] > 0).all()


def test_normalisation_takes_the_lengths_of_columns_away_and_keeps_dead_outputs(rng):
    A = rng.standard_normal((5, 30))
    scaled = np.concatenate([A * rng.uniform(0.1, 10, 30), np.zeros((5, 3))], axis=1)
    np.testing.assert_allclose(factorised(scaled)[0], factorised(A)[0], rtol=1e-10)
    assert factorised(scaled)[0].sum() == pytest.approx(30)  # as many as there are live outputs


def test_no_more_than_the_rank(rng):
    A = rng.standard_normal((6, 2)) @ rng.standard_normal((2, 9))
    assert factorised(A)[1].shape == (6, 2)
    with pytest.raises(ValueError, match="from 1 to 2: only so many directions move these layers"):
        factorised(A, 3)


@pytest.mark.parametrize("layers", ["all", "0-1", "3"])
@pytest.mark.parametrize("normalize", [True, False])
def test_agrees_with_the_published_code_up_to_sign_and_order(layers, normalize):
    G = loaded("w")
    matrices = list(first_layers(G).values())
    values, rows = published([matrices[i] for i in layer_numbers(layers, 6)], normalize)
    order = np.argsort(-values.real)[:4]
    found = sefa(G, 4, layers=layers, normalize=normalize)
    np.testing.assert_allclose(found.scores["eigenvalue"], values.real[order], rtol=1e-4)
    np.testing.assert_allclose(cosines(found.vectors, rows[order].real.T), 1, atol=1e-4)
    assert found.space == "w"
    assert found.layers[0] == {"all": None, "0-1": (0, 2), "3": (3, 4)}[layers]


def test_ranges_of_rows_move_those_rows_of_w_plus():
    G = loaded("w+")
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0], np.float64)
    ranged, separate = sefa(G, 2, layers="1-2")[0], sefa(G, 2, layers="0,2-3")[0]
    moved = (ranged.path(z)(np.array([2.0]))[0] - z).reshape(6, WIDTH)
    np.testing.assert_allclose(moved[1:3], np.tile(2 * ranged.vector, (2, 1)), rtol=1e-5)
    assert not moved[[0, 3, 4, 5]].any()
    moved = (separate.path(z)(np.array([2.0]))[0] - z).reshape(6, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), [2, 0, 2, 2, 0, 0], atol=1e-5)  # a unit vector in each
    with pytest.raises(OptionError, match="Load it with space="):
        sefa(loaded("w"), 2, layers="0,2-3")


def test_they_are_the_metric_axes_of_the_layer():
    """``A Aᵀ`` is the metric of the generator that is cut there, under the Euclidean distance."""
    module = SNGAN((8, 4))
    G = gg.Generator.from_module(module, random_params(module, (6,), seed=1), 6)
    axes = gg.eigenpairs(gg.metric_tensor(G.at("project"), gg.distances.euclidean(), np.ones(6, np.float32)), 3)
    found = sefa(G, 3, normalize=False)
    np.testing.assert_allclose(found.scores["eigenvalue"], axes.values, rtol=1e-4)
    assert_close(np.abs(found.vectors.T @ axes.vectors), np.eye(3), 1e-3)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("all", [0, 1, 2, 3, 4, 5, 6]), ("0-1", [0, 1]), ("2,5-6", [2, 5, 6]), (" 3 ", [3]), ((4, 1, 4), [1, 4])],
)
def test_layers_in_words(text, numbers):
    assert layer_numbers(text, 7) == numbers


@pytest.mark.parametrize("text", ["7", "1-", "2-1", "", "a", "0-7", (), (-1,)])
def test_layers_that_are_none(text):
    with pytest.raises(OptionError, match="numbers from 0 to 6"):
        layer_numbers(text, 7)
