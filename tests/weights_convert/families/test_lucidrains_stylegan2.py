"""lucidrains' StyleGAN2, against torch: every space, its noise, and files that are refused."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.fixtures import assert_close
from tests.weights_convert.torch_lucidrains import mapped, stylegan2, stylegan2_state
from tests.weights_convert.torch_models import saved
from weights_convert.auto import convert_any
from weights_convert.convert import convert

SIZES = {
    "attention": {"features": (8, 6), "attention": (1,)},
    "no constant, transparent": {"features": (6, 5), "constant": False, "channels": 4},
}


def file_of(folder, state):
    path = folder / "model_3.pt"
    path.write_bytes(saved({"GAN": state, "version": "1.9.0"}))
    return path


def exact(state):
    return {name: tensor.double() for name, tensor in state.items()}


@pytest.fixture(scope="module", params=["attention", pytest.param("no constant, transparent", marks=pytest.mark.slow)])
def model(request, tmp_path_factory):
    """The state dict in float64, and the folder."""
    folder, state = tmp_path_factory.mktemp("model"), stylegan2_state(**SIZES[request.param])
    family, made = convert_any(file_of(folder, state), folder / "model", say=lambda _: None)
    assert family == "lucidrains-stylegan2"
    return exact(state), made


def test_every_space_equals_torch(model):
    state, folder = model
    rng = np.random.default_rng(0)
    rows = sum(name.endswith("to_rgb.conv.weight") for name in state)
    side = 4 * 2 ** (rows - 1)
    noise, z = rng.uniform(size=(side, side)), rng.standard_normal((2, 6))
    mean, w_plus = rng.standard_normal(6), rng.standard_normal((2, rows * 6))
    assert gg.zoo.card(folder)["config"]["resolution"] == side
    w = 0.7 * (mapped(state, torch.from_numpy(z)) - torch.from_numpy(mean)) + torch.from_numpy(mean)
    theirs = stylegan2(state, w[:, None].expand(-1, rows, -1), torch.from_numpy(noise)).movedim(1, -1).numpy()
    assert np.abs(theirs[0] - theirs[1]).max() > 0.02 * np.abs(theirs).max()
    G = gg.load(folder, truncation=0.7, mean_latent=mean, noise=noise)
    assert G.output_range == (0, 1)
    assert_close(jax.vmap(G)(z), theirs)
    theirs = stylegan2(state, torch.from_numpy(w_plus).unflatten(1, (rows, 6)), torch.from_numpy(noise)).movedim(1, -1)
    G = gg.load(folder, space="w+", noise=noise[:, :, None])
    assert_close(jax.vmap(G)(w_plus), theirs)
    assert {"synthesis.start", "synthesis.conv4_1.preactivation", "synthesis.rgb8"} <= set(G.layers)


def test_noise(model):
    _, folder = model
    z, key = np.linspace(-1, 1, 6), jax.random.key(3)
    side = gg.load(folder).sample_shape.shape[0]
    drawn = gg.load(folder, noise=key)
    assert_close(drawn(z), gg.load(folder, noise=np.asarray(jax.random.uniform(key, (side, side))))(z), 1e-6)
    transposed = gg.load(folder, noise=np.asarray(jax.random.uniform(key, (side, side))).T)
    assert np.abs(np.asarray(transposed(z)) - np.asarray(drawn(z))).max() > 1e-3
    for noise, says in (("one", "noise='one'"), (np.ones((2, 2)), r"noise has shape \(2, 2\); expected")):
        with pytest.raises(OptionError, match=says):
            gg.load(folder, noise=noise)


def test_the_settings_beside_the_file(tmp_path):
    state = stylegan2_state((6, 5))
    path = file_of(tmp_path, state)
    (tmp_path / ".config.json").write_text(json.dumps({"image_size": 8, "lr_mlp": 0.05}))
    G = gg.load(convert("lucidrains-stylegan2", path, tmp_path / "model"), space="w")
    assert "assumed" not in gg.zoo.card(tmp_path / "model")
    w = G.sample_latent(jax.random.key(0), 2)
    z = np.array(jax.random.normal(jax.random.key(0), (2, 6)), np.float64)
    assert_close(w, mapped(exact(state), torch.from_numpy(z), 0.05))
    (tmp_path / ".config.json").write_text(json.dumps({"image_size": 64}))
    with pytest.raises(CheckpointError, match="says image_size=64; its tensors make 8 pixels"):
        convert("lucidrains-stylegan2", path, tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"GE.blocks.1.to_noise2.bias": None}, r"1 tensors missing: GE\.blocks\.1\.to_noise2\.bias"),
        ({"GE.blocks.0.to_rgb.conv.weight": torch.ones(2)}, "no StyleGAN2 of lucidrains"),
        ({"GE.extra": torch.ones(2)}, r"1 tensors left over: GE\.extra"),
        ({"GE.blocks.0.to_noise1.weight": torch.ones(3, 1)}, r"strength of shape \(3,\); expected \(6,\)"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, says):
    state = {name: x for name, x in (stylegan2_state((6, 5)) | change).items() if x is not None}
    with pytest.raises(CheckpointError, match=says):
        convert("lucidrains-stylegan2", file_of(tmp_path, state), tmp_path / "model")
