from pathlib import Path

import numpy as np
import pytest

from geomgan.training.data import load_mnist

MNIST = Path(__file__).parents[2] / ".." / "shared" / "assets" / "mnist" / "mnist.npz"


def arrays(n_train=5, n_test=3):
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (n_train, 28, 28), dtype=np.uint8),
        "y_train": np.arange(n_train) % 10,
        "x_test": rng.integers(0, 256, (n_test, 28, 28), dtype=np.uint8),
        "y_test": np.arange(n_test) % 10,
    }


def write(folder, **changes):
    np.savez(folder / "mnist.npz", **{k: v for k, v in {**arrays(), **changes}.items() if v is not None})
    return folder / "mnist.npz"


def test_images_are_padded_with_background_and_scaled(tmp_path):
    data = load_mnist(write(tmp_path))
    assert data.train_images.shape == (5, 32, 32, 1)
    assert data.test_images.shape == (3, 32, 32, 1)
    assert data.train_images.dtype == np.float32
    assert data.train_labels.dtype == np.int32
    expected = arrays()["x_train"].astype(np.float64) / 127.5 - 1
    np.testing.assert_allclose(data.train_images[:, 2:30, 2:30, 0], expected, atol=1e-6)
    border = data.train_images.copy()
    border[:, 2:30, 2:30] = -1
    assert (border == -1).all()
    np.testing.assert_array_equal(data.test_labels, [0, 1, 2])


def test_a_folder_means_the_file_in_it(tmp_path):
    file = write(tmp_path)
    np.testing.assert_array_equal(load_mnist(tmp_path).train_images, load_mnist(str(file)).train_images)


def test_an_absent_file_says_what_to_pass(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mnist\.npz is not there; expected .* Pass the path"):
        load_mnist(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, r"expected \['x_train'.* \['y_test'\] are missing"),
        ({"x_test": np.zeros((3, 32, 32), np.uint8)}, r"x_test .* shape \(3, 32, 32\).*expected \(N, 28, 28\)"),
        ({"x_train": np.zeros((5, 28, 28), np.float32)}, r"x_train .* dtype float32; expected .* uint8"),
        ({"y_train": np.arange(4)}, r"y_train .* shape \(4,\).*expected \(5,\)"),
        ({"y_test": np.array([0, 1, 10])}, r"y_test .*expected \(3,\) integers in 0\.\.9"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_mnist(write(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(ValueError, match="not an npz archive"):
        load_mnist(tmp_path)


def test_a_lone_array_is_refused(tmp_path):
    with (tmp_path / "mnist.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="not an npz archive"):
        load_mnist(tmp_path)


def test_pickles_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"array that cannot be read .*allow_pickle"):
        load_mnist(write(tmp_path, x_train=np.array([{}] * 5, dtype=object)))


@pytest.mark.skipif(not MNIST.exists(), reason="MNIST is not here: put it into ../shared/assets to run this")
def test_real_mnist():
    data = load_mnist(MNIST.parent)
    assert data.train_images.shape == (60000, 32, 32, 1)
    assert data.test_images.shape == (10000, 32, 32, 1)
    assert (data.train_images.min(), data.train_images.max()) == (-1, 1)
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
