"""Alignment of layers, against networks of linear layers and a transcription of the definitions."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.analysis import layer_alignment, layer_metrics
from geomgan.analysis.homogeneity import consistency
from geomgan.analysis.layers import index_of_layer
from geomgan.generators.layers import tap
from tests.small_models import linear_generator, smooth_generator


class TwoMatrices(nn.Module):
    """``B A z``, whose layers pull back ``AᵀA`` and ``(BA)ᵀBA``."""

    shapes: tuple

    @nn.compact
    def __call__(self, z):
        for i, shape in enumerate(self.shapes):
            z = tap(self, f"map{i + 1}", self.param(f"matrix{i + 1}", nn.initializers.zeros, shape) @ z)
        return 3 * z


def linear_layers(*matrices):
    module = TwoMatrices(tuple(np.shape(m) for m in matrices))
    params = {f"matrix{i + 1}": jnp.asarray(m, jnp.float32) for i, m in enumerate(matrices)}
    return gg.Generator.from_module(module, params, np.shape(matrices[0])[1], output_range=None)


def positive_stack(rng, count=4, dim=6):
    J = rng.standard_normal((count, 9, dim)) * np.geomspace(1, 0.05, dim)
    return np.einsum("lma,lmb->lab", J, J)


def transcription(tensors, source):
    """Section 2.8 of the paper's mathematics, by loops."""
    count = len(tensors)
    frames = [np.linalg.eigh(g) for g in tensors]
    result = {name: np.zeros((count, count)) for name in ("log", "linear", "vectorised", "slope", "intercept")}
    for i, (own, U) in enumerate(frames):
        for j, (target, _) in enumerate(frames):
            alpha = np.array([u @ tensors[j] @ u for u in U.T])
            values = own if source else target
            result["log"][i, j] = np.corrcoef(np.log10(values), np.log10(alpha))[0, 1]
            result["linear"][i, j] = np.corrcoef(values, alpha)[0, 1]
            result["vectorised"][i, j] = np.corrcoef(tensors[i].ravel(), tensors[j].ravel())[0, 1]
            result["slope"][i, j], result["intercept"][i, j] = np.polyfit(np.log10(values), np.log10(alpha), 1)
    return result


@pytest.mark.parametrize("source", [False, True])
def test_equals_a_transcription(rng, source):
    tensors = positive_stack(rng)
    a = layer_alignment(tensors, source=source)
    for name, expected in transcription(tensors, source).items():
        np.testing.assert_allclose(getattr(a, name), expected, atol=1e-6, err_msg=name)
    assert not a.dropped.any()
    assert a.names == ("layer 1", "layer 2", "layer 3", "layer 4")


def test_against_the_target_it_is_the_consistency(rng):
    tensors = positive_stack(rng)
    a, c = layer_alignment(tensors), consistency(tensors)
    np.testing.assert_allclose(a.log, c.log, atol=1e-6)
    np.testing.assert_allclose(a.linear, c.linear, atol=1e-6)


def test_linear_layers_pull_back_their_products(rng):
    A, B = rng.standard_normal((7, 4)), rng.standard_normal((5, 7))
    G = linear_layers(A, B)
    layers = layer_metrics(G, gg.distances.euclidean(), np.ones(4))
    assert layers.names == ("map1", "map2", "sample")
    for g, J in zip(layers.tensors, (A, B @ A, 3 * B @ A), strict=True):
        np.testing.assert_allclose(g, J.T @ J, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(layers.values[2], 9 * layers.values[1], rtol=1e-5)
    chosen = layer_metrics(G, gg.distances.euclidean(), np.ones(4), ["map2"])
    assert chosen.names == ("map2", "sample")


def test_shared_axes_in_the_same_and_in_the_opposite_order():
    same, opposite = np.diag([1.0, 1, 1, 1]), np.diag([1 / 64, 1 / 16, 1 / 4, 1])  # 8, 4, 2, 1 becomes 1/8 ... 1
    first = np.diag([8.0, 4, 2, 1])
    D = gg.distances.euclidean()
    aligned = layer_alignment(layer_metrics(linear_layers(first, same), D, np.zeros(4)))
    np.testing.assert_allclose(aligned.log, 1, atol=1e-6)
    np.testing.assert_allclose(aligned.slope, 1, atol=1e-6)
    np.testing.assert_allclose(aligned.intercept[0], [0, 0, 0], atol=1e-6)
    against = layer_alignment(layer_metrics(linear_layers(first, opposite), D, np.zeros(4)))
    np.testing.assert_allclose(against.amplification[0, 1], [1 / 64, 1 / 16, 1 / 4, 1], rtol=1e-5)
    np.testing.assert_allclose(against.log[0, 1], -1, atol=1e-6)
    source = layer_alignment(
        layer_metrics(linear_layers(first, np.diag([4.0, 2, 1, 0.5])), D, np.zeros(4)), source=True
    )  # λ = 2^(6, 4, 2, 0), α = 2^(10, 6, 2, -2)
    np.testing.assert_allclose(source.slope[0, 1], 2, atol=1e-5)
    np.testing.assert_allclose(source.intercept[0, 1], -2 * np.log10(2), atol=1e-5)


def test_the_factor_of_two_of_the_original_moves_the_intercept_alone(rng):
    tensors = positive_stack(rng)
    ours, theirs = layer_alignment(tensors), layer_alignment(2 * tensors)
    np.testing.assert_allclose(theirs.log, ours.log, atol=1e-9)
    np.testing.assert_allclose(theirs.slope, ours.slope, atol=1e-9)
    np.testing.assert_allclose(theirs.intercept - ours.intercept, (1 - ours.slope) * np.log10(2), atol=1e-9)


def test_null_directions_leave_the_logarithms_and_a_sphere_has_no_correlation():
    tensors = np.stack([np.diag([4.0, 2, 1, 0]), np.eye(4)])
    a = layer_alignment(tensors)
    assert a.dropped.tolist() == [[1, 0], [2, 0]]  # the sphere's axes come in another order than those of the first
    np.testing.assert_allclose(a.log[0, 0], 1, atol=1e-9)
    assert np.isnan(a.log[0, 1])
    assert np.isnan(a.linear[1, 1])
    tiny = np.stack([np.diag([4.0, 2, 1, 1e-20]), np.diag([4.0, 2, 1, 0.5])])
    assert layer_alignment(tiny).dropped[0, 0] == 0
    assert layer_alignment(tiny, above_floor=True).dropped.tolist() == [[1, 0], [1, 0]]


def test_bad_input():
    D = gg.distances.euclidean()
    with pytest.raises(ValueError, match="no named layers"):
        layer_metrics(linear_generator(np.eye(3, dtype=np.float32)), D, np.zeros(3))
    nameless = gg.Generator.from_function(lambda p, z: p * z, np.float32(2), 3)
    with pytest.raises(ValueError, match=r"^this generator has no named layers"):
        layer_metrics(nameless, D, np.zeros(3))
    with pytest.raises(ValueError, match="plain function"):
        layer_metrics(smooth_generator(), D, np.zeros(6), ["block1"])
    G = linear_layers(np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match="map1"):
        layer_metrics(G, D, np.zeros(3), ["map9"])
    with pytest.raises(ValueError, match=r"expected \(3,\)"):
        layer_metrics(G, D, np.zeros(4))
    with pytest.raises(ValueError, match="layers is empty"):
        layer_metrics(G, D, np.zeros(3), [])
    with pytest.raises(ValueError, match="shape"):
        layer_alignment(np.eye(3))
    with pytest.raises(ValueError, match=r"not finite.*map1"):
        layer_metrics(linear_layers(np.full((3, 3), np.nan), np.eye(3)), D, np.zeros(3))
    with pytest.raises(ValueError, match="below 2"):
        index_of_layer(("a", "b"), 2)
    assert index_of_layer(("a", "b"), -1) == 1
