"""Data sets: IDX files, folders of images, and downloads from a server on this machine's loopback address."""

import gzip
import hashlib
import io
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from geomgan.errors import CheckpointError, NotHereError, OptionError
from geomgan.training import datasets
from geomgan.training.idx import read_idx

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}
NAMES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def idx(array, dtype="u1"):
    """An array as the format has it, written from its description."""
    header = bytes([0, 0, CODES[dtype], array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(dtype).tobytes()


def arrays(n_train=12, n_test=5):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n_train + n_test, 28, 28), dtype=np.uint8)
    labels = np.arange(n_train + n_test) % 4
    return images[:n_train], labels[:n_train], images[n_train:], labels[n_train:]


def write(folder, names=NAMES, packed=False, start=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, arrays(), strict=True):
        data = idx(array)
        end = "-ubyte.gz" if packed else "-ubyte"
        (folder / f"{start}{name}{end}").write_bytes(gzip.compress(data) if packed else data)
    return folder


@pytest.mark.parametrize("dtype", CODES)
def test_every_type_of_numbers_comes_back(tmp_path, rng, dtype):
    array = rng.integers(0, 100, (3, 2, 4)).astype(dtype)
    for name, data in (("plain", idx(array, dtype)), ("packed", gzip.compress(idx(array, dtype)))):
        (tmp_path / name).write_bytes(data)
        back = read_idx(tmp_path / name)
        np.testing.assert_array_equal(back, array)
        assert back.dtype == np.dtype(dtype).newbyteorder("=")


def test_damaged_files_are_one_sentence(tmp_path):
    whole = idx(np.arange(60).reshape(3, 4, 5))
    packed = gzip.compress(whole)
    damaged = {
        "cut off": whole[:-1],
        "longer": whole + b"x",
        "within the lengths": whole[:9],
        "empty": b"",
        "a page": b"<html>not found</html>",
        "a negative length": whole[:4] + b"\xff" * 4 + whole[8:],
        "an enormous shape": whole[:4] + b"\x7f\xff\xff\xff" * 3,
        "an unknown type": b"\0\0\x07\x03" + whole[4:],
        "a cut archive": packed[: len(packed) // 2],
        "a flipped bit": packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:],
    }
    for data in damaged.values():
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(ValueError, match=r"file is no whole IDX file \(.*\)\. Get it again\."):
            read_idx(tmp_path / "file")
    with pytest.raises(NotHereError, match="absent is not there"):
        read_idx(tmp_path / "absent")


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files(tmp_path, packed):
    data = datasets.load_images(write(tmp_path / "set", packed=packed))
    images, labels, test_images, test_labels = arrays()
    np.testing.assert_array_equal(data.train_images[..., 0], images)
    np.testing.assert_array_equal(data.test_images[..., 0], test_images)
    np.testing.assert_array_equal(data.train_labels, labels)
    np.testing.assert_array_equal(data.test_labels, test_labels)
    assert data.classes == ("0", "1", "2", "3")
    assert data.train_images.dtype == np.uint8


def test_emnist_is_turned_upright(tmp_path):
    names = [name.replace("t10k", "test") for name in NAMES]
    data = datasets.load_images(write(tmp_path / "set", names, packed=True, start="emnist-letters-"))
    np.testing.assert_array_equal(data.train_images[..., 0], arrays()[0].transpose(0, 2, 1))


def test_several_sets_in_a_folder_and_missing_files_are_told(tmp_path):
    folder = write(tmp_path / "set")
    write(folder, [name.replace("t10k", "test") for name in NAMES], start="emnist-digits-")
    with pytest.raises(ValueError, match=r"holds \['emnist-digits-.*Keep the four files of one data set"):
        datasets.load_images(folder)
    for file in folder.glob("emnist*"):
        file.unlink()
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match="expected one file test-labels-idx1-ubyte"):
        datasets.load_images(folder)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3", np.zeros((12, 32, 32)), r"uint8 of shape \(12, 32, 32\); expected bytes \(N, 28, 28\)"),
        ("train-labels-idx1", np.zeros(11), r"shape \(11,\); expected 12 labels"),
    ],
)
def test_other_arrays_are_refused(tmp_path, name, array, message):
    folder = write(tmp_path / "set")
    (folder / f"{name}-ubyte").write_bytes(idx(array))
    with pytest.raises(ValueError, match=message):
        datasets.load_images(folder)


def test_mnist_npz_is_read_as_bytes(tmp_path):
    images, labels, test_images, test_labels = arrays()
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=test_images, y_test=test_labels)
    for place in (tmp_path, tmp_path / "mnist.npz"):
        data = datasets.load_images(place)
        np.testing.assert_array_equal(data.train_images[..., 0], images)
        assert data.classes == datasets.DIGITS


def test_some_labels_and_some_of_each(tmp_path):
    folder = write(tmp_path / "set")
    images, labels, _, test_labels = arrays()
    data = datasets.load_images(folder, digits=(3, 1), per_label=2)
    chosen = sorted([*np.flatnonzero(labels == 3)[:2], *np.flatnonzero(labels == 1)[:2]])
    np.testing.assert_array_equal(data.train_images[..., 0], images[chosen])
    assert data.train_labels.tolist() == [{3: 0, 1: 1}[label] for label in labels[chosen]]
    assert data.classes == ("3", "1")
    assert len(data.test_labels) == np.isin(test_labels, (3, 1)).sum()
    for wrong in ((7,), (1, 1), ()):
        with pytest.raises(OptionError, match=r"expected different labels that are there: 0 \(0\), 1 \(1\)"):
            datasets.load_images(folder, digits=wrong)
    with pytest.raises(OptionError, match="per_label=0"):
        datasets.load_images(folder, per_label=0)


def test_a_folder_of_images(tmp_path):
    for label, colour in (("cats", (255, 0, 0)), ("dogs", (0, 0, 255))):
        (tmp_path / "set" / label).mkdir(parents=True)
        for i in range(10):
            Image.new("RGB", (60, 40), colour).save(tmp_path / "set" / label / f"{i}.png")
    data = datasets.load_images(tmp_path / "set", progress=False)
    assert data.classes == ("cats", "dogs")
    assert (data.train_images.shape, data.test_images.shape) == ((18, 28, 28, 1), (2, 28, 28, 1))
    grey = {0: 76, 1: 29}  # 0.299 R + 0.587 G + 0.114 B
    for image, label in zip(data.train_images, data.train_labels, strict=True):
        assert np.ptp(image) == 0
        assert image[0, 0, 0] == grey[int(label)]
    flat = datasets.load_images(tmp_path / "set" / "dogs")
    assert (flat.classes, len(flat.train_labels)) == (("dogs",), 9)
    (tmp_path / "set" / "dogs" / "3.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"3\.png is no readable image .*Remove it"):
        datasets.load_images(tmp_path / "set")
    (tmp_path / "set" / "dogs" / "3.png").unlink()
    with pytest.raises(ValueError, match=r"at least 10 images of each label, got \{'dogs': 9\}"):
        datasets.load_images(tmp_path / "set")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no IDX files and 0 images"):
        datasets.load_images(tmp_path / "empty")


def test_other_names_are_refused():
    with pytest.raises(NotHereError, match=r"data='mnits' is neither a folder .* Did you mean 'mnist'"):
        datasets.load_images("mnits")


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of the folder ``served``, and an own folder for data."""
    (tmp_path / "served").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "served"))
    server.asked, server.place = [], f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def serve(server, tmp_path, monkeypatch, name="mnist", **changes):
    """Let a known data set be four small files on the server."""
    write(tmp_path / "served", packed=True)
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / "served").iterdir()}
    absent = f"{server.place}absent/"
    known = replace(datasets.PUBLISHED[name], files=files, places=(absent, server.place), **changes)
    monkeypatch.setitem(datasets.PUBLISHED, name, known)
    return files


def test_a_known_set_is_downloaded_once_and_checked(server, tmp_path, monkeypatch):
    files = serve(server, tmp_path, monkeypatch)
    data = datasets.load_images("mnist", progress=False)
    np.testing.assert_array_equal(data.train_images[..., 0], arrays()[0])
    assert data.classes == datasets.DIGITS
    assert {path.rpartition("/")[2] for path in server.asked} == set(files)
    assert sorted(p.name for p in (tmp_path / "home" / "data" / "mnist").iterdir()) == sorted(files)
    asked = len(server.asked)
    datasets.load_images("mnist", progress=False)
    assert len(server.asked) == asked
    assert datasets.licence_of("mnist") == "MNIST, CC BY-SA 3.0"


def test_another_file_than_the_published_one_is_not_kept(server, tmp_path, monkeypatch):
    files = serve(server, tmp_path, monkeypatch)
    name = "train-labels-idx1-ubyte.gz"
    (tmp_path / "served" / name).write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match=rf"has sha256 .*; expected {files[name]}.*nothing of it was kept"):
        datasets.load_images("mnist", progress=False)
    assert not list((tmp_path / "home" / "data" / "mnist").glob("*train-labels*"))


def test_without_a_network(server, tmp_path, monkeypatch):
    serve(server, tmp_path, monkeypatch)
    server.shutdown()
    server.server_close()
    with pytest.raises(NotHereError, match=r"could not be downloaded \(.*refused.*Check the network, or put the file"):
        datasets.load_images("mnist", progress=False)


def test_an_archive_of_idx_files(server, tmp_path, monkeypatch):
    names = [f"emnist-byclass-{name.replace('t10k', 'test')}-ubyte.gz" for name in NAMES]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for name, array in zip(names, arrays(), strict=True):
            out.writestr(f"gzip/{name}", gzip.compress(idx(array)))
        out.writestr("gzip/emnist-letters-train-images-idx3-ubyte.gz", b"other")
    (tmp_path / "served" / "gzip.zip").write_bytes(archive.getvalue())
    sha256 = hashlib.sha256(archive.getvalue()).hexdigest()
    known = replace(datasets.PUBLISHED["emnist"], places=(server.place,), archive=("gzip.zip", sha256))
    monkeypatch.setitem(datasets.PUBLISHED, "emnist", known)
    data = datasets.load_images("emnist", progress=False)
    np.testing.assert_array_equal(data.train_images[..., 0], arrays()[0].transpose(0, 2, 1))
    assert data.classes[10:12] == ("A", "B")
    assert sorted(p.name for p in (tmp_path / "home" / "data" / "emnist").iterdir()) == sorted(names)


def test_the_published_checksums_are_whole():
    for known in datasets.PUBLISHED.values():
        digests = [known.archive[1]] if known.archive else known.files.values()
        assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
        assert len(known.files) == 4
