"""What goes wrong while a strange file is read is one sentence: what, why, and what to do."""

import json
import zipfile
from decimal import Decimal

import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import reading, said
from geomgan.runs.journal import open_journal
from geomgan.runs.loop import restore
from geomgan.study import read_key

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (lambda: {}["shape"], "'shape' is missing"),
        (lambda: [][3], "IndexError: list index out of range"),
        (lambda: None.shape, "AttributeError: 'NoneType' object has no attribute 'shape'"),
        (lambda: Decimal(1) / 0, "DivisionByZero: [<class 'decimal.DivisionByZero'>]"),
        (lambda: json.loads(DEEP), "it is nested too deeply"),
        (lambda: int("x"), "invalid literal for int() with base 10: 'x'"),
        (lambda: zipfile.ZipFile(__file__), "File is not a zip file"),
        (lambda: next(iter(())), "StopIteration"),
    ],
)
def test_whatever_fails_while_reading_is_one_sentence(fail, reason):
    with pytest.raises(gg.CheckpointError) as caught, reading("a.json", "Get it again.", error=gg.CheckpointError):
        fail()
    assert str(caught.value) == f"a.json cannot be read ({reason}). Get it again."


def test_our_own_errors_pass_and_memory_stays_memory():
    with pytest.raises(gg.NotHereError, match=r"^nowhere$"), reading("a", "b."):
        raise gg.NotHereError("nowhere")
    message = r"a cannot be read \(it asks for more memory than there is\)\. b\."
    with pytest.raises(gg.OutOfMemory, match=message), reading("a", "b."):
        np.zeros(2**62, np.uint8)
    with pytest.raises(KeyboardInterrupt), reading("a", "b."):
        raise KeyboardInterrupt


def test_what_a_library_says_is_short_and_on_one_line():
    assert said(ValueError("one\n  two\x1b[31m\tthree")) == "one two [31m three"
    assert len(said(ValueError("x" * 10_000))) == 401


@pytest.mark.parametrize(
    "text", [DEEP, "[]", "null", "3", '{"trials": 1}', "\udcff", '{"plan": {}, "trials": {"a": []}}']
)
def test_files_of_ours_that_hold_something_else(tmp_path, text):
    file = tmp_path / "journal.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"is not the key of a study \(.*\)\. Pass the study_key\.json"):
        read_key(file)
    message = r"journal\.json cannot be read \(.*\)\. Remove it and parts"
    with pytest.raises(gg.StoreError, match=message), open_journal(tmp_path, {}):
        pass
    with pytest.raises(gg.CheckpointError, match=r"is not a readable checkpoint \(.*\)\. Remove it to start anew"):
        restore(file, None, {})
