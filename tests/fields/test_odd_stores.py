"""Stores whose description was tampered with, stores at URLs, notes that JSON cannot hold, runs that were killed."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import geomgan as gg
from geomgan.fields.export import export_npz
from geomgan.fields.field import compute_field
from geomgan.runs.store import read_attributes, write_attributes
from tests.small_models import linear_generator, same_field

MSE = gg.distances.mse()
G = linear_generator(np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32))
CODES = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
HUGE = 10**15


def compute(store, **options):
    return compute_field(G, MSE, CODES, store=store, batch=2, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = tmp_path_factory.mktemp("whole") / "run.zarr"
    compute(store)
    return store


@pytest.fixture
def store(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "run.zarr"))


def tampered(store, change):
    """Change what a store says of itself, with the checksum that fits it."""
    attributes = read_attributes(store)
    write_attributes(store, change(attributes) or attributes)


def settings(**change):
    return lambda attributes: {**attributes, "settings": attributes["settings"] | change}


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


def huge(attributes):
    """All sizes grow alike: settings, arrays and their metadata."""
    for size in attributes["arrays"].values():
        size["shape"][0] = HUGE
    attributes["settings"]["n"] = HUGE


@pytest.mark.parametrize(
    "change",
    [
        settings(n=HUGE),
        settings(n=0),
        settings(n=3),
        settings(n="4"),
        settings(k=-1),
        settings(k=True),
        settings(batch=0),
        settings(batch=2.5),
        settings(chunk=None),
        settings(chunk=[1]),
        settings(solver="magic"),
        settings(solver=["dense"]),
        settings(solver="block"),
        settings(groups=3),
        settings(groups=[["a"]]),
        settings(groups=[[-1]]),
        settings(generator=None),
        settings(codes={}),
        lambda attributes: attributes | {"settings": []},
        lambda attributes: attributes | {"settings": {}},
        lambda attributes: attributes | {"provenance": 3},
        lambda attributes: attributes | {"runs": {}},
        lambda attributes: attributes | {"runs": [3]},
        lambda attributes: attributes | {"failures": ["a"]},
        lambda attributes: attributes | {"failures": {"first": "a"}},
        lambda attributes: attributes | {"failures": {"9" * 9999: "a"}},
        lambda attributes: attributes | {"failures": {"1": 2}},
        lambda attributes: attributes | {"geomgan": 99},
        lambda attributes: attributes | {"geomgan": "three"},
        lambda attributes: attributes | {"batch": 0},
        lambda attributes: attributes | {"batch": HUGE},
        lambda attributes: attributes | {"arrays": {}},
        lambda attributes: attributes | {"arrays": nested(10)},
        lambda attributes: attributes | {"arrays": attributes["arrays"] | {"../other": {"shape": [4], "dtype": "i1"}}},
        lambda attributes: attributes | {"arrays": attributes["arrays"] | {"more": {"shape": [4], "dtype": "int8"}}},
        lambda attributes: attributes | {"arrays": attributes["arrays"] | {"codes": {"shape": [], "dtype": "int8"}}},
        lambda attributes: attributes | {"arrays": attributes["arrays"] | {"codes": {"shape": [4, 3], "dtype": "O"}}},
        lambda attributes: attributes["arrays"].pop("vectors") and attributes,
        huge,
    ],
)
def test_what_a_store_says_of_itself_is_checked_where_it_is_read(store, change):
    tampered(store, change)
    with pytest.raises(gg.StoreError):
        gg.MetricField.read(store)


@pytest.mark.parametrize(
    "change", [settings(n=HUGE), settings(batch=0), settings(chunk="x"), settings(groups=[["a"]]), settings(solver=3)]
)
def test_and_before_a_run_goes_on(store, change):
    tampered(store, change)
    with pytest.raises(gg.StoreError, match=r"settings\.\S+ is .*; expected|belongs to another run"):
        compute(store)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "null",
        '{"attributes": 3}',
        '{"zarr_format": 3, "node_type": "group", "attributes": {"geomgan": 3}}',
        "[" * 100_000,
        '{"attributes": ' * 5000 + "1" + "}" * 5000,
        '{"zarr_format": ' + "9" * 10_000 + "}",
    ],
    ids=range(9),
)
def test_no_text_ends_otherwise_than_in_words(whole, store, text):
    (store / "zarr.json").write_text(text)
    for attempt in (gg.MetricField.read, compute):
        with pytest.raises(gg.StoreError, match=r"is not a metric field, or its zarr\.json is damaged"):
            attempt(store)
    shutil.copy(whole / "zarr.json", store)
    (store / "values" / "zarr.json").write_text(text)
    with pytest.raises(gg.StoreError, match=r"values is damaged .zarr\.json"):
        gg.MetricField.read(store)


def test_an_edited_description_is_said(store):
    text = (store / "zarr.json").read_text()
    assert '"tol": 1e-06' in text
    (store / "zarr.json").write_text(text.replace('"tol": 1e-06', '"tol": 1e-05'))
    with pytest.raises(gg.StoreError, match="its checksum is wrong"):
        gg.MetricField.read(store)
    (store / "zarr.json").write_text(json.dumps(json.loads(text), indent=4, sort_keys=True))  # as other writers do
    assert (gg.MetricField.read(store).status == 1).all()


# --- URLs ---


@pytest.mark.parametrize(
    "url",
    [
        "gs://bucket/run.zarr",
        "s3://bucket/run.zarr",
        "http://host/run.zarr",
        "memory://run.zarr",
        "file://host/run.zarr",
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_store_at_a_url_is_refused_before_any_work(tmp_path, monkeypatch, url, kind):
    if kind is Path and url.startswith("file:"):
        return  # a Path cannot tell it from file:/host/run.zarr
    monkeypatch.chdir(tmp_path)
    refused = pytest.raises(gg.StoreError, match=r"is a URL; expected a folder or file of this machine\. Copy it here")
    with refused:
        gg.MetricField.read(kind(url))
    with refused:
        compute(kind(url), execute=lambda *_: pytest.fail("computed"))
    with refused:
        export_npz(gg.metric_field(G, MSE, CODES, progress=False), kind(url))
    assert not list(tmp_path.iterdir())


def test_a_file_url_is_a_folder(tmp_path):
    folder = tmp_path / "a store"
    field = compute(f"file://{tmp_path}/a%20store")
    assert folder.is_dir()
    assert same_field(field, gg.MetricField.read(folder))
    assert same_field(field, gg.MetricField.read(f"file://localhost{tmp_path}/a%20store"))


@pytest.mark.parametrize("name", ["s3:run.zarr", "C:run.zarr", "a:b", "gs"])
def test_folders_whose_names_look_a_little_like_urls_are_folders(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    compute(name)
    assert (tmp_path / name / "zarr.json").is_file()


# --- notes ---


class Loop(dict):
    def __init__(self):
        super().__init__()
        self["self"] = self


@pytest.mark.parametrize(
    "note",
    [Path("x"), np.float32(1), np.zeros(2), float("nan"), {1, 2}, b"x", object(), Loop(), {"a": [complex(1)]}],
    ids=lambda note: type(note).__name__,
)
def test_notes_that_json_cannot_hold_are_refused_before_any_work(tmp_path, note):
    with pytest.raises(TypeError, match=r"notes\['mine'\] is .*; expected what JSON can hold .*\. Convert it"):
        gg.metric_field(G, MSE, CODES, store=tmp_path / "run.zarr", notes={"good": 1, "mine": note})
    assert not (tmp_path / "run.zarr").exists()


def test_notes_are_a_mapping(tmp_path):
    with pytest.raises(TypeError, match="notes is 'my run'; expected a mapping"):
        gg.metric_field(G, MSE, CODES, store=tmp_path / "run.zarr", notes="my run")
    notes = {"name": "ä", "list": (1, 2.5), "of": {"a": None, "b": True}}
    kept = compute(tmp_path / "run.zarr", notes=notes).provenance
    assert {name: kept[name] for name in notes} == json.loads(json.dumps(notes))


# --- runs ---


def test_a_run_that_dies_leaves_its_entry(tmp_path):
    calls = []

    def dies(program, *arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return program(*arguments)

    with pytest.raises(KeyboardInterrupt):
        compute(tmp_path / "run.zarr", execute=dies)
    (killed,) = gg.MetricField.read(tmp_path / "run.zarr").provenance["runs"]
    assert killed["ended"] is None
    assert killed["versions"]["geomgan"]
    first, second = compute(tmp_path / "run.zarr").provenance["runs"]
    assert first == killed
    assert second["ended"] >= second["started"]
    assert second["codes"] in (2, 4)
    assert len(compute(tmp_path / "run.zarr").provenance["runs"]) == 2  # nothing to do: no run


# --- child processes ---


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system: run it on Linux")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_fork_of_a_process_that_used_a_store_is_refused_in_words(store, tmp_path):
    field, said = gg.MetricField.read(store), tmp_path / "said"
    attempts = {
        "read": lambda: gg.MetricField.read(store),
        "lazy": lambda: field.tensors[0],
        "whole": lambda: np.asarray(field.vectors),
        "resume": lambda: compute(store),
        "new": lambda: compute(tmp_path / "new.zarr"),
    }
    child = os.fork()
    if child == 0:
        for name, attempt in attempts.items():
            try:
                attempt()
            except gg.StoreError as error:
                with said.open("a") as file:
                    file.write(f"{name}: {error}\n")
        os._exit(0)
    killer = threading.Timer(20, os.kill, (child, 9))
    killer.start()
    assert os.waitpid(child, 0)[1] == 0
    killer.cancel()
    lines = said.read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == list(attempts)
    assert all("get_context('spawn')" in line for line in lines)


START = """
import multiprocessing, sys
import numpy as np
import geomgan as gg

def read(store):
    field = gg.MetricField.read(store)
    return float(field.tensors[0].trace()), float(np.asarray(field.vectors).sum())

def lazy(array):
    return float(array[0].trace())

if __name__ == "__main__":
    store, method, before = sys.argv[1:]
    context = multiprocessing.get_context(method)
    if before == "used":
        field = gg.MetricField.read(store)
    with context.Pool(1) as pool:
        found = pool.apply_async(read, (store,)).get(60)
        if before == "used":
            assert pool.apply_async(lazy, (field.tensors,)).get(60) == found[0]
    print(found == read(store))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "before"), [("spawn", "used"), ("forkserver", "used"), ("spawn", "unused"), ("fork", "unused")]
)
def test_children_that_start_anew_read_beside_an_open_store(store, tmp_path, method, before):
    (tmp_path / "start.py").write_text(START)
    command = [sys.executable, str(tmp_path / "start.py"), str(store), method, before]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "True", done.stderr
