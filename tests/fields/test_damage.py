"""Damaged stores: found on reading, on reading lazily, and on resuming, which mends them bit for bit."""

import json
import random
import re
import shutil
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

import geomgan as gg
from geomgan.fields.field import compute_field
from geomgan.runs import checksums
from geomgan.runs.description import write_attributes
from geomgan.runs.store import read_attributes
from tests.faults import damage
from tests.small_models import linear_generator, smooth_generator

MSE = gg.distances.mse()
NAMES = ("codes", "values", "vectors", "residuals", "noise_floor", "status", "tensors")
CHECKSUMS = checksums.FILE
GOLDEN = Path(__file__).parents[1] / "golden" / "written_by_ceefb5b"
G = smooth_generator(3)
CODES = np.random.default_rng(1).standard_normal((7, 3)).astype(np.float32)
BATCH = 2


def compute(store, codes=CODES, G=G, **options):
    return compute_field(G, MSE, codes, store=store, batch=BATCH, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store, and beside it another of other codes; each test damages a copy."""
    folder = tmp_path_factory.mktemp("whole")
    compute(folder / "run.zarr")
    compute(folder / "other.zarr", CODES[::-1])
    return folder / "run.zarr"


@pytest.fixture
def store(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "run.zarr"))


def everything(store):
    """All that is in a store, read lazily, code by code, where it is."""
    field = gg.MetricField.read(store)
    lazy = {
        name: np.stack([getattr(field, name)[i] for i in range(len(field.codes))]) for name in ("tensors", "vectors")
    }
    return {name: getattr(field, name) for name in NAMES} | lazy, field.failures, field.provenance


def same_arrays(first, second):
    return all(np.array_equal(first[0][name], second[0][name], equal_nan=True) for name in NAMES)


def checksums_line(batch, sums):
    """A line of checksums with the words of another batch, its own checksum set right."""
    text = f"{batch} {sums.rpartition(' ')[0]}"
    return f"{text} {zlib.crc32(text.encode()):x}\n"


def chunk(store, name, i):
    """The file of one batch of an array."""
    place = store / name / "c" / str(i)
    return place if place.is_file() else next(file for file in place.rglob("*") if file.is_file())


def mended(store, computed, match):
    """Resuming says what was damaged, computes so many codes, and leaves the undamaged store."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        field = compute(store)
    assert re.search(match, said := " ".join(str(warning.message) for warning in warned)), said
    assert field.provenance["computed_codes"] == computed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compute(store).provenance["computed_codes"] == 0
    return field


# --- what is absent ---


@pytest.mark.parametrize("i", [0, 1, 3])  # the last batch is of one code
@pytest.mark.parametrize("name", NAMES)
def test_a_lost_chunk_is_an_error_on_reading_and_computed_again(whole, store, name, i):
    rows = {0: "codes 0 to 1", 1: "codes 2 to 3", 3: "code 6"}[i]
    chunk(store, name, i).unlink()
    message = rf"run\.zarr cannot be read: {name} is damaged \({rows}: c/{i}[/0]* is missing\)\. .*repeat the call"
    with pytest.raises(gg.StoreError, match=message):
        gg.MetricField.read(store)
    mended(store, 1 if i == 3 else 2, f"{name} at {rows}: c/{i}.* is missing.* computed again")
    assert same_arrays(everything(store), everything(whole))


@pytest.mark.parametrize("name", ["tensors", "vectors"])
def test_a_field_that_is_open_misses_what_is_lost_later(store, name):
    array = getattr(gg.MetricField.read(store), name)
    before = np.asarray(array)
    for index in (7, slice(0, 100)):
        with pytest.raises(IndexError, match=rf"no index of {name}, of shape \(7, 3, 3\)"):
            array[index]
    chunk(store, name, 1).unlink()
    for index in (0, 1, 4, slice(4, 7), [0, 1, 6], (5, slice(None), 0), np.arange(7) >= 4):
        assert np.array_equal(array[index], before[index])
    for index in (2, 3, slice(1, 3), slice(None, None, 3), [0, 2], (..., 0), (3, 0), np.arange(7) == 3, ...):
        with pytest.raises(gg.StoreError, match=f"{name} is damaged .codes 2 to 3: c/1/0/0 is missing"):
            array[index]
    with pytest.raises(gg.StoreError, match="is missing"):
        np.asarray(array)


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_array_is_an_error_on_reading_and_computed_again(whole, store, name):
    shutil.rmtree(store / name)
    with pytest.raises(gg.StoreError, match=rf"{name} is damaged .zarr\.json is missing"):
        gg.MetricField.read(store)
    mended(store, 7, f"{name} at codes 0 to 1: c/0")
    assert same_arrays(everything(store), everything(whole))


@pytest.mark.parametrize(
    ("harm", "computed"),
    [
        (lambda lines: [], 7),
        (lambda lines: lines[:1] + lines[2:], 2),
        (lambda lines: [*lines[:-1], lines[-1][:-3]], 1),
        (lambda lines: [lines[0].replace("0 ", "1 ", 1), *lines[1:]], 2),
        (lambda lines: [*lines[:2], "\x00" * 9 + lines[2][9:], lines[3]], 2),
    ],
    ids=["all", "one", "end", "another's number", "zeros"],
)
def test_lost_lines_of_checksums_are_an_error_on_reading_and_computed_again(whole, store, harm, computed):
    file = store / CHECKSUMS
    file.write_text("".join(harm(file.read_text().splitlines(keepends=True))))
    with pytest.raises(gg.StoreError, match=r"checksums is damaged .code.* status/checksums.txt has no line of it"):
        gg.MetricField.read(store)
    mended(store, computed, "checksums at|has no line of it")
    assert same_arrays(everything(store), everything(whole))


def test_a_line_that_a_full_disk_tore_does_not_hide_the_next(whole, store):
    """Of a run that did not end: its last batch has no status yet."""
    attributes = read_attributes(store)
    write_attributes(store, attributes | {"runs": [attributes["runs"][0] | {"ended": None}]})
    chunk(store, "status", 3).unlink()
    (store / CHECKSUMS).write_bytes((store / CHECKSUMS).read_bytes()[:-20])
    assert gg.MetricField.read(store).status.tolist() == [1] * 6 + [0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compute(store).provenance["computed_codes"] == 1
    assert same_arrays(everything(store), everything(whole))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_half_copied_store_is_found_and_completed(whole, tmp_path, keep):
    files = sorted(file.relative_to(whole) for file in whole.rglob("*") if file.is_file())
    description = Path("zarr.json")
    files.remove(description)
    for file in [description, *files[: int(keep * len(files))]]:
        (tmp_path / "half.zarr" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / file, tmp_path / "half.zarr" / file)
    with pytest.raises(gg.StoreError, match="is damaged"):
        gg.MetricField.read(tmp_path / "half.zarr")
    mended(tmp_path / "half.zarr", {0.2: 7, 0.5: 7, 0.9: 5}[keep], "computed again")
    assert same_arrays(everything(tmp_path / "half.zarr"), everything(whole))


def test_chunks_without_a_description_are_of_unknown_settings(store):
    (store / "zarr.json").unlink()
    with pytest.raises(gg.StoreError, match=r"not a metric field: it holds no zarr\.json\. .*restore zarr\.json"):
        gg.MetricField.read(store)
    with pytest.raises(gg.StoreError, match=r"holds codes, noise_floor.* but zarr\.json is missing.*remove the folder"):
        compute(store)
    assert len(list(store.glob("*/c/*"))) == 7 * 4


def test_lost_metadata_of_an_array_are_written_again_and_nothing_is_computed(whole, store):
    contents = json.loads((store / "values" / "zarr.json").read_text())
    contents["chunk_grid"]["configuration"]["chunk_shape"] = [2**40, 3]
    (store / "values" / "zarr.json").write_text(json.dumps(contents))
    (store / "tensors" / "zarr.json").unlink()
    with pytest.raises(gg.StoreError, match=r"tensors is damaged|chunk_grid is .*1099511627776"):
        gg.MetricField.read(store)
    with pytest.warns(UserWarning, match=r"metadata are written again") as warned:
        assert compute(store).provenance["computed_codes"] == 0
    assert len(warned) == 1
    assert same_arrays(everything(store), everything(whole))


# --- what lies in another's place ---


@pytest.mark.parametrize(
    ("one", "two", "computed", "named"),
    [
        (("values", 0), ("values", 1), 4, "values .*codes 0 to 1: c/0/0 is not the chunk that was written"),
        (("tensors", 1), ("tensors", 2), 4, "tensors .*codes 2 to 3"),
        (("vectors", 2), ("tensors", 2), 2, "tensors .*codes 4 to 5"),
        (("values", 2), ("residuals", 2), 2, "residuals .*codes 4 to 5"),
    ],
)
def test_swapped_chunks_are_found_although_their_own_checksums_are_right(whole, store, one, two, computed, named):
    one, two = chunk(store, *one), chunk(store, *two)
    one.rename(store / "third")
    two.rename(one)
    (store / "third").rename(two)
    with pytest.raises(gg.StoreError, match=named):
        gg.MetricField.read(store)
    mended(store, computed, "computed again")
    assert same_arrays(everything(store), everything(whole))


def test_batches_that_change_places_as_a_whole_are_found_by_their_codes(whole, store):
    lines = (store / CHECKSUMS).read_text().splitlines()
    sums = dict(line.split(" ", 1) for line in lines)
    text = "".join(checksums_line(i, sums[j]) for i, j in zip("0123", "2103", strict=True))
    (store / CHECKSUMS).write_text(text)
    for name in NAMES:
        one, two = chunk(store, name, 0), chunk(store, name, 2)
        one.rename(store / "third")
        two.rename(one)
        (store / "third").rename(two)
    with pytest.raises(gg.StoreError, match="codes are others than those it was made for"):
        gg.MetricField.read(store)
    mended(store, 4, "codes at codes 0 to 1: others than those of this call")
    assert same_arrays(everything(store), everything(whole))


# --- what is legitimate ---


def test_a_batch_without_status_is_pending_until_a_run_has_ended(whole, store):
    attributes = read_attributes(store)
    write_attributes(store, attributes | {"runs": [attributes["runs"][0] | {"ended": None}]})  # as of a killed run
    chunk(store, "status", 1).unlink()
    lines = (store / CHECKSUMS).read_text().splitlines(keepends=True)
    (store / CHECKSUMS).write_text("".join(lines[:2] + lines[3:]))
    field = gg.MetricField.read(store)
    assert field.status.tolist() == [1, 1, 0, 0, 0, 0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compute(store).provenance["computed_codes"] == 4
    assert same_arrays(everything(store), everything(whole))


def test_pending_codes_are_no_numbers(tmp_path):
    def refused(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(tmp_path / "run.zarr", execute=refused)
    field = gg.MetricField.read(tmp_path / "run.zarr")
    assert field.status.tolist() == [0] * 7
    for name in ("codes", "values", "residuals", "noise_floor", "tensors", "vectors"):
        assert np.isnan(np.asarray(getattr(field, name))).all()


@pytest.mark.parametrize("scale", [0.0, np.nan])
def test_zeros_and_nan_are_stored_as_any_number(tmp_path, scale):
    """A metric of zero, and codes that fail: their chunks hold nothing but the fill values of a store."""
    G = linear_generator(np.full((5, 3), scale, np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compute(tmp_path / "run.zarr", np.zeros((7, 3), np.float32), G)
        before = everything(tmp_path / "run.zarr")
        assert np.array_equal(before[0]["values"], np.full((7, 3), scale), equal_nan=True)
        again = compute(tmp_path / "run.zarr", np.zeros((7, 3), np.float32), G)
    assert again.provenance["computed_codes"] == 0
    chunk(tmp_path / "run.zarr", "values", 1).unlink()
    with pytest.raises(gg.StoreError, match="values is damaged"):
        gg.MetricField.read(tmp_path / "run.zarr")


def test_foreign_arrays_and_files_beside_ours_are_left_alone(whole, store):
    import zarr

    zarr.open_group(store, mode="a").create_array("mine", shape=(3,), dtype="f4")[:] = 1
    (store / "notes.txt").write_text("mine")
    (store / "broken").mkdir()
    (store / "broken" / "zarr.json").write_text("{")
    assert same_arrays(everything(store), everything(whole))
    assert compute(store).provenance["computed_codes"] == 0
    assert (store / "notes.txt").exists()
    assert (zarr.open_group(store)["mine"][:] == 1).all()


# --- stores of earlier versions, whose fill values are 0 and which keep no checksums of their own ---


def made_older(store):
    """A store as version 0.1 wrote it: format 2, without the chunks of which all values are 0."""
    attributes = json.loads((store / "zarr.json").read_text())["attributes"]
    kept = {name: attributes[name] for name in ("settings", "provenance", "runs", "failures")}
    text = {"zarr_format": 3, "node_type": "group", "attributes": {"geomgan": 2, **kept}}
    (store / "zarr.json").write_text(json.dumps(text))
    (store / CHECKSUMS).unlink()
    for name in NAMES:
        file = store / name / "zarr.json"
        contents = json.loads(file.read_text())
        file.write_text(json.dumps(contents | {"fill_value": 0}))
        for place in [place for place in (store / name / "c").rglob("*") if place.is_file()]:
            values = np.frombuffer(place.read_bytes()[:-4], contents["data_type"])
            if not values.any():
                place.unlink()
    return store


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_chunk_of_an_older_store_is_found(whole, store, name):
    made_older(store)
    assert same_arrays(everything(store), everything(whole))
    assert compute(store).provenance["computed_codes"] == 0
    chunk(store, name, 1).unlink()
    if name == "status":  # what its messages told to remove, so as to compute the batch again
        assert gg.MetricField.read(store).status.tolist() == [1, 1, 0, 0, 1, 1, 1]
    else:
        with pytest.raises(gg.StoreError, match=f"{name} is damaged|codes are others"):
            gg.MetricField.read(store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compute(store).provenance["computed_codes"] == 2
    assert same_arrays(everything(store), everything(whole))


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_zeros_that_older_versions_did_not_write_are_no_damage(tmp_path, scale):
    """A metric of zero at the code zero: nothing of it is on the disk but vectors and status."""
    store, zero = tmp_path / "run.zarr", np.zeros((6, 3), np.float32)
    still = linear_generator(scale * np.eye(3, dtype=np.float32))
    compute(store, zero, still)
    before = everything(store)
    made_older(store)
    absent = [name for name in NAMES if not any(file.is_file() for file in (store / name / "c").rglob("*"))]
    assert absent == (["codes", "residuals"] if scale else ["codes", "values", "residuals", "noise_floor", "tensors"])
    if scale == 0:
        assert same_arrays(everything(store), before)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compute(store, zero, still)
    assert same_arrays(everything(store), before)


def test_damage_of_the_golden_store_is_found(tmp_path):
    for file in sorted(p.relative_to(GOLDEN) for p in (GOLDEN / "complete.zarr").rglob("*") if p.is_file()):
        store = Path(shutil.copytree(GOLDEN / "complete.zarr", tmp_path / "complete.zarr"))
        data = (tmp_path / file).read_bytes()
        for harm in ("lost", "short", "flipped"):
            if harm == "lost":
                (tmp_path / file).unlink()
            else:
                (tmp_path / file).write_bytes(data[:-1] if harm == "short" else bytes([data[0] ^ 64]) + data[1:])
            if harm == "lost" and file.parts[1] == "status" and "c" in file.parts:
                assert sorted(gg.MetricField.read(store).status.tolist()) == [0, 0, 1, 1]
                continue
            with pytest.raises(gg.StoreError):
                everything(store)
        shutil.rmtree(store)


# --- all of it, at random ---


def survives(store, seed):
    """One random damage: found, or without effect, on reading; refused, or mended to the bit, on resuming."""
    before = everything(store)
    said = damage(store, random.Random(seed), store.parent / "other.zarr")
    try:
        after = everything(store)
        assert same_arrays(after, before), said
        assert after[1:] == before[1:], said
        found = False
    except gg.StoreError:
        found = True
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            field = compute(store)
        except gg.StoreError as error:  # what is lost is what the store says of itself
            refused = re.search(r"zarr\.json|belongs to another run", str(error)) and "zarr.json" in said
            assert found and refused, (said, error)  # noqa: PT017, PT018
            return found, 0, said
    assert bool(warned) == found, said
    assert same_arrays(everything(store), before), said
    return found, field.provenance["computed_codes"], said


@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 512), marks=pytest.mark.slow)], ids=len)
def test_random_damage_is_found_on_reading_and_mended_on_resuming(whole, tmp_path, seeds):
    shutil.copytree(whole.parent / "other.zarr", tmp_path / "other.zarr")
    outcomes = []
    for seed in seeds:
        store = Path(shutil.copytree(whole, tmp_path / "run.zarr"))
        outcomes.append(survives(store, seed))
        shutil.rmtree(store)
    harmless = [said for found, _, said in outcomes if not found]
    assert all(re.match("swap|foreign", said) for said in harmless), harmless  # equal files
    assert len(harmless) < len(outcomes) / 4, harmless
    assert sum(computed > 0 for _, computed, _ in outcomes) > len(outcomes) / 3


@pytest.fixture(scope="module")
def unfinished(whole):
    """What a run left that was interrupted, some of its batches."""
    store, calls = whole.parent / "killed.zarr", []

    def dies(program, *arguments):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return program(*arguments)

    with pytest.raises(KeyboardInterrupt):
        compute(store, execute=dies)
    return store


@pytest.mark.parametrize("seeds", [range(8), pytest.param(range(8, 208), marks=pytest.mark.slow)], ids=len)
def test_random_damage_of_an_unfinished_store_gives_no_wrong_number(whole, unfinished, tmp_path, seeds):
    """A batch whose status is lost is pending, as one whose status was not written; nothing else is."""
    complete = everything(whole)[0]
    shutil.copytree(whole, tmp_path / "other.zarr")
    started = gg.MetricField.read(unfinished).finished
    assert 0 < len(started) < 7
    lost = 0
    for seed in seeds:
        store = Path(shutil.copytree(unfinished, tmp_path / "run.zarr"))
        said = damage(store, random.Random(seed), tmp_path / "other.zarr")
        try:
            found, _, _ = everything(store)
            done = np.flatnonzero(found["status"])
            assert {*done} <= {*started}, said
            lost += len(done) < len(started)
            assert all(np.array_equal(found[name][done], complete[name][done]) for name in NAMES), said
        except gg.StoreError:
            lost += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                compute(store)
            except gg.StoreError as error:
                assert "zarr.json" in said, (said, error)  # noqa: PT017
            else:
                assert same_arrays(everything(store), everything(whole)), said
        shutil.rmtree(store)
    assert lost > len(seeds) / 2
