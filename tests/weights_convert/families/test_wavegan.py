"""WaveGAN: published fixtures, every length and kind against torch, its use with spectrograms, and refused files."""

from __future__ import annotations

import itertools
import os

import jax
import numpy as np
import pytest
import torch
from torch import nn

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close, golden
from tests.parity import assert_fixture, converted
from tests.small_models import in_float64, largest_difference
from tests.weights_convert.torch_models import Harmful, randomise, saved
from weights_convert.convert import convert
from weights_convert.families.wavegan import sub_pixel_kernel

LAYERS = {16384: 5, 32768: 6, 65536: 6}


class Upsampling(nn.Module):
    """Samples repeated four times, twelve zeros around, and a convolution; or a transposed convolution."""

    def __init__(self, before: int, after: int, repeats: bool, stride: int, batch_norm: bool) -> None:
        super().__init__()
        self.repeats = repeats
        if repeats:
            operations = [nn.ConstantPad1d(12, 0.0), nn.Conv1d(before, after, 25, stride=4 // stride)]
        else:
            operations = [nn.ConvTranspose1d(before, after, 25, stride, padding=11, output_padding=1)]
        self.transpose_ops = nn.Sequential(*operations, *([nn.BatchNorm1d(after)] if batch_norm else []))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.transpose_ops(x.repeat_interleave(4, 2) if self.repeats else x)


class TorchWaveGAN(nn.Module):
    """The generator of wavegan-pytorch for ``slice_len`` samples."""

    def __init__(
        self, latent: int, size: int, channels: int, slice_len: int, repeats: bool = True, batch_norm: bool = False
    ) -> None:
        super().__init__()
        hidden = [size * 2**i for i in reversed(range(LAYERS[slice_len]))]
        self.width, self.batch_norm = hidden[0], batch_norm
        self.fc1 = nn.Linear(latent, 16 * hidden[0])
        self.bn1 = nn.BatchNorm1d(hidden[0])
        self.deconv_list = nn.ModuleList(
            Upsampling(before, after, repeats, 4, batch_norm) for before, after in itertools.pairwise(hidden)
        )
        self.deconv_list.append(Upsampling(hidden[-1], channels, repeats, 2 if slice_len == 32768 else 4, False))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.fc1(z).reshape(len(z), self.width, 16)
        x = (self.bn1(x) if self.batch_norm else x).relu()
        for layer in self.deconv_list[:-1]:
            x = layer(x).relu()
        return self.deconv_list[-1](x).tanh()


def checkpoint(state, zipped: bool = False) -> bytes:
    """A file of wavegan-pytorch."""
    return saved({"generator": state, "discriminator": {}, "n_iterations": 3, "g_cost": [0.5, 1.5]}, zipped)


def model(folder, module, **options):
    (folder / "gan_exp1.tar").write_bytes(checkpoint(module.state_dict()))
    return convert("wavegan", folder / "gan_exp1.tar", folder / "model", {k: str(v) for k, v in options.items()})


@pytest.fixture
def small(tmp_path):
    return gg.load(model(tmp_path, randomise(TorchWaveGAN(4, 1, 2, 16384)), slice_len=16384))


# --- The published sizes ---


@pytest.mark.parametrize(
    ("name", "options", "layers"), [("wavegan_16384", ["slice_len=16384"], 5), ("wavegan_65536", [], 6)]
)
def test_published_sizes(tmp_path, name, options, layers):
    G = gg.load(converted(name, "wavegan", tmp_path, "gan_exp1.tar", *options))
    z = golden(name)[1]["z"]
    blocks = {f"block{i + 1}.preactivation": f"deconv_list.{i}" for i in (0, 2, layers - 2)}
    last = {"output.preactivation": f"deconv_list.{layers - 1}"}
    assert_fixture(name, G, z, {"project.preactivation": "fc1", **blocks, **last})


# --- Every kind, against torch ---


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize(
    ("slice_len", "size", "channels", "latent"), [(16384, 2, 1, 7), (32768, 1, 2, 5), (65536, 1, 1, 3)]
)
def test_every_kind_equals_torch(tmp_path, slice_len, size, channels, latent, repeats, batch_norm):
    module = randomise(TorchWaveGAN(latent, size, channels, slice_len, repeats, batch_norm), seed=latent).double()
    folder = model(tmp_path, module, slice_len=slice_len)
    G = gg.load(folder)
    z = torch.randn(2, latent, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        theirs = module(z).movedim(1, -1).numpy()
    # the published padding of the transposed kind at stride 2 makes two samples more
    assert theirs.shape == (2, 32770 if (slice_len, repeats) == (32768, False) else slice_len, channels)
    assert theirs.std() > 0.01
    ours = np.asarray(jax.vmap(G)(z.numpy()))
    assert_close(ours, theirs)
    assert_close(ours[:, :100], theirs[:, :100])  # the padding
    assert_close(ours[:, -100:], theirs[:, -100:])
    card = gg.zoo.card(folder)
    assert (card["config"]["repeats"], card["config"]["batch_norm"]) == (repeats, batch_norm)
    assert ("bn1.*" in card["ignored"]) == (not batch_norm)
    assert G.output_range == (-1, 1)


@pytest.mark.parametrize(("factor", "repeats"), [(4, True), (2, True), (4, False), (2, False)])
def test_one_layer_is_exactly_the_published_one(rng, factor, repeats):
    """In float64 and with whole numbers: not a bit differs, at the ends either."""
    weight, x = rng.integers(-9, 9, (3, 5, 25) if repeats else (5, 3, 25)), rng.integers(-9, 9, (5, 11))
    layer = Upsampling(5, 3, repeats, factor, False).double()
    weights, bias = layer.transpose_ops[-1].parameters()
    with torch.no_grad():
        weights.copy_(torch.from_numpy(weight))
        bias.zero_()
        theirs = layer(torch.from_numpy(x[None]).double())[0].numpy().T
    kernel = sub_pixel_kernel(weight, factor, repeats)
    before, after = {(4, True): (3, 3), (2, True): (3, 3), (4, False): (3, 3), (2, False): (6, 7)}[factor, repeats]
    padded = np.pad(x.T, ((before, after), (0, 0)))
    ours = [np.einsum("jc,jco->o", padded[q : q + len(kernel)], kernel) for q in range(len(padded) - len(kernel) + 1)]
    np.testing.assert_array_equal(np.reshape(ours, (-1, 3)), theirs)


def test_a_bare_state_dict_of_data_parallel_training_in_half_precision(tmp_path):
    module = randomise(TorchWaveGAN(4, 1, 1, 16384)).half().float()
    state = {f"module.{name}": x.half() if x.is_floating_point() else x for name, x in module.state_dict().items()}
    (tmp_path / "g.pt").write_bytes(saved(state))
    G = gg.load(convert("wavegan", tmp_path / "g.pt", tmp_path / "model", {"slice_len": "16384"}))
    z = torch.ones(1, 4)
    assert_close(G(z[0].numpy()), module(z).detach()[0].T.numpy())


# --- Derivatives, batches, layers, distances ---


def test_derivatives_batches_and_layers(small):
    assert_differentiable(small, "block1")
    shapes = {name: small.at(name).sample_shape.shape for name in small.layers}
    assert shapes["project"] == (16, 16)
    assert shapes["block2.preactivation"] == (256, 4)
    assert shapes["output.preactivation"] == (16384, 2)
    assert (np.asarray(small.at("block1")(np.ones(4))) >= 0).all()


def test_metric_of_the_spectrogram(small):
    """``g`` is the second-order term of the distance between the sounds of near codes."""
    z, steps = np.random.default_rng(2).standard_normal((2, 4, 4))
    g = np.asarray(gg.metric_tensor(small, gg.distances.spectrogram(16000), z[0]), np.float64)
    assert (np.linalg.eigvalsh(g) > 0).all()
    with jax.enable_x64(True):
        G, D = in_float64(small), in_float64(gg.distances.spectrogram(16000))
        apart = jax.jit(jax.vmap(lambda step: D(G(z[0] - step), G(z[0] + step))))(1e-6 * steps) / 4e-12
    assert largest_difference(np.einsum("ni,ij,nj->n", steps, g, steps), apart) < 1e-3


# --- Bad input ---


def test_a_length_that_contradicts_the_tensors_names_those_that_fit(tmp_path):
    five, six = (randomise(TorchWaveGAN(3, 1, 1, length)) for length in (16384, 65536))
    with pytest.raises(OptionError, match=r"the file has 5\. Give --option slice_len=16384, or none"):
        model(tmp_path, five, slice_len=32768)
    with pytest.raises(OptionError, match=r"Give --option slice_len=32768 or slice_len=65536, or none"):
        model(tmp_path, six, slice_len=16384)
    with pytest.raises(OptionError, match=r"slice_len='8192' is not known"):
        model(tmp_path, six, slice_len=8192)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("slice_len", "assumed"), [(16384, {}), (32768, {"slice_len": "65536"}), (65536, {"slice_len": "65536"})]
)
def test_a_length_is_told_by_layers_or_assumed_and_said(tmp_path, slice_len, assumed):
    """Five layers are of one length; of six the tensors do not say it."""
    folder = model(tmp_path, randomise(TorchWaveGAN(3, 1, 1, slice_len)))
    card = gg.zoo.card(folder)
    assert card.get("assumed", {}) == assumed
    assert card["config"]["slice_len"] == (65536 if assumed else slice_len)


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("slice_len", [16384, 32768, 65536])
def test_a_whole_module_says_its_length_and_epsilon(tmp_path, slice_len, repeats):
    module = randomise(TorchWaveGAN(3, 1, 1, slice_len, repeats, batch_norm=True))
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.eps = 0.3
    (tmp_path / "a.pt").write_bytes(saved(module))
    folder = convert("wavegan", tmp_path / "a.pt", tmp_path / "model")
    z = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert_close(jax.vmap(gg.load(folder))(z.numpy()), module(z).movedim(1, -1).numpy())
    assert "assumed" not in gg.zoo.card(folder)
    with pytest.raises(OptionError, match=r"epsilon=0\.1, but the file says 0\.3"):
        convert("wavegan", tmp_path / "a.pt", tmp_path / "other", {"epsilon": "0.1"})
    if slice_len == 65536:
        with pytest.raises(OptionError, match=r"the last of factor 4\. Give --option slice_len=65536, or none"):
            convert("wavegan", tmp_path / "a.pt", tmp_path / "other", {"slice_len": "32768"})


def test_batch_norm_can_only_agree_with_the_file(tmp_path):
    without, with_it = (randomise(TorchWaveGAN(3, 1, 1, 65536, batch_norm=norm)) for norm in (False, True))
    assert gg.load(model(tmp_path, with_it, batch_norm="true")).latent_dim == 3
    assert gg.load(model(tmp_path, without, batch_norm="False")).latent_dim == 3
    with pytest.raises(OptionError, match="batch_norm is true, but the file has no batch norms"):
        model(tmp_path, without, batch_norm="true")
    with pytest.raises(OptionError, match="batch_norm is false, but the file has batch norms"):
        model(tmp_path, with_it, batch_norm="false")
    with pytest.raises(OptionError, match="batch_norm='maybe' is not known"):
        model(tmp_path, without, batch_norm="maybe")


PLAIN, NORMED = TorchWaveGAN(3, 1, 1, 65536), TorchWaveGAN(3, 1, 1, 65536, batch_norm=True)
FIRST, SECOND = "deconv_list.0.transpose_ops", "deconv_list.1.transpose_ops"


@pytest.mark.parametrize(
    ("module", "changes", "says"),
    [
        (PLAIN, {f"{SECOND}.1.bias": None}, r"missing: deconv_list\.1\.transpose_ops\.1\.bias"),
        (PLAIN, {f"{SECOND}.1.weight": None}, r"missing: deconv_list\.1\.transpose_ops\.1\.weight"),
        (PLAIN, {f"{FIRST}.1.weight": None}, "deconv_list.0.transpose_ops has no weight at 0 or 1"),
        (PLAIN, {"deconv_list.6.transpose_ops.1.weight": torch.ones(1, 1, 25)}, "5 or 6 layers"),
        (
            PLAIN,
            {f"{FIRST}.2.running_var": torch.ones(16)},
            r"left over: deconv_list\.0\.transpose_ops\.2\.running_var",
        ),
        (PLAIN, {"fc1.bias": torch.ones(3)}, r"the tensors of fc1 do not fit|published fc1 gives"),
        (PLAIN, {f"{SECOND}.1.weight": torch.ones(8, 15, 25)}, r"gives block2/kernel of shape \(7, 15, 32\); expected"),
        (PLAIN, {f"{FIRST}.1.weight": torch.ones(16, 32, 24)}, r"kernel of shape \(16, 32, 24\); expected three axes"),
        (PLAIN, {"fc1.weight": torch.ones(30, 3)}, "no WaveGAN of this layout: expected fc1.weight"),
        (NORMED, {f"{SECOND}.2.running_mean": None}, r"missing: deconv_list\.1\.transpose_ops\.2\.running_mean"),
        (NORMED, {"bn1.weight": None}, r"missing: bn1\.weight"),
        (NORMED, {f"{FIRST}.2.running_var": torch.full((16,), -1.0)}, "block1/kernel with .* NaN or infinite"),
        (NORMED, {f"{FIRST}.2.bias": torch.ones(5)}, r"do not fit each other"),
        (nn.Sequential(nn.Linear(2, 2)), {}, "no WaveGAN of this layout.*the file holds 0.weight, 0.bias"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, module, changes, says):
    merged = {**module.state_dict(), **changes}
    (tmp_path / "a.tar").write_bytes(checkpoint({k: x for k, x in merged.items() if x is not None}))
    with pytest.raises(CheckpointError, match=says):
        convert("wavegan", tmp_path / "a.tar", tmp_path / "model")
    assert os.listdir(tmp_path) == ["a.tar"]


def test_another_family_is_told_by_its_names(tmp_path):
    (tmp_path / "a.tar").write_bytes(checkpoint(PLAIN.state_dict()))
    with pytest.raises(CheckpointError, match="Its tensor names are those of wavegan: convert it as that family"):
        convert("dcgan-tutorial", tmp_path / "a.tar", tmp_path / "model")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tar").write_bytes(saved({"generator": PLAIN.state_dict(), "costs": Harmful()}, zipped))
    with pytest.raises(CheckpointError, match=r"posix\.system|nt\.system"):
        convert("wavegan", tmp_path / "a.tar", tmp_path / "model")
    assert os.listdir(tmp_path) == ["a.tar"]
