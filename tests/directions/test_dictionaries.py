"""Sparse dictionaries: the autoencoder's definition, planted atoms found again, resumption, and directions of atoms."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import Dictionary, dictionaries, dictionary, train_dictionary
from geomgan.directions.sparse import Adam, Weights, encode, initial, largest, loss
from geomgan.errors import CheckpointError, OptionError
from geomgan.generators import tap
from tests.small_models import small_dcgan

KEY = jax.random.key(0)


class Planted(nn.Module):
    """Rectified codes on planted atoms: on average half of them are there, few of them strongly."""

    size: int

    @nn.compact
    def __call__(self, z):
        atoms = self.param("atoms", nn.initializers.zeros, (len(z), self.size))
        return tap(self, "features", jnp.maximum(z - 1.0, 0) @ atoms)


def planted(atoms=10, size=30, seed=0):
    rows = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, atoms)))[0].T.astype(np.float32)
    return gg.Generator.from_module(Planted(size), {"atoms": rows}, atoms, output_range=None), rows


def test_the_loss_is_what_the_paper_says(rng):
    """Against a transcription in numpy, row by row."""
    n, D, m, active = 7, 6, 9, 2
    weights = Weights(*(jnp.asarray(rng.standard_normal(s), jnp.float32) for s in ((D, m), (m,), (m, D), (D,))))
    x, dead = rng.standard_normal((n, D)).astype(np.float32), np.arange(m) < 4
    E, c, A, b = (np.asarray(w, np.float64) for w in weights)
    A = A / np.linalg.norm(A, axis=1, keepdims=True)
    shares, rests = [], []
    for row in np.float64(x):
        before = (row - b) @ E + c
        kept = np.zeros(m)
        for j in np.argsort(-before)[:active]:
            kept[j] = max(before[j], 0)
        left, among = row - kept @ A - b, np.zeros(m)
        for j in np.argsort(-np.where(dead, before, -np.inf))[: 2 * active]:
            among[j] = max(before[j], 0) if dead[j] else 0
        shares.append((left**2).sum())
        rests.append(((left - among @ A) ** 2).sum())
    total, (share, _) = loss(weights, x, active, jnp.asarray(dead))
    assert float(share) == pytest.approx(np.mean(shares), rel=1e-5)
    assert float(total) == pytest.approx(np.mean(shares) + np.mean(rests) / np.mean(shares) / 32, rel=1e-5)
    assert (np.count_nonzero(encode(weights, x, active), axis=1) <= active).all()


def test_the_largest_positive_values_are_kept():
    values = jnp.array([[3.0, -1.0, 2.0, 1.0], [-1.0, -2.0, 5.0, -3.0]])
    np.testing.assert_array_equal(largest(values, 2), [[3, 0, 2, 0], [0, 0, 5, 0]])


def test_planted_atoms_are_found_again():
    G, rows = planted()
    found = train_dictionary(G, KEY, layer="features", atoms=20, active=4, steps=600, batch=64, learning_rate=1e-2)
    cosines = (found.atoms.T @ rows.T).max(axis=0)
    assert np.median(cosines) > 0.99
    assert cosines.min() > 0.75
    assert found.unexplained < 0.02
    assert found.energies.sum() == pytest.approx(1)
    assert (np.diff(found.energies) <= 0).all()


def test_a_run_that_was_interrupted_goes_on_to_the_bit(tmp_path, monkeypatch):
    G, _ = planted()
    options = {"layer": "features", "atoms": 12, "active": 2, "steps": 12, "batch": 16}
    whole = train_dictionary(G, KEY, **options)
    file = tmp_path / "state.npz"
    monkeypatch.setattr("geomgan.directions.dictionaries.EVERY", 5)

    class Killed(Exception):
        pass

    step, calls = dictionaries.train_step, []

    def killed_at_eight(*args, **kwargs):
        calls.append(0)
        if len(calls) == 8:
            raise Killed
        return step(*args, **kwargs)

    monkeypatch.setattr(dictionaries, "train_step", killed_at_eight)
    with pytest.raises(Killed):
        train_dictionary(G, KEY, **options, checkpoint=file)
    again = train_dictionary(G, KEY, **options, checkpoint=file)
    np.testing.assert_array_equal(again.atoms, whole.atoms)
    with pytest.raises(CheckpointError, match="active: stored 2, now 3"):
        train_dictionary(G, KEY, **{**options, "active": 3}, checkpoint=file)


def test_atoms_become_directions(monkeypatch):
    """Each planted atom is one rectified dimension of the code, so its direction is that axis, pointing up."""
    G, rows = planted()
    weights = initial(KEY, 30, 10, Adam(1e-3, 1)).weights
    share = np.full(10, 0.1)
    learnt = Dictionary("features", rows.T, np.zeros(30), 1.0, share, share, 4, 0.0, weights)
    monkeypatch.setattr("geomgan.directions.dictionaries.train_dictionary", lambda *_, **__: learnt)
    found = dictionary(G, KEY, atoms=10, k=5, codes=256)
    assert (found.vectors.shape, found.method, found.names[0]) == ((10, 5), "dictionary", "atom 1")
    np.testing.assert_allclose(found.vectors, np.eye(10)[:, :5], atol=1e-3)
    # J is the projection on those of the ten that are above their threshold
    np.testing.assert_allclose(found.scores["explained"], 0.1587, atol=0.05)
    np.testing.assert_allclose(found.scales, 1, atol=0.1)


def test_refuses_what_cannot_be():
    G = small_dcgan()
    with pytest.raises(ValueError, match="active is 9; expected an integer from 1 to 8"):
        train_dictionary(G, KEY, layer="block1", atoms=8, active=9)
    with pytest.raises(ValueError, match="k is 9; expected an integer from 1 to 8"):
        dictionary(G, KEY, layer="block1", atoms=8, active=2, k=9)
    with pytest.raises(OptionError, match="layer='block9' is not known"):
        train_dictionary(G, KEY, layer="block9")
    assert initial(KEY, 5, 3, Adam(1e-3, 10)).weights.encoder.shape == (5, 3)
