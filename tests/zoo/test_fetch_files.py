"""Fetching published files from addresses and from the hub, which here are a server on the loopback address."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.errors import CheckpointError, NotHereError, OptionError
from geomgan.runs.download import download
from geomgan.runs.files import partial
from geomgan.zoo import fetch
from tests.weights_convert.torch_models import saved, tutorial_dcgan


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.data``, from the byte that is asked for unless ``ranges`` is off; ``cut`` ends it early."""

    def do_GET(self):
        server, start = self.server, 0
        asked = self.headers.get("Range")
        server.asked.append((self.path, asked))
        if asked and server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(server.data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        rest = server.data[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as where it is not installed
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.data = saved({"netG_state_dict": tutorial_dcgan(3, (4,), 1).state_dict()})
    server.asked, server.ranges, server.cut = [], True, None
    server.place = f"http://127.0.0.1:{server.server_port}/"
    server.digest = hashlib.sha256(server.data).hexdigest()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def entry(server, monkeypatch):
    """Puts a model into the catalogue."""

    def add(**changes):
        fields = {"name": "tiny", "summary": "a small random model", "family": "dcgan-tutorial", "latent": "z 3"}
        fields |= {"resolution": 8, "licence": "MIT", "sha256": server.digest, "options": {"output": "sigmoid"}}
        known = gg.zoo.Entry(**{**fields, "address": f"{server.place}a/tiny.pth", **changes})
        monkeypatch.setitem(gg.zoo.catalogue(), known.name, known)
        return known

    return add


def test_a_published_file_is_fetched_once(server, entry, tmp_path, capsys):
    known = entry()
    with pytest.raises(NotHereError, match="run `geomgan fetch tiny`"):
        gg.load("tiny")
    assert main(["fetch", "tiny"]) == 0
    assert f"tiny is in {known.folder}" in capsys.readouterr().out
    assert server.asked == [("/a/tiny.pth", None)]
    G, card = gg.load("tiny"), gg.zoo.card("tiny")
    assert (G.output_range, card["licence"]) == ((0, 1), "MIT")
    assert card["files"] == [{"file": "tiny.pth", "sha256": server.digest, "bytes": len(server.data)}]
    server.shutdown()
    server.server_close()
    assert fetch("tiny") == known.folder
    shutil.rmtree(known.folder)  # the published file is still here
    assert fetch("tiny") == known.folder
    np.testing.assert_array_equal(gg.load("tiny")(np.ones(3)), G(np.ones(3)))


@pytest.mark.parametrize("ranges", [True, False])
def test_what_was_cut_off_goes_on(server, tmp_path, ranges):
    file = tmp_path / "tiny.pth"
    server.cut, server.ranges = 1000, ranges
    with pytest.raises(NotHereError, match=r"cut off after 1000 of \d+ bytes\).*is kept, and goes on with the next"):
        download([server.place], file, server.digest, progress=False)
    assert partial(file).stat().st_size == 1000
    assert not file.exists()
    server.cut = None
    download([server.place], file, server.digest, progress=False)
    assert file.read_bytes() == server.data
    assert server.asked[-1] == ("/", "bytes=1000-")
    assert not partial(file).exists()


def test_the_rest_of_another_file_is_not_kept(server, tmp_path):
    file = tmp_path / "tiny.pth"
    partial(file).write_bytes(b"x" * 1000)
    with pytest.raises(CheckpointError, match=f"has sha256 .*; expected {server.digest}.*nothing of it was kept"):
        download([server.place], file, server.digest, progress=False)
    assert list(tmp_path.glob(".*")) == []
    partial(file).write_bytes(b"x" * (len(server.data) + 5))  # longer than what is published
    assert download([server.place], file, server.digest, progress=False).read_bytes() == server.data


def test_another_digest_is_named_and_taken_only_when_asked(server, entry, tmp_path, capsys):
    known, digest = entry(sha256="0" * 64), server.digest
    says = rf"tiny\.pth has sha256 {digest}; expected 0+\. .*taken over.*`geomgan fetch tiny --accept {digest}`"
    for _ in range(2):  # it is here, and is refused again
        with pytest.raises(CheckpointError, match=says):
            fetch("tiny")
    assert not known.folder.exists()
    assert main(["fetch", "tiny", "--accept", digest]) == 0
    assert len(server.asked) == 1
    assert gg.zoo.card("tiny")["files"][0]["sha256"] == digest
    with pytest.raises(OptionError, match=r"accept='yes'; expected a sha256"):
        fetch("tiny", accept="yes")


def test_a_digest_that_nobody_says_and_one_of_a_name(server, entry):
    entry(sha256="")
    with pytest.raises(CheckpointError, match="the catalogue does not say what it should be"):
        fetch("tiny")
    entry(sha256="0000000")
    with pytest.raises(CheckpointError, match=r"expected 0000000\.\.\., as its published name says"):
        fetch("tiny")
    entry(sha256=server.digest[:8])
    fetch("tiny")


def test_the_hub_by_its_address_and_by_its_client(server, entry, monkeypatch, tmp_path):
    known = entry(address="", hub="someone/tiny@abc123", member="weights/tiny one.pth")
    monkeypatch.setenv("HF_ENDPOINT", server.place)
    assert fetch("tiny") == known.folder
    assert server.asked == [("/someone/tiny/resolve/abc123/weights/tiny%20one.pth", None)]
    assert gg.zoo.card("tiny")["source"] == "someone/tiny@abc123, weights/tiny one.pth"

    client, asked = types.ModuleType("huggingface_hub"), []

    def hf_hub_download(repository, name, *, revision):
        asked.append((repository, name, revision))
        if revision is None:
            raise RuntimeError("401: who are you?")
        (tmp_path / "cached.pth").write_bytes(server.data)
        return str(tmp_path / "cached.pth")

    client.hf_hub_download = hf_hub_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "second"))
    fetch("tiny")
    assert (asked, len(server.asked)) == ([("someone/tiny", "weights/tiny one.pth", "abc123")], 1)
    entry(name="other", address="", hub="someone/other", member="tiny.pth")
    with pytest.raises(NotHereError, match=r"tiny\.pth of someone/other could not be fetched from the hub \(.*401"):
        fetch("other")
