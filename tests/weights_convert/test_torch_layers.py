"""State dicts of any layers that follow each other: what tensors say, what is guessed, and what the user says."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

import geomgan as gg
from geomgan.errors import GeomganError, OptionError
from tests.hostile import damaged
from tests.weights_convert.test_torch_module import assert_same
from tests.weights_convert.test_torch_modules import spectral, trained
from tests.weights_convert.torch_saved import saved
from weights_convert.convert import convert, read
from weights_convert.modules import StateDict
from weights_convert.recognise import layer_text
from weights_convert.recognise.guess import Said, guessed
from weights_convert.torch_modules import Line


def state(**shapes: tuple[int, ...]) -> StateDict:
    """Tensors of these shapes; ``_`` in a name is a dot, and a norm is given by its size."""
    tensors = {}
    for name, shape in shapes.items():
        path = name.replace("_", ".")
        parts = ("weight", "bias", "running_mean", "running_var") if len(shape) == 1 else ("weight",)
        tensors |= {f"{path}.{part}": np.ones(shape, np.float32) for part in parts}
    return StateDict(tensors)


def kinds(tensors: StateDict, **said) -> str:
    """The guess in short: kinds, and their numbers."""
    words = []
    for line in guessed(tensors, Said(**said)).lines:
        shown = [layer_text.shown(value) for name, value in line.settings.items() if name != "eps"]
        words.append(line.kind + ("(" + " ".join(shown) + ")" if shown else ""))
    return " ".join(words)


GUESSES = {  # what the tensors are -> what usually runs
    "DCGAN": (
        state(main_0=(8, 4, 4, 4), main_1=(4,), main_3=(4, 2, 4, 4), main_4=(2,), main_6=(2, 3, 4, 4)),
        "ConvTranspose2d BatchNorm2d ReLU ConvTranspose2d(2 1) BatchNorm2d ReLU ConvTranspose2d(2 1) Tanh",
    ),
    "digits of 28 pixels": (
        state(n_0=(8, 4, 4, 4), n_1=(4,), n_3=(4, 2, 3, 3), n_4=(2,), n_6=(2, 2, 4, 4), n_7=(2,), n_9=(2, 1, 4, 4)),
        "ConvTranspose2d BatchNorm2d ReLU ConvTranspose2d(2 1) BatchNorm2d ReLU ConvTranspose2d(2 1) BatchNorm2d ReLU "
        "ConvTranspose2d(2 1) Tanh",
    ),
    "upsampling where a place has no tensors": (
        state(l1=(98, 5), c_0=(2,), c_2=(2, 2, 3, 3), c_3=(2,), c_6=(1, 2, 3, 3)),
        "Linear View(2,7,7) BatchNorm2d Upsample(2) Conv2d(1) BatchNorm2d ReLU Upsample(2) Conv2d(1) Tanh",
    ),
    "dense": (
        state(m_0=(16, 4), m_1=(16,), m_3=(784, 16)),
        "Linear BatchNorm1d ReLU Linear Tanh",
    ),
    "decoder of a VAE with the encoder before it": (
        state(
            conv1=(4, 1, 3, 3), fc1=(6, 196), fc21=(3, 6), fc22=(3, 6), fc3=(6, 3), fc4=(196, 6), d1=(4, 2, 4, 4),
            d2=(2, 1, 4, 4),
        ),
        "Linear ReLU Linear ReLU View(4,7,7) ConvTranspose2d(2 1) ReLU ConvTranspose2d(2 1) Sigmoid",
    ),
    "a class joined to the code": (
        state(label_emb=(10, 4), l_0=(16, 10), l_2=(784, 16)),
        "Class Embedding Keep Code(6) Concat Linear ReLU Linear Tanh",
    ),
    "a class that scales the code": (
        state(label_emb=(10, 10), l_0=(16, 10), l_2=(784, 16)),
        "Class Embedding Keep Code(10) Multiply Linear ReLU Linear Tanh",
    ),
    "PyTorch-GAN's dense one": (
        state(m_0=(128, 9), m_2=(256, 128), m_3=(256,), m_5=(512, 256), m_6=(512,), m_8=(1024, 512), m_9=(1024,),
              m_11=(784, 1024)),
        "Linear ReLU Linear BatchNorm1d ReLU Linear BatchNorm1d ReLU Linear BatchNorm1d ReLU Linear Tanh",
    ),
    "norms of whole maps": (
        StateDict(
            {"c.0.weight": np.ones((8, 4, 4, 4)), "c.1.weight": np.ones((4, 4, 4)), "c.1.bias": np.ones((4, 4, 4)),
             "c.3.weight": np.ones((4, 3, 4, 4))}
        ),
        "ConvTranspose2d LayerNorm ReLU ConvTranspose2d(2 1) Tanh",
    ),
    "sound": (
        state(fc=(64, 5), up_0=(4, 4, 25), up_2=(4, 1, 25)),
        "Linear ReLU View(4,16) ConvTranspose1d(4 11 1) ReLU ConvTranspose1d(4 11 1) Tanh",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GUESSES)
def test_the_best_guess(case):
    tensors, expected = GUESSES[case]
    assert kinds(tensors) == expected


def test_the_epsilon_of_pytorch_gan():
    lines = guessed(GUESSES["PyTorch-GAN's dense one"][0], Said()).lines
    assert [line.settings["eps"] for line in lines if "eps" in line.settings] == [0.8] * 3


def test_what_is_said_of_the_guess():
    tensors = GUESSES["digits of 28 pixels"][0]
    leaky = Line("LeakyReLU", "", {"negative_slope": 0.1})
    text = kinds(tensors, hidden=leaky, output="Identity", size=32)
    assert text.split()[:4] == ["ConvTranspose2d", "BatchNorm2d", "LeakyReLU(0.1)", "ConvTranspose2d(2"]
    assert "ConvTranspose2d(2 1 1)" in text
    assert "Tanh" not in text
    text = kinds(tensors, stages={"stride": [1, 2, 2, 3], "padding": [0, 1, 1, 2]})
    assert text.endswith("ConvTranspose2d(3 2) Tanh")


NO_CHAIN = {
    "discriminator": (state(c1=(4, 3, 4, 4), c2=(1, 4, 4, 4)), "an encoder or a discriminator"),
    "encoder": (state(fc1=(8, 784), fc2=(2, 8)), "2 numbers of 784 numbers"),
    "another tensor": (
        StateDict({**state(a_0=(8, 4, 4, 4), a_2=(4, 3, 4, 4)), "attention.gamma": np.ones(1)}),
        "tensors attention.gamma are those of a layer whose work",
    ),
    "branches": (
        state(fc=(98, 5), a=(2, 4, 4, 4), skip=(2, 7, 1, 1), b=(4, 1, 4, 4)),
        "do not follow each other",
    ),
    "several tables": (state(emb_a=(10, 4), emb_b=(10, 4), l_0=(16, 10), l_2=(784, 16)), "no shape tells"),
    "nothing": (StateDict({}), "the file has no tensors"),
}


@pytest.mark.parametrize("case", NO_CHAIN)
def test_where_there_is_no_guess(case):
    tensors, says = NO_CHAIN[case]
    with pytest.raises(GeomganError, match=says):
        guessed(tensors, Said())


def vae() -> nn.Module:
    net = nn.Module()
    net.encoder = nn.Sequential(nn.Conv2d(1, 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 4, 2, 1))
    net.fc_mu, net.fc_logvar = nn.Linear(98, 4), nn.Linear(98, 4)
    net.decoder = nn.Sequential(
        *(nn.Linear(4, 98), nn.ReLU(), nn.Unflatten(1, (2, 7, 7))),
        *(spectral(nn.ConvTranspose2d(2, 2, 4, 2, 1), True), nn.BatchNorm2d(2), nn.ReLU()),
        *(nn.ConvTranspose2d(2, 1, 4, 2, 1), nn.Sigmoid()),
    )
    return net


def test_a_decoder_beside_its_encoder_comes_in_with_a_sheet_to_look_at(tmp_path):
    net = trained(vae())
    path = saved({"epoch": 3, "state_dict": net.state_dict(), "optimizer": {"lr": 0.1}}, path=tmp_path / "vae.pt")
    said: list[str] = []
    folder = convert("torch-layers", path, tmp_path / "model", say=said.append)
    G = gg.load(folder)
    assert_same(G, net.decoder)
    assert G.output_range == (0.0, 1.0)
    assert any("took state_dict, without the prefix decoder.; left encoder, fc_mu, fc_logvar" in text for text in said)
    assert any("stride=2,2, padding=1,1, activation=relu, output=sigmoid, epsilon=1e-05" in text for text in said)
    assert (folder / "samples.png").read_bytes()[:4] == b"\x89PNG"
    assert str(folder / "samples.png") in said[-1]


def test_a_decoder_of_several_parts_beside_its_encoder(tmp_path):
    net = nn.Module()
    net.encoder = nn.Sequential(nn.Conv2d(1, 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 4, 2, 1))
    net.fc_mu, net.fc_var = nn.Linear(98, 4), nn.Linear(98, 4)
    net.decoder_input = nn.Linear(4, 98)
    net.decoder = nn.Sequential(nn.ConvTranspose2d(2, 2, 4, 2, 1), nn.ReLU())
    net.final_layer = nn.Sequential(nn.ConvTranspose2d(2, 1, 4, 2, 1), nn.Sigmoid())
    trained(net)
    path = saved(net.state_dict(), path=tmp_path / "vae.pt")
    made = read("torch-layers", path, say=lambda _: None)
    assert made.card["layers"][1:3] == ["Linear decoder_input", "View shape=2,7,7"]
    assert made.card["layers"][-1] == "Sigmoid"
    assert made.card["assumed"]["left"] == ["encoder.0", "encoder.2", "fc_mu", "fc_var"]


def test_layers_are_written_then_changed_then_read(tmp_path):
    net = trained(nn.Sequential(nn.Linear(4, 98), nn.Unflatten(1, (2, 7, 7)), nn.ConvTranspose2d(2, 1, 4, 2, 1)))
    path, layers = saved(net.state_dict(), path=tmp_path / "g.pt"), tmp_path / "layers.txt"
    with pytest.raises(OptionError, match=r"was not there, and now has the 6 layers\. Look"):
        convert("torch-layers", path, tmp_path / "model", {"layers": str(layers)})
    text = layers.read_text()
    row = r"^ConvTranspose2d 2 stride=2 padding=1 +# 1 x 14 x 14 +guess: usual for a kernel of 4$"
    assert re.search(row, text, re.MULTILINE)
    layers.write_text(text.replace("ReLU ", "# ReLU ").replace("Tanh ", "# Tanh "))
    said: list[str] = []
    assert_same(
        gg.load(convert("torch-layers", path, tmp_path / "model", {"layers": str(layers)}, say=said.append)), net
    )
    assert "stride" not in " ".join(said)
    with pytest.raises(OptionError, match=r"slope=0\.2, and .* has the layers: say it there"):
        convert("torch-layers", path, tmp_path / "model", {"layers": str(layers), "slope": "0.2"})
    layers.write_text(text.replace("padding=1", "padding=9"))
    with pytest.raises(GeomganError, match="ConvTranspose2d 2 does not fit"):
        convert("torch-layers", path, tmp_path / "model", {"layers": str(layers)})


def test_layers_without_a_guess_are_listed(tmp_path):
    tensors = NO_CHAIN["branches"][0]
    path, layers = tmp_path / "g.npz", tmp_path / "layers.txt"
    np.savez(path, **tensors)
    with pytest.raises(OptionError, match="They do not fit yet: Code lacks its shape"):
        read("torch-layers", path, {"layers": str(layers)})
    assert "do not follow each other" in layers.read_text()
    written = [line for line in layers.read_text().splitlines() if line and line[0] != "#"]
    assert [line.split()[1] for line in written] == ["#", "fc", "a", "skip", "b"]


BAD_LINES = {
    "Linaer a": "line 2: the kind of layer='Linaer' is not known. Did you mean 'Linear'",
    "ReLU x=3": "line 2: the argument of ReLU='x' is not known",
    "Conv2d a stride": "line 2: 'stride'; expected ARGUMENT=VALUE",
    "Conv2d a stride=": "expected ARGUMENT=VALUE",
    "\n" * 3_000 + "ReLU\n" * 3_000: "has 3001 lines of layers",
}


@pytest.mark.parametrize("text", BAD_LINES, ids=range(len(BAD_LINES)))
def test_lines_that_are_none_are_named(text, tmp_path):
    path = tmp_path / "layers.txt"
    path.write_text(f"Code shape=3\n{text}")
    with pytest.raises(OptionError, match=re.escape(BAD_LINES[text])):
        layer_text.read(path)


def test_no_text_is_no_file_of_layers(tmp_path):
    path = tmp_path / "layers.txt"
    for data in (b"\xff\xfe\x00", b"", b"#" * (1 << 21)):
        path.write_bytes(data)
        with pytest.raises(OptionError, match=r"layers\.txt"):
            layer_text.read(path)


def test_values_are_read_as_they_are_written(tmp_path):
    lines = [
        Line("Upsample", "", {"scale_factor": (1.5, 2.0), "mode": "bilinear", "align_corners": True, "size": None}),
        Line("BatchNorm2d", "a.1", {"eps": 1e-5}),
        Line("View", "", {"shape": (3, 4, 4)}),
    ]
    path = tmp_path / "layers.txt"
    path.write_text(layer_text.written(lines))
    assert [(line.kind, line.path, dict(line.settings)) for line in layer_text.read(path)] == [
        (line.kind, line.path, dict(line.settings)) for line in lines
    ]


def damage(tmp_path, count: int) -> None:
    """Damaged files of layers are read, or refused in our words."""
    net = trained(nn.Sequential(nn.Linear(4, 98), nn.Unflatten(1, (2, 7, 7)), nn.ConvTranspose2d(2, 1, 4, 2, 1)))
    path, layers = tmp_path / "g.pt", tmp_path / "layers.txt"
    path.write_bytes(saved(net.state_dict(), False, checksums=False))
    text = b"Code shape=4\nLinear 0\nReLU\nView shape=2,7,7\nConvTranspose2d 2 stride=2 padding=1\nTanh\n"
    for changed in damaged(text, count):
        layers.write_bytes(changed)
        try:
            read("torch-layers", path, {"layers": str(layers)})
        except GeomganError:
            continue


def test_damaged_layer_texts_raise_nothing_else(tmp_path):
    damage(tmp_path, 50)


@pytest.mark.slow  # two thousand files
def test_thousands_of_damaged_layer_texts_raise_nothing_else(tmp_path):
    damage(tmp_path, 2_000)


def test_torchscript_and_losses(tmp_path):
    path = tmp_path / "file.pt"
    saved({"losses": [0.5, 0.25], "epoch": 3}, path=path)
    with pytest.raises(GeomganError, match="expected a state dict"):
        read("torch-layers", path)
    net = trained(nn.Sequential(nn.Linear(4, 9), nn.Tanh()))
    with torch.no_grad():
        torch.jit.trace(net, torch.ones(1, 4)).save(str(path))
    assert read("torch-layers", path).params["generator"].keys() >= {"0.bias"}  # its tensors, by their names
    with pytest.raises(GeomganError, match="Convert it as torch-layers"):
        read("torch-module", path)
