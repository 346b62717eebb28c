"""Attributes of faces: pre-processing and what outputs mean, by stand-ins for the networks; and the real ones."""

from importlib.util import find_spec

import numpy as np
import pytest

from geomgan.directions.attributes import faces, named_attributes, networks
from geomgan.errors import CheckpointError, NotHereError
from tests.fixtures import ASSETS

NETS = ASSETS / "face-nets"
needs_networks = pytest.mark.skipif(
    not NETS.is_dir() or find_spec("onnxruntime") is None,
    reason=f"needs onnxruntime (pip install 'geomgan[attributes]') and the networks in {NETS}",
)


def detector(box, probability):
    """A stand-in that sees one box, in shares of its input, with a probability."""

    def run(inputs):
        assert inputs.shape[1:] == (3, 240, 320)
        scores = np.zeros((len(inputs), 5, 2), np.float32)
        corners = np.zeros((len(inputs), 5, 4), np.float32)
        scores[:, 3, 1], corners[:, 3] = probability, box
        return [scores, corners]

    return run


def test_a_box_is_in_sides_of_the_picture_whatever_its_shape():
    """A square picture fills columns 40 to 280 of the detector's 320: a quarter of them is 20 % of its side."""
    images = np.zeros((2, 64, 64, 3))
    found = faces.boxes(images, detector([40 / 320, 0, 160 / 320, 0.5], 0.9))
    np.testing.assert_allclose(found, np.tile([0, 0, 0.5, 0.5, 0.9], (2, 1)), atol=1e-6)
    wide = faces.boxes(np.zeros((1, 60, 120, 3)), detector([0, 40 / 240, 1, 200 / 240], 0.9))
    np.testing.assert_allclose(wide, [[0, 0, 1, 1, 0.9]], atol=1e-6)
    assert np.isnan(faces.boxes(images, detector([0, 0, 1, 1], 0.4))).all()


def test_the_head_pose_is_of_the_face_in_blue_green_red():
    image = np.zeros((1, 64, 64, 3))
    image[:, :32, :32] = [1.0, 0.5, 0.0]
    seen = []

    def pose(inputs):
        seen.append(inputs)
        return [np.tile(np.float32([[10, 20, 30]]), (len(inputs), 1))]

    twice = lambda inputs: [3 * pose(inputs)[0]]
    found = faces.head_pose(image, detector([50 / 320, 10 / 240, 150 / 320, 110 / 240], 1.0), [pose, twice])
    np.testing.assert_allclose(found, [[20, 40, 60]])
    assert seen[0].shape == (1, 3, 64, 64)
    np.testing.assert_allclose(seen[0][0, :, 30, 30], (255 * np.array([0.0, 0.5, 1.0]) - 127.5) / 128, atol=1e-5)
    none = faces.head_pose(image, detector([0, 0, 1, 1], 0.1), [pose])
    assert np.isnan(none).all()
    assert len(seen) == 2  # no network sees a picture without a face


def test_outputs_mean_what_was_published():
    images = np.random.default_rng(0).uniform(0, 1, (2, 64, 64, 3))
    bins = np.full((2, 66), -50.0)
    bins[:, 40] = 50
    np.testing.assert_allclose(faces.hopenet(images, lambda x: [bins, bins, bins]), 3 * 40 - 99)
    row = np.zeros((2, 18))
    row[:, 2], row[:, 8], row[:, 9 + 4] = 50, 50, 50  # race 2, gender 1, age 4
    age, gender, race = faces.fairface(images, detector([0.2, 0.1, 0.8, 0.9], 0.9), lambda x: [row]).T
    np.testing.assert_allclose(age, (4 + 1) / 9)
    np.testing.assert_allclose(gender, 1)
    np.testing.assert_allclose(race, (2 + 1) / 7)
    six = np.eye(6)[[1, 5]] * 50
    np.testing.assert_allclose(faces.celeba(images, lambda x: [six] * 5), [[2 / 6] * 5, [1.0] * 5])
    heat = np.zeros((2, 12, 64, 64))
    heat[1, 8, 3, 4] = 2.5
    assert faces.action_units(images, lambda x: [heat])[1, 8] == 2.5
    crops = []
    faces.identity(images, lambda x: [crops.append(x) or np.ones((2, 512))])
    assert crops[0].shape == (2, 3, 112, 112)
    assert np.abs(crops[0]).max() <= 1


def test_a_network_that_is_missing_is_named_with_its_source(tmp_path):
    with pytest.raises(NotHereError, match=r"'head-pose' is not here: fsanet-1x1.*omasaht/headpose-fsanet-pytorch"):
        networks.opened("head-pose", tmp_path)
    with pytest.raises(NotHereError, match=r"'fairface' is not here: fairface-4race\.onnx of chi0tzp/WarpedGANSpace"):
        networks.opened("fairface", tmp_path)


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="needs onnxruntime (pip install 'geomgan[attributes]')")
def test_a_damaged_network_is_refused(tmp_path):
    (tmp_path / "version-RFB-320.onnx").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match="is no readable ONNX network"):
        networks.opened("face", tmp_path)


@needs_networks
def test_the_real_networks_find_no_face_in_noise():
    """And the yaw of a picture without a face is missing, not a number."""
    noise = np.random.default_rng(0).uniform(0, 1, (2, 64, 64, 3)).astype(np.float32)
    pose = named_attributes(["head-pose"], NETS)["head-pose"]
    assert np.isnan(pose.measure(noise)).all()
