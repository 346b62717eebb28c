"""Eigenvectors of metrics as directions: whole, mean, in subspaces, of layers."""

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import metric_axes, restricted, tensor_axes
from tests.generators.test_style_spaces import DEPTH, WIDTH, loaded, model
from tests.small_models import linear_generator, small_dcgan, smooth_generator

RNG = np.random.default_rng(0)
D = gg.distances.euclidean()


def planted(values, d=6, outputs=9):
    """A linear generator whose metric has these eigenvalues, and its eigenvectors."""
    vectors = np.linalg.qr(RNG.standard_normal((d, d)))[0]
    left = np.linalg.qr(RNG.standard_normal((outputs, d)))[0]
    return linear_generator((left * np.sqrt(values) @ vectors.T).astype(np.float32)), vectors


def same_lines(a, b, atol=1e-4):
    """Whether columns agree up to their signs."""
    np.testing.assert_allclose(np.abs((np.asarray(a) * b).sum(axis=0)), 1, atol=atol)


def metrics_of(G, codes):
    """Metric tensors ``JᵀJ`` of whole Jacobians, without anything of the library but the generator."""
    jacobians = jax.vmap(jax.jacfwd(lambda z: G(z).ravel()))(jax.numpy.asarray(codes))
    return np.einsum("pxi,pxj->pij", *2 * [np.asarray(jacobians, np.float64)])


def test_axes_of_a_linear_generator_are_the_planted_ones():
    values = np.array([9.0, 4, 2, 1, 0.5, 0.1])
    G, vectors = planted(values)
    found = metric_axes(G, D, np.ones(6, np.float32), 4)
    same_lines(found.vectors, vectors[:, :4])
    np.testing.assert_allclose(found.scores["eigenvalue"], values[:4], rtol=1e-5)
    np.testing.assert_allclose(found.scores["share"], values[:4] / values.sum(), rtol=1e-5)
    assert (found.method, found.names[0], found.orthonormal, found.space) == ("metric axes", "axis 1", True, "z")


def test_the_mean_is_of_metrics_and_a_field_gives_the_same():
    G = smooth_generator()
    codes = G.sample_latent(jax.random.key(1), 5)
    values, vectors = np.linalg.eigh(metrics_of(G, codes).mean(axis=0))
    found = metric_axes(G, D, codes, 3)
    np.testing.assert_allclose(found.scores["eigenvalue"], values[::-1][:3], rtol=1e-4)
    same_lines(found.vectors, vectors[:, ::-1][:, :3])
    field = gg.metric_field(G, D, codes, progress=False)
    same_lines(metric_axes(G, D, field, 3).vectors, found.vectors)
    pairs = gg.metric_field(G, D, codes, k=6, solver="block", progress=False)
    assert pairs.tensors is None
    same_lines(metric_axes(G, D, pairs, 3).vectors, found.vectors)
    mean = gg.analysis.mean_metric(field, "log-euclidean")
    log = tensor_axes(G, mean, 3, kind="log-euclidean")
    np.testing.assert_allclose(log.scores["eigenvalue"], np.linalg.eigvalsh(mean)[::-1][:3], rtol=1e-6)
    assert log.settings == {"kind": "log-euclidean"}


def test_axes_within_a_subspace_are_those_of_the_restricted_metric():
    G = smooth_generator()
    codes = np.asarray(G.sample_latent(jax.random.key(1), 3))
    mean = metrics_of(G, codes).mean(axis=0)
    block = metric_axes(G, D, codes, 2, within=slice(1, 4))
    values, vectors = np.linalg.eigh(mean[1:4, 1:4])
    np.testing.assert_allclose(block.scores["eigenvalue"], values[::-1][:2], rtol=1e-4)
    same_lines(block.vectors[1:4], vectors[:, ::-1][:, :2])
    assert not block.vectors[[0, 4, 5]].any()
    basis = np.linalg.qr(RNG.standard_normal((6, 3)))[0]
    plane = metric_axes(G, D, codes, within=basis)
    np.testing.assert_allclose(plane.scores["eigenvalue"], np.linalg.eigvalsh(basis.T @ mean @ basis)[::-1], rtol=1e-4)
    np.testing.assert_allclose(basis @ (basis.T @ plane.vectors), plane.vectors, atol=1e-6)  # inside
    field = gg.metric_field(G, D, codes, progress=False)
    same_lines(metric_axes(G, D, field, 2, within=basis).vectors, plane.vectors[:, :2])
    np.testing.assert_allclose(restricted(G, codes[0], basis)(np.zeros(3)), G(codes[0]), atol=1e-6)


def test_axes_of_style_layers_are_in_w_and_move_those_layers():
    G, depth = loaded("w+", of=model((4, 3))), 4
    z = np.asarray(G.sample_latent(jax.random.key(0), 1))
    found = metric_axes(G, D, z, 2, layers=(1, 3))
    repeat = np.kron(np.isin(np.arange(depth), (1, 2)).astype(float)[:, None], np.eye(WIDTH))
    values, vectors = np.linalg.eigh(repeat.T @ metrics_of(G, z).mean(axis=0) @ repeat)
    np.testing.assert_allclose(found.scores["eigenvalue"], values[::-1][:2], rtol=1e-3)
    same_lines(found.vectors, vectors[:, ::-1][:, :2], 1e-3)
    assert (found.space, found.layers) == ("w", ((1, 3), (1, 3)))
    step = (found[0].path(z[0])([1.0])[0] - z[0]).reshape(depth, WIDTH)
    assert step[1:3].any(axis=1).all()
    assert not step[[0, 3]].any()


def test_axes_of_a_layer_are_of_the_same_model():
    G = small_dcgan()
    cut = G.at(G.layers[1])
    z = G.sample_latent(jax.random.key(0), 2)
    found = metric_axes(cut, D, z, 2)
    values = np.linalg.eigvalsh(metrics_of(cut, z).mean(axis=0))[::-1]
    np.testing.assert_allclose(found.scores["eigenvalue"], values[:2], rtol=1e-3)
    assert found.model == gg.directions.model_hash(G)
    assert found.settings["sample"] == f"small-dcgan:{G.layers[1]}"


def test_slips():
    G = smooth_generator()
    z = np.zeros(6, np.float32)
    for options, says in [
        ({"k": 7}, "k is 7; expected an integer from 1 to 6"),
        ({"k": 4, "within": slice(0, 3)}, "k is 4; expected an integer from 1 to 3"),
        ({"within": np.ones((6, 2))}, "within is not orthonormal"),
        ({"within": slice(6, 9)}, "has no dimension of 6"),
        ({"layers": (0, 1)}, r"rows of a code of w\+, and codes of smooth are in z"),
        ({"layers": (0, 1), "within": slice(0, 2)}, "two subspaces"),
    ]:
        with pytest.raises(ValueError, match=says):
            metric_axes(G, D, z, **options)
    with pytest.raises(ValueError, match=r"layers=\(2, 9\); expected"):
        metric_axes(loaded("w+"), D, np.zeros(DEPTH * WIDTH, np.float32), layers=(2, 9))
    with pytest.raises(ValueError, match=r"g has shape \(4, 4\); expected \(6, 6\)"):
        tensor_axes(G, np.eye(4))
