"""A store loses what was not written, and says why: faults at every array of it."""

import errno
import json
from concurrent.futures import Future

import numpy as np
import pytest

import geomgan as gg
from geomgan.runs.arrays import create_array, open_array, write_rows
from geomgan.runs.files import partial
from geomgan.runs.store import open_store, read_attributes, read_store, write_attributes, write_batch

SHAPES = {"tensors": ((7, 3, 3), np.float64), "values": ((7, 3), np.float64), "status": ((7,), np.int8)}
SETTINGS = {"n": 7, "ranks": (1, 2)}


def batches():
    for start in range(0, 7, 2):
        rows = slice(start, min(start + 2, 7))
        values = {name: np.full((7, *shape[1:]), start + 1, dtype)[rows] for name, (shape, dtype) in SHAPES.items()}
        yield rows, values | {"status": np.ones(rows.stop - start, np.int8)}


def fill(path, write=write_rows):
    """Write what is still to be done; how many batches that are."""
    done = 0
    with open_store(path, SETTINGS, {}, SHAPES, 2) as opened:
        status = opened["status"][...]
        for rows, values in batches():
            if not status[rows].all():
                write_batch(path, opened, rows, values, write=write)
                done += 1
    return done


def full_after(room, name, late=False):
    """A disk that refuses the writes of one array after so many: at once, or when its result is waited for."""
    made = []

    def write(array, rows, values):
        if array.path.name == name:
            made.append(rows)
            if len(made) > room:
                error = OSError(errno.ENOSPC, "No space left on device")
                if not late:
                    raise error
                refused = Future()
                refused.set_exception(error)
                return refused
        return write_rows(array, rows, values)

    return write


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("room", range(4))
def test_a_full_disk_wherever_it_strikes(tmp_path, name, room, late):
    path = tmp_path / "full.zarr"
    message = r"cannot write codes \d to \d to .*full\.zarr: .*No space left on device.*safe; free space"
    with pytest.raises(gg.StoreError, match=message):
        fill(path, full_after(room, name, late))
    assert read_store(path)[0]["status"].sum() == 2 * room
    assert fill(path) == 4 - room
    arrays, attributes = read_store(path)
    assert attributes["settings"] == json.loads(json.dumps(SETTINGS))
    for rows, values in batches():
        for array, expected in values.items():
            np.testing.assert_array_equal(arrays[array][rows], expected)
    assert fill(path, full_after(0, "status")) == 0  # nothing is left to write


def test_data_are_there_before_the_status_is_written(tmp_path):
    def write(array, rows, values):
        if array.path.name == "status":
            for name in ("tensors", "values"):
                assert (open_array(array.path.parent / name)[rows] == rows.start + 1).all()
        return write_rows(array, rows, values)

    assert fill(tmp_path / "run.zarr", write) == 4


@pytest.mark.parametrize("left", ["nothing", "an array", "half a description", "one of version 0.1"])
def test_what_a_run_left_that_died_while_creating_the_store_is_taken_over(tmp_path, left):
    path = tmp_path / "run.zarr"
    path.mkdir()
    if left == "an array":
        create_array(path / "tensors", *SHAPES["tensors"], 2)
    if left == "half a description":
        partial(path / "zarr.json").write_text('{"zarr')
    if left == "one of version 0.1":
        (path / ".zarr.json.partial").write_text('{"zarr')
    assert fill(path) == 4
    assert fill(path) == 0


def test_other_settings_and_other_folders_are_refused(tmp_path):
    fill(tmp_path / "run.zarr")
    differs = (
        r"run\.zarr belongs to another run\. n: stored 7, now 8; ranks: stored \[1, 2\], now None\. .*name another"
    )
    with pytest.raises(gg.StoreError, match=differs), open_store(tmp_path / "run.zarr", {"n": 8}, {}, SHAPES, 2):
        pass
    with (
        pytest.raises(gg.StoreError, match=r"is not a metric field\. Remove it, or name another folder\."),
        open_store(tmp_path, SETTINGS, {}, SHAPES, 2),
    ):
        pass


def test_a_description_is_replaced_whole(tmp_path):
    path = tmp_path / "run.zarr"
    fill(path)
    attributes = read_attributes(path)
    write_attributes(path, attributes | {"runs": [{"codes": 3}]})
    assert read_attributes(path) == attributes | {"runs": [{"codes": 3}]}
    (path / "zarr.json").write_text("{")
    with pytest.raises(gg.StoreError, match="is not a metric field"):
        read_attributes(path)
