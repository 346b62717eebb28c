"""Attacks on the restricted pickle reader, each read in another process that watches what happens."""

from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest

from tests.hostile import attacks, watched

GOOD = pickle.dumps([np.arange(3.0), {"a"}], 0)
SETUP = """
from geomgan.restricted_pickle import load_file
attempt = lambda path: load_file(path, stand_ins=STAND_INS)
"""


@pytest.mark.parametrize("stand_ins", ["()", "('*',)"], ids=["strict", "any stand-in"])
def test_attacks_are_refused_and_nothing_happens(tmp_path, stand_ins):
    outcomes = watched(tmp_path, SETUP.replace("STAND_INS", stand_ins), attacks(), GOOD)
    for name, outcome in outcomes.items():
        refused = "which is not data" in outcome.text or "copyreg extension" in outcome.text
        assert refused or stand_ins != "()", name


def test_what_pickle_does_is_seen(tmp_path):
    setup = (
        "import pickle\nattempt = lambda path: path.endswith('good') or pickle.loads(pathlib.Path(path).read_bytes())"
    )
    for name, data, event in (
        ("a", b"cos\nsystem\nX\x04\x00\x00\x00true\x85R.", "os.system"),
        ("b", b"cbuiltins\nexec\nX\x01\x00\x00\x001\x85R.", "compile"),
        ("c", b"cwave\nError\n.", "import"),
        ("d", b"csocket\nsocket\n)R.", "socket.__new__"),
    ):
        (tmp_path / name).mkdir()
        with pytest.raises(AssertionError, match=rf"00000: .*{event}"):
            watched(tmp_path / name, setup, {name: data}, GOOD)


MANY = 300_000


def bombs() -> dict[str, tuple[bytes, str]]:
    """Pickles that would take all memory or time, and what is to be said about each."""
    text = b"X" + struct.pack("<I", MANY) + b"a" * MANY
    encode = b"c_codecs\nencode\nq\x01" + text + b"U\x06latin1\x86q\x020"
    ordered = b"ccollections\nOrderedDict\nq\x01(" + b"(K\x01K\x02t" * 100_000 + b"l\x85q\x020"
    colliding = b"".join(b"\x8a\x0a" + (n * (2**61 - 1)).to_bytes(10, "little") + b"N" for n in range(1, 300_000))
    dup = b"K\x01" + b"2\x86" * 60
    return {
        "memo index": (b"Nr\xff\xff\xff\xff.", "read"),
        "memo text": (b"Np" + b"9" * 1000 + b"\n.", "memo index"),
        "bytes": (b"\x8e" + struct.pack("<Q", 2**62) + b"x.", "truncated"),
        "bytes signed": (b"\x8e" + struct.pack("<Q", 2**64 - 1) + b"x.", "truncated"),
        "bytearray": (b"\x96" + struct.pack("<Q", 2**40) + b"x.", "truncated"),
        "text": (b"\x8d" + struct.pack("<Q", 2**40) + b"x.", "truncated"),
        "frame": (b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.", "a frame of"),
        "frames": ((b"\x95" + struct.pack("<Q", 1_000_000)) * MANY + b"N" * 1_000_000, "no end after"),
        "long": (b"\x8b" + struct.pack("<I", 2**31 - 1) + b"x.", "an integer of"),
        "long here": (b"\x8b" + struct.pack("<I", 10_000_000) + b"\x7f" * 10_000_000 + b".", "an integer of"),
        "digits": (b"L" + b"9" * 3_000_000 + b"L\n.", "no end of line"),
        "marks": (b"(" * MANY + b".", "too few objects"),
        "marked tuples": (b"(" * MANY + b"t" * MANY + b".", "nested"),
        "tuples": (b")" + b"\x85" * MANY + b".", "nested"),
        "lists": (b"]" * MANY + b"a" * (MANY - 1) + b".", "nested"),
        "dicts": (b"}N" * MANY + b"}" + b"s" * MANY + b".", "nested"),
        "key": (b"}" + dup + b"Ns.", "tuple as a dictionary key"),
        "member": (b"\x8f(" + dup + b"\x90.", "tuple as a dictionary key or set member"),
        "frozen": (b"(" + dup + b"\x91.", "tuple as a dictionary key or set member"),
        "set": (b"c__builtin__\nset\n](" + dup + b"e\x85R.", "tuple as a dictionary key or set member"),
        "dtype": (b"cnumpy\ndtype\n(" + dup + b"K\x00K\x01tR.", "numpy dtype tuple"),
        "laughs": (b"]" + b"q\x00](" + b"h\x00h\x00e" + b"q\x00](h\x00h\x00e" * 60 + b".", "entries, shared ones"),
        "wide": (b"](" + b"N" * MANY + b"eq\x00](" + b"h\x00" * MANY + b"e.", "entries, shared ones"),
        "sets": (b"\x8f" * 2_000_000 + b".", "no end after"),
        "copies": (encode + b"(" + b"h\x01h\x02R" * MANY + b"l.", "again and again on the same data"),
        "dicts again": (ordered + b"(" + b"h\x01h\x02R" * MANY + b"l.", "again and again on the same data"),
        "colliding": (b"}(" + colliding + b"u.", "int as a dictionary key"),
        "again": (b"](" + b"K\x01" * MANY + b"e" + b"2" * MANY + b".", "read"),
        "shape": (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01J\xff\xff\xff\x7f\x85cnumpy\n"
            b"dtype\n(U\x02f8tR(K\x03U\x01<NNNtb\x89U\x00tb.",
            "expected as many as fill it",
        ),
    }


def test_bombs_are_refused_quickly_in_little_memory(tmp_path):
    made = bombs()
    outcomes = watched(
        tmp_path, SETUP.replace("STAND_INS", "()"), {name: data for name, (data, _) in made.items()}, GOOD
    )
    for name, (_, says) in made.items():
        text, seconds, _ = outcomes[name]
        assert says in text, (name, text)
        assert text == says or "found" in text or "names" in text, (name, text)
        assert seconds < 60, (name, seconds)
