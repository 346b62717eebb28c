"""``geomgan compare``, and codes of images by a model's own encoder, as a user meets them."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import ends, main
from geomgan.zoo.real import real_images
from tests.fixtures import ASSETS, needs_assets

MODELS = ("digits-vae", "digits-bigan")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))


@pytest.fixture
def digits(tmp_path):
    """A folder of four images that no model has made exactly."""
    G = gg.load("digits-dcgan")
    (tmp_path / "digits").mkdir()
    for i, z in enumerate(G.sample_latent(jax.random.key(2), 4)):
        inner = np.asarray(G(z))[2:30, 2:30, 0]
        image = np.clip(np.rint((inner + 1) * 127.5), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "digits" / f"{i}.png")
    return tmp_path / "digits"


def encoded(model, file):
    z = gg.load(model, part="encoder")((np.asarray(Image.open(file)) / np.float32(127.5) - 1)[..., None])
    return z.mean if isinstance(z, gg.Gaussian) else z


def test_two_models_between_the_same_real_images(digits, tmp_path, capsys):
    out = tmp_path / "out"
    given = ["compare", *MODELS, "--data", str(digits), "--pairs", "2", "--segments", "3", "--out", str(out)]
    assert main(given) == 0
    said = capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    gains = {name: np.array(columns["shorter by, %"]) for name, columns in summary["pairs"].items()}
    assert tuple(gains) == MODELS
    assert ", ".join(f"{gains[name].mean():.3g} % in {name}" for name in MODELS) in said
    with np.load(out / "paths.npz") as found:
        for i, model in enumerate(MODELS):  # each through its own encoder, of the images that the pairs name
            for j, pair in enumerate(summary["pairs"][MODELS[0]]["pair"]):
                for end, name in zip((0, -1), pair.split(" to "), strict=True):
                    z = encoded(model, digits / name)
                    np.testing.assert_allclose(found[f"codes_{i + 1}"][j, end], z, atol=1e-4)
    page = (out / "report.html").read_text()
    assert all(f'id="{name}"' in page for name in ("improvements", "sequences-1", "sequences-2", "pairs"))


def test_an_image_is_a_code_through_the_encoder(digits):
    codes = ends.codes("digits-bigan", gg.load("digits-bigan"), [str(digits / "0.png"), "1"])
    np.testing.assert_allclose(codes[0], encoded("digits-bigan", digits / "0.png"), atol=1e-4)
    assert codes.shape == (2, 16)
    assert ends.names([str(digits / "0.png")], ["1"], 1) == ("0.png to 1",)


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
