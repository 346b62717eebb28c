"""SNGAN's residual generators: published fixtures, other sizes against torch, and files that are refused."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.parity import assert_fixture, converted, write_config
from tests.weights_convert.torch_models import Harmful, saved, tutorial_dcgan
from tests.weights_convert.torch_sngan import Sngan
from weights_convert.convert import convert


def model(folder, state, zipped=True):
    """The folder that the command line's function makes of a state dict."""
    (folder / "generator.pt").write_bytes(saved(state, zipped))
    return convert("sngan", folder / "generator.pt", folder / "model")


# --- The published sizes ---


@pytest.mark.parametrize(
    ("name", "last", "settings"),
    [
        ("sngan_mnist32", 7, {"model": "sn_resnet32", "latent_dim": 128, "image_channels": 1, "batch": 64}),
        ("sngan_anime64", 8, {"model": "sn_resnet64", "latent_dim": 128, "image_channels": 3}),
    ],
)
def test_published_sizes(tmp_path, name, last, settings):
    write_config(tmp_path, settings, "args.json")
    G = gg.load(converted(name, "sngan", tmp_path, "generator.pt"))
    z = golden(name)[1]["z"]
    side = int(name[-2:])
    assert (G.latent_dim, G.sample_shape.shape) == (128, (side, side, settings["image_channels"]))
    layers = {"project": 0, "block1": 2, "block2": 3, f"block{last - 4}": last - 3, "output.preactivation": last}
    assert_fixture(name, G, z, {layer: f"model.{number}" for layer, number in layers.items()})


# --- Other sizes, against torch ---


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("latent", "features", "channels", "side"),
    [
        (5, (6, 6), 1, 4),
        (9, (8, 6, 6, 4), 3, 4),
        (3, (5, 7, 7), 2, 6),
        (7, (6, 5, 4, 4, 3, 2), 4, 3),
    ],
    ids=["8 pixels", "32 pixels", "24 pixels, first map of 6", "96 pixels, first map of 3"],
)
def test_another_size_equals_torch(tmp_path, latent, features, channels, side, zipped):
    module = Sngan(latent, features, channels, side, seed=latent)
    folder = model(tmp_path, module.state_dict(), zipped)
    z = torch.randn(3, latent, generator=torch.Generator().manual_seed(1))
    theirs = module(z).detach().movedim(1, -1).numpy()
    resolution = side * 2 ** (len(features) - 1)
    assert theirs.shape == (3, resolution, resolution, channels)
    assert 0.1 < np.abs(theirs).mean() < 0.97
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), theirs)
    assert gg.zoo.card(folder)["config"] == {
        "latent_dim": latent,
        "features": list(features),
        "channels": channels,
        "seed": side,
        "resolution": resolution,
    }


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("epsilon", [1e-3, 0.8])
def test_another_epsilon(tmp_path, epsilon, whole):
    module = Sngan(5, (6, 6), 1, 4, seed=1)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eps = epsilon
    (tmp_path / "a.pt").write_bytes(saved(module if whole else module.state_dict()))
    options = {} if whole else {"epsilon": str(epsilon)}
    G = gg.load(convert("sngan", tmp_path / "a.pt", tmp_path / "model", options))
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    assert_close(jax.vmap(G)(z.numpy()), module(z).detach().movedim(1, -1).numpy())
    assert "assumed" not in gg.zoo.card(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda net: net.__setitem__(-1, torch.nn.Sigmoid()), "has Sigmoid at .*has ReLU, Tanh, Upsample"),
        (lambda net: net.append(torch.nn.LeakyReLU(0.1)), "has LeakyReLU"),
        (
            lambda net: net.append(torch.nn.Upsample(scale_factor=2, mode="bilinear")),
            "has Upsample {'mode': 'bilinear'}",
        ),
    ],
    ids=["sigmoid", "leaky", "bilinear"],
)
def test_a_module_with_other_functions_is_refused(tmp_path, change, says):
    module = Sngan(5, (6, 6), 1, 4, seed=1)
    change(module.model)
    (tmp_path / "a.pt").write_bytes(saved(module))
    with pytest.raises(CheckpointError, match=f"{says}.*own_generator"):
        convert("sngan", tmp_path / "a.pt", tmp_path / "model")


@pytest.mark.parametrize("without", ["model.2.model.3", "model.2.conv1"])
def test_one_name_of_two_is_enough(tmp_path, without):
    """In half precision, with the prefix of parallel training, under a key."""
    module = Sngan(4, (5, 3), 1).half().float()
    state = {f"module.{k}": t.half() for k, t in module.state_dict().items() if not k.startswith(without)}
    z = torch.ones(2, 4)
    G = gg.load(model(tmp_path, {"generator": state}))
    assert_close(jax.vmap(G)(z.numpy()), module(z).detach().movedim(1, -1).numpy())


# --- Derivatives, stacks, layers ---


def test_differentiable(tmp_path):
    G = gg.load(model(tmp_path, Sngan(6, (7, 5, 5), 3).state_dict()))
    assert_differentiable(G, "block2.activation2")
    suffixes = (".preactivation1", ".activation1", ".preactivation2", ".activation2", "")
    per_block = [f"block{k}{suffix}" for k in (1, 2) for suffix in suffixes]
    assert G.layers == ("project", *per_block, "norm.preactivation", "norm.activation", "output.preactivation")
    z = np.linspace(-1, 1, 6, dtype=np.float32)
    np.testing.assert_array_equal(G.at("block1.activation2")(z), np.maximum(G.at("block1.preactivation2")(z), 0))


# --- Bad input ---


def changed(**tensors) -> dict[str, torch.Tensor]:
    """A state dict with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = Sngan(3, (4, 2), 1).state_dict() | {name.replace("__", "."): t for name, t in tensors.items()}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (lambda: changed(model__2__model__4__bias=None), r"1 tensors missing: model\.2\.model\.4\.bias"),
        (lambda: changed(model__2__bypass__1__bias=None), r"1 tensors missing: model\.2\.bypass\.1\.bias"),
        (lambda: changed(model__9__weight=torch.ones(2)), r"1 tensors left over: model\.9\.weight"),
        (lambda: changed(model__2__model__6__bias=torch.ones(2)), r"model\.2\.conv2\.bias is there twice"),
        (lambda: changed(model__0__bias=torch.ones(3)), r"tensors of model\.0 do not fit|gives project/bias of shape"),
        (lambda: changed(model__3__running_var=-torch.ones(2)), r"gives norm/scale with 2 NaN"),
        (lambda: changed(model__3__bias=torch.ones(3)), r"do not fit each other"),
        (lambda: changed(model__0__weight=torch.ones(60, 3)), "not a checkpoint of|do not fit each other"),
        (lambda: changed(model__5__weight=None), r"no residual generator of SNGAN: .* holds model\.0\.weight"),
        (lambda: {"a.weight": torch.ones(2)}, r"no residual generator of SNGAN: .* holds a\.weight"),
        (lambda: tutorial_dcgan(3, (4,), 1).state_dict(), "Its tensor names are those of dcgan-tutorial"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, state, says):
    with pytest.raises(CheckpointError, match=says):
        model(tmp_path, state())
    assert [path.name for path in tmp_path.iterdir()] == ["generator.pt"]


def test_other_families_know_these_files(tmp_path):
    (tmp_path / "a.pt").write_bytes(saved(Sngan(3, (4, 2), 1).state_dict()))
    with pytest.raises(CheckpointError, match="Its tensor names are those of sngan"):
        convert("dcgan-tutorial", tmp_path / "a.pt", tmp_path / "model")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"latent_dim": 128}, r"args\.json beside the file says \{'latent_dim': 128\}; the tensors say .* 3\}"),
        ({"image_channels": 3}, r"says \{'channels': 3\}"),
        ({"model": "sn_resnet64", "latent_dim": 3}, r"says \{'resolution': 64\}; the tensors say \{'resolution': 8\}"),
        ({"model": "conv32"}, r"says \{'resolution': 'conv32'\}"),
        (["latent_dim"], "expected a JSON object"),
    ],
)
def test_settings_of_another_model_are_refused(tmp_path, settings, says):
    (tmp_path / "args.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=says):
        model(tmp_path, changed())
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"system, which is not data"):
        model(tmp_path, {"generator": changed(), "more": Harmful()}, zipped)
    assert [path.name for path in tmp_path.iterdir()] == ["generator.pt"]
