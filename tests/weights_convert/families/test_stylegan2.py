"""StyleGAN2: the published fixture, other sizes against torch, and files that are refused."""

from __future__ import annotations

import argparse

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.parity import assert_fixture, assert_samples, converted
from tests.weights_convert.torch_models import Harmful, saved
from tests.weights_convert.torch_stylegan import StyleGAN, StyleGAN2
from weights_convert.convert import convert


def codes(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def images(batch: torch.Tensor) -> np.ndarray:
    return batch.detach().movedim(1, -1).numpy()


def rows_of(w: torch.Tensor, features: tuple[int, ...]) -> torch.Tensor:
    return w[:, None].repeat(1, 2 * len(features), 1)


# --- The published size ---


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return converted("stylegan2_256", "stylegan2", tmp_path_factory.mktemp("stylegan2"))


def test_stylegan2_256_from_z_with_truncation(published):
    z = golden("stylegan2_256")[1]["z"]
    G = gg.load(published, truncation=0.8)
    layers = {
        "mapping.layer8": "style",
        "synthesis.conv4": "conv1",
        "synthesis.rgb4": "to_rgb1",
        "synthesis.up8": "convs.0",
        "synthesis.up256": "convs.10",
        "synthesis.conv256": "convs.11",
    }
    assert_fixture("stylegan2_256", G, z, layers)


def test_stylegan2_256_from_w_plus(published):
    w_plus = golden("stylegan2_256")[1]["w_plus"]
    G = gg.load(published, space="w+", truncation=0.5)  # codes of w+ are used as given
    assert G.latent_dim == 14 * 512
    assert_samples("stylegan2_256", jax.vmap(G)(w_plus.reshape(2, -1)), "output_wplus")


# --- Other sizes, against torch ---

SIZES = [
    (5, 7, (6,), {"channels": 1}),
    (6, 6, (8, 5), {"depth": 3, "taps": (1, 2, 5, 3)}),
    (4, 8, (8, 6, 6, 4, 3), {}),
]


@pytest.mark.parametrize(("latent", "width", "features", "more"), SIZES, ids=["4", "8, a skewed filter", "64"])
def test_a_model_of_another_size(tmp_path, latent, width, features, more):
    module = StyleGAN2(latent, width, features, **more)
    average = codes(width)
    (tmp_path / "a.pt").write_bytes(saved({"g_ema": module.state_dict(), "latent_avg": average}))
    folder = convert("stylegan2", tmp_path / "a.pt", tmp_path / "model")
    z, w_plus = codes(3, latent), codes(3, 2 * len(features), width)
    w = module.mapped(z)
    theirs = images(module(rows_of(w, features)))
    assert theirs.shape == (3, *[4 * 2 ** (len(features) - 1)] * 2, more.get("channels", 3))
    assert theirs.std() > 0.05
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), theirs)
    assert_close(jax.vmap(gg.load(folder, space="w"))(w.detach().numpy()), theirs)
    truncated = images(module(rows_of(average + 0.6 * (w - average), features)))
    assert_close(jax.vmap(gg.load(folder, truncation=0.6))(z.numpy()), truncated)
    assert np.abs(truncated - theirs).max() > 0.05
    G = gg.load(folder, space="w+")
    assert_close(jax.vmap(G)(w_plus.reshape(3, -1).numpy()), images(module(w_plus)))
    silent = images(module(w_plus, [torch.zeros(())] * (2 * len(features) - 1)))
    assert_close(jax.vmap(gg.load(folder, space="w+", noise="zero"))(w_plus.reshape(3, -1).numpy()), silent)
    assert gg.zoo.card(folder)["config"]["resolution"] == theirs.shape[1]


@pytest.fixture(scope="module")
def small():
    return StyleGAN2(5, 6, (7, 5, 4))


@pytest.mark.parametrize("equal", [True, False], ids=["one mean", "a mean for each layer"])
def test_the_decoder_of_an_encoders_file(tmp_path, small, equal, capsys):
    average = codes(6, 6) if not equal else codes(1, 6).repeat(6, 1)
    decoder = {f"decoder.{name}": tensor for name, tensor in small.state_dict().items()}
    tree = {"state_dict": decoder | {"encoder.input_layer.0.weight": torch.ones(3)}, "latent_avg": average, "opts": {}}
    (tmp_path / "e4e.pt").write_bytes(saved(tree))
    said: list[str] = []
    folder = convert("stylegan2", tmp_path / "e4e.pt", tmp_path / "model", say=said.append)
    took = "took state_dict, without the prefix decoder.; left encoder"
    assert (said[0], gg.zoo.card(folder)["taken"]) == (f"{tmp_path / 'e4e.pt'}: {took}.", took)
    z = codes(3, 5)
    truncated = average + 0.6 * (rows_of(small.mapped(z), (7, 5, 4)) - average)
    theirs = images(small(truncated))
    assert_close(jax.vmap(gg.load(folder, truncation=0.6))(z.numpy()), theirs)
    prior = gg.load(folder, space="w+", truncation=0.6, layers=(2, 5))
    assert prior.latent_dim == 18
    np.testing.assert_allclose(prior(truncated[0, 2:5].ravel().detach().numpy()), images(small(
        torch.cat([average[:2], truncated[0, 2:5], average[5:]])[None]))[0], atol=2e-4)  # fmt: skip


def test_a_training_file_in_half_precision_with_prefixes(tmp_path, small):
    ours = {f"module.{name}": tensor.half() for name, tensor in small.state_dict().items()}
    other = {name: torch.zeros_like(tensor) for name, tensor in small.state_dict().items()}
    tree = {"g": other, "d": {}, "g_ema": ours, "args": argparse.Namespace(size=16), "ada_aug_p": 0.1}
    (tmp_path / "a.pt").write_bytes(saved(tree, zipped=False))
    folder = convert("stylegan2", tmp_path / "a.pt", tmp_path / "model")
    w = codes(2, 6)
    theirs = images(small(rows_of(w, (7, 5, 4))))
    assert_close(jax.vmap(gg.load(folder, space="w"))(w.numpy()), theirs, 5e-3)


@pytest.mark.parametrize("given", ["module", "option"])
def test_another_learning_rate_and_filter(tmp_path, given):
    module = StyleGAN2(5, 6, (7, 5), taps=(1, 2, 5, 3))
    options, state = {"lr_multiplier": "0.02"}, module.state_dict()
    if given == "option":
        options["taps"] = "1,2,5,3"
        state = {name: tensor for name, tensor in state.items() if not name.endswith(".kernel")}
    (tmp_path / "a.pt").write_bytes(saved(state))
    folder = convert("stylegan2", tmp_path / "a.pt", tmp_path / "model", options)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            if name.startswith("style."):
                tensor.mul_(2)
    z = codes(3, 5)
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), images(module(rows_of(module.mapped(z), (7, 5)))))
    assert "assumed" not in gg.zoo.card(folder)


def test_what_the_tensors_do_not_say_is_assumed_or_asked(tmp_path, small):
    (tmp_path / "a.pt").write_bytes(saved(small.state_dict()))
    folder = convert("stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert gg.zoo.card(folder)["assumed"] == {"lr_multiplier": 0.01}
    with pytest.raises(OptionError, match="taps=1,3,3,1, but the file has its filters"):
        convert("stylegan2", tmp_path / "a.pt", tmp_path / "other", {"taps": "1,3,3,1"})
    (tmp_path / "long.pt").write_bytes(saved(StyleGAN2(9, 4, (5,)).state_dict()))
    with pytest.raises(OptionError, match="does not say its latent_dim"):
        convert("stylegan2", tmp_path / "long.pt", tmp_path / "other")
    convert("stylegan2", tmp_path / "long.pt", tmp_path / "other", {"latent_dim": "9"})


def test_a_file_without_noise_maps_filters_or_average(tmp_path, small):
    state = {n: t for n, t in small.state_dict().items() if not n.startswith("noises.") and not n.endswith(".kernel")}
    (tmp_path / "a.pt").write_bytes(saved(state))
    folder = convert("stylegan2", tmp_path / "a.pt", tmp_path / "model")
    G = gg.load(folder, space="w")
    maps = [torch.from_numpy(np.array(x)) for x in G.params["context"]["inputs"]["noise"]]
    keys = jax.random.split(jax.random.key(0), 5)
    np.testing.assert_array_equal(maps[3], jax.random.normal(keys[3], (16, 16)))
    w = codes(2, 6)
    assert_close(jax.vmap(G)(w.numpy()), images(small(rows_of(w, (7, 5, 4)), maps)))
    z = jax.random.normal(jax.random.key(0), (4096, 5))
    mean = small.mapped(torch.from_numpy(np.array(z))).mean(0).detach()
    assert_close(G.params["context"]["mean_latent"], mean, 1e-5)
    with pytest.raises(OptionError, match="stores no noise maps"):
        gg.load(folder, noise="checkpoint")


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_every_space_is_differentiable(tmp_path, space):
    (tmp_path / "a.pt").write_bytes(saved(StyleGAN2(4, 5, (6, 4)).state_dict()))
    folder = convert("stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert_differentiable(gg.load(folder, space=space), "synthesis.up8.preactivation")


# --- Bad input ---


def changed(module, **tensors) -> dict[str, torch.Tensor]:
    """A state dict with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = module.state_dict() | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


SMALL = StyleGAN2(5, 6, (7, 5, 4))


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"d": {"convs.0.0.weight": torch.ones(1)}}, r"the file holds \['d'\]; expected a state dict"),
        ({"g_ema": {"final_linear.0.weight": torch.ones(1)}}, "no StyleGAN2 generator: .* it holds a discriminator"),
        (changed(SMALL, conv1__conv__weight=None), r"lacks conv1\.conv\.weight"),
        (changed(SMALL, convs__3__conv__weight=None), "2 to_rgbs and 3 convs"),
        (changed(SMALL, to_rgbs__1__bias=None), r"missing: to_rgbs\.1\.bias"),
        (changed(SMALL, noises__noise_4=None), r"missing: noises\.noise_4"),
        (changed(SMALL, noises__noise_4=torch.ones(1, 1, 32, 32)), r"noises\.noise_4 gives noise/map4 of shape"),
        (changed(SMALL, noises__noise_5=torch.ones(1, 1, 32, 32)), r"left over: noises\.noise_5"),
        (
            changed(SMALL, convs__2__conv__weight=torch.ones(1, 3, 5, 3, 3)),
            r"published .* gives generator/s\S+ of shape",
        ),
        (changed(SMALL, convs__0__conv__blur__kernel=torch.eye(4)), "not one separable filter"),
        (changed(SMALL, conv1__noise__weight=torch.ones(2)), r"the tensors conv1\.noise\.weight do not fit"),
        (changed(SMALL, style__1__bias=torch.full((6,), torch.inf)), "NaN or infinite"),
        (
            {"g_ema": SMALL.state_dict(), "latent_avg": torch.ones(5)},
            r"latent_avg gives average/latent of shape \(5,\)",
        ),
        (changed(SMALL, input__input=torch.ones(1, 7, 0, 0)), r"input\.input gives generator/synthesis/constant"),
        (changed(SMALL, style__1__weight=torch.ones(6, 0)), "tensors without entries"),
        (StyleGAN(3, 4, (4, 4)).state_dict(), "Its tensor names are those of stylegan:"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, tree, says):
    (tmp_path / "a.pt").write_bytes(saved(tree))
    with pytest.raises(CheckpointError, match=says):
        convert("stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_resolution_that_contradicts_the_tensors_is_refused(tmp_path, small):
    (tmp_path / "a.pt").write_bytes(saved(small.state_dict()))
    with pytest.raises(OptionError, match="resolution=32, but the tensors make images of 16 pixels"):
        convert("stylegan2", tmp_path / "a.pt", tmp_path / "model", {"resolution": "32"})
    assert gg.load(convert("stylegan2", tmp_path / "a.pt", tmp_path / "model", {"resolution": "16"})).latent_dim == 5


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, small, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pt").write_bytes(saved({"args": Harmful(), "g_ema": small.state_dict()}, zipped))
    with pytest.raises(CheckpointError, match=r"posix\.system|nt\.system"):
        convert("stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
