"""Images of files and arrays as targets."""

import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan import optimize as go
from tests.small_models import linear_generator, small_dcgan, smooth_generator


def gradient(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 / (width - 1), y * 255 / (height - 1), np.full((height, width), 100)], -1).astype(np.uint8)


def test_files_and_arrays_of_any_size_become_targets(tmp_path):
    G = smooth_generator()
    image = gradient(48, 80)
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=98)
    png, jpeg, array = go.read_images([tmp_path / "a.png", str(tmp_path / "a.jpg"), image], G)
    np.testing.assert_array_equal(png, array)
    np.testing.assert_allclose(jpeg, png, atol=0.06)
    assert png.shape == (16, 16, 3)
    centre = image[:, 16:64].reshape(16, 3, 16, 3, 3).mean(axis=(1, 3)) / 127.5 - 1
    np.testing.assert_allclose(png, centre, atol=0.04)
    (whole,) = go.read_images(tmp_path / "a.png", G, crop="none")
    np.testing.assert_allclose(whole[8, :, 0], np.linspace(-0.95, 0.95, 16), atol=0.03)
    (part,) = go.read_images(image, G, crop=(0, 0, 16, 16))
    np.testing.assert_allclose(part, image[:16, :16] / 127.5 - 1, atol=0.01)


def test_grey_generators_get_grey_images_and_transparent_parts_are_white(tmp_path):
    G = small_dcgan(channels=1)
    side = G.sample_shape.shape[0]
    picture = np.zeros((side, side, 4), np.uint8)
    picture[: side // 2, :, 3] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    (target,) = go.read_images(tmp_path / "a.png", G)
    assert target.shape == (side, side, 1)
    np.testing.assert_allclose(target[: side // 2], -1)
    np.testing.assert_allclose(target[side // 2 :], 1)


def test_deep_grey_images_keep_their_brightness(tmp_path):
    G = small_dcgan(channels=1)
    side = G.sample_shape.shape[0]
    deep = np.linspace(0, 65535, side * side).reshape(side, side).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    (target,) = go.read_images(tmp_path / "a.png", G)
    np.testing.assert_allclose(target[..., 0], deep / 32767.5 - 1, atol=0.01)


def test_what_is_no_image_is_said(tmp_path):
    G = smooth_generator()
    with pytest.raises(FileNotFoundError, match="is a folder; expected an image"):
        go.read_images(tmp_path, G)
    (tmp_path / "a.png").write_bytes(b"no image at all")
    with pytest.raises(gg.OptionError, match=r"a\.png is no image that can be read"):
        go.read_images(tmp_path / "a.png", G)
    Image.fromarray(gradient(48, 80)).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:90])
    with pytest.raises(gg.OptionError, match="Give a PNG or JPEG file"):
        go.read_images(tmp_path / "c.png", G)
    with pytest.raises(FileNotFoundError, match="expected an image"):
        go.read_images(tmp_path / "none.png", G)
    with pytest.raises(ValueError, match="within 80 x 48 pixels"):
        go.read_images(tmp_path / "b.png", G, crop=(40, 0, 60, 10))
    with pytest.raises(ValueError, match="crop='middle' is not known"):
        go.read_images(tmp_path / "b.png", G, crop="middle")
    with pytest.raises(ValueError, match="expected bytes"):
        go.read_images(np.zeros((4, 4, 3)), G)
    with pytest.raises(ValueError, match="expected images"):
        go.read_images(tmp_path / "b.png", linear_generator(np.eye(3)))
    with pytest.raises(ValueError, match="no image is given"):
        go.read_images([], G)
