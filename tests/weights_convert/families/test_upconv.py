"""The DeePSim generators: published fixtures, other widths against torch, and files that are refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.parity import assert_activation, assert_samples, converted, observed
from tests.weights_convert.torch_models import Harmful, saved, tutorial_dcgan
from tests.weights_convert.torch_upconv import SIDES, upconv, upconv_state
from weights_convert.convert import convert

MEAN = np.array([123.0, 117.0, 104.0])  # RGB


def model(folder, state, **options):
    """The folder that the command line's function makes of a state dict."""
    (folder / "generator.pt").write_bytes(saved(state))
    return convert("upconv", folder / "generator.pt", folder / "model", options)


def codes(layout: str, state: dict[str, torch.Tensor], n: int = 2) -> np.ndarray:
    first = state["defc7.weight" if layout == "fc" else "Rconv6.weight"]
    d = first.shape[1] * max(SIDES[layout], 1) ** 2
    return np.random.default_rng(5).standard_normal((n, d)).astype(np.float32)


def rgb(raw: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The raw BGR output of the network ``(n, 3, H, W)`` as our samples."""
    return scale * np.moveaxis(raw[:, ::-1], 1, -1) + MEAN


# --- The published sizes ---


@pytest.mark.parametrize(
    ("name", "latent", "first"), [("fc6", 4096, ("defc7", "defc5")), ("pool5", 9216, ("Rconv6", "Rconv8"))]
)
def test_published_sizes(tmp_path, name, latent, first):
    G = gg.load(converted(f"upconv_{name}", "upconv", tmp_path, f"upconvGAN_{name}.pt"))
    assert (G.latent_dim, G.output_range, G.sample_shape.shape) == (latent, (0, 255), (256, 256, 3))
    z = golden(f"upconv_{name}")[1]["z"].reshape(2, latent)
    layers = {f"{layer}.preactivation": layer for layer in (*first, "deconv5", "conv5_1", "conv3_1")}
    samples, made = observed(G, z, tuple(layers))
    samples = np.asarray(samples)
    assert samples.min() < -50  # nothing is clamped
    assert samples.max() > 300
    assert_samples(f"upconv_{name}", (samples - MEAN)[..., ::-1])
    assert_samples(f"upconv_{name}", np.clip(samples, 0, 255) / 255, "image")
    assert_activation(f"upconv_{name}", (samples - MEAN)[..., ::-1], "deconv0")
    for layer, reference in layers.items():
        assert_activation(f"upconv_{name}", made[layer], reference)


# --- Other widths, against torch ---


@pytest.mark.parametrize("layout", SIDES)
def test_another_width_equals_torch(tmp_path, layout):
    state = upconv_state(layout, seed=len(layout))
    folder = model(tmp_path, state)
    G, z = gg.load(folder), codes(layout, state)
    assert G.latent_dim == z.shape[1]
    theirs = upconv(layout, state, z)
    side = 240 if layout in ("norm2", "conv1") else 256
    assert theirs.shape == (2, 3, side, side)
    assert theirs.std() > (0.05 if layout in ("conv", "norm2", "conv1") else 10)
    ours = np.asarray(jax.vmap(G)(z))
    assert_close(ours - MEAN, rgb(theirs) - MEAN, 1e-4)  # tighter than the samples, which have the mean
    card = gg.zoo.card(folder)
    assert card["config"]["layout"] == layout
    assert card["config"]["resolution"] == side
    assert card["output_range"] == [0, 255]
    assert "no prior is published" in card["prior"]


@pytest.mark.parametrize("layout", ["conv", "norm2", "conv1"])
def test_the_tanh_is_scaled_as_asked(tmp_path, layout):
    state = upconv_state(layout)
    folder = model(tmp_path, state, scale="255")
    z = codes(layout, state)
    assert_close(jax.vmap(gg.load(folder))(z), rgb(upconv(layout, state, z), 255))
    assert "multiplies by 255" in gg.zoo.card(folder)["note"]
    assert "assumed" not in gg.zoo.card(folder)
    assert gg.zoo.card(model(tmp_path, state))["assumed"] == {"scale": 1.0}


def test_a_layout_can_be_named(tmp_path):
    """Widths that no published network has: conv1 whose first layer does not widen."""
    state = upconv_state("norm2")
    (tmp_path / "named").mkdir()
    assert gg.load(model(tmp_path, state)).latent_dim == 13**2 * state["Rconv6.weight"].shape[1]
    folder = model(tmp_path / "named", state, layout="conv1")
    z = codes("conv1", state)
    assert_close(jax.vmap(gg.load(folder))(z), rgb(upconv("conv1", state, z)))


@pytest.mark.parametrize(
    ("rename", "kind"),
    [
        (lambda name: name.replace(".", ".1."), torch.float32),
        (lambda name: f"module.{name}", torch.float32),
        (lambda name: f"module.G.{name}", torch.float16),
    ],
    ids=["older names", "parallel", "whole module, half precision"],
)
def test_names_and_types_that_files_have(tmp_path, rename, kind):
    state = {name: tensor.half().float() for name, tensor in upconv_state("fc", seed=2).items()}
    renamed = {rename(name): tensor.to(kind) for name, tensor in state.items()}
    z = codes("fc", state)
    assert_close(jax.vmap(gg.load(model(tmp_path, renamed)))(z), rgb(upconv("fc", state, z)))


def test_the_card_says_what_the_file_does_not(tmp_path):
    assert "fc6 and fc7 have the same shapes" in gg.zoo.card(model(tmp_path, upconv_state("fc")))["note"]
    note = gg.zoo.card(model(tmp_path, upconv_state("conv")))["note"]
    assert "conv3 and conv4 have the same shapes" in note
    assert "note" not in gg.zoo.card(model(tmp_path, upconv_state("pool5")))


# --- Derivatives, stacks, layers ---


@pytest.mark.parametrize(
    ("layout", "layer"),
    [("fc", "defc5"), ("conv", "Rconv8.preactivation"), ("norm2", "deconv1")],
)
def test_differentiable(tmp_path, layout, layer):
    G = gg.load(model(tmp_path, upconv_state(layout, seed=1)))
    assert_differentiable(G, layer)
    if layout == "norm2":
        assert "deconv1.preactivation" not in G.layers  # it has no activation
        assert G.layers[-3:] == ("deconv1", "conv1_1.preactivation", "conv1_1")


def test_the_prior_is_standard_normal(tmp_path):
    z = np.asarray(gg.load(model(tmp_path, upconv_state("pool5"))).sample_latent(jax.random.key(0), 100))
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02


# --- Bad input ---


def changed(**tensors) -> dict[str, torch.Tensor]:
    """A state dict with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = upconv_state("fc") | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (lambda: changed(conv4_1__bias=None), r"1 tensors missing: conv4_1\.bias"),
        (lambda: changed(conv4_1__weight=None), r"conv4_1\.weight is missing"),
        (lambda: changed(deconv9__weight=torch.ones(2)), r"1 tensors left over: deconv9\.weight"),
        (lambda: changed(defc6__weight=torch.ones(9, 9)), r"defc6 gives defc6/kernel of shape \(9, 9\)"),
        (lambda: changed(deconv0__weight=torch.ones(3, 1, 4, 4)), r"deconv0 has 1 channels; expected 3"),
        (lambda: changed(deconv0__bias=torch.tensor([1, torch.inf, 0])), r"deconv0\.bias gives .* 1 NaN or infinite"),
        (lambda: changed(defc5__weight=torch.ones(7, 12)), "not a checkpoint of upconv|do not fit each other"),
        (lambda: changed(deconv1__weight=torch.ones(3)), r"deconv1\.weight has shape \(3,\)"),
        (lambda: changed(defc7__1__bias=torch.ones(11)), r"1 tensors left over: defc7\.1\.bias"),
        (lambda: changed(module__defc7__bias=torch.ones(11)), r"defc7\.bias and module\.defc7\.bias are the same"),
        (lambda: {"a.weight": torch.ones(2)}, r"no DeePSim generator: .* the file holds a\.weight"),
        (lambda: tutorial_dcgan(3, (4,), 1).state_dict(), "Its tensor names are those of dcgan-tutorial"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, state, says):
    with pytest.raises(CheckpointError, match=says):
        model(tmp_path, state())
    assert [path.name for path in tmp_path.iterdir()] == ["generator.pt"]


@pytest.mark.parametrize("layout", SIDES)
def test_other_families_know_these_files(tmp_path, layout):
    (tmp_path / "a.pt").write_bytes(saved(upconv_state(layout)))
    with pytest.raises(CheckpointError, match="Its tensor names are those of upconv"):
        convert("dcgan-tutorial", tmp_path / "a.pt", tmp_path / "model")


@pytest.mark.parametrize(
    ("layout", "options", "says"),
    [
        ("fc", {"layout": "fc9"}, "layout='fc9' is not known"),
        ("fc", {"scale": "255"}, "the layout fc does not end in tanh"),
        ("conv", {"scale": "-1"}, "scale='-1' is no positive number"),
        ("conv", {"scale": "inf"}, "scale='inf' is no positive number"),
        ("conv", {"scale": "big"}, "scale='big' is no positive number"),
    ],
)
def test_options_out_of_range(tmp_path, layout, options, says):
    with pytest.raises(OptionError, match=says):
        model(tmp_path, upconv_state(layout), **options)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pt").write_bytes(saved({"state_dict": upconv_state("fc"), "more": Harmful()}, zipped))
    with pytest.raises(CheckpointError, match=r"system, which is not data"):
        convert("upconv", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
