"""Edits of activations: a formula in numpy, and torch with a hook that adds what GANSpace adds."""

from __future__ import annotations

from dataclasses import replace

import flax.linen as nn
import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import activation_components, activation_edits, traverse
from geomgan.errors import OptionError
from geomgan.generators import tap
from geomgan.generators.layers import Dense
from tests.small_models import smooth_generator
from weights_convert.convert import convert

KEY = jax.random.key(0)


class Inner(nn.Module):
    @nn.compact
    def __call__(self, z):
        return tap(self, "hidden", nn.relu(Dense(7, name="first")(z)))


class Two(nn.Module):
    """Two layers, the first in a module of its own; ``seen`` is named and not used."""

    @nn.compact
    def __call__(self, z):
        x = Inner(name="inner")(z)
        tap(self, "seen", 2 * x)
        return nn.tanh(Dense(5, name="second")(x))


@pytest.fixture(scope="module")
def two():
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    params = {
        "inner": {"first": {"kernel": draw(3, 7), "bias": draw(7)}},
        "second": {"kernel": 0.3 * draw(7, 5), "bias": draw(5)},
    }
    return gg.Generator.from_module(Two(), params, 3, name="two"), params


def test_a_component_is_added_where_it_was_found(two):
    G, params = two
    parts = activation_components(G, KEY, "inner.hidden", k=2, samples=200)
    edited, found = activation_edits(G, "inner.hidden", parts)
    assert (edited.latent_dim, edited.space, found.space) == (5, "z, inner.hidden", "z, inner.hidden")
    z = np.asarray(edited.sample_latent(KEY, 4))
    assert not z[:, 3:].any()
    walked = traverse(edited, found, z, [-2, 0, 1.5])
    first, second = params["inner"]["first"], params["second"]
    hidden = np.maximum(z[:, :3] @ first["kernel"] + first["bias"], 0)
    steps = np.array([-2, 0, 1.5])[:, None] * parts.stdevs[:, None, None] * parts.vectors.T[:, None]
    expected = np.tanh((hidden[:, None, None] + steps) @ second["kernel"] + second["bias"])
    np.testing.assert_allclose(walked.samples, expected, atol=2e-6)
    np.testing.assert_allclose(walked.samples[:, 0, 1], jax.vmap(G)(z[:, :3]), atol=1e-6)
    assert np.isnan(walked.sigmas).all()  # the prior draws no edits


def test_a_convolutional_map_equals_torch_with_a_hook(tmp_path):
    import torch

    from tests.weights_convert.torch_models import saved, tutorial_dcgan

    module = tutorial_dcgan(4, (6, 5), 3).eval()
    (tmp_path / "weights.pth").write_bytes(saved(module.state_dict()))
    G = gg.load(convert("dcgan-tutorial", tmp_path / "weights.pth", tmp_path / "model"))
    parts = activation_components(G, KEY, "block1", k=3, samples=60)
    edited, found = activation_edits(G, "block1", parts)
    z = np.asarray(edited.sample_latent(KEY, 2))
    ours = np.asarray(jax.vmap(edited)(z + 2.5 * found.scales[1] * found.vectors[:, 1]))
    side, channels = G.at("block1").sample_shape.shape[1:]
    added = torch.tensor(2.5 * parts.stdevs[1] * parts.vectors[:, 1].reshape(side, side, channels)).float()
    module.main[2].register_forward_hook(lambda _, __, out: out + added.movedim(2, 0))
    with torch.no_grad():
        theirs = module(torch.tensor(z[:, :4])[:, :, None, None]).movedim(1, -1).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(ours - jax.vmap(edited)(z)).max() > 0.05


def test_an_edited_layer_is_what_a_cut_sees(two):
    G = two[0]
    parts = activation_components(G, KEY, "inner.hidden", k=1, samples=50)
    cut, _ = activation_edits(G.at("seen"), "inner.hidden", parts)
    code = np.array([0.3, -1, 2, 1.5], np.float32)
    expected = np.asarray(G.at("seen")(code[:3])) + 3 * parts.vectors[:, 0]
    np.testing.assert_allclose(cut(code), expected, atol=1e-5)


def test_refuses_what_cannot_be_edited(two):
    G = two[0]
    parts = activation_components(G, KEY, "inner.hidden", k=1, samples=50)
    with pytest.raises(OptionError, match="nothing that two computes after seen depends on it"):
        activation_edits(G, "seen", parts)
    with pytest.raises(OptionError, match=r"Did you mean 'inner\.hidden'"):
        activation_edits(G, "inner.hiden", parts)
    with pytest.raises(OptionError, match="smooth has no layers that can be edited"):
        activation_edits(smooth_generator(), "hidden", parts)
    with pytest.raises(ValueError, match=r"the components have 3 numbers, and inner\.hidden has 7"):
        activation_edits(G, "inner.hidden", replace(parts, vectors=parts.vectors[:3]))
