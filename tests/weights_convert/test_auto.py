"""Any file: what it is taken as, and what is said of it where nothing takes it."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.errors import CheckpointError, NotHereError
from geomgan.models.families import CHECKPOINTS
from weights_convert.auto import about, convert_any, look


def dcgan(prefix: str = "main.", seed: int = 0) -> dict[str, np.ndarray]:
    """The tutorial's generator of 8 pixels and 3 latent dimensions."""
    rng = np.random.default_rng(seed)
    shapes = {"0.weight": (3, 4, 4, 4), "3.weight": (4, 1, 4, 4)}
    shapes |= {f"1.{part}": (4,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {prefix + name: np.abs(rng.standard_normal(shape)).astype("f4") for name, shape in shapes.items()}


def wavegan() -> dict[str, np.ndarray]:
    names = ("fc1.weight", "bn1.running_mean", "deconv_list.0.transpose_ops.0.weight")
    return {name: np.ones((2, 2), "f4") for name in names}


@pytest.fixture
def file(tmp_path):
    def write(tree, name="net.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(tree))
        return tmp_path / name

    return write


def test_a_family_is_named_and_why(file, tmp_path, capsys):
    path = file({"epoch": 3, "G_ema": dcgan("module.main."), "G": dcgan(seed=1), "D": {"a.weight": np.ones((2, 2))}})
    assert main(["convert", "auto", str(path), str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "taken as dcgan-tutorial, because its tensors are named so (main.0.weight, main.1" in said.err
    assert "took G_ema, without the prefix module.; left G, D." in said.err
    assert "assumed, because the file does not say: " in said.err
    assert "Open it with geomgan.load(" in said.out
    card = gg.zoo.card(tmp_path / "out")
    assert (card["family"], card["taken"]) == ("dcgan-tutorial", "took G_ema, without the prefix module.; left G, D")
    np.savez(tmp_path / "plain.npz", **dcgan())
    _, plain = convert_any(tmp_path / "plain.npz", tmp_path / "plain", say=lambda _: None)
    np.testing.assert_array_equal(gg.load(plain)(np.ones(3)), gg.load(tmp_path / "out")(np.ones(3)))


def test_only_families_with_the_options_are_tried(file, tmp_path):
    path = file(dcgan())
    family, folder = convert_any(path, tmp_path / "a", {"output": "sigmoid"}, say=lambda _: None)
    assert (family, gg.load(folder).output_range) == ("dcgan-tutorial", (0, 1))
    with pytest.raises(CheckpointError, match=r"- dcgan-tutorial \(.*\): it has no option taps\."):
        convert_any(path, tmp_path / "b", {"taps": "1,3,3,1"})
    with pytest.raises(CheckpointError, match=r"- dcgan-tutorial \(.*\): it has no option slop\. Did you mean 'slope'"):
        convert_any(path, tmp_path / "b", {"slop": "0.2"})


def test_what_nothing_takes_is_described(file, tmp_path):
    tree = {"netE": {"enc.0.weight": np.ones((4, 1, 3, 3), "f4")}, "optimizer": {"state": [{"exp_avg": np.ones(3)}]}}
    with pytest.raises(CheckpointError) as caught:
        convert_any(file(tree), tmp_path / "out")
    said = str(caught.value)
    assert "holds netE: no generator by its name, 1 tensors of 36 numbers (1 kernel); optimizer of training." in said
    assert "Nothing takes it as it is:\n- torch-layers (its tensors have the shapes of layers): " in said
    assert "The shortest way in, where" in said
    assert "geomgan export-recipe" in said
    assert "docs/own_generator.md" in said
    with pytest.raises(CheckpointError, match=r"Nothing takes it as it is:\n- wavegan \(its tensors are named so"):
        convert_any(file(wavegan()), tmp_path / "out")
    missing = {name: array for name, array in wavegan().items() if name != "bn1.running_mean"}
    assert look(file(missing)).hint == "The nearest family is wavegan, of which it lacks bn1.running_mean."
    vae = {"decoder.up_blocks.0.resnets.0.conv1.weight": np.ones(2), "decoder.conv_norm_out.weight": np.ones(2)}
    assert "Its names are those of a KL autoencoder of diffusers, which is no family here." in about(file(vae))
    assert not (tmp_path / "out").exists()


def test_what_is_given_as_a_model_is_told_the_command(file, capsys):
    path = file(dcgan(), "my net.pth")
    command = f"`geomgan convert auto '{path}' OUT_DIR` makes one, as dcgan-tutorial, because its tensors are named so"
    with pytest.raises(NotHereError) as caught:
        gg.load(path)
    assert command in str(caught.value)
    assert main(["analyze", str(path)]) == 2
    assert command in capsys.readouterr().err


def test_folders(tmp_path, file):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotHereError, match=r"empty is a folder without a file of weights\.$"):
        convert_any(empty, tmp_path / "out")
    (empty / "netG.pth").write_bytes(pickle.dumps(dcgan()))
    assert look(empty).file == empty / "netG.pth"
    (empty / "netD.pth").write_bytes(pickle.dumps({"a": np.ones(3)}))
    (empty / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL"}))
    with pytest.raises(
        NotHereError, match=r"a folder of AutoencoderKL \(config\.json\) with 2 files .*\n.*auto .*netD"
    ):
        gg.load(empty)
    with pytest.raises(NotHereError, match=r"Name one of .*empty\.$"):
        convert_any(tmp_path, tmp_path / "out")
    for name in CHECKPOINTS["generative-latent-space-bigan"].files:
        (empty / name).write_bytes(b"")
    assert list(look(empty).ways) == ["generative-latent-space-bigan"]
    for name in CHECKPOINTS["generative-latent-space-vae"].files:
        (empty / name).write_bytes(b"")
    with pytest.raises(
        NotHereError, match=r"the files of generative-latent-space-vae and of generative-latent-space-big"
    ):
        look(empty)
    with pytest.raises(NotHereError, match="nowhere is not a file"):
        convert_any(tmp_path / "nowhere", tmp_path / "out")


def test_an_argument_that_is_missing_is_named(file, capsys):
    path = file(dcgan())
    assert main(["convert", str(path), "out"]) == 2
    assert capsys.readouterr().err == f"error: FAMILY is missing: `geomgan convert auto {path} out` finds it.\n"
    assert main(["convert", str(path)]) == 2
    assert f"got {path}: `geomgan convert auto {path} OUT_DIR`.\n" in capsys.readouterr().err
    assert main(["convert", "auto", str(path)]) == 2
    assert capsys.readouterr().err == f"error: OUT_DIR is missing: geomgan convert auto {path} OUT_DIR.\n"
