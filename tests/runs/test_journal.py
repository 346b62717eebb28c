"""A long job goes on where it was interrupted, and says what keeps it from doing so."""

import json
import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

import geomgan as gg
from geomgan.runs.journal import open_journal
from tests.faults import full_disk
from tests.runs import killed_journal
from tests.runs.results import Inner, Outer, Stranger, part, same

NAMES = [f"part-{i}" for i in range(killed_journal.PARTS)]


@pytest.mark.parametrize("at", range(killed_journal.PARTS))
def test_kill_9_in_a_part_loses_that_part_only(tmp_path, at):
    worker = multiprocessing.get_context("spawn").Process(target=killed_journal.run, args=(tmp_path / "run", at))
    worker.start()
    worker.join()
    assert worker.exitcode == -9
    assert sorted(p.stem for p in (tmp_path / "run" / "parts").glob("*")) == NAMES[:at]
    assert killed_journal.run(tmp_path / "run") == NAMES[at:]
    assert killed_journal.run(tmp_path / "run") == []


@pytest.mark.parametrize("every", [31, pytest.param(5, marks=pytest.mark.slow)])
def test_kill_9_between_any_two_lines(tmp_path, every):
    command = [sys.executable, "-m", "tests.runs.killed_journal", str(tmp_path / "run"), str(every)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(result.stdout)
    assert len(told) > 400 / every
    for finished, computed in told:
        assert finished + computed == NAMES
    assert {len(finished) for finished, _ in told} >= {0, 1, 2}
    assert "Warning" not in result.stderr


def test_a_finished_part_is_read_and_keeps_its_file(tmp_path):
    with open_journal(tmp_path, {}) as journal:
        assert not journal.finished("a")
        first = journal.part("a", Inner, lambda: Inner(np.arange(3), "x"))
        assert (journal.finished("a"), journal.computed) == (True, ["a"])
    written = (tmp_path / "parts" / "a.npz").stat().st_mtime_ns
    with open_journal(tmp_path, {}) as journal:
        assert same(journal.part("a", Inner, lambda: pytest.fail("computed again")), first)
        assert journal.computed == []
    assert (tmp_path / "parts" / "a.npz").stat().st_mtime_ns == written
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal.json", "parts"]


def test_an_error_of_a_part_leaves_the_others(tmp_path):
    def broken():
        raise ZeroDivisionError

    with open_journal(tmp_path, {}) as journal:
        journal.part("a", Outer, lambda: part(1))
        with pytest.raises(ZeroDivisionError):
            journal.part("b", Outer, broken)
    with open_journal(tmp_path, {}) as journal:
        assert (journal.finished("a"), journal.finished("b")) == (True, False)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[::-1]])
def test_a_damaged_part_is_named_and_computed_again(tmp_path, damage):
    with open_journal(tmp_path, {}) as journal:
        journal.part("a", Outer, lambda: part(1))
    file = tmp_path / "parts" / "a.npz"
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    with open_journal(tmp_path, {}) as journal:
        with pytest.warns(UserWarning, match=r"parts/a\.npz cannot be read: it is damaged.*This run does so now"):
            assert same(journal.part("a", Outer, lambda: part(1)), part(1))
        assert journal.computed == ["a"]
    assert file.read_bytes() == whole


def test_a_part_whose_dataclass_has_changed_is_computed_again(tmp_path):
    with open_journal(tmp_path, {}) as journal:
        journal.part("a", Outer, lambda: part(1))
        with pytest.warns(UserWarning, match="another version wrote it"):
            assert journal.part("a", Stranger, lambda: Stranger(4)) == Stranger(4)


def test_other_settings_are_refused_and_named(tmp_path):
    with open_journal(tmp_path, {"model": "a", "ranks": (1, 2)}) as journal:
        journal.part("a", Outer, lambda: part(1))
    with open_journal(tmp_path, {"model": "a", "ranks": [1, 2]}) as journal:
        assert journal.finished("a")
    differs = r"belongs to another run\. model: stored 'a', now 'b'\. Repeat the call"
    with pytest.raises(gg.StoreError, match=differs), open_journal(tmp_path, {"model": "b", "ranks": [1, 2]}):
        pass
    with pytest.raises(gg.StoreError, match="Pass --out"), open_journal(tmp_path, {}, fix="Pass --out."):
        pass


def test_one_process_writes_at_a_time(tmp_path):
    with (
        open_journal(tmp_path, {}),
        pytest.raises(gg.StoreError, match="being written by another process"),
        open_journal(tmp_path, {}),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{}", '{"geomgan_journal": 2}', '{"geomgan_journal": 1, "settings": 3}', "[]"])
def test_results_of_unknown_settings_are_refused(tmp_path, text):
    with open_journal(tmp_path, {}) as journal:
        journal.part("a", Outer, lambda: part(1))
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(gg.StoreError, match=r"journal\.json cannot be read.*Remove it and parts"):
        open_journal(tmp_path, {}).__enter__()
    (tmp_path / "journal.json").unlink()
    with pytest.raises(gg.StoreError, match=r"holds results, but journal\.json is missing"):
        open_journal(tmp_path, {}).__enter__()


def test_a_full_disk_is_said_and_finished_parts_are_safe(tmp_path):
    big = Outer(np.zeros(10000))
    with open_journal(tmp_path, {}) as journal:
        journal.part("a", Outer, lambda: part(1))
        with full_disk(20000), pytest.raises(gg.StoreError, match=r"cannot write .*b\.npz: .*Free space"):
            journal.part("b", Outer, lambda: big)
        assert journal.computed == ["a"]
        assert [p.name for p in (tmp_path / "parts").iterdir()] == ["a.npz"]
        assert same(journal.part("b", Outer, lambda: big), big)


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "ä", "a b", "a\n"])
def test_names_that_cannot_name_a_file_are_refused(tmp_path, name):
    with open_journal(tmp_path, {}) as journal, pytest.raises(ValueError, match="names a part"):
        journal.part(name, Outer, lambda: part(0))
