"""Results come back from their files to the bit, and a damaged file is never taken for a whole one."""

import dataclasses
import json
import tempfile
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import geomgan as gg
from geomgan.runs.results import read_result, write_result
from tests.runs.results import Inner, Outer, Stranger, part, same

DTYPES = st.one_of(
    *(kind() for kind in (hnp.boolean_dtypes, hnp.integer_dtypes, hnp.floating_dtypes, hnp.complex_number_dtypes)),
    *(hnp.unicode_string_dtypes(), hnp.byte_string_dtypes(), hnp.datetime64_dtypes(), hnp.array_dtypes()),
)
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=3)))
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
ATOMS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), FLOATS, st.complex_numbers(), st.text(), st.binary()),
    *(FLOATS.map(np.float64), st.floats(width=32).map(np.float32), st.integers(0, 255).map(np.uint8), ARRAYS),
)
KEYS = st.one_of(st.text(), st.integers(), st.tuples(st.integers(), st.text()))
INNER = st.builds(Inner, ARRAYS, st.text())
ANYTHING = st.recursive(
    st.one_of(ATOMS, INNER),
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(KEYS, inner), st.builds(Outer, anything=inner)
    ),
    max_leaves=12,
)
OUTER = st.builds(
    Outer,
    *(ANYTHING, st.none() | INNER, st.lists(INNER, max_size=2).map(tuple)),
    *(st.dictionaries(st.text(), INNER, max_size=2), FLOATS, st.none() | st.builds(Outer, ANYTHING)),
)


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")  # of fields with names beyond Latin-1
@given(OUTER)
@settings(max_examples=80, deadline=None)
def test_a_result_comes_back_to_the_bit(result):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.npz"
        kept = write_result(file, result, Outer)
        assert same(kept, result)
        assert same(read_result(file, Outer), result)
        assert [p.name for p in Path(folder).iterdir()] == ["result.npz"]
        once = file.read_bytes()
        write_result(file, result, Outer)
        assert file.read_bytes() == once


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (np.arange(3.0), np.ndarray),
        ({"a": part(0), "b": part(1)}, dict[str, Outer]),
        ((part(0), Inner(np.zeros(0), "")), tuple[Outer, Inner]),
        ({np.float32(0.5): Outer(0, key=1.0), "x": Inner(np.ones(2), "y")}, dict[str, Outer]),
        (Outer(np.asfortranarray(np.arange(6.0).reshape(2, 3))), Outer),
        (Outer(np.arange(6.0)[::2]), Outer),
        (Outer(np.array([1.5, -0.0, np.nan], ml_dtypes.bfloat16)), Outer),
        (Outer(np.array(0.25, ml_dtypes.float8_e4m3fn)), Outer),
        (Outer(np.array([1, 2], ">i4")), Outer),
        (None, type(None)),
    ],
)
def test_kinds_and_types_that_are_seldom(tmp_path, result, kind):
    assert same(write_result(tmp_path / "a.npz", result, kind), result)
    assert same(read_result(tmp_path / "a.npz", kind), result)


def test_arrays_of_jax_become_those_of_numpy(tmp_path):
    expected = Outer(np.arange(3, dtype=np.float32), Inner(np.ones(2, ml_dtypes.bfloat16), "half"))
    made = Outer(jnp.arange(3.0), Inner(jnp.ones(2, jnp.bfloat16), "half"))
    assert same(write_result(tmp_path / "a.npz", made, Outer), expected)
    assert same(read_result(tmp_path / "a.npz", Outer), expected)


def test_numpy_reads_the_arrays_by_their_names(tmp_path):
    write_result(tmp_path / "a.npz", part(3), Outer)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["inner.values"], part(3).inner.values)
        assert json.loads(archive["header.json"])["result"]["dataclass"] == "Outer"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (Outer(Stranger(1)), r"anything is a tests\.runs\.results\.Stranger; expected numpy arrays, .* annotate"),
        (Outer([0, {"x": np.array([None])}]), r"anything\.1\.0 has dtype object; .* plain dtype"),
        (Outer({1, 2}), "anything is a builtins.set"),
        (Outer(np.ma.array([1.0])), "MaskedArray"),
        (Outer(jax.random.key(0)), "anything cannot become a numpy array"),
        (Outer(lambda: 0), "anything is a builtins.function"),
        (Inner(np.zeros(1), "x"), "the result is a Inner; expected a Outer"),
    ],
)
def test_what_cannot_be_kept_is_said_before_anything_is_written(tmp_path, result, message):
    with pytest.raises(TypeError, match=message):
        write_result(tmp_path / "a.npz", result, Outer)
    assert not list(tmp_path.iterdir())


def test_no_damage_goes_unseen(tmp_path, rng):
    file, result = tmp_path / "a.npz", part(1)
    write_result(file, result, Outer)
    whole, found = file.read_bytes(), 0
    for i in range(len(whole)):
        damaged = bytearray(whole)
        damaged[i] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        try:
            assert same(read_result(file, Outer), result), i  # a byte that tells nothing, such as a date
        except gg.StoreError:
            found += 1
    assert found > 0.7 * len(whole)
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(gg.StoreError, match=r"a\.npz cannot be read"):
            read_result(file, Outer)


def test_a_file_of_another_version_is_refused(tmp_path):
    file = tmp_path / "a.npz"
    for header, message in (
        ({"geomgan_result": 2, "result": None}, "its format is 2; expected 1"),
        ({"geomgan_result": 1, "result": {"dataclass": "Gone", "fields": {}}}, "Gone"),
        ({"geomgan_result": 1, "result": {"dataclass": "Inner", "fields": {"name": "x"}}}, "its Inner has the fields"),
        ({"geomgan_result": 1, "result": 5}, "the result is a int; expected a Outer"),
        ({"geomgan_result": 1, "result": {"dataclass": "os.system", "fields": {"command": "true"}}}, "os.system"),
    ):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("header.json", json.dumps(header))
        with pytest.raises(gg.StoreError, match=message):
            read_result(file, Outer)


def test_nothing_is_unpickled(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, **{"inner.values": np.array([Stranger(1)], object)})
    with zipfile.ZipFile(file, "a") as archive:
        node = {"dataclass": "Inner", "fields": {"values": {"array": "inner.values"}, "name": "x"}}
        archive.writestr("header.json", json.dumps({"geomgan_result": 1, "result": node}))
    with pytest.raises(gg.StoreError, match="pickle"):
        read_result(file, Inner)


def test_two_dataclasses_of_one_name_are_refused(tmp_path):
    twin = dataclasses.make_dataclass("Inner", [("values", int)])
    with pytest.raises(TypeError, match=r"two dataclasses .* are called Inner"):
        write_result(tmp_path / "a.npz", {}, dict[str, Inner | twin])
