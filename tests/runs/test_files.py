"""Files and folders are there whole, or as they were."""

import os

import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import NotHereError
from geomgan.runs.files import is_partial, partial, write_whole, written, written_folder
from tests.faults import full_disk


def test_a_file_is_written_whole(tmp_path):
    write_whole(tmp_path / "deep" / "a.txt", "geä\r\n")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "geä\r\n".encode()
    write_whole(str(tmp_path / "deep" / "a.txt"), b"\0")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == b"\0"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_a_saver_that_looks_at_the_suffix_does_as_it_would(tmp_path):
    with written(tmp_path / "a.npz") as temporary:
        assert is_partial(temporary)
        np.savez(temporary, x=np.arange(3))
        assert not (tmp_path / "a.npz").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("before", [None, b"earlier"])
def test_a_full_disk_leaves_what_was_there(tmp_path, before):
    file = tmp_path / "a.bin"
    if before:
        file.write_bytes(before)
    with full_disk(100), pytest.raises(gg.StoreError, match=r"cannot write .*a\.bin: .*Free space, or name another"):
        write_whole(file, b"x" * 1000)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([before] if before else [])


def test_other_errors_of_the_block_pass(tmp_path):
    for error in (KeyboardInterrupt(), ValueError("no"), NotHereError("no"), gg.StoreError("no")):
        for context, name in ((written(tmp_path / "a"), ""), (written_folder(tmp_path / "b"), "x")):
            with pytest.raises(type(error)) as caught, context as temporary:  # noqa: PT012
                (temporary / name).write_text("half")
                raise error
            assert caught.value is error
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(gg.StoreError, match="cannot write"):
        write_whole(tmp_path / "file" / "a", "x")
    with pytest.raises(gg.StoreError, match="cannot write"), written_folder(tmp_path / "file" / "a"):
        pass
    with pytest.raises(gg.StoreError, match="cannot write"), written(tmp_path / "nothing"):
        pass  # the block writes nothing


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    partial(tmp_path / "a").write_text("much more than there will be")
    write_whole(tmp_path / "a", "new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "new"}


def test_a_folder_replaces_the_one_before(tmp_path):
    for text in ("first", "second"):
        with written_folder(tmp_path / "deep" / "model") as temporary:
            (temporary / text).write_text(text)
            if text == "second":
                assert (tmp_path / "deep" / "model" / "first").is_file()
    assert [p.name for p in (tmp_path / "deep" / "model").iterdir()] == ["second"]
    assert os.stat(tmp_path / "deep" / "model").st_mode & 0o777 == 0o755
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["model"]


def test_a_folder_on_a_full_disk_leaves_the_one_before(tmp_path):
    with written_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_bytes(b"good")
    with full_disk(100), pytest.raises(gg.StoreError, match="cannot write"), written_folder(tmp_path / "model") as new:
        (new / "weights").write_bytes(b"x" * 1000)
    assert (tmp_path / "model" / "weights").read_bytes() == b"good"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("url", ["s3://bucket/a.txt", "https://host/a.txt", "gs:/bucket/a.txt", "file://host/a.txt"])
def test_a_url_is_no_file(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    for write in (lambda: write_whole(url, "a"), lambda: written_folder(url).__enter__()):
        with pytest.raises(gg.StoreError, match=r"is a URL; expected a folder or file of this machine\. Copy it here"):
            write()
    assert not list(tmp_path.iterdir())
    write_whole(f"file://{tmp_path}/a%20b.txt", "a")
    assert (tmp_path / "a b.txt").read_text() == "a"
