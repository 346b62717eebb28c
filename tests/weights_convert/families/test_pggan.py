"""Progressive GANs: published fixtures, other sizes against torch, derivatives, and files that are refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.parity import assert_fixture, converted
from tests.weights_convert.torch_models import Harmful, gan_zoo_checkpoint, randomise, saved
from tests.weights_convert.torch_pggan import GanZooPGGAN, ProgGAN
from weights_convert.convert import convert


def codes(n: int, d: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(1))


def images(batch: torch.Tensor) -> np.ndarray:
    return batch.detach().movedim(1, -1).numpy()


@pytest.fixture
def small(tmp_path):
    """A folder and the torch module that it was converted from: four scales, learned alpha 0.25."""
    module = randomise(GanZooPGGAN(6, (8, 6, 6, 4), 3), seed=4)
    (tmp_path / "pggan.pth").write_bytes(gan_zoo_checkpoint(module.state_dict(), alpha=0.25))
    return convert("pggan-gan-zoo", tmp_path / "pggan.pth", tmp_path / "model"), module


@pytest.fixture
def small_proggan(tmp_path):
    module = randomise(ProgGAN(5, (8, 8, 4), 3), seed=7)
    (tmp_path / "proggan.pth").write_bytes(saved(module.state_dict()))
    return convert("proggan", tmp_path / "proggan.pth", tmp_path / "model"), module


# --- The published sizes ---


def test_pggan256(tmp_path):
    G = gg.load(converted("pggan256", "pggan-gan-zoo", tmp_path))
    z = golden("pggan256")[1]["z"]
    layers = {
        "project.preactivation": "formatLayer",
        "scale1.conv1.preactivation": "groupScale0.0",
        "scale2.conv2.preactivation": "scaleLayers.0.1",
        "scale5.conv2.preactivation": "scaleLayers.3.1",
        "scale7.conv2.preactivation": "scaleLayers.5.1",
        "rgb": "toRGBLayers.6",
    }
    assert_fixture("pggan256", G, z, layers)


def test_proggan1024(tmp_path):
    G = gg.load(converted("proggan1024", "proggan", tmp_path))
    z = golden("proggan1024")[1]["z"]
    layers = {
        "project": "features.0",
        "scale1.conv1": "features.1",
        "scale4.conv1": "features.6",
        "scale6.conv2": "features.11",
        "scale9.conv2": "features.17",  # "output.conv" is before the stored scale and bias, which are folded
    }
    assert_fixture("proggan1024", G, z, layers)


# --- Other sizes, against torch ---


@pytest.mark.parametrize(
    ("latent", "features", "channels", "settings"),
    [
        (7, (8,), 1, {}),
        (5, (6, 4), 3, {"alpha": 0.5, "lossCriterion": "WGANGP"}),
        (9, (8, 8, 6, 4, 3), 2, {"leakyReluLeak": 0.1, "lossCriterion": "DCGAN", "equalizedlR": True}),
        (4, (5, 7, 3), 3, {"equalizedlR": False, "alpha": 1, "lossMode": "MSE"}),
    ],
    ids=["4 pixels", "8 pixels, growing", "64 pixels, tanh", "16 pixels, old branch, not equalised"],
)
def test_a_gan_zoo_model_of_another_size(tmp_path, latent, features, channels, settings):
    slope, equalised = settings.get("leakyReluLeak", 0.2), settings.get("equalizedlR", True)
    module = randomise(GanZooPGGAN(latent, features, channels, slope, equalised), seed=latent)
    (tmp_path / "a.pth").write_bytes(gan_zoo_checkpoint(module.state_dict(), **settings))
    G = gg.load(convert("pggan-gan-zoo", tmp_path / "a.pth", tmp_path / "model"))
    z = codes(3, latent)
    tanh = settings.get("lossCriterion", settings.get("lossMode")) in ("DCGAN", "MSE")
    theirs = images(module(z, settings.get("alpha", 0), tanh))
    assert theirs.shape == (3, *[4 * 2 ** (len(features) - 1)] * 2, channels)
    assert theirs.std() > 0.1
    assert_close(jax.vmap(G)(z.numpy()), theirs)
    assert (G.latent_dim, G.output_range) == (latent, (-1, 1))


@pytest.mark.parametrize(
    "options",
    [
        {"slope": "0.1"},
        {"output": "tanh", "alpha": "0.5"},
        {"equalised": "false"},
        {"slope": "0", "output": "linear"},
        {"slope": "0.3", "output": "tanh", "alpha": "1", "equalised": "false"},
    ],
    ids=str,
)
def test_what_a_bare_state_dict_does_not_say(tmp_path, options):
    equalised = options.get("equalised") != "false"
    module = randomise(GanZooPGGAN(6, (8, 6), 3, float(options.get("slope", 0.2)), equalised), seed=2)
    (tmp_path / "a.pth").write_bytes(saved(module.state_dict()))
    folder = convert("pggan-gan-zoo", tmp_path / "a.pth", tmp_path / "model", options)
    z = codes(2, 6)
    theirs = images(module(z, float(options.get("alpha", 0)), options.get("output") == "tanh"))
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), theirs)
    assumed = {"slope": 0.2, "output": "linear", "alpha": 0.0, "equalised": True}
    assert gg.zoo.card(folder).get("assumed", {}) == {k: v for k, v in assumed.items() if k not in options}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"slope": "0.2"}, r"slope=0\.2, but the file says 0\.1"),
        ({"output": "linear"}, "output=linear, but the file says tanh"),
        ({"alpha": "0.5"}, r"alpha=0\.5, but the file says 0\.25"),
        ({"equalised": "false"}, "equalised=false, but the file says true"),
    ],
)
def test_options_that_the_settings_contradict(tmp_path, options, says):
    said = {"leakyReluLeak": 0.1, "lossMode": "DCGAN", "alpha": 0.25, "equalizedlR": True}
    (tmp_path / "a.pth").write_bytes(gan_zoo_checkpoint(GAN_ZOO.state_dict(), **said))
    with pytest.raises(OptionError, match=says):
        convert("pggan-gan-zoo", tmp_path / "a.pth", tmp_path / "model", options)


def old_name(name: str) -> str:
    """As the GAN zoo's first version named tensors, and behind a prefix of data-parallel training."""
    return "module." + name.replace(".module.", ".")


def test_names_of_the_first_version_half_precision_and_a_bare_state_dict(tmp_path):
    module = randomise(GanZooPGGAN(6, (8, 6), 3), seed=2).half().float()
    state = {old_name(name): tensor.half() for name, tensor in module.state_dict().items()}
    (tmp_path / "old.pth").write_bytes(saved(state))
    G = gg.load(convert("pggan-gan-zoo", tmp_path / "old.pth", tmp_path / "model"))
    z = codes(2, 6)
    assert_close(jax.vmap(G)(z.numpy()), images(module(z)))


@pytest.mark.parametrize("alpha", [0, 0.3, 1.0])
def test_alpha_weighs_the_old_branch(small, alpha):
    folder, module = small
    z = codes(2, 6)
    assert_close(jax.vmap(gg.load(folder, alpha=alpha))(z.numpy()), images(module(z, alpha)))


def test_alpha_is_what_the_checkpoint_says_unless_given(small):
    folder, module = small
    z = codes(2, 6)
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), images(module(z, 0.25)))
    assert gg.zoo.card(folder)["config"]["alpha"] == 0.25


def test_another_alpha_does_not_recompile(small):
    traced = []

    @jax.jit
    def sample(G, z):
        traced.append(G.name)
        return G(z)

    one, other = (sample(gg.load(small[0], alpha=alpha), np.ones(6, np.float32)) for alpha in (0.25, 0.75))
    assert len(traced) == 1
    assert np.abs(one - other).max() > 0.01


def test_smaller_output_layers_are_ignored_with_the_reason(small):
    ignored = gg.zoo.card(small[0])["ignored"]
    assert list(ignored) == ["toRGBLayers.0.*", "toRGBLayers.1.*"]
    assert "only the last two" in ignored["toRGBLayers.0.*"]


@pytest.mark.parametrize(
    ("latent", "features", "channels"), [(5, (6,), 1), (7, (8, 4), 3), (4, (6, 8, 5, 3), 2)], ids=str
)
def test_a_proggan_of_another_size(tmp_path, latent, features, channels):
    module = randomise(ProgGAN(latent, features, channels), seed=latent)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("scale"):
                parameter.abs_().add_(0.5)
    (tmp_path / "a.pth").write_bytes(saved(module.state_dict(), zipped=False))
    G = gg.load(convert("proggan", tmp_path / "a.pth", tmp_path / "model"))
    z = codes(3, latent)
    theirs = images(module(z))
    assert theirs.shape == (3, *[4 * 2 ** (len(features) - 1)] * 2, channels)
    assert theirs.std() > 0.1
    assert_close(jax.vmap(G)(z.numpy()), theirs)


# --- Derivatives, batches, layers ---


def test_a_growing_model_is_differentiable(small):
    G = gg.load(small[0])
    assert_differentiable(G, "scale3.normalised")
    assert G.layers[-2:] == ("rgb", "rgb_before")
    assert G.at("rgb_before").sample_shape.shape == (16, 16, 3)
    unit = G.at("scale2.normalised")(np.ones(6))
    np.testing.assert_allclose((unit**2).mean(-1), 1, rtol=1e-4)


def test_a_proggan_is_differentiable(small_proggan):
    G = gg.load(small_proggan[0])
    assert_differentiable(G, "scale2.conv1.preactivation")
    z = np.linspace(1, 2, 5)
    assert_close(G(3 * z), G(z), 1e-5)  # the code's radius is normalised away


# --- Bad input ---


def test_a_bad_alpha_is_refused(small, tmp_path):
    for alpha in (-0.1, 1.5, float("nan"), "half", (0.5, 0.5)):
        with pytest.raises(OptionError, match=r"alpha is .*expected a number from 0"):
            gg.load(small[0], alpha=alpha)
    module = randomise(GanZooPGGAN(3, (4,), 1))
    (tmp_path / "one.pth").write_bytes(gan_zoo_checkpoint(module.state_dict(), alpha=0.5))
    one = convert("pggan-gan-zoo", tmp_path / "one.pth", tmp_path / "one")
    assert gg.zoo.card(one)["config"]["alpha"] == 0  # as the original: nothing to blend
    with pytest.raises(OptionError, match="has one scale: there is no old branch"):
        gg.load(one, alpha=0.5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"alpha": 2.0}, r"its settings do not fit: alpha is 2\.0"),
        ({"alpha": [1]}, r"its settings do not fit: alpha is \[1\]"),
        ({"leakyReluLeak": "steep"}, r"leakyReluLeak = 'steep'; expected a slope"),
        ({"lossCriterion": "Hinge"}, r"the loss 'Hinge'; expected one of MSE"),
        ({"perChannelNormalization": False}, "without pixel norm"),
    ],
)
def test_bad_settings_are_refused(tmp_path, settings, says):
    module = randomise(GanZooPGGAN(3, (4, 4), 1))
    (tmp_path / "a.pth").write_bytes(gan_zoo_checkpoint(module.state_dict(), **settings))
    with pytest.raises(CheckpointError, match=says):
        convert("pggan-gan-zoo", tmp_path / "a.pth", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def changed(module, **tensors) -> dict[str, torch.Tensor]:
    """A state dict with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = module.state_dict() | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


GAN_ZOO, PROGGAN = GanZooPGGAN(3, (4, 4, 2), 1), ProgGAN(3, (4, 4, 2), 1)


@pytest.mark.parametrize(
    ("family", "state", "says"),
    [
        (
            "pggan-gan-zoo",
            changed(GAN_ZOO, groupScale0__0__module__bias=None),
            r"missing: groupScale0\.0\.bias",
        ),
        ("pggan-gan-zoo", changed(GAN_ZOO, toRGBLayers__3__module__bias=torch.ones(1)), r"left over: toRGBLayers\.3"),
        (
            "pggan-gan-zoo",
            changed(GAN_ZOO, scaleLayers__1__1__module__weight=torch.ones(2, 3, 3, 3)),
            r"published scaleLayers\.1\.1 gives scale3/conv2/kernel of shape",
        ),
        (
            "pggan-gan-zoo",
            changed(GAN_ZOO, toRGBLayers__1__module__weight=torch.ones(2, 4, 1, 1)),
            r"toRGBLayers\.1 gives output_before/kernel",
        ),
        ("pggan-gan-zoo", changed(GAN_ZOO, formatLayer__module__weight=torch.ones(60, 3)), "no progressive GAN of the"),
        ("pggan-gan-zoo", PROGGAN.state_dict(), "Its tensor names are those of proggan"),
        ("proggan", GAN_ZOO.state_dict(), "Its tensor names are those of pggan-gan-zoo"),
        ("proggan", changed(PROGGAN, features__3__wscale__b=None), r"missing: features\.3\.wscale\.b"),
        ("proggan", changed(PROGGAN, features__5__conv__weight=None), "an even number of blocks"),
        (
            "proggan",
            changed(PROGGAN, features__1__wscale__scale=torch.ones(4)),
            r"features\.1\.conv\.weight, features\.1\.wscale\.scale do not fit each other",
        ),
        (
            "proggan",
            changed(PROGGAN, features__4__conv__weight=torch.ones(2, 3, 3, 3)),
            r"features\.4\.conv\.weight gives scale3/conv1/kernel of shape \(3, 3, 3, 2\); expected \(3, 3, 4, 2\)",
        ),
        ("proggan", changed(PROGGAN, output__wscale__b=torch.tensor([torch.nan])), "1 NaN or infinite values"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, family, state, says):
    (tmp_path / "a.pth").write_bytes(saved(state))
    with pytest.raises(CheckpointError, match=says):
        convert(family, tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize("family", ["pggan-gan-zoo", "proggan"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, family, zipped):
    monkeypatch.chdir(tmp_path)
    module = GAN_ZOO if family == "pggan-gan-zoo" else PROGGAN
    (tmp_path / "a.pth").write_bytes(saved({"config": Harmful(), "avgG": module.state_dict()}, zipped))
    with pytest.raises(CheckpointError, match=r"posix\.system|nt\.system"):
        convert(family, tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
