"""Official StyleGAN3, T and R: the published fixture, other sizes against torch, and files that are refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from geomgan.generators.nvidia_stylegan3 import FourierInput, configuration
from geomgan.generators.stylegan3_sampling import Waves
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.parity import assert_fixture, assert_samples
from tests.weights_convert.nvidia_files import write_fixture, write_pickle
from tests.weights_convert.torch_models import Harmful, saved
from tests.weights_convert.torch_nvidia import Official2, Official3
from weights_convert.convert import convert

FIXTURE = "nvidia_stylegan3_t_256"
ARGUMENTS = ("num_critical", "margin_size", "first_cutoff", "lrelu_upsampling", "output_scale")  # in the file


def codes(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def images(batch: torch.Tensor) -> np.ndarray:
    return batch.detach().movedim(1, -1).numpy()


def repeated(w: torch.Tensor, module: Official3) -> torch.Tensor:
    return w[:, None].repeat(1, len(module.layers) + 1, 1)


def exact(module: Official3) -> Official3:
    """In float64: behind random filters, float32 alone leaves errors of up to 1e-4."""
    return copy.deepcopy(module).double()


def converted(tmp_path: Path, module: Official3, options: Any = None, **arguments: Any) -> Path:
    write_pickle(tmp_path / "a.pkl", module.state_dict(), **arguments)
    return convert("nvidia-stylegan3", tmp_path / "a.pkl", tmp_path / "model", options)


# --- The published size ---


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_fixture(FIXTURE, "nvidia-stylegan3", tmp_path_factory.mktemp("nvidia-stylegan3"))


@pytest.mark.slow
def test_the_fixture_from_z_with_truncation(published):
    G = gg.load(published, truncation=0.7)
    layers = {
        "w_plus": "mapping",
        "synthesis.input": "synthesis.input",
        "synthesis.L0": "synthesis.L0_36_512",
        "synthesis.L5": "synthesis.L5_84_512",
        "synthesis.L13": "synthesis.L13_256_64",
    }
    assert_fixture(FIXTURE, G, golden(FIXTURE)[1]["z"][:1], layers)


def test_the_fixture_has_the_published_configuration(published):
    assert gg.zoo.card(published)["config"] == configuration(256)


def test_the_fixture_from_w_plus(published):
    w_plus = golden(FIXTURE)[1]["w_plus"]
    G = gg.load(published, space="w+", truncation=0.5)  # codes of w+ are used as given
    assert G.latent_dim == 16 * 512
    assert_samples(FIXTURE, G(w_plus.ravel())[None], "output_wplus")


# --- Other sizes, against torch ---

R = {"kernel": 1, "radial": True}
SIZES = {
    "T": (5, 7, (6, 6, 5, 4, 3), {}),
    "R": (5, 7, (6, 6, 5, 4, 3), R),
    "T, one channel, 64 pixels": (6, 6, (5, 4, 4, 3, 3, 3, 1), {"resolution": 64, "depth": 1}),
    "R, 24 pixels, many layers": (6, 5, (4, 5, 4, 5, 4, 5, 4, 5, 3), {**R, "resolution": 24, "first_cutoff": 1.5}),
    "T, 3 critical layers": (4, 8, (5, 4, 3, 3, 3, 2), {"num_critical": 3, "margin_size": 4, "filter_size": 4}),
    "R, none critical, 4 times oversampled": (
        *(3, 4, (4, 3, 3)),
        {**R, "num_critical": 0, "margin_size": 2, "lrelu_upsampling": 4, "filter_size": 3, "output_scale": 2.0},
    ),
    "T, not oversampled": (3, 4, (4, 4, 3, 3), {"lrelu_upsampling": 1}),
}


@pytest.mark.parametrize(("latent", "width", "widths", "more"), SIZES.values(), ids=SIZES)
def test_a_model_of_another_size(tmp_path, latent, width, widths, more):
    module = Official3(latent, width, widths, **more)
    folder = converted(tmp_path, module, **{name: more[name] for name in ARGUMENTS if name in more})
    module = exact(module)
    z, w_plus = codes(2, latent), codes(2, len(widths) + 1, width)
    theirs = images(module(repeated(module.mapping(z.double()), module)))
    assert theirs.shape == (2, *[more.get("resolution", 32)] * 2, widths[-1])
    assert theirs.std() > 0.05
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), theirs)
    theirs = images(module(w_plus.double()))
    assert_close(jax.vmap(gg.load(folder, space="w+"))(w_plus.reshape(2, -1).numpy()), theirs)
    assert gg.zoo.card(folder)["config"]["layers"][0]["radial"] is more.get("radial", False)


def test_arguments_from_options_where_the_file_does_not_say(tmp_path):
    module = Official3(4, 5, (4, 4, 3, 3), margin_size=5, output_scale=0.5, num_critical=1)
    state = {name: x for name, x in module.state_dict().items() if name != "mapping.w_avg"}
    (tmp_path / "a.pt").write_bytes(saved({"G_ema": state}))
    options = {"margin_size": "5", "output_scale": "0.5", "num_critical": "1", "resolution": "32"}
    with pytest.raises(CheckpointError, match=r"the layers make \[.*\] pixels a side; expected .* margin_size=10"):
        convert("nvidia-stylegan3", tmp_path / "a.pt", tmp_path / "model")
    folder = convert("nvidia-stylegan3", tmp_path / "a.pt", tmp_path / "model", options)
    w = codes(2, 5)
    assert_close(jax.vmap(gg.load(folder, space="w"))(w.numpy()), images(module(repeated(w, module))))


def test_a_conditional_model_with_truncation_of_the_first_style_layers(tmp_path):
    module = Official3(4, 5, (4, 4, 3, 3), classes=3)
    folder, z, average = converted(tmp_path, module, c_dim=3), codes(2, 4), module.mapping.w_avg
    w_plus = repeated(module.mapping(z, 2), module)
    w_plus[:, :2] = average + 0.5 * (w_plus[:, :2] - average)
    G = gg.load(folder, class_index=2, truncation=0.5, truncation_cutoff=2)
    assert_close(jax.vmap(G)(z.numpy()), images(module(w_plus)))
    assert np.abs(jax.vmap(gg.load(folder))(z.numpy()) - images(module(w_plus))).max() > 0.01
    w = gg.load(folder, space="w", class_index=2).sample_latent(jax.random.key(3), 2)
    drawn = torch.from_numpy(np.array(jax.random.normal(jax.random.key(3), (2, 4))))
    assert_close(w, module.mapping(drawn, 2).detach(), 1e-5)
    for options, says in (
        ({"class_index": 3}, "expected an integer from 0 to 2"),
        ({"truncation_cutoff": 6}, "a number of style layers, 0 to 5"),
        ({"space": "s", "layers": (0, 6)}, "there are 5 style layers"),
    ):
        with pytest.raises(OptionError, match=says):
            gg.load(folder, **options)


def test_codes_of_the_first_style_layer_move_the_waves_alone(tmp_path):
    folder = converted(tmp_path, SMALL)
    base, own = codes(5, 5).numpy(), codes(2, 5)[1].numpy()
    theirs = images(SMALL(torch.from_numpy(np.concatenate([own[None], base[1:]]))[None]))[0]
    assert_close(gg.load(folder, space="w+", layers=(0, 1), base=base)(own), theirs)
    G = gg.load(folder, space="s", layers=(0, 1), base=base)
    assert G.latent_dim == 4
    assert_close(G(gg.load(folder, space="w").at("s")(own)[:4]), theirs)


@pytest.fixture(scope="module")
def field():
    """A field of waves by its style, without a transform of the user."""
    waves, rng = Waves(5, 6, 4.0, 1.0), np.random.default_rng(0)
    params = {
        "frequencies": rng.standard_normal((5, 2)),
        "phases": rng.uniform(-0.5, 0.5, 5),
        "transform": np.eye(3),
        "kernel": rng.standard_normal((5, 3)) @ rng.standard_normal((3, 5)),
    }
    params["frequencies"][0] = 0  # a constant
    return lambda style: FourierInput(waves).apply({"params": params}, jnp.asarray(style, jnp.float32))


def test_the_style_moves_and_turns_the_field(field):
    still = field([1, 0, 0, 0])
    assert still.std() > 0.1
    assert_close(field([1, 0, 1 / 4, 0])[:, 1:], still[:, :-1], 1e-5)  # by a pixel
    assert_close(field([2, 0, 0, 2 / 4])[1:], still[:-1], 1e-5)
    assert_close(field([0, 3, 0, 0]), np.rot90(still), 1e-5)


def test_a_constant_wave_has_a_derivative(field):
    _, derivative = jax.jvp(field, (jnp.asarray([1.0, 0.5, 0.2, 0.1]),), (jnp.ones(4),))
    assert np.isfinite(derivative).all()
    assert np.abs(derivative).max() > 0.1


@pytest.mark.parametrize("space", ["z", "s"])
@pytest.mark.parametrize("radial", [False, True])
def test_every_space_is_differentiable(tmp_path, space, radial):
    module = Official3(4, 5, (4, 3, 3), resolution=16, margin_size=4, num_critical=1, radial=radial)
    folder = converted(tmp_path, module, margin_size=4, num_critical=1)
    assert_differentiable(gg.load(folder, space=space), "synthesis.L1.preactivation")


# --- Bad input ---

SMALL = Official3(4, 5, (4, 4, 3, 3))


def changed(**tensors) -> dict[str, torch.Tensor]:
    """A state dict with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = SMALL.state_dict() | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (changed(synthesis__input__freqs=None), r"lacks synthesis\.input\.freqs"),
        (changed(synthesis__L0_36_4__weight=None), r"layers \[1, 2, 3\]"),
        (changed(synthesis__L0_36_4__bias=None), r"missing: synthesis\.L0_36_4\.bias"),
        (changed(synthesis__L0_36_4__weight=torch.ones(4, 4, 3, 1)), "expected a square convolution"),
        (changed(synthesis__L0_36_4__weight=torch.ones(4, 6, 3, 3)), "takes 6 channels; expected 4"),
        (changed(synthesis__L0_36_4__up_filter=torch.ones(2, 2)), "a filter with one axis"),
        (changed(synthesis__L0_36_4__down_filter=torch.ones(0)), "of up to 256 entries"),
        (changed(synthesis__L0_36_4__down_filter=torch.ones(65, 65)), "of up to 64 entries"),
        (changed(synthesis__L0_36_4__up_filter=None), r"missing: synthesis\.L0_36_4\.up_filter"),
        (changed(synthesis__input__freqs=torch.ones(())), "shapes do not fit"),
        (changed(synthesis__input__freqs=torch.ones(3, 2)), "takes 4 channels; expected 3"),
        (changed(mapping__embed__weight=torch.ones(5)), "shapes do not fit"),
        (changed(synthesis__L0_36_4__magnitude_ema=torch.zeros(())), "NaN or infinite"),
        (changed(synthesis__input__transform=torch.ones(2, 3)), r"gives .*transform of shape \(2, 3\)"),
        (changed(mapping__fc0__weight=torch.ones(5, 0)), "tensors without entries"),
        (changed(synthesis__other=torch.ones(1)), r"left over: synthesis\.other"),
        (Official2(3, 4, (4, 4)).state_dict(), "Its tensor names are those of nvidia-stylegan2:"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, state, says):
    (tmp_path / "a.pt").write_bytes(saved({"G_ema": state}))
    with pytest.raises(CheckpointError, match=says):
        convert("nvidia-stylegan3", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("resolution", "64", "the tensors make images of 32 pixels"),
        ("margin_size", "-1", "margin_size is '-1'; expected a non-negative number"),
        ("first_cutoff", "nan", "first_cutoff is 'nan'"),
        ("output_scale", "0", "output_scale is '0'; expected a positive number"),
    ],
)
def test_options_out_of_range(tmp_path, option, value, says):
    with pytest.raises(OptionError, match=says):
        converted(tmp_path, SMALL, {option: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_critical", 3),
        ("margin_size", 9),
        ("first_cutoff", 8),
        ("first_stopband", 1e-8),
        ("last_stopband_rel", 1e-8),
        ("lrelu_upsampling", 1e8),
        ("img_resolution", 64),
    ],
)
def test_arguments_of_another_network_are_refused(tmp_path, name, value):
    with pytest.raises(CheckpointError, match=f"{name}=|would upsample"):
        converted(tmp_path, SMALL, **{name: value})


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_file_of_torch_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pt").write_bytes(saved({"D": Harmful(), "G_ema": SMALL.state_dict()}, zipped))
    with pytest.raises(CheckpointError, match=r"posix\.system|nt\.system"):
        convert("nvidia-stylegan3", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
