"""``geomgan compare``, and codes of images by a model's own encoder, as a user meets them."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import main
from geomgan.zoo.real import real_images
from tests.fixtures import ASSETS, needs_assets
from weights_convert.convert import convert


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    published = ASSETS / "generative-latent-space"
    return [convert(f"generative-latent-space-{kind}", published, folder / kind) for kind in ("vae", "bigan")]


@needs_assets
def test_two_models_between_the_same_real_images(models, tmp_path, capsys):
    names, out = [str(model) for model in models], tmp_path / "out"
    given = ["compare", *names, "--data", str(ASSETS / "mnist"), "--pairs", "2", "--segments", "3", "--out", str(out)]
    assert main(given) == 0
    said = capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    gains = {name: np.array(columns["shorter by, %"]) for name, columns in summary["pairs"].items()}
    assert list(gains) == ["vae", "bigan"]
    assert f"{gains['vae'].mean():.3g} % in vae, {gains['bigan'].mean():.3g} % in bigan" in said
    with np.load(out / "paths.npz") as found, np.load(ASSETS / "mnist" / "mnist.npz") as mnist:
        for i, model in enumerate(models):  # each through its own encoder, of the images that the pairs name
            network = gg.load(model, part="encoder")
            for j, pair in enumerate(summary["pairs"]["vae"]["pair"]):
                for end, word in zip((0, -1), pair.split(" to "), strict=True):
                    label, number = word.removesuffix(")").split(" (#")
                    assert int(label) == mnist["y_test"][int(number)]
                    z = network((mnist["x_test"][int(number)] / np.float32(127.5) - 1)[..., None])
                    z = z.mean if isinstance(z, gg.Gaussian) else z
                    np.testing.assert_allclose(found[f"codes_{i + 1}"][j, end], z, atol=1e-4)
    page = (out / "report.html").read_text()
    assert all(f'id="{name}"' in page for name in ("improvements", "sequences-1", "sequences-2", "pairs"))


@needs_assets
def test_an_image_is_a_code_through_the_encoder(models, tmp_path, capsys):
    with np.load(ASSETS / "mnist" / "mnist.npz") as mnist:
        digit = mnist["x_test"][3]
    Image.fromarray(digit).save(tmp_path / "digit.png")
    given = ["geodesic", str(models[1]), "--from", str(tmp_path / "digit.png"), "--to", "1", "--segments", "3"]
    assert main([*given, "--out", str(tmp_path / "out")]) == 0
    z = gg.load(models[1], part="encoder")((digit / np.float32(127.5) - 1)[..., None])
    with np.load(tmp_path / "out" / "paths.npz") as found:
        np.testing.assert_allclose(found["codes"][0, 0], z, atol=1e-4)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["pairs"]["pair"] == ["digit.png to 1"]


def test_images_of_a_folder_are_drawn_once_each(tmp_path):
    G = gg.load("digits-dcgan")
    for i in range(5):
        Image.new("L", (32, 32), 50 * i).save(tmp_path / f"{i}.png")
    images, names = real_images(tmp_path, G, 5, jax.random.key(0))
    assert sorted(names) == [f"{i}.png" for i in range(5)]
    grey = np.array([50 * int(name[0]) for name in names])
    np.testing.assert_allclose(images[:, 0, 0, 0], grey / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["digits-dcgan", "digits-dcgan", "--data", "."], "digits-dcgan has no encoder"),
        (["nothing", "digits-dcgan", "--data", "."], "nothing"),
    ],
)
def test_a_model_without_an_encoder_is_refused_before_any_work(given, message, tmp_path, capsys):
    assert main(["compare", *given, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_holds_no_images_is_said(tmp_path):
    G = gg.load("digits-dcgan")
    with pytest.raises(ValueError, match="holds no IDX files and 0 images"):
        real_images(tmp_path, G, 1, jax.random.key(0))
    with pytest.raises(gg.NotHereError, match="neither a folder nor a known data set"):
        real_images("none", G, 1, jax.random.key(0))
    Image.new("L", (32, 32)).save(tmp_path / "a.png")
    with pytest.raises(gg.OptionError, match="has 1 test images; expected at least 2"):
        real_images(tmp_path, G, 2, jax.random.key(0))


@needs_assets
def test_digits_get_a_border_for_a_model_that_was_trained_with_one():
    images, names = real_images(ASSETS / "mnist", gg.load("digits-dcgan"), 3, jax.random.key(0))
    assert images.shape == (3, 32, 32, 1)
    with np.load(ASSETS / "mnist" / "mnist.npz") as mnist:
        digit = mnist["x_test"][int(names[1].split("#")[1].rstrip(")"))]
    np.testing.assert_allclose(images[1, 2:30, 2:30, 0], digit / 127.5 - 1, atol=1e-6)
    assert (images[1, :2] == -1).all()
