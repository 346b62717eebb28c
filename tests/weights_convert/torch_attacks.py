"""Checkpoints of torch that would do harm when torch loads them, and official pickles with opcodes put into them."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.weights_convert.nvidia_files import write_pickle
from tests.weights_convert.torch_nvidia import Official2
from weights_convert.torch_file import MAGIC


def archive(data_pkl: bytes, **records: bytes) -> bytes:
    """The zip format around a pickle and its storages."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("archive/data.pkl", data_pkl)
        for key, contents in records.items():
            file.writestr(f"archive/data/{key}", contents)
    return out.getvalue()


def legacy(data_pkl: bytes, keys=(), raw: bytes = b"") -> bytes:
    """The older format around a pickle and its storages."""
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, {"little_endian": True}))
    return head + data_pkl + pickle.dumps(list(keys), 2) + raw


def nested(file: bytes) -> bytes:
    """Opcodes for a storage that is a whole file."""
    return b"ctorch.storage\n_load_from_bytes\n(B" + struct.pack("<I", len(file)) + file + b"tR"


WORDS = ["os system", "builtins eval", "builtins getattr", "subprocess Popen", "torch load", "torch.jit load"]
WORDS += ["torch.serialization load", "torch._utils _import_dotted_name", "numpy load", "importlib import_module"]
WORDS += ["operator attrgetter", "torch._tensor.Tensor __setstate__", "torch.storage TypedStorage.__class__"]


def attacks() -> dict[str, bytes]:
    """One for each name, way to call it, and format of the file."""
    made = {}
    for words in WORDS:
        word = b"c" + words.replace(" ", "\n").encode() + b"\n"
        for kind, body in {
            "reduce": word + b"X\x0c\x00\x00\x00touch harmed\x85R.",
            "state": b"ccollections\nOrderedDict\n)R}U\x0c__setstate__" + word + b"sb.",
            "rebuild": b"ctorch._tensor\n_rebuild_from_type_v2\n(" + word + word + b")}tR.",
            "dtype": b"ctorch._utils\n_rebuild_tensor_v3\n(NK\x00))I00\nN" + word + b"tR.",
            "storage": b"(U\x07storage" + word + b"U\x01kU\x03cpuK\x01tQ.",
        }.items():
            made[f"zip {kind} {words}"] = archive(b"\x80\x02" + body, k=b"1234")
            made[f"legacy {kind} {words}"] = legacy(b"\x80\x02" + body)
            made[f"nested {kind} {words}"] = archive(nested(legacy(b"\x80\x02" + body)) + b".")
    return made


SMALL = Official2(3, 4, (4, 3), classes=2)
MODULE = b"ctorch.nn.modules.container\nSequential\n"


@cache
def official(**arguments: str | int) -> bytes:
    """An official pickle whose discriminator is None."""
    with TemporaryDirectory() as folder:
        write_pickle(path := Path(folder) / "a.pkl", SMALL.state_dict(), z_dim=3, w_dim=4, c_dim=2, **arguments)
        return path.read_bytes()


def with_discriminator(opcodes: bytes) -> bytes:
    """The official pickle with what ``opcodes`` push as its discriminator."""
    return replaced(b"\x8c\x01D\x94N", b"\x8c\x01D\x94" + opcodes)


def replaced(old: bytes, new: bytes) -> bytes:
    """The official pickle with ``new`` at the one place where ``old`` is."""
    assert official().count(old) == 1
    return official().replace(old, new)


def module(state: bytes) -> bytes:
    """Opcodes for a module with attributes."""
    return MODULE + b")\x81" + state + b"b"
