"""Files as people bring them: told by what they are, read where they can be, and the way on where not."""

from __future__ import annotations

import collections
import datetime
import io
import json
import pathlib
import pickle
import struct
import zipfile

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.fixtures import ASSETS, assert_close
from tests.hostile import damaged, watched
from tests.weights_convert import torch_attacks
from tests.weights_convert.test_arrays import safetensors
from tests.weights_convert.torch_models import Harmful, saved, tutorial_dcgan
from weights_convert.convert import convert
from weights_convert.files import read_file

MODULE = tutorial_dcgan(5, (6, 4), 3, seed=1)
STATE = MODULE.state_dict()


def scripted() -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(MODULE), file)
    return file.getvalue()


def exported(module: torch.nn.Module, *shape: int) -> bytes:
    file = io.BytesIO()
    torch.export.save(torch.export.export(module, (torch.ones(shape or (1, 5, 1, 1)),)), file)
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, **{name: tensor.numpy() for name, tensor in STATE.items()})
    return file.getvalue()


def safe() -> bytes:
    arrays = {name: tensor.numpy() for name, tensor in STATE.items() if tensor.is_floating_point()}
    return safetensors({name: ("F32", array) for name, array in sorted(arrays.items())})


class Settings:
    """Of a user's program: a class that nobody else has."""

    def __init__(self) -> None:
        self.when, self.where, self.parent = datetime.datetime(2026, 1, 2, 3), pathlib.Path("/tmp/x"), None


READ = {
    "safetensors": safe,
    "npz": npz,
    "TorchScript": scripted,
    "torch.export": lambda: exported(MODULE.main),
    "a whole module": lambda: saved(MODULE),
    "a whole module, legacy": lambda: saved(MODULE, zipped=False),
    "a pickle of a list with the module": lambda: pickle.dumps([0.5, MODULE]),
    "a deque": lambda: saved({"netG": STATE, "d": collections.deque([1.0, 2.0], 9), "c": collections.Counter("aab")}),
    "paths and dates": lambda: saved({"netG": STATE, "x": Settings(), "day": datetime.date(2026, 1, 1)}),
    "eight bits beside": lambda: saved({"netG": STATE, "q": torch.ones(3).to(torch.float8_e4m3fn)}),
    "an optimiser": lambda: saved({"netG": STATE, "opt": torch.optim.SGD(MODULE.parameters(), 0.1)}),
    "a random state": lambda: saved({"netG": STATE, "rng": np.random.default_rng(0), "seed": torch.get_rng_state()}),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(tmp_path, name):
    (tmp_path / "weights").write_bytes(READ[name]())
    G = gg.load(convert("dcgan-tutorial", tmp_path / "weights", tmp_path / "model"))
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert_close(jax.vmap(G)(z.numpy()), MODULE.main(z[:, :, None, None]).movedim(1, -1).numpy())


def test_a_long_log_of_losses(tmp_path):
    (tmp_path / "weights").write_bytes(saved({"netG": STATE, "losses": [float(i) for i in range(1_200_000)]}))
    assert len(read_file(tmp_path / "weights")["losses"]) == 1_200_000


def test_exported_tensors_of_every_kind(tmp_path):
    module = torch.nn.Linear(4, 3)
    module.weight = torch.nn.Parameter(torch.arange(12.0).reshape(4, 3).T)  # strided
    module.register_buffer("sixteen", torch.arange(3).half())
    module.register_buffer("brain", torch.tensor([1.5, -2.0]).bfloat16())
    module.register_buffer("count", torch.tensor(7))
    (tmp_path / "weights").write_bytes(exported(module, 1, 4))
    ours = read_file(tmp_path / "weights")
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(ours[name], tensor.float().numpy())


def keras() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, json.dumps({}))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: b"\x08\x0a\x12\x07pytorch" + bytes(40), r"a network in ONNX\. .*numpy\.savez\('weights\.npz'"),
        (lambda: b"\x89HDF\r\n\x1a\n" + bytes(40), r"an HDF5 file\. .*convert keras-layers FILE"),
        (keras, r"a Keras archive\. .*convert keras-layers FILE"),
        (lambda: b"\x93NUMPY\x01\x00" + bytes(40), r"a numpy \.npy file\. .*numpy\.savez"),
        (lambda: b"GGUF" + bytes(40), "a GGUF file"),
        (lambda: b"<html>" + bytes(40), "an HTML page: the download link needs a login"),
        (lambda: b"PK\x05\x06" + bytes(18), "found a zip archive; expected a file written by torch"),
        (lambda: struct.pack("<Q", 20) + b'{"a": 5}            ', "the tensor 'a' of type None"),
    ],
    ids=["onnx", "hdf5", "keras", "npy", "gguf", "html", "empty zip", "safetensors"],
)
def test_what_is_not_read_says_the_way_on(tmp_path, data, says):
    (tmp_path / "weights").write_bytes(data())
    with pytest.raises(CheckpointError, match=rf"(?s)weights: .*{says}"):
        convert("dcgan-tutorial", tmp_path / "weights", tmp_path / "model")


@pytest.mark.parametrize(
    "words", ["os system", "builtins eval", "builtins getattr", "subprocess Popen", "marshal loads"]
)
def test_what_acts_is_refused_under_any_name_and_place(tmp_path, words):
    """No advice that could not be followed: ``stand_ins`` is no option of a conversion."""
    call = b"c" + words.replace(" ", "\n").encode() + b"\nX\x0c\x00\x00\x00touch harmed\x85R"
    for where in (call + b".", b"}X\x01\x00\x00\x00a" + call + b"s."):
        (tmp_path / "weights").write_bytes(b"\x80\x02" + where)
        with pytest.raises(CheckpointError, match=r"which is not data and is refused.*torch\.save\(model") as caught:
            read_file(tmp_path / "weights")
        assert "stand_ins" not in str(caught.value)
    (tmp_path / "weights").write_bytes(saved({"netG": MODULE, "x": Harmful()}))
    with pytest.raises(CheckpointError, match="system, which is not data"):
        read_file(tmp_path / "weights")


SETUP = "from weights_convert.files import read_file\nattempt = read_file"


def test_nothing_in_a_file_happens(tmp_path):
    """Every name is an inert record, or refused: what runs would be seen."""
    outcomes = watched(tmp_path, SETUP, torch_attacks.attacks() | {"module": saved(MODULE)}, safe())
    assert outcomes["module"].text == "read"
    for name, outcome in outcomes.items():
        acts = any(f" {word} " in f"{name} " for word in ("os system", "builtins eval", "subprocess Popen"))
        assert not acts or "which is not data" in outcome.text, (name, outcome)


def test_damage_raises_nothing_else(tmp_path):
    for good in (saved(MODULE), scripted(), pickle.dumps(MODULE), exported(MODULE.main)):
        for data in damaged(good, 60):
            (tmp_path / "weights").write_bytes(data)
            try:
                read_file(tmp_path / "weights")
            except CheckpointError as error:
                assert "weights: " in str(error)  # noqa: PT017  either outcome is right


FOUND = ASSETS / "found-checkpoints"


@pytest.mark.parametrize(
    ("name", "options", "shape", "said"),
    [
        ("a02.pth", {}, (28, 28, 1), {"stride": [1, 2, 2]}),
        ("a14.pth", {"stride": "1,2,2,2", "padding": "0,1,1,1", "slope": "0.2"}, (28, 28, 1), {"output": "tanh"}),
        ("a17.pkl", {}, (32, 32, 3), {"padding": [0, 1, 1, 1]}),
    ],
)
def test_generators_that_strangers_published(tmp_path, name, options, shape, said):
    if not (FOUND / name).is_file():
        pytest.skip(f"no file {FOUND / name}: put the published files there to run this")
    folder = convert("dcgan-tutorial", FOUND / name, tmp_path / "model", options)
    G = gg.load(folder)
    image = np.asarray(G(np.zeros(G.latent_dim, np.float32)))
    assert image.shape == shape
    assert image.std() > 0.01
    assert gg.zoo.card(folder)["assumed"].items() >= said.items()
