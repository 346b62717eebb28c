"""Patterns of activations as directions of codes: closed forms of linear networks, and a transcription."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from geomgan.directions import carried_back
from tests.generators.test_style_spaces import WIDTH, loaded
from tests.small_models import small_dcgan


def test_patterns_that_codes_make_come_back():
    """In a linear layer ``x = Jz`` the pattern ``J v`` is made by ``v``, exactly."""
    G = small_dcgan()
    J = np.asarray(jax.jacfwd(G.at("block1.preactivation"))(np.zeros(8, np.float32)), np.float64).reshape(-1, 8)
    wanted = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 3)))[0]
    vectors, explained = carried_back(G, "block1.preactivation", J @ wanted, np.zeros((2, 8), np.float32), ridge=0)
    np.testing.assert_allclose(vectors, wanted, atol=1e-4)
    np.testing.assert_allclose(explained, 1, atol=1e-5)
    outside = np.linalg.svd(J)[0][:, 8:9]  # what no code makes
    inside = J @ wanted[:, :1] / np.linalg.norm(J @ wanted[:, 0])
    _, explained = carried_back(G, "block1.preactivation", inside + 2 * outside, np.zeros((1, 8), np.float32), ridge=0)
    np.testing.assert_allclose(explained, 1 / 5, atol=1e-5)  # cos² of one part in two others


def test_least_squares_at_several_codes_with_a_ridge(rng):
    G, codes = small_dcgan(), np.asarray(small_dcgan().sample_latent(jax.random.key(0), 3))
    cut = G.at("block2")
    Js = [np.asarray(jax.jacfwd(cut)(z), np.float64).reshape(-1, 8) for z in codes]
    pattern = rng.standard_normal((len(Js[0]), 2))
    ridge = 0.1 * np.mean([np.trace(J.T @ J) for J in Js]) / 8
    rows = np.concatenate([*Js, np.sqrt(3 * ridge) * np.eye(8)])
    solved = np.linalg.lstsq(rows, np.concatenate([*[pattern] * 3, np.zeros((8, 2))]), rcond=None)[0]
    vectors, explained = carried_back(G, "block2", pattern, codes, ridge=0.1)
    np.testing.assert_allclose(vectors, solved / np.linalg.norm(solved, axis=0), atol=1e-4)
    moved, still = np.concatenate([J @ vectors for J in Js]), np.concatenate([pattern] * 3)
    cosines = (moved * still).sum(axis=0) / np.linalg.norm(moved, axis=0) / np.linalg.norm(still, axis=0)
    np.testing.assert_allclose(explained, cosines**2, rtol=1e-3)


def test_codes_of_w_plus_give_directions_of_w():
    G = loaded("w+")
    codes = np.asarray(G.sample_latent(jax.random.key(0), 1))
    pattern = np.random.default_rng(0).standard_normal((np.prod(G.at("synthesis.conv8").sample_shape.shape), 1))
    of_w = carried_back(loaded("w"), "synthesis.conv8", pattern, codes[:, :WIDTH])
    of_w_plus = carried_back(G, "synthesis.conv8", pattern, codes)
    np.testing.assert_allclose(of_w_plus[0], of_w[0], atol=1e-3)
    assert of_w[0].shape == (WIDTH, 1)


def test_refuses_patterns_of_another_size():
    with pytest.raises(ValueError, match=r"patterns have shape \(5, 1\); expected \(256, m\), columns for block1"):
        carried_back(small_dcgan(), "block1", np.ones((5, 1)), np.zeros((1, 8), np.float32))
