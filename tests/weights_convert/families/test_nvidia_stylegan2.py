"""Official StyleGAN2-ADA: the published fixture, other sizes against torch, and files that are refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.parity import assert_fixture, assert_samples
from tests.weights_convert.nvidia_files import write_fixture, write_pickle
from tests.weights_convert.torch_models import Harmful, saved
from tests.weights_convert.torch_nvidia import Official2
from tests.weights_convert.torch_stylegan import StyleGAN2
from weights_convert.convert import convert

FIXTURE = "nvidia_stylegan2_256"


def codes(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def images(batch: torch.Tensor) -> np.ndarray:
    return batch.detach().movedim(1, -1).numpy()


def repeated(w: torch.Tensor, module: Official2) -> torch.Tensor:
    return w[:, None].repeat(1, 2 * len(module.sides), 1)


def converted(tmp_path, module, options=None, **arguments):
    write_pickle(tmp_path / "a.pkl", module.state_dict(), **arguments)
    return convert("nvidia-stylegan2", tmp_path / "a.pkl", tmp_path / "model", options)


# --- The published size ---


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nvidia-stylegan2")
    return write_fixture(FIXTURE, "nvidia-stylegan2", folder)


def test_the_fixture_from_z_with_truncation(published):
    z = golden(FIXTURE)[1]["z"]
    G = gg.load(published, truncation=0.7)
    layers = {
        "w_plus": "mapping",
        "synthesis.conv4": "synthesis.b4",
        "synthesis.up8": "synthesis.b8.conv0",
        "synthesis.conv256": "synthesis.b256.conv1",
    }
    assert_fixture(FIXTURE, G, z, layers)


def test_the_fixture_from_w_plus(published):
    w_plus = golden(FIXTURE)[1]["w_plus"]
    G = gg.load(published, space="w+", truncation=0.5)  # codes of w+ are used as given
    assert G.latent_dim == 14 * 512
    assert_samples(FIXTURE, jax.vmap(G)(w_plus.reshape(2, -1)), "output_wplus")


# --- Other sizes, against torch ---

SIZES = [
    (5, 7, (6,), {"channels": 1, "depth": 1}),
    (6, 6, (8, 5), {"depth": 3, "taps": (1, 2, 5, 3)}),
    (4, 8, (8, 6, 6, 4, 3), {"noise": False}),
]


@pytest.mark.parametrize(("latent", "width", "features", "more"), SIZES, ids=["4", "8, a skewed filter", "64"])
def test_a_model_of_another_size(tmp_path, latent, width, features, more):
    module = Official2(latent, width, features, **more)
    folder = converted(tmp_path, module)
    z, w_plus = codes(3, latent), codes(3, 2 * len(features), width)
    w = module.mapping(z)
    theirs = images(module(repeated(w, module)))
    assert theirs.shape == (3, *[4 * 2 ** (len(features) - 1)] * 2, more.get("channels", 3))
    assert theirs.std() > 0.05
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), theirs)
    assert_close(jax.vmap(gg.load(folder, space="w"))(w.detach().numpy()), theirs)
    theirs = images(module(w_plus))
    assert_close(jax.vmap(gg.load(folder, space="w+"))(w_plus.reshape(3, -1).numpy()), theirs)
    card = gg.zoo.card(folder)
    assert card["config"]["resolution"] == theirs.shape[1]
    assert card["files"][0]["file"] == "a.pkl"


def test_truncation_of_the_first_style_layers(tmp_path):
    module = Official2(5, 6, (7, 5, 4))
    folder, z, average = converted(tmp_path, module), codes(2, 5), module.mapping.w_avg
    w_plus = repeated(module.mapping(z), module)
    w_plus[:, :4] = average + 0.6 * (w_plus[:, :4] - average)
    ours = jax.vmap(gg.load(folder, truncation=0.6, truncation_cutoff=4))(z.numpy())
    assert_close(ours, images(module(w_plus)))
    assert np.abs(ours - jax.vmap(gg.load(folder, truncation=0.6))(z.numpy())).max() > 0.01
    whole = jax.vmap(gg.load(folder, truncation=0.6, truncation_cutoff=0))(z.numpy())
    assert_close(whole, jax.vmap(gg.load(folder))(z.numpy()), 1e-6)
    for cutoff in (-1, 7, 1.5, "2", True):
        with pytest.raises(OptionError, match=r"truncation_cutoff=.* expected a number of style layers, 0 to 6"):
            gg.load(folder, truncation_cutoff=cutoff)


def test_a_conditional_model(tmp_path):
    module = Official2(5, 6, (7, 5), classes=3)
    folder, z = converted(tmp_path, module, c_dim=3), codes(2, 5)
    theirs = [images(module(repeated(module.mapping(z, k), module))) for k in range(3)]
    assert np.abs(theirs[0] - theirs[2]).max() > 0.05
    for k in range(3):
        assert_close(jax.vmap(gg.load(folder, class_index=k))(z.numpy()), theirs[k])
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), theirs[0])
    w = gg.load(folder, space="w", class_index=2).sample_latent(jax.random.key(3), 2)
    drawn = torch.from_numpy(np.array(jax.random.normal(jax.random.key(3), (2, 5))))
    assert_close(w, module.mapping(drawn, 2).detach(), 1e-5)
    with pytest.raises(OptionError, match="expected an integer from 0 to 2"):
        gg.load(folder, class_index=3)


@pytest.fixture(scope="module")
def small():
    return Official2(5, 6, (7, 5, 4))


def test_a_class_of_a_model_without_classes_is_refused(tmp_path, small):
    with pytest.raises(OptionError, match="this model has no classes"):
        gg.load(converted(tmp_path, small), class_index=0)


@pytest.mark.parametrize("given", ["file", "option"])
def test_another_learning_rate_of_the_mapping(tmp_path, given):
    module = Official2(5, 6, (4,), rate=0.1)
    in_file = {"mapping_kwargs": {"lr_multiplier": 0.1}} if given == "file" else {}
    folder = converted(tmp_path, module, {"lr_multiplier": "0.1"} if given == "option" else {}, **in_file)
    z = codes(2, 5)
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), images(module(repeated(module.mapping(z), module))))


def test_a_state_dict_in_half_precision_without_average(tmp_path, small):
    state = {name: x.half() for name, x in small.state_dict().items() if not name.endswith(("w_avg", "filter"))}
    (tmp_path / "a.pt").write_bytes(saved({"G_ema": state}))
    folder = convert("nvidia-stylegan2", tmp_path / "a.pt", tmp_path / "model")
    w = codes(2, 6)
    G = gg.load(folder, space="w")
    assert_close(jax.vmap(G)(w.numpy()), images(small(repeated(w, small))), 5e-3)
    z = torch.from_numpy(np.array(jax.random.normal(jax.random.key(0), (4096, 5))))
    assert_close(G.params["context"]["mean_latent"], small.mapping(z).mean(0).detach(), 1e-2)


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_every_space_is_differentiable(tmp_path, space):
    folder = converted(tmp_path, Official2(4, 5, (6, 4), classes=2))
    assert_differentiable(gg.load(folder, space=space, class_index=1), "synthesis.up8.preactivation")


# --- Bad input ---


def without_classes(latent: int, width: int, classes: int = 3) -> dict[str, torch.Tensor]:
    """A conditional network whose embedding was left out."""
    state = Official2(latent, width, (7, 5), classes=classes).state_dict()
    return {name: tensor for name, tensor in state.items() if "embed" not in name}


@pytest.mark.parametrize(
    ("latent", "width", "arguments", "says"),
    [
        (5, 6, {}, r"does not say its latent_dim\. Give --option latent_dim=.*the file lacks them"),
        (
            5,
            6,
            {"z_dim": 5},
            r"z_dim=5, but mapping\.fc0\.weight takes 11 numbers.*mapping\.embed\.weight is missing",
        ),
        (9, 4, {"z_dim": 9, "c_dim": 3}, r"says c_dim=3 classes, but has an embedding mapping\.embed\.weight of 0"),
        (4, 4, {"c_dim": 3}, "without its classes a conditional network cannot be evaluated"),
        (1, 8, {}, "does not say its latent_dim"),
    ],
    ids=["tensors alone", "z_dim", "c_dim", "c_dim alone", "one number"],
)
def test_a_conditional_network_without_its_classes(tmp_path, latent, width, arguments, says):
    if arguments:
        write_pickle(tmp_path / "a.pkl", without_classes(latent, width), **arguments)
    else:
        (tmp_path / "a.pkl").write_bytes(saved({"G_ema": without_classes(latent, width)}))
    with pytest.raises((CheckpointError, OptionError), match=rf"(?s){says}"):
        convert("nvidia-stylegan2", tmp_path / "a.pkl", tmp_path / "model")
    with pytest.raises((CheckpointError, OptionError)):
        convert("nvidia-stylegan2", tmp_path / "a.pkl", tmp_path / "model", {"latent_dim": str(latent)})
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("arguments", [{}, {"z_dim": 9}], ids=["said by the user", "said by the file"])
def test_an_unconditional_network_of_long_codes(tmp_path, arguments):
    module = Official2(9, 4, (6,))
    options = {} if arguments else {"latent_dim": "9"}
    folder = converted(tmp_path, module, options, **arguments)
    z = codes(2, 9)
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), images(module(repeated(module.mapping(z), module))))


def test_what_tensors_alone_do_not_say_is_assumed(tmp_path, small):
    state = {name: x for name, x in small.state_dict().items() if not name.endswith("resample_filter")}
    (tmp_path / "a.pt").write_bytes(saved({"G_ema": state}))
    folder = convert("nvidia-stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert gg.zoo.card(folder)["assumed"] == {"taps": [1, 3, 3, 1], "lr_multiplier": 0.01}
    assert "assumed" not in gg.zoo.card(converted(tmp_path, small, z_dim=5))  # the official class has its defaults


def changed(module, **tensors) -> dict[str, torch.Tensor]:
    """A state dict with some tensors replaced, or dropped if None; ``__`` stands for a dot."""
    merged = module.state_dict() | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


SMALL = Official2(5, 6, (7, 5, 4))


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (changed(SMALL, mapping__fc0__weight=None), r"lacks mapping\.fc0\.weight"),
        (changed(SMALL, synthesis__b8__conv1__weight=None), "left over: synthesis.b"),
        (changed(SMALL, synthesis__b8__torgb__weight=None), "expected the architecture 'skip'"),
        (changed(SMALL, synthesis__b8__torgb__bias=None), r"missing: synthesis\.b8\.torgb\.bias"),
        (changed(SMALL, synthesis__b16__conv0__noise_const=None), r"missing: synthesis\.b16\.conv0\.noise_const"),
        (changed(SMALL, synthesis__b16__conv0__noise_const=torch.ones(8, 8)), "gives noise/map3 of shape"),
        (changed(SMALL, synthesis__b8__conv0__resample_filter=torch.eye(4)), "not one separable filter"),
        (changed(SMALL, synthesis__b8__conv0__weight=torch.ones(3, 7, 3, 3)), "gives generator/s"),
        (changed(SMALL, synthesis__b4__const=torch.full((7, 4, 4), torch.nan)), "NaN or infinite"),
        (changed(SMALL, mapping__fc0__weight=torch.ones(6, 0)), "tensors without entries"),
        (changed(SMALL, mapping__embed__weight=torch.ones(6, 3)), "tensors without entries"),
        (changed(SMALL, other=torch.ones(1)), "left over: other"),
        (StyleGAN2(3, 4, (4, 4)).state_dict(), "Its tensor names are those of stylegan2:"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, state, says):
    (tmp_path / "a.pt").write_bytes(saved({"G_ema": state}))
    with pytest.raises(CheckpointError, match=says):
        convert("nvidia-stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"activation": "relu"}, "activation 'relu'"),
        ({"mapping_kwargs": {"activation": "linear"}}, "activation 'linear'"),
        ({"mapping_kwargs": {"lr_multiplier": "x"}}, "lr_multiplier is 'x'; expected a positive number"),
        ({"mapping_kwargs": {"lr_multiplier": float("nan")}}, "lr_multiplier is 'nan'"),
    ],
)
def test_arguments_that_the_network_does_not_have(tmp_path, small, arguments, says):
    with pytest.raises(CheckpointError, match=says):
        converted(tmp_path, small, **arguments)


def test_options_that_contradict_the_file(tmp_path, small):
    with pytest.raises(OptionError, match="resolution=32, but the tensors make images of 16 pixels"):
        converted(tmp_path, small, {"resolution": "32"})
    with pytest.raises(OptionError, match="lr_multiplier is '0'"):
        converted(tmp_path, small, {"lr_multiplier": "0"})


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_file_of_torch_is_refused(tmp_path, monkeypatch, small, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pt").write_bytes(saved({"D": Harmful(), "G_ema": small.state_dict()}, zipped))
    with pytest.raises(CheckpointError, match=r"posix\.system|nt\.system"):
        convert("nvidia-stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
