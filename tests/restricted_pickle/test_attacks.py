"""Attacks on the restricted pickle reader, each read in another process that watches what happens."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

from tests.fixtures import ROOT

NAMED = {
    "os": "system popen",
    "posix": "system execv",
    "nt": "system",
    "builtins": "eval exec compile getattr setattr open __import__",
    "__builtin__": "eval execfile",
    "subprocess": "Popen check_output",
    "torch": "load save hub.load jit.load",
    "torch.serialization": "load",
    "numpy": "load fromfile memmap",
    "numpy.testing._private.utils": "runstring",
    "importlib": "import_module",
    "operator": "attrgetter methodcaller",
    "functools": "partial reduce",
    "types": "CodeType FunctionType",
    "pickle": "loads load",
    "io": "open",
    "codecs": "open",
    "_codecs": "decode",
    "copyreg": "add_extension pickle",
    "shutil": "rmtree",
    "runpy": "run_path",
    "timeit": "timeit",
    "ctypes": "CDLL",
    "socket": "socket",
    "webbrowser": "open",
    "geomgan.restricted_pickle": "load_file read_bytes",
}


def attacks() -> dict[str, bytes]:
    """Pickles that would do harm under pickle.load, one for each name and way to call it."""
    made = {"ext": b"\x82\x01)R.", "ext4": b"\x84\x01\x00\x00\x00)R."}
    argument = b"X\x0c\x00\x00\x00touch harmed"
    for full in (f"{module}.{name}" for module, names in NAMED.items() for name in names.split()):
        module, _, name = full.encode().rpartition(b".")
        word = b"c" + module + b"\n" + name + b"\n"
        stack = b"\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(name)]) + name + b"\x93"
        made |= {
            f"{full} reduce": word + argument + b"\x85R.",
            f"{full} stack": stack + argument + b"\x85R.",
            f"{full} newobj": word + argument + b"\x85\x81.",
            f"{full} newobj_ex": word + argument + b"\x85}\x92.",
            f"{full} inst": b"(" + argument + b"i" + module + b"\n" + name + b"\n.",
            f"{full} obj": b"(" + word + argument + b"o.",
            f"{full} state": b"ccollections\nOrderedDict\n)R}U\x0c__setstate__" + word + b"sb}b.",
            f"{full} class": b"ccollections\nOrderedDict\n)R}(U\x09__class__" + word + b"U\x08__dict__}ub.",
            f"{full} slots": b"ccollections\nOrderedDict\n)R}}U\x0a__reduce__" + word + b"s\x86b.",
            f"{full} factory": b"ccollections\ndefaultdict\n(" + word + b"tR" + argument + b"Ns.",
            f"{full} dtype": b"cnumpy\ndtype\n(" + word + b"tR.",
            f"{full} array": b"cnumpy.core.multiarray\n_reconstruct\n(" + word + b")U\x01btR.",
            f"{full} reconstructor": b"ccopyreg\n_reconstructor\n(" + word + word + argument + b"tR.",
        }
    return made


WATCH = """
import json, pathlib, sys
from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import load, load_file
import pickle, numpy as np
load(pickle.dumps([np.arange(3.0), {"a"}], 0))  # whatever loads late, loads now
folder = pathlib.Path(sys.argv[1])
paths = sorted(folder.glob("*.pkl"))
events, outcomes = [], {}

def watch(event, args):
    if event != "builtins.id" and (event != "open" or args[1] not in ("r", "rb")):
        events.append(f"{event} {args!r}"[:200])

sys.addaudithook(watch)
for path in paths:
    for stand_ins in ((), ("*",)):
        try:
            load_file(path, stand_ins=stand_ins)
            outcome = "read"
        except CheckpointError as error:
            outcome = str(error)
        outcomes.setdefault(path.stem, []).append(outcome)
seen = list(events)
print(json.dumps([seen, outcomes]))
"""


def child(script: str, *args) -> list:
    """What a script prints as JSON, run by a fresh Python in this checkout."""
    run = [sys.executable, "-c", script, *map(str, args)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_attacks_are_refused_and_nothing_happens(tmp_path):
    made = attacks()
    for index, data in enumerate(made.values()):
        (tmp_path / f"{index:04}.pkl").write_bytes(data)
    events, outcomes = child(WATCH, tmp_path)
    assert events == []
    assert len(outcomes) == len(made)
    for name, (strict, _) in zip(made, outcomes.values(), strict=True):
        assert "which is not data" in strict or "copyreg extension" in strict, name
    assert not (ROOT / "harmed").exists()


BOUNDED = """
import json, pathlib, resource, sys, time
from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import load_file
here = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (here + (1 << 28),) * 2)
outcomes = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.pkl")):
    start = time.monotonic()
    try:
        load_file(path)
        outcome = "read"
    except CheckpointError as error:
        outcome = str(error)
    outcomes[path.stem] = [outcome[:2000], time.monotonic() - start]
print(json.dumps(outcomes))
"""

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
        "frames": ((b"\x95" + struct.pack("<Q", 5_000_000)) * MANY + b"N" * 5_000_000, "no end after"),
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
        "sets": (b"\x8f" * 2_000_000 + b".", ""),
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
    for name, (data, _) in made.items():
        (tmp_path / f"{name}.pkl").write_bytes(data)
    outcomes = child(BOUNDED, tmp_path)
    for name, (_, says) in made.items():
        outcome, seconds = outcomes[name]
        assert says in outcome, (name, outcome)
        assert outcome == says or "found" in outcome or "names" in outcome, (name, outcome)
        assert seconds < 60, (name, seconds)
