"""Weights written as safetensors: read back equal, by our reader and by the format's own rules."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest
import torch

from geomgan.cli import main
from geomgan.errors import CheckpointError, OptionError
from geomgan.models.folder import write_model
from tests.weights_convert.torch_models import saved, tutorial_dcgan
from weights_convert.export import export_weights, write_safetensors
from weights_convert.files import read_file

NET = tutorial_dcgan(5, (6, 4), 3, seed=1)
STATE = {name: tensor.numpy() for name, tensor in NET.state_dict().items()}


def parsed(path) -> tuple[dict, bytes]:
    """Header and numbers as the published description of the format has them."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def test_every_type_is_kept_and_aligned(tmp_path, rng):
    kinds = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8"]
    kinds += [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e8m0fnu, ml_dtypes.float8_e4m3fnuz]
    arrays = {f"x.{i}": rng.integers(0, 2, (3, i % 3)).astype(kind) for i, kind in enumerate(kinds)}
    arrays |= {"strided": np.arange(12.0).reshape(3, 4).T, "swapped": np.arange(3, dtype=">f4"), "ä": np.array(2.5)}
    write_safetensors(tmp_path / "w.safetensors", arrays)
    header, body = parsed(tmp_path / "w.safetensors")
    assert header.pop("__metadata__") == {"format": "pt"}
    assert list(header) == list(arrays)  # in the order of the layers
    spans = sorted(entry["data_offsets"] for entry in header.values())
    assert [start for start, _ in spans] == [0, *[end for _, end in spans[:-1]]]
    assert spans[-1][1] == len(body)
    for name, array in arrays.items():
        assert header[name]["data_offsets"][0] % array.dtype.itemsize == 0
    ours = read_file(tmp_path / "w.safetensors")
    for name, array in arrays.items():
        assert ours[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(ours[name], array)
    with pytest.raises(CheckpointError, match="the tensor a has the type complex128; expected one of F64"):
        write_safetensors(tmp_path / "w.safetensors", {"a": np.ones(1, complex)})
    assert set(read_file(tmp_path / "w.safetensors")) == set(arrays)  # what was there still is


@pytest.mark.parametrize(
    ("tree", "key"),
    [
        (NET.state_dict(), None),
        (NET, None),
        ({"module." + name: tensor for name, tensor in NET.state_dict().items()}, None),
        ({"G": {k: v + 1 for k, v in NET.state_dict().items()}, "G_ema": NET.state_dict(), "step": 3}, None),
        ({"a": NET.state_dict(), "b": torch.nn.Linear(2, 3).state_dict()}, "a"),
        (
            {"step": 4, "model_state_dict": NET.state_dict(), "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
            None,
        ),
    ],
    ids=["state dict", "module", "parallel", "averaged", "key", "beside an optimizer"],
)
def test_the_network_in_a_checkpoint(tmp_path, capsys, tree, key):
    (tmp_path / "net.pth").write_bytes(saved(tree))
    options = ["--key", key] if key else []
    assert main(["export-weights", str(tmp_path / "net.pth"), str(tmp_path / "net.safetensors"), *options]) == 0
    assert capsys.readouterr().out.startswith(f"{len(STATE)} tensors (0.0 MB) are in ")
    ours = read_file(tmp_path / "net.safetensors")
    assert list(ours) == list(STATE)
    for name, array in STATE.items():
        np.testing.assert_array_equal(ours[name], array)
        assert ours[name].dtype == array.dtype


def test_shared_numbers_are_told(tmp_path, capsys):
    first = torch.nn.Linear(3, 3)
    tied = torch.nn.Sequential(first, first, torch.nn.Linear(3, 3))
    (tmp_path / "net.pth").write_bytes(saved(tied.state_dict()))
    assert main(["export-weights", str(tmp_path / "net.pth"), str(tmp_path / "net.safetensors")]) == 0
    assert "2 of them are shared, and written once for each name: 1.weight = 0.weight, 1.bias = 0.bias." in (
        capsys.readouterr().out
    )
    assert set(read_file(tmp_path / "net.safetensors")) == set(tied.state_dict())


def test_a_converted_model(tmp_path, rng):
    params = {
        "generator": {"a": {"kernel": rng.standard_normal((2, 3)).astype("f4")}},
        "encoder": {"b.bias": np.ones(2)},
    }
    card = {"family": "digits-dcgan", "parameters": {"generator": 6, "encoder": 2}}
    folder = write_model(tmp_path / "model", card, params)
    export_weights(folder, tmp_path / "w.safetensors")
    ours = read_file(tmp_path / "w.safetensors")
    assert set(ours) == {"generator.a.kernel", "encoder.b.bias"}
    np.testing.assert_array_equal(ours["generator.a.kernel"], params["generator"]["a"]["kernel"])
    export_weights(folder, tmp_path / "w.safetensors", key="encoder")
    assert set(read_file(tmp_path / "w.safetensors")) == {"b.bias"}
    with pytest.raises(OptionError, match=r"has no part 'decoder'; it has \w+, \w+"):
        export_weights(folder, tmp_path / "w.safetensors", key="decoder")


@pytest.mark.parametrize(
    ("tree", "out", "key", "error", "says"),
    [
        (STATE, "w.pth", None, OptionError, r"w\.pth does not end in \.safetensors"),
        ({"a": NET.state_dict()}, "w.safetensors", "b", OptionError, "has no 'b' at its top; it holds a"),
        ([1.0, 2.0], "w.safetensors", None, CheckpointError, r"net\.pth: the file holds list; expected a state dict"),
        ({"a": NET.state_dict(), "b": NET.state_dict()}, "w.safetensors", None, OptionError, "a, b, .*--key b"),
    ],
)
def test_what_is_not_exported(tmp_path, tree, out, key, error, says):
    (tmp_path / "net.pth").write_bytes(saved(tree))
    with pytest.raises(error, match=says):
        export_weights(tmp_path / "net.pth", tmp_path / out, key)
    assert not (tmp_path / out).exists()
