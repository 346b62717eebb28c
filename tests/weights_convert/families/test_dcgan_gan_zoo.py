"""The GAN zoo's DCGAN: the published fixture and its metric tensors, other sizes against torch, refused files."""

from __future__ import annotations

import itertools
import sys
import types
from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.golden import make_weights
from tests.parity import assert_activation, assert_samples, converted, observed
from tests.small_models import in_float64
from tests.weights_convert.torch_models import Harmful, randomise, saved, tutorial_dcgan
from weights_convert.convert import convert


class GanZooDCGAN(nn.Module):
    """The GAN zoo's DCGAN with its names, without the last activation: widths halve, no layer has a bias."""

    def __init__(self, latent: int, width: int, channels: int, depth: int, seed: int = 0) -> None:
        super().__init__()
        widths = [width * 2**i for i in reversed(range(depth + 1))]
        self.formatLayer = nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)
        layers: OrderedDict[str, nn.Module] = OrderedDict(batchNorm0=nn.BatchNorm2d(widths[0]), relu0=nn.ReLU())
        for i, (before, after) in enumerate(itertools.pairwise(widths), start=1):
            layers[f"convTranspose{i}"] = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            layers |= {f"batchNorm{i}": nn.BatchNorm2d(after), f"relu{i}": nn.ReLU()}
        layers["outlayer"] = nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=False)
        self.main = nn.Sequential(layers)
        randomise(self, seed)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.main(self.formatLayer(z[:, :, None, None]))


class BaseConfig:
    """What the GAN zoo pickles its settings as."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def container(state: Any, monkeypatch: Any, zipped: bool = False, **settings: Any) -> bytes:
    """A checkpoint of the GAN zoo; ``netG`` is not what is to be used."""
    for name in ("models", "models.utils", "models.utils.config"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(BaseConfig, "__module__", "models.utils.config")
    sys.modules["models.utils.config"].BaseConfig = BaseConfig
    other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    return saved({"config": BaseConfig(**settings), "netG": other, "netD": {}, "avgG": state}, zipped)


def images(batch: torch.Tensor) -> np.ndarray:
    return batch.detach().movedim(1, -1).numpy()


# --- The published size ---


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dcgan")
    return gg.load(converted("dcgan64", "dcgan-gan-zoo", folder, "DCGAN_fashionGen-1d67302.pth"))


LAYERS = (*(f"block{block}.preactivation" for block in range(1, 5)), "output.preactivation")


def test_dcgan64(published):
    samples, made = observed(published, golden("dcgan64")[1]["z"], LAYERS)
    assert (published.latent_dim, published.output_range) == (120, (-1, 1))
    assert_samples("dcgan64", samples)
    assert_activation("dcgan64", made["output.preactivation"], "main.outlayer")
    assert_activation("dcgan64", made["block1.preactivation"], "main.batchNorm0")


@pytest.mark.parametrize(
    ("block", "linear"),
    [(1, "formatLayer"), (2, "main.convTranspose1"), (3, "main.convTranspose2"), (4, "main.convTranspose3")],
)
def test_layers_before_their_folded_batch_norm(published, block, linear):
    manifest, arrays = golden("dcgan64")
    tensors = make_weights.make_state_dict(manifest)
    parts = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, var = (tensors[f"main.batchNorm{block - 1}.{part}"].astype(np.float64) for part in parts)
    made = observed(published, arrays["z"], LAYERS)[1]
    normed = np.asarray(made[f"block{block}.preactivation"], np.float64)
    assert_activation("dcgan64", (normed - beta) / gamma * np.sqrt(var + 1e-5) + mean, linear)


def test_metric_tensors(published):
    """``H = 2 g``, on images in (0, 1): a quarter of the metric on images in (-1, 1)."""
    arrays = golden("metric_dcgan64")[1]
    z = arrays["z"][0]
    assert_close((published(z) + 1) / 2, np.moveaxis(arrays["image"][0], 0, -1))
    g = gg.metric_tensor(published, gg.distances.mse(), z)
    assert_close(2 * g / 4, arrays["hessian_mse"])
    features = published.at("block3")
    g = gg.metric_tensor(features, gg.distances.euclidean(), z)
    assert_close(2 * g, arrays["hessian_layer_relu2"])


@pytest.mark.slow
def test_metric_tensors_in_float64(published):
    arrays = golden("metric_dcgan64")[1]
    with jax.enable_x64(True):
        G, z = in_float64(published), jnp.asarray(arrays["z"][0], jnp.float64)
        assert_close(gg.metric_tensor(G, gg.distances.mse(), z) / 2, arrays["hessian_mse"], 1e-6)


def test_metric_tensors_of_lpips(published, tmp_path):
    """GAN-Geometry hands LPIPS images in (0, 1) as they are; ``normalize`` is the published scaling."""
    manifest, arrays = golden("metric_dcgan64")
    z = arrays["z"][0]
    for scaling, key in {"gan-geometry": "hessian_lpips_alex", "standard": "hessian_lpips_alex_normalize1"}.items():
        D = gg.distances.lpips("alex", input_range=(-1, 1), scaling=scaling)
        assert_close(2 * gg.metric_tensor(published, D, z), arrays[key])
    for net in ("alex", "squeeze"):
        layout = {"checkpoint_layout": golden(f"lpips_{net}_seeded")[0]["checkpoint_layout"]}
        make_weights.write_checkpoint(layout | manifest[f"lpips_{net}_seeded"], tmp_path / f"{net}.pth")
        weights = convert(f"lpips-{net}", tmp_path / f"{net}.pth", tmp_path / net)
        D = gg.distances.lpips(net, weights=weights, input_range=(-1, 1), scaling="gan-geometry")
        assert_close(2 * gg.metric_tensor(published, D, z), arrays[f"hessian_lpips_{net}_seeded"])


# --- Other sizes, against torch ---


@pytest.mark.parametrize(
    ("latent", "width", "channels", "depth", "settings", "tanh"),
    [
        (7, 12, 1, 0, {"lossCriterion": "MSE"}, True),
        (5, 6, 4, 1, {"lossMode": "WGANGP"}, False),
        (9, 4, 3, 2, {"lossCriterion": "Logistic", "lossMode": "DCGAN"}, False),
        (3, 3, 2, 4, {}, True),
    ],
    ids=["8 pixels", "16 pixels, linear", "32 pixels, linear", "128 pixels, no loss named"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_another_size_equals_torch(tmp_path, monkeypatch, latent, width, channels, depth, settings, tanh, zipped):
    module = GanZooDCGAN(latent, width, channels, depth, seed=latent)
    (tmp_path / "a.pth").write_bytes(container(module.state_dict(), monkeypatch, zipped, **settings))
    folder = convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model")
    z = torch.randn(3, latent, generator=torch.Generator().manual_seed(1))
    theirs = images(torch.tanh(module(z)) if tanh else module(z))
    assert theirs.shape == (3, *[8 * 2**depth] * 2, channels)
    assert (np.abs(theirs).max() > 1) != tanh
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), theirs)
    assert gg.zoo.card(folder)["config"] == {
        "latent_dim": latent,
        "features": [width * 2**i for i in reversed(range(depth + 1))],
        "channels": channels,
        "resolution": 8 * 2**depth,
        "tanh": tanh,
    }


@pytest.mark.parametrize(
    ("nest", "output"),
    [
        (lambda state: {"avgG": {f"module.{name}": tensor for name, tensor in state.items()}}, "tanh"),
        (lambda state: {"netG": state, "config": {"lossMode": "hinge"}}, "linear"),
        (lambda state: {name.replace(".weight", ".module.weight"): t.half() for name, t in state.items()}, "tanh"),
    ],
    ids=["parallel", "no average, another loss", "bare, wrapped names, half precision"],
)
def test_containers_and_names_that_files_have(tmp_path, nest, output):
    module = GanZooDCGAN(5, 4, 3, 1, seed=3).half().float()
    (tmp_path / "a.pth").write_bytes(saved(nest(module.state_dict())))
    G = gg.load(convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model", {"output": output}))
    z = torch.ones(1, 5)
    theirs = module(z)
    assert_close(jax.vmap(G)(z.numpy()), images(torch.tanh(theirs) if output == "tanh" else theirs))


def test_differentiable(tmp_path):
    (tmp_path / "a.pth").write_bytes(saved({"avgG": GanZooDCGAN(5, 4, 3, 1).state_dict()}))
    G = gg.load(convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model", {"output": "linear"}))
    assert_differentiable(G, "block2.preactivation")
    z = np.ones(5, np.float32)
    np.testing.assert_array_equal(G(z), G.at("output.preactivation")(z))


# --- Bad input ---


def changed(**tensors) -> dict[str, Any]:
    """A container with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = GanZooDCGAN(3, 2, 1, 1).state_dict() | {name.replace("__", "."): t for name, t in tensors.items()}
    return {"avgG": {name: tensor for name, tensor in merged.items() if tensor is not None}}


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (lambda: changed(main__batchNorm1__bias=None), r"a GAN zoo DCGAN: 1 tensors missing: main\.batchNorm1\.bias"),
        (lambda: changed(main__batchNorm7__bias=torch.ones(2)), r"1 tensors left over: main\.batchNorm7\.bias"),
        (lambda: changed(main__outlayer__weight=None), r"no GAN zoo DCGAN: expected 4 x 4 kernels formatLayer\.weight"),
        (lambda: changed(formatLayer__weight=torch.ones(3, 4, 5, 5)), "no GAN zoo DCGAN: expected 4 x 4 kernels"),
        (
            lambda: changed(main__outlayer__weight=torch.ones(5, 1, 4, 4)),
            r"main\.outlayer gives output/kernel of shape \(4, 4, 5, 1\); expected \(4, 4, 2, 1\)",
        ),
        (lambda: changed(main__batchNorm0__running_var=-torch.ones(4)), "block1/kernel with 192 NaN"),
        (lambda: changed() | {"config": {"lossMode": "hinge"}}, "name the loss 'hinge'.*--option output=tanh"),
        (lambda: tutorial_dcgan(3, (4,), 1).state_dict(), "Its tensor names are those of dcgan-tutorial"),
        (lambda: {"avgG": [1]}, "the file holds list; expected a state dict of tensors, alone or under 'avgG'"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, tree, says):
    (tmp_path / "a.pth").write_bytes(saved(tree()))
    with pytest.raises(CheckpointError, match=says):
        convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_other_families_know_these_files(tmp_path):
    (tmp_path / "a.pth").write_bytes(saved(changed()))
    with pytest.raises(CheckpointError, match="Its tensor names are those of dcgan-gan-zoo"):
        convert("sngan", tmp_path / "a.pth", tmp_path / "model")


def test_another_epsilon_and_what_is_assumed(tmp_path):
    module = GanZooDCGAN(5, 4, 3, 1, seed=3)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 0.8
    (tmp_path / "a.pth").write_bytes(saved(module.state_dict()))
    folder = convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model", {"epsilon": "0.8"})
    z = torch.ones(1, 5)
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), images(torch.tanh(module(z))))
    assert gg.zoo.card(folder)["assumed"] == {"output": "tanh"}


def test_an_output_that_the_loss_contradicts_is_refused(tmp_path):
    (tmp_path / "a.pth").write_bytes(saved(changed() | {"config": {"lossMode": "WGANGP"}}))
    with pytest.raises(OptionError, match="output=tanh, but the file says linear"):
        convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model", {"output": "tanh"})


def test_an_unknown_output_is_refused(tmp_path):
    (tmp_path / "a.pth").write_bytes(saved(changed()))
    with pytest.raises(OptionError, match="output='sigmoid' is not known"):
        convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model", {"output": "sigmoid"})


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pth").write_bytes(saved(changed() | {"config": Harmful()}, zipped))
    with pytest.raises(CheckpointError, match=r"system, which is not data"):
        convert("dcgan-gan-zoo", tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
