"""The tensors of PyTorch checkpoints as numpy arrays, and the functions behind the names that they are pickled with.

A *storage* is a flat read-only array (bfloat16 is widened to float32 when it is read) and a tensor is a view of one,
so tensors that share memory in the file still do. Device tags, hooks and ``requires_grad`` are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NoReturn

import ml_dtypes
import numpy as np

from geomgan.restricted_pickle import NAMES, Names, bare_name, check_shape, misfit

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
_EIGHT_BITS = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
_DTYPES = (*_REALS, "bool", "complex64", "complex128", *_EIGHT_BITS)
_OTHER_DTYPES = ("double", "float", "half", "bfloat16", "long", "int", "short", "cfloat", "cdouble")
_DENSE_ONLY = ("sparse_tensor", "sparse_csr_tensor", "nested_tensor", "meta_tensor_no_storage", "wrapper_subclass")


def itemsize(kind: str) -> int:
    """Bytes of one number in the file."""
    return 2 if kind == BFLOAT16 else np.dtype(kind).itemsize


def memory_dtype(kind: str) -> np.dtype:
    """The type of the numbers once they are read."""
    return np.dtype("f4" if kind == BFLOAT16 else kind)


def decode(raw: memoryview, kind: str, order: Literal["<", ">"]) -> np.ndarray:
    """The flat, read-only array of a storage; a view of ``raw`` where its numbers are the machine's own."""
    if not len(raw):
        return np.empty(0, memory_dtype(kind))
    stored = np.frombuffer(raw, np.dtype("u2" if kind == BFLOAT16 else kind).newbyteorder(order))
    if kind == BFLOAT16:  # the upper half of a float32
        array = (stored.astype(np.uint32) << 16).view(np.float32)
    else:
        array = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def storage_id(identity: Any) -> tuple[str, str, int, Any]:
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


def strided(storage: Any, offset: Any, size: Any, stride: Any, dtype: np.dtype | None = None) -> np.ndarray:
    """The tensor that is a read-only view of ``storage``, within its bounds."""
    if not isinstance(storage, np.ndarray) or storage.ndim != 1 or not storage.flags.c_contiguous:
        raise misfit(f"a tensor of {type(storage).__name__}", "a storage")
    if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride) <= 32):
        raise misfit("a tensor without matching size and stride", "tuples of up to 32")
    if not all(type(n) is int and 0 <= n < 1 << 48 for n in (offset, *size, *stride)):
        raise misfit("a tensor with an invalid offset, size or stride", "numbers from 0")
    if dtype is not None:
        storage = storage.view(dtype)
    count = math.prod(check_shape(size))
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
    return strided(storage, offset, size, stride)


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
    return strided(storage, offset, size, stride, np.dtype(getattr(ml_dtypes, name, name)))


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


def _size(sizes: Any = ()) -> tuple[Any, ...]:
    return tuple(sizes) if isinstance(sizes, list | tuple) else _sparse()


def _device(kind: Any, index: Any = None) -> str:
    if not isinstance(kind, str) or not isinstance(index, int | None):
        raise misfit("an invalid torch.device", "text and a number")
    return kind if index is None else f"{kind}:{index}"


def _layout(name: Any) -> str:
    if not isinstance(name, str):
        raise misfit("an invalid torch.layout", "text")
    return name


def tensor_names(load_from_bytes: Callable[[Any], Any]) -> Names:
    """The names that a checkpoint may hold.

    Args:
        load_from_bytes: Reads a storage that is a whole file inside of a plain pickle.
    """
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
