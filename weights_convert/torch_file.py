"""Read PyTorch checkpoints without torch: nested containers with numpy arrays in place of tensors.

Both formats of ``torch.save`` are read, the zip archive and the older sequence of pickles, by the rules of
`geomgan.restricted_pickle`: nothing in the file is executed. A *storage* is a flat read-only array (bfloat16
is widened to float32 when it is read) and a tensor is a view of one, so tensors that share memory in the file
still do. Device tags, hooks and ``requires_grad`` are ignored.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import NAMES, Names, bare_name, load, looks_like, misfit, read_bytes

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_RECORDS = 200_000  # of a zip archive; there is one per storage
MAX_NESTING = 3  # of files inside of files; official StyleGAN pickles have one

BFLOAT16 = "bfloat16"
_STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
    "ComplexFloatStorage": "c8",
    "ComplexDoubleStorage": "c16",
    "UntypedStorage": "u1",
}
_KINDS = {f"{module}.{name}": kind for name, kind in _STORAGES.items() for module in ("torch", "torch.cuda")}
_KINDS |= {"torch.storage.UntypedStorage": "u1", "torch.storage._UntypedStorage": "u1"}
_QUANTISED = [f"torch.{name}Storage" for name in ("QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4")]
_REALS = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")
_DTYPES = (*_REALS, "bool", "complex64", "complex128")
_OTHER_DTYPES = ("double", "float", "half", "bfloat16", "long", "int", "short", "cfloat", "cdouble")
_DENSE_ONLY = ("sparse_tensor", "sparse_csr_tensor", "nested_tensor", "meta_tensor_no_storage", "wrapper_subclass")


def read_checkpoint(path: str | Path, *, stand_ins: Sequence[str] = ()) -> Any:
    """Read a file that ``torch.save`` wrote.

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
        return _read(data, tuple(stand_ins), depth=0)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def torch_handlers() -> Names:
    """The ``names`` with which `restricted_pickle.load` reads a plain pickle of tensors (official StyleGAN)."""
    return _names(0)


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
        hint = "; torch_handlers() lets restricted_pickle.load_file read tensors in one" if data[:1] == b"\x80" else ""
        raise misfit(f"{looks_like(data)}{hint}", "a file written by torch.save")
    return _read_legacy(data, start, names, stand_ins)


# --- Storages ---


def _itemsize(kind: str) -> int:
    return 2 if kind == BFLOAT16 else np.dtype(kind).itemsize


def _memory_dtype(kind: str) -> np.dtype:
    return np.dtype("f4" if kind == BFLOAT16 else kind)


def _decode(raw: memoryview, kind: str, order: Literal["<", ">"]) -> np.ndarray:
    """The flat, read-only array of a storage; a view of ``raw`` where its numbers are the machine's own."""
    if not len(raw):
        return np.empty(0, _memory_dtype(kind))
    stored = np.frombuffer(raw, np.dtype("u2" if kind == BFLOAT16 else kind).newbyteorder(order))
    if kind == BFLOAT16:  # the upper half of a float32
        array = (stored.astype(np.uint32) << 16).view(np.float32)
    else:
        array = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def _storage_id(identity: Any) -> tuple[str, str, int, Any]:
    """Kind, key, number of elements and (legacy) view of a persistent id."""
    if not isinstance(identity, tuple) or not 5 <= len(identity) <= 6 or identity[0] != "storage":
        raise misfit("another persistent id than of a storage", "a tensor's storage")
    _, cls, key, _device, count, *view = identity
    name = bare_name(cls)
    if name in _QUANTISED:
        _quantised()
    if name not in _KINDS:
        raise misfit(f"a storage of class {name}", f"one of {', '.join(_STORAGES)}")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise misfit("a storage without a key or size", "text and a number")
    return _KINDS[name], key, count, view[0] if view else None


def _read_zip(data: bytes, names: Names, stand_ins: Sequence[str]) -> Any:
    """The zip format: ``<root>/data.pkl`` and one record ``<root>/data/<key>`` per storage."""
    root, records = _zip_records(data)
    order: Literal["<", ">"] = ">" if records.get("byteorder", b"")[:3] == b"big" else "<"
    storages: dict[str, tuple[str, np.ndarray]] = {}

    def storage(identity: Any) -> np.ndarray:
        kind, key, count, _view = _storage_id(identity)
        if key not in storages:
            raw = records.get(f"data/{key}")
            if raw is None:
                raise misfit(f"no data for storage {key!a}", f"a zip record {root}data/{key}; download it again")
            if len(raw) != count * _itemsize(kind):
                size = f"{count} x {_itemsize(kind)} ({kind}); download it again"
                raise misfit(f"{len(raw)} bytes of storage {key!a}", size)
            storages[key] = kind, _decode(raw, kind, order)
        return _same(storages[key], kind, count, key)

    return load(records["data.pkl"], names=names, stand_ins=stand_ins, persistent=storage)[0]


def _same(stored: tuple[str, np.ndarray], kind: str, count: int, key: str) -> np.ndarray:
    if stored[0] != kind or stored[1].size != count:
        raise misfit(f"storage {key!a} with two types or sizes", "one of each")
    return stored[1]


def _zip_records(data: bytes) -> tuple[str, dict[str, memoryview]]:
    """The root folder of a zip archive, and the files in it, where they lie in ``data``."""
    if data.count(b"PK\x01\x02") > MAX_RECORDS:  # before zipfile makes an object of each
        raise misfit("a zip archive of too many files", f"at most {MAX_RECORDS}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except Exception as error:  # zipfile raises almost anything on damaged archives
        raise misfit(f"a damaged or truncated zip archive ({error})", "a whole one; download it again") from None
    roots = [name[:-8] for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        found = f"a zip archive of {len(entries)} files with {len(roots)} of the name <folder>/data.pkl"
        raise misfit(found, "one, as torch.save writes it")
    if f"{roots[0]}constants.pkl" in archive.namelist():
        raise misfit("a TorchScript archive, which holds code", "a saved state_dict")
    if sum(max(entry.file_size, 0) for entry in entries) > len(data):
        raise misfit("a zip archive whose files are larger than itself", "them to fit")
    records = {entry.filename.removeprefix(roots[0]): _zip_record(data, entry) for entry in entries}
    if len(records) != len(entries):
        raise misfit("a zip archive with two files of one name", "one each")
    return roots[0], records


def _zip_record(data: bytes, entry: zipfile.ZipInfo) -> memoryview:
    name = ascii(entry.filename[:100])
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise misfit(f"zip file {name} compressed or encrypted", "it stored, as torch.save writes it")
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
        kind, key, count, view = _storage_id(identity)
        if key not in storages:
            left -= count * _itemsize(kind)
            if left < 0:
                raise misfit(f"storages larger than the file of {len(data)} bytes", "them to fit")
            storages[key] = kind, np.empty(count, _memory_dtype(kind))  # filled below: the data comes last
        whole = _same(storages[key], kind, count, key)
        if view is None:
            return whole
        _, offset, size = view
        return _strided(whole, offset, (size,), (1,))

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
    end = at + 8 + array.size * _itemsize(kind)
    if end > len(data):
        raise misfit(f"the end of the file at byte {len(data)}", f"storage {key!a} up to {end}; download it again")
    if (count := int.from_bytes(data[at : at + 8], "little", signed=True)) != array.size:
        raise misfit(f"storage {key!a} of {count} elements at byte {at}", f"{array.size} as the tensors say")
    array[...] = _decode(memoryview(data)[at + 8 : end], kind, "<")
    array.flags.writeable = False
    return end


# --- The functions behind the admitted names ---


def _strided(storage: Any, offset: Any, size: Any, stride: Any, dtype: np.dtype | None = None) -> np.ndarray:
    """The tensor that is a read-only view of ``storage``, within its bounds."""
    if not isinstance(storage, np.ndarray) or storage.ndim != 1 or not storage.flags.c_contiguous:
        raise misfit(f"a tensor of {type(storage).__name__}", "a storage")
    if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride) <= 32):
        raise misfit("a tensor without matching size and stride", "tuples of up to 32")
    if not all(type(n) is int and 0 <= n < 1 << 48 for n in (offset, *size, *stride)):
        raise misfit("a tensor with an invalid offset, size or stride", "numbers from 0")
    if dtype is not None:
        storage = storage.view(dtype)
    count = math.prod(size)
    if not count:
        return np.empty(size, storage.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if last >= storage.size:
        raise misfit(f"a tensor that reaches element {last} of a storage of {storage.size}", "less")
    if count > storage.size:  # a stride of 0 makes terabytes of one number
        found = f"a tensor of shape {size} over a storage of {storage.size} elements"
        raise misfit(found, "no more elements than that; save expanded tensors with .contiguous()")
    step = storage.itemsize
    view = np.ndarray(size, storage.dtype, storage, offset * step, tuple(n * step for n in stride))
    view.flags.writeable = False
    return view


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    _grad: Any = False,
    _hooks: Any = None,
    metadata: Any = None,
) -> np.ndarray:
    """``_rebuild_tensor`` and ``_rebuild_tensor_v2``."""
    if metadata:
        raise misfit("a conjugated or negated view", "plain values; save it with .resolve_conj().resolve_neg()")
    return _strided(storage, offset, size, stride)


def _tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    _grad: Any,
    _hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> np.ndarray:
    """Tensors of the types that have no storage class: the storage is of bytes."""
    name = bare_name(dtype).removeprefix("torch.")
    if name not in _DTYPES or metadata:
        raise misfit(f"a tensor of dtype {name}", f"{', '.join(_DTYPES)} or {BFLOAT16}")
    return _strided(storage, offset, size, stride, np.dtype(name))


def _parameter(data: Any, *_: Any) -> np.ndarray:
    """A parameter is its data."""
    if not isinstance(data, np.ndarray):
        raise misfit(f"a parameter of {type(data).__name__}", "a tensor")
    return data


_REBUILD: dict[str, Callable[..., np.ndarray]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_device_tensor_from_numpy": _parameter,
    "torch._utils._rebuild_xla_tensor": _parameter,
}


def _rebuild_from_type(function: Any, _type: Any, args: Any, _state: Any) -> np.ndarray:
    """A tensor of a subclass, or with attributes."""
    name = bare_name(function)
    if name not in _REBUILD or not isinstance(args, tuple):
        raise misfit(f"a tensor rebuilt by {name}", ", ".join(_REBUILD))
    return _REBUILD[name](*args)


def _quantised(*_: Any) -> NoReturn:
    raise misfit("a quantised tensor", "plain numbers; save it with .dequantize()")


def _sparse(*_: Any) -> NoReturn:
    raise misfit("a sparse, nested or storage-less tensor", "a dense one; save it with .to_dense()")


def _size(sizes: Any = ()) -> tuple:
    return tuple(sizes) if isinstance(sizes, list | tuple) else _sparse()


def _device(kind: Any, index: Any = None) -> str:
    if not isinstance(kind, str) or not isinstance(index, int | None):
        raise misfit("an invalid torch.device", "text and a number")
    return kind if index is None else f"{kind}:{index}"


def _layout(name: Any) -> str:
    if not isinstance(name, str):
        raise misfit("an invalid torch.layout", "text")
    return name


def _names(depth: int) -> Names:
    """The names that a file nested in ``depth`` others may hold."""

    def load_from_bytes(raw: Any) -> Any:
        """A storage inside of a plain pickle is a whole file, and is read by the same rules."""
        if not isinstance(raw, bytes):
            raise misfit(f"a nested file in {type(raw).__name__}", "bytes")
        return _read(raw, (), depth + 1)

    bare = [*_KINDS, *_QUANTISED, "torch.storage.TypedStorage", "torch.storage._TypedStorage", "torch.Tensor"]
    bare += ["torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.strided"]
    return {
        **NAMES,
        **_REBUILD,
        **dict.fromkeys([*bare, *(f"torch.{name}" for name in _DTYPES + _OTHER_DTYPES)]),
        **dict.fromkeys(
            ("torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2"), _rebuild_from_type
        ),
        **dict.fromkeys((f"torch._utils._rebuild_{kind}" for kind in _DENSE_ONLY), _sparse),
        "torch._utils._rebuild_qtensor": _quantised,
        "torch.Size": _size,
        "torch.device": _device,
        "torch.serialization._get_layout": _layout,
        "torch.storage._load_from_bytes": load_from_bytes,
    }
