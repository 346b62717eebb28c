"""Read PyTorch checkpoints without torch: nested containers with numpy arrays in place of tensors.

Both formats of ``torch.save`` are read, the zip archive and the older sequence of pickles, by the rules of
`geomgan.restricted_pickle`: nothing in the file is executed.

A zip archive holds a CRC-32 of every record, and each record that is read must have its own: PyTorch writes them and
does not look at them. It writes 0 where it was told not to compute them (``set_crc32_options(False)``, ``skip_data``),
which therefore says nothing. The older format, and pickles, have no checksums.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import Names, load, looks_like, misfit, read_bytes
from weights_convert.torch_tensors import decode, itemsize, memory_dtype, storage_id, strided, tensor_names

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_RECORDS = 200_000  # of a zip archive; there is one per storage
MAX_NESTING = 3  # of files inside of files; official StyleGAN pickles have one
TENSORFLOW = re.compile(rb"(?:dnnlib\.tflib\.network|tfutil).{1,5}Network", re.DOTALL)  # a class as pickles name it


def read_checkpoint(path: str | Path, *, stand_ins: Sequence[str] = ()) -> Any:
    """Read a file that ``torch.save`` wrote, a TorchScript archive, or what ``pickle.dump`` wrote with tensors in it.

    Args:
        path: The checkpoint, in either format, of any name.
        stand_ins: Patterns (``fnmatch``) on ``"module.name"`` of classes that the file may name, such as
            ``"argparse.Namespace"``; each comes back as an inert `restricted_pickle.StandIn`.

    Returns:
        What was saved: dictionaries, lists and so on, with read-only arrays in place of tensors.

    Raises:
        CheckpointError: The file is not a PyTorch checkpoint, is damaged, or holds other things than data.
    """
    data = read_bytes(path)
    try:
        return parse(data, stand_ins)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def parse(data: bytes, stand_ins: Sequence[str] = ()) -> Any:
    """What :func:`read_checkpoint` makes of the bytes of a file."""
    return _read(data, tuple(stand_ins), depth=0)


def torch_handlers() -> Names:
    """The ``names`` with which `restricted_pickle.load` reads a plain pickle of tensors (official StyleGAN)."""
    return _names(depth=0)


def _read(data: bytes, stand_ins: Sequence[str], depth: int) -> Any:
    if depth > MAX_NESTING:
        raise misfit(f"files nested more than {MAX_NESTING} deep", "a checkpoint")
    names = _names(depth)
    if data.startswith(b"PK\x03\x04"):
        return _read_zip(data, names, stand_ins)
    try:
        magic, start = load(data, names={}, max_steps=8)
    except CheckpointError:
        magic = None
    if magic != MAGIC or type(magic) is not int:
        if TENSORFLOW.search(data, 0, 1 << 16):
            raise misfit(
                "networks of the TensorFlow versions of StyleGAN",
                "those of PyTorch. Convert the file first with the official repository (stylegan3 or "
                "stylegan2-ada-pytorch), python legacy.py --source=THIS.pkl --dest=NEW.pkl, and NEW.pkl then as "
                "nvidia-stylegan2. That program takes StyleGAN2 and StyleGAN2-ADA, and runs code from the file: use it "
                "on files that you trust. For older networks take their PyTorch ports: families stylegan and pggan",
            )
        if depth == 0 and data[:1] == b"\x80":
            return load(data, names=names, stand_ins=stand_ins)[0]
        raise misfit(looks_like(data), "a file written by torch.save")
    return _read_legacy(data, start, names, stand_ins)


def _names(depth: int) -> Names:
    """The names that a file nested in ``depth`` others may hold."""

    def load_from_bytes(raw: Any) -> Any:
        """A storage inside of a plain pickle is a whole file, and is read by the same rules."""
        if not isinstance(raw, bytes):
            raise misfit(f"a nested file in {type(raw).__name__}", "bytes")
        return _read(raw, (), depth + 1)

    return tensor_names(load_from_bytes)


def _read_zip(data: bytes, names: Names, stand_ins: Sequence[str]) -> Any:
    """The zip format: ``<root>/data.pkl`` and one record ``<root>/data/<key>`` per storage."""
    root, record = zip_records(data, "data.pkl", "torch.save")
    order: Literal["<", ">"] = ">" if (record("byteorder") or b"")[:3] == b"big" else "<"
    storages: dict[str, tuple[str, np.ndarray]] = {}

    def storage(identity: Any) -> np.ndarray:
        kind, key, count, _view = storage_id(identity)
        if key not in storages:
            raw = record(f"data/{key}")
            if raw is None:
                raise misfit(f"no data for storage {key!a}", f"a zip record {root}data/{key}; download it again")
            if len(raw) != count * itemsize(kind):
                size = f"{count} x {itemsize(kind)} ({kind}); download it again"
                raise misfit(f"{len(raw)} bytes of storage {key!a}", size)
            storages[key] = kind, decode(raw, kind, order)
        return _same(storages[key], kind, count, key)

    return load(record("data.pkl") or b"", names=names, stand_ins=stand_ins, persistent=storage)[0]


def _same(stored: tuple[str, np.ndarray], kind: str, count: int, key: str) -> np.ndarray:
    if stored[0] != kind or stored[1].size != count:
        raise misfit(f"storage {key!a} with two types or sizes", "one of each")
    return stored[1]


def zip_records(data: bytes, marker: str, writer: str) -> tuple[str, Callable[[str], memoryview | None]]:
    """The root folder of a zip archive, and what gives a file in it where it lies in ``data``, None if it is absent.

    The root is where the one file ``marker`` is that every archive of ``writer`` has: a folder, or for Keras the top.
    """
    entries = _zip_entries(data)
    names = [entry.filename for entry in entries]
    depth = marker.count("/") + 1
    roots = [name.removesuffix(marker) for name in names if name.endswith(f"/{marker}") and name.count("/") == depth]
    if not roots and marker in names:
        roots = [""]
    if len(roots) != 1:
        found = f"a zip archive of {len(entries)} files with {len(roots)} of the name <folder>/{marker}"
        raise misfit(found, f"one, as {writer} writes it")
    if f"{roots[0]}constants.pkl" in names:  # TorchScript: its program text is packed, and of no use here
        entries = [entry for entry in entries if not entry.filename.startswith(f"{roots[0]}code/")]
    if sum(max(entry.file_size, 0) for entry in entries) > len(data):
        raise misfit("a zip archive whose files are larger than itself", "them to fit")
    records = {
        entry.filename.removeprefix(roots[0]): (_zip_record(data, entry, writer), entry.CRC) for entry in entries
    }
    if len(records) != len(entries):
        raise misfit("a zip archive with two files of one name", "one each")

    def record(name: str) -> memoryview | None:
        if name not in records:
            return None
        raw, written = records[name]
        if written and (crc := zlib.crc32(raw)) != written:
            found = f"CRC-32 {crc:08x} of the {len(raw)} bytes of zip file {name[:100]!a}"
            raise misfit(found, f"{written:08x}, as the archive says: it is damaged; download it again")
        return raw

    return roots[0], record


def _zip_entries(data: bytes) -> list[zipfile.ZipInfo]:
    """The files in a zip archive, as its directory lists them."""
    if data.count(b"PK\x01\x02") > MAX_RECORDS:  # before zipfile makes an object of each
        raise misfit("a zip archive of too many files", f"at most {MAX_RECORDS}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.infolist()
    except Exception as error:  # zipfile raises almost anything on damaged archives
        raise misfit(f"a damaged or truncated zip archive ({error})", "a whole one; download it again") from None


def zip_names(data: bytes) -> list[str]:
    """The names of the files in a zip archive."""
    return [entry.filename for entry in _zip_entries(data)]


def _zip_record(data: bytes, entry: zipfile.ZipInfo, writer: str) -> memoryview:
    name = ascii(entry.filename[:100])
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise misfit(f"zip file {name} compressed or encrypted", f"it stored, as {writer} writes it")
    at = entry.header_offset
    header = data[at : at + 30] if at >= 0 else b""
    start = at + 30 + sum(int.from_bytes(header[k : k + 2], "little") for k in (26, 28))  # name, extra
    if header[:4] != b"PK\x03\x04" or entry.file_size < 0 or start + entry.file_size > len(data):
        raise misfit(f"zip file {name} outside of the archive", "it whole; download it again")
    return memoryview(data)[start : start + entry.file_size]


def _read_legacy(data: bytes, at: int, names: Names, stand_ins: Sequence[str]) -> Any:
    """The older format, after its magic number: version, system, object and keys, then the storages."""
    version, at = load(data, start=at, names={})
    if version != PROTOCOL or type(version) is not int:
        raise misfit("another version of PyTorch's format", str(PROTOCOL))
    _system, at = load(data, start=at, names={})
    storages: dict[str, tuple[str, np.ndarray]] = {}
    left = len(data)

    def storage(identity: Any) -> Any:
        nonlocal left
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
            return identity[1]  # a class, with its source code as text
        kind, key, count, view = storage_id(identity)
        if key not in storages:
            left -= count * itemsize(kind)
            if left < 0:
                raise misfit(f"storages larger than the file of {len(data)} bytes", "them to fit")
            storages[key] = kind, np.empty(count, memory_dtype(kind))  # filled below: the data comes last
        whole = _same(storages[key], kind, count, key)
        if view is None:
            return whole
        _, offset, size = view
        return strided(whole, offset, (size,), (1,))

    tree, at = load(data, start=at, names=names, stand_ins=stand_ins, persistent=storage)
    keys, at = load(data, start=at, names={})
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise misfit("no list of storages after the object", "their keys")
    if len(keys) != len(storages) or storages.keys() != set(keys):
        raise misfit(f"a list of {len(keys)} storages", f"the {len(storages)} that the tensors name")
    for key in keys:
        at = _fill(data, at, key, *storages[key])
    return tree


def _fill(data: bytes, at: int, key: str, kind: str, array: np.ndarray) -> int:
    """Read into ``array`` the storage at ``at``, a count and the numbers, and return where it ends."""
    end = at + 8 + array.size * itemsize(kind)
    if end > len(data):
        raise misfit(f"the end of the file at byte {len(data)}", f"storage {key!a} up to {end}; download it again")
    if (count := int.from_bytes(data[at : at + 8], "little", signed=True)) != array.size:
        raise misfit(f"storage {key!a} of {count} elements at byte {at}", f"{array.size} as the tensors say")
    array[...] = decode(memoryview(data)[at + 8 : end], kind, "<")
    array.flags.writeable = False
    return end
