"""The reader of PyTorch checkpoints: equal to torch.load on tensors, and clear about everything else."""

from __future__ import annotations

import argparse
import collections
import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import StandIn, load
from tests.fixtures import ASSETS
from tests.weights_convert.torch_saved import FORMATS, saved
from weights_convert.torch_file import MAGIC, read_checkpoint, torch_handlers

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint8, torch.bool, torch.complex64, torch.complex128, torch.uint16, torch.uint32, torch.uint64),
]


def check_same(ours, theirs) -> None:
    """Assert that ``ours`` has arrays where ``theirs`` has tensors, and is equal to it otherwise."""
    if isinstance(theirs, torch.Tensor):
        theirs = theirs.detach()
        expected = (theirs.float() if theirs.dtype == torch.bfloat16 else theirs).numpy()
        assert isinstance(ours, np.ndarray)
        assert (ours.dtype, ours.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(ours, expected)
        assert not ours.flags.writeable or not ours.size
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            check_same(ours[key], value)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            check_same(one, other)
    else:
        assert ours == theirs


# --- Equal to torch ---


def tensor(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 50
    return values.abs().to(dtype) if dtype.is_signed is False else values.to(dtype)


@FORMATS
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes_shapes_and_views_equal_torch(tmp_path, dtype, zipped):
    base = tensor(dtype, 4, 5, 6)
    tree = {
        "base": base,
        "transposed": base.transpose(0, 2),
        "offset": base[1:, 2, ::2],
        "number": base[1, 2, 3],
        "own": tensor(dtype, 7),
        "scalar": torch.zeros((), dtype=dtype),
        "empty": torch.empty((0, 3), dtype=dtype),
        "last": base.flatten()[-1:],
    }
    path = saved(tree, zipped, tmp_path / "file")
    # torch cannot read back the legacy files it writes of these
    untyped = dtype in (torch.uint16, torch.uint32, torch.uint64) and not zipped
    theirs = tree if untyped else torch.load(path, weights_only=True, map_location="cpu")
    ours = read_checkpoint(path)
    check_same(ours, theirs)
    assert np.shares_memory(ours["base"], ours["transposed"])


@FORMATS
def test_infinities_and_small_numbers_of_the_half_types(tmp_path, zipped):
    values = [0.0, -0.0, 1.0, float("inf"), float("-inf"), float("nan"), 1e-40, 6e-8, 3e38, 65504.0]
    tree = [torch.tensor(values, dtype=dtype) for dtype in (torch.float16, torch.bfloat16)]
    path = saved(tree, zipped, tmp_path / "file")
    check_same(read_checkpoint(path), torch.load(path, weights_only=True))


@FORMATS
def test_models_optimisers_and_nested_containers_equal_torch(tmp_path, zipped):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    tied = torch.nn.Parameter(torch.ones(3), requires_grad=False)
    optimiser = torch.optim.Adam(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimiser.step()
    tree = {
        "model": model.state_dict(),
        "parameters": list(model.parameters()),
        "optimiser": optimiser.state_dict(),
        "ordered": collections.OrderedDict(a=[1, 2.5, None, True], b=("text", b"raw")),
        "tied": (tied, tied),
        "size": torch.Size([1, 2]),
        7: {"deep": [{"er": (torch.arange(3), {1, 2})}]},
    }
    path = saved(tree, zipped, tmp_path / "file")
    ours = read_checkpoint(path)
    check_same(ours, torch.load(path, weights_only=True, map_location="cpu"))
    assert ours["tied"][0] is ours["tied"][1] or np.shares_memory(*ours["tied"])
    assert list(ours["model"]) == list(model.state_dict())


@FORMATS
def test_attributes_numpy_arrays_devices_and_dtypes(tmp_path, zipped):
    marked = torch.nn.Parameter(torch.ones(2))
    marked.note = "kept by torch"
    tree = {
        "marked": marked,
        "array": np.arange(6.0).reshape(2, 3).T,
        "scalar": np.float32(2),
        "device": torch.device("cuda", 1),
        "dtype": torch.float16,
        "storage": torch.arange(3.0).untyped_storage(),
        "args": argparse.Namespace(dim=512),
    }
    path = saved(tree, zipped, tmp_path / "file")
    with pytest.raises(CheckpointError, match=r"names argparse\.Namespace, which is not data"):
        read_checkpoint(path)
    ours = read_checkpoint(path, stand_ins=["argparse.*"])
    np.testing.assert_array_equal(ours["marked"], np.ones(2, "f4"))
    np.testing.assert_array_equal(ours["array"], tree["array"])
    np.testing.assert_array_equal(ours["storage"].view("f4"), np.arange(3, dtype="f4"))
    assert ours["scalar"] == 2
    assert ours["device"] == "cuda:1"
    assert ours["dtype"] == StandIn("torch.float16")
    assert ours["args"] == StandIn("argparse.Namespace", (), {"dim": 512})


@FORMATS
@pytest.mark.parametrize(
    "name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]
)
def test_numbers_of_eight_bits(tmp_path, name, zipped):
    tree = {"w": torch.tensor([0.25, 1.0, 2.0, 4.0, 256.0]).to(getattr(torch, name))}
    ours = read_checkpoint(saved(tree, zipped, tmp_path / "file"))["w"]
    np.testing.assert_array_equal(ours.astype(np.float64), tree["w"].double().numpy())


def test_plain_pickles(tmp_path):
    (tmp_path / "file.pkl").write_bytes(pickle.dumps([0.5, {"w": torch.arange(6.0).reshape(2, 3).T}]))
    ours = read_checkpoint(tmp_path / "file.pkl")
    assert ours[0] == 0.5
    np.testing.assert_array_equal(ours[1]["w"], np.arange(6.0).reshape(2, 3).T)


def test_cuda_tags_are_ignored(tmp_path):
    for zipped in (True, False):
        data = saved({"w": torch.arange(4.0)}, zipped, checksums=False).replace(
            b"X\x03\x00\x00\x00cpu", b"X\x03\x00\x00\x00xla"
        )
        (tmp_path / "file").write_bytes(data)
        np.testing.assert_array_equal(read_checkpoint(tmp_path / "file")["w"], np.arange(4.0))


def test_big_endian_archives(tmp_path):
    source = zipfile.ZipFile(io.BytesIO(saved({"w": torch.arange(4.0), "b": torch.arange(3).bfloat16()}, True)))
    with zipfile.ZipFile(tmp_path / "file", "w") as out:
        for name in source.namelist():
            data = source.read(name)
            if "/data/" in name:
                data = np.frombuffer(data, "u4" if len(data) == 16 else "u2").byteswap().tobytes()
            out.writestr(name, b"big" if name.endswith("byteorder") else data)
    ours = read_checkpoint(tmp_path / "file")
    np.testing.assert_array_equal(ours["w"], np.arange(4, dtype="f4"))
    np.testing.assert_array_equal(ours["b"], np.arange(3, dtype="f4"))


def test_storages_inside_plain_pickles():
    """The form of official StyleGAN files: each storage is a whole legacy file inside a pickle."""
    tree = {"w": torch.randn(3, 4).T, "p": torch.nn.Parameter(torch.arange(5).float()), "h": torch.ones(2).half()}
    data = pickle.dumps(tree)
    assert b"_load_from_bytes" in data
    check_same(load(data, names=torch_handlers())[0], tree)
    with pytest.raises(CheckpointError, match="names torch"):
        load(data)


def test_old_storage_views(tmp_path):
    """Files of torch 0.2 name a part of a storage by offset and size."""
    file = saved(torch.arange(6.0)[2:5], False)
    whole = b"K\x06Nt"
    assert file.count(whole) == 1
    view = b"K\x06(X\x01\x00\x00\x00vK\x02K\x03tt"
    for changed, expected in ((view, None), (view.replace(b"K\x02K\x03", b"K\x02K\x05"), "reaches element 6")):
        data = file.replace(whole, changed).replace(b"QK\x02K\x03\x85", b"QK\x00K\x03\x85")
        (tmp_path / "file").write_bytes(data)
        if expected:
            with pytest.raises(CheckpointError, match=expected):
                read_checkpoint(tmp_path / "file")
        else:
            np.testing.assert_array_equal(read_checkpoint(tmp_path / "file"), [2, 3, 4])


def real_files() -> list:
    names = ["generative-latent-space/*.pth", "dcgan-faces64/weights.tar", "hessian-penalty/*.pt"]
    found = [path for name in names for path in sorted(ASSETS.glob(name))]
    absent = pytest.param(
        None, marks=pytest.mark.skip(reason=f"no folder {ASSETS}: put the published files there to run this")
    )
    return [pytest.param(path, id=path.name) for path in found] or [absent]


@pytest.mark.parametrize("path", real_files())
def test_real_checkpoints_equal_torch(path):
    check_same(read_checkpoint(path), torch.load(path, weights_only=True, map_location="cpu"))


# --- Refused, with a reason ---


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html>\n<html>", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git-lfs pointer"),
        (struct.pack("<Q", 8) + b'{"a":{}}' + bytes(8), "safetensors"),
        (bytes(257) + b"ustar" + bytes(300), "tar archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "an HDF5 file"),
        (b"\x08\x0a\x12\x07pytorch" + bytes(20), "a network in ONNX"),
        (b"GGUF" + bytes(20), "a GGUF file"),
        (pickle.dumps(MAGIC) + pickle.dumps(1002), "another version"),
        (b"\x93NUMPY\x01\x00", "numpy"),
        (b"PK\x03\x04" + bytes(100), "damaged or truncated zip"),
    ],
)
def test_other_files_are_named(tmp_path, data, says):
    (tmp_path / "file.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"file\.pt: .*{says}.*expected"):
        read_checkpoint(tmp_path / "file.pt")


def rezipped(data: bytes, change, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with each ``(name, contents)`` changed; None drops one."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", compression) as target:
        for name in source.namelist():
            if (contents := change(name, source.read(name))) is not None:
                target.writestr(name, contents)
    return out.getvalue()


GOOD = saved({"w": torch.arange(40.0), "h": torch.arange(6).half()}, True)
BARE = saved({"w": torch.arange(40.0), "h": torch.arange(6).half()}, True, checksums=False)
OLD = saved({"w": torch.arange(40.0), "h": torch.arange(6).half()}, False)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (rezipped(GOOD, lambda n, c: None if n.endswith("data/0") else c), "no data for storage '0'"),
        (
            rezipped(GOOD, lambda n, c: c[:-4] if n.endswith("data/0") else c),
            "156 bytes of storage '0'; expected 40 x 4",
        ),
        (rezipped(GOOD, lambda n, c: None if n.endswith("data.pkl") else c), "0 of the name <folder>/data.pkl"),
        (rezipped(GOOD, lambda n, c: c, zipfile.ZIP_DEFLATED), "compressed"),
        (GOOD[:-30], "damaged or truncated"),
        (BARE.replace(b"FloatStorage", b"OtherStorage"), "names torch.OtherStorage"),
        (BARE.replace(b"HalfStorage", b"QInt8Storage"[:11]), "names torch"),
        (BARE.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_v9"), "names torch._utils._rebuild_tensor_v9"),
        (BARE.replace(b"K(\x85", b"K)\x85"), "reaches element 40 of a storage of 40"),
        (OLD[:-20], "the end of the file at byte"),
        (OLD[:60], "truncated"),
        (OLD.replace(struct.pack("<q", 40), struct.pack("<q", 41)), "of 41 elements"),
        (OLD.replace(b"K(\x85", b"K)\x85"), "reaches element 40 of a storage of 40"),
    ],
)
def test_damage_is_named(tmp_path, data, says):
    (tmp_path / "file.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match=says):
        read_checkpoint(tmp_path / "file.pt")


@FORMATS
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "quantised"),
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (lambda: torch.ones(3, device="meta"), "storage-less"),
        (lambda: torch.zeros(1).expand(1000), "no more elements than that"),
        (lambda: torch.ones(2, dtype=torch.complex64).conj(), "conjugated"),
        (lambda: torch.nn.Linear(1, 1), r"names torch\.nn\.modules\.linear\.Linear, which is not data"),
    ],
    ids=["quantised", "sparse", "meta", "expanded", "conjugated", "module"],
)
def test_other_tensors_are_refused(tmp_path, make, says, zipped):
    path = saved({"w": make()}, zipped, tmp_path / "file.pt")
    with pytest.raises(CheckpointError, match=says):
        read_checkpoint(path)


def test_whole_modules_come_back_as_stand_ins(tmp_path):
    for zipped in (True, False):
        path = saved(torch.nn.Linear(2, 1), zipped, tmp_path / "file.pt")
        linear = read_checkpoint(path, stand_ins=["torch.nn.modules.*"])
        assert linear.name == "torch.nn.modules.linear.Linear"
        assert linear.state["_parameters"]["weight"].shape == (1, 2)
