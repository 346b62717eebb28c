"""StyleGAN: the published fixture, other sizes and fade-in against torch, and files that are refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.golden import make_weights
from tests.parity import assert_fixture, assert_samples, converted
from tests.weights_convert.torch_models import Harmful, saved
from tests.weights_convert.torch_stylegan import StyleGAN, StyleGAN2
from weights_convert.convert import convert


def codes(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def images(batch: torch.Tensor) -> np.ndarray:
    return batch.detach().movedim(1, -1).numpy()


def noise_of(step: int) -> list[torch.Tensor]:
    return [codes(1, 1, 4 * 2**i, 4 * 2**i) for i in range(step + 1)]


def container(module: StyleGAN) -> dict:
    """A training file; ``generator`` is not what is to be used."""
    other = {name: torch.zeros_like(tensor) for name, tensor in module.state_dict().items()}
    return {"generator": other, "discriminator": {}, "g_optimizer": {}, "g_running": module.state_dict()}


# --- The published size: a network for 1024 pixels, used at 256 ---


def test_stylegan1_256(tmp_path):
    folder = converted("stylegan1_256", "stylegan", tmp_path)
    manifest, arrays = golden("stylegan1_256")
    inputs = make_weights.make_inputs(manifest)
    given = {"resolution": 256, "noise": [inputs[f"noise.{i}"] for i in range(7)]}
    G = gg.load(folder, truncation=0.7, mean_latent=inputs["mean_style"], **given)
    layers = {
        "mapping.layer8": "style",
        "synthesis.conv4": "generator.progression.0",
        "synthesis.conv16": "generator.progression.2",
        "synthesis.conv128": "generator.progression.5",
        "synthesis.conv256": "generator.progression.6",
        "synthesis.rgb256": "generator.to_rgb.6",
    }
    assert_fixture("stylegan1_256", G, arrays["z"], layers)
    in_w = gg.load(folder, space="w", truncation=0.7, **given)  # codes of w are used as given
    assert_samples("stylegan1_256", jax.vmap(in_w)(arrays["w"]), "output_w")
    assert gg.load(folder).sample_shape.shape == (1024, 1024, 3)
    assert gg.load(folder, space="w+").latent_dim == 18 * 512


# --- Other sizes, against torch ---


@pytest.mark.parametrize("fused", [1, 2, 9], ids=["fused", "from 16 pixels fused", "never fused"])
def test_a_model_of_another_size(tmp_path, fused):
    module = StyleGAN(5, 7, (8, 6, 5), channels=2, depth=3, fused=fused)
    (tmp_path / "a.model").write_bytes(saved(container(module), zipped=False))
    folder = convert("stylegan", tmp_path / "a.model", tmp_path / "model")
    noise, z, w_plus, mean = noise_of(2), codes(3, 5), codes(3, 6, 7), codes(1, 7)
    given = {"noise": [x.numpy() for x in noise]}
    theirs = images(module(w_plus, noise, 2))
    assert theirs.shape == (3, 16, 16, 2)
    assert theirs.std() > 0.1
    assert_close(jax.vmap(gg.load(folder, space="w+", **given))(w_plus.reshape(3, -1).numpy()), theirs)
    w = mean + 0.6 * (module.mapped(z) - mean)
    theirs = images(module(w[:, None].repeat(1, 6, 1), noise, 2))
    G = gg.load(folder, truncation=0.6, mean_latent=mean.numpy(), **given)
    assert_close(jax.vmap(G)(z.numpy()), theirs)


@pytest.fixture(scope="module")
def small():
    return StyleGAN(4, 6, (7, 5, 4, 3))


@pytest.fixture
def folder(small, tmp_path):
    (tmp_path / "a.model").write_bytes(saved(container(small)))
    return convert("stylegan", tmp_path / "a.model", tmp_path / "model")


@pytest.mark.parametrize(("step", "alpha"), [(0, 1.0), (2, 1.0), (2, 0.3), (3, 0.0), (3, 0.75)])
def test_lower_resolutions_and_fade_in(small, folder, step, alpha):
    noise, w = noise_of(step), codes(2, 6)
    theirs = images(small(w[:, None].repeat(1, 2 * step + 2, 1), noise, step, alpha))
    G = gg.load(folder, space="w", resolution=4 * 2**step, alpha=alpha, noise=[x.numpy()[0, 0] for x in noise])
    assert_close(jax.vmap(G)(w.numpy()), theirs)


def test_the_mean_latent_and_the_noise_are_drawn_from_fixed_keys(small, folder):
    context = gg.load(folder).params["context"]
    z = jax.random.normal(jax.random.key(0), (4096, 4))
    assert_close(context["mean_latent"], small.mapped(torch.from_numpy(np.array(z))).mean(0).detach(), 1e-5)
    keys = jax.random.split(jax.random.key(0), 4)
    np.testing.assert_array_equal(context["inputs"]["noise"][3], jax.random.normal(keys[3], (32, 32)))


def test_a_model_trained_to_fewer_pixels_than_it_has_layers_for(tmp_path, small):
    (tmp_path / "a.model").write_bytes(saved({"g_running": {f"module.{n}": t for n, t in small.state_dict().items()}}))
    folder = convert("stylegan", tmp_path / "a.model", tmp_path / "model", {"resolution": "16"})
    assert "assumed" not in gg.zoo.card(folder)
    assert gg.zoo.card(convert("stylegan", tmp_path / "a.model", tmp_path / "full"))["assumed"] == {"resolution": 32}
    assert gg.load(folder).sample_shape.shape == (16, 16, 3)
    assert gg.load(folder, resolution=32).sample_shape.shape == (32, 32, 3)
    with pytest.raises(OptionError, match="resolution=64; the tensors make images of 4, 8, 16, 32 pixels"):
        convert("stylegan", tmp_path / "a.model", tmp_path / "other", {"resolution": "64"})


def test_it_is_differentiable(tmp_path):
    (tmp_path / "a.model").write_bytes(saved(StyleGAN(4, 5, (6, 4)).state_dict()))
    folder = convert("stylegan", tmp_path / "a.model", tmp_path / "model")
    assert_differentiable(gg.load(folder, alpha=0.5), "synthesis.up8.activation")


# --- Bad input ---


@pytest.mark.parametrize("resolution", [2, 12, 64, 16.0, "16", True])
def test_a_resolution_that_it_does_not_have(folder, resolution):
    with pytest.raises(OptionError, match="this network makes 4, 8, 16, 32 pixels"):
        gg.load(folder, resolution=resolution)


def test_a_bad_alpha_is_refused(folder):
    for alpha in (-0.1, 1.5, float("nan"), "half", True, (0.5, 0.5)):
        with pytest.raises(OptionError, match="alpha"):
            gg.load(folder, alpha=alpha)
    with pytest.raises(OptionError, match="4 pixels are the first block"):
        gg.load(folder, alpha=0.5, resolution=4)


def changed(module, **tensors) -> dict[str, torch.Tensor]:
    """A state dict with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = module.state_dict() | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


SMALL = StyleGAN(4, 6, (7, 5, 4, 3))


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"discriminator": {"linear.bias": torch.ones(1)}}, r"the file holds \['discriminator'\]"),
        (
            {"g_running": {"from_rgb.0.conv.weight_orig": torch.ones(1)}},
            "no StyleGAN generator: .* it holds a discriminator",
        ),
        (
            changed(SMALL, generator__progression__1__noise2__weight_orig=None),
            r"missing: generator\.progression\.1\.noise2\.weight_orig",
        ),
        (changed(SMALL, generator__progression__1__conv2__conv__weight_orig=None), "left over: "),
        (changed(SMALL, generator__to_rgb__3__conv__bias=None), r"missing: generator\.to_rgb\.3\.conv\.bias"),
        (changed(SMALL, generator__to_rgb__4__conv__bias=torch.ones(3)), r"left over: generator\.to_rgb\.4"),
        (
            changed(SMALL, generator__progression__3__conv1__0__weight=torch.ones(5, 3, 3, 3)),
            r"conv1\.0\.weight gives generator/synthesis/up32/kernel of shape",
        ),
        (changed(SMALL, generator__progression__1__conv1__2__weight=torch.ones(5, 1, 3, 3)), "another blur"),
        (changed(SMALL, style__1__linear__bias=torch.full((6,), torch.nan)), "NaN or infinite"),
        (changed(SMALL, style__1__linear__weight_orig=torch.ones(6, 0)), "tensors without entries"),
        (StyleGAN2(3, 4, (4, 4)).state_dict(), "Its tensor names are those of stylegan2:"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, tree, says):
    (tmp_path / "a.model").write_bytes(saved(tree))
    with pytest.raises(CheckpointError, match=says):
        convert("stylegan", tmp_path / "a.model", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.model"]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, small, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.model").write_bytes(saved({"args": Harmful(), "g_running": small.state_dict()}, zipped))
    with pytest.raises(CheckpointError, match=r"posix\.system|nt\.system"):
        convert("stylegan", tmp_path / "a.model", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.model"]
