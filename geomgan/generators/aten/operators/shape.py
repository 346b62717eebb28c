"""The same numbers in other shapes and orders, cut and joined."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import block_diag

from geomgan.generators.aten.operators.arguments import Operators, axes_of, each


def flatten(x, start_dim=0, end_dim=-1):
    first, last = (d % max(x.ndim, 1) for d in (start_dim, end_dim))
    return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])


def unflatten(x, dim, sizes):
    dim %= x.ndim
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])


def squeeze(x, dim=None):
    return jnp.squeeze(x, tuple(axis for axis in axes_of(dim, x.ndim) if x.shape[axis] == 1))


def expand(x, size, *, implicit=False):
    kept = (1,) * (len(size) - x.ndim) + x.shape
    return jnp.broadcast_to(x, [old if new == -1 else new for new, old in zip(size, kept, strict=True)])


def repeat_interleave(x, repeats, dim=None, *, output_size=None):
    return jnp.repeat(x, repeats, dim, total_repeat_length=output_size)


def cat(tensors, dim=0):
    """Joined along ``dim``; empty lists of numbers are left out, as in torch."""
    return jnp.concatenate([x for x in tensors if x.shape != (0,)], dim)


def split(x, split_size, dim=0):
    """Pieces of this size, the last of what is left; or of these sizes."""
    length = x.shape[dim]
    if isinstance(split_size, int):
        return [lax.slice_in_dim(x, at, min(at + split_size, length), axis=dim) for at in range(0, length, split_size)]
    return jnp.split(x, [sum(split_size[: n + 1]) for n in range(len(split_size) - 1)], dim)


def chunk(x, chunks, dim=0):
    return split(x, max(-(-x.shape[dim] // chunks), 1), dim)


def tensor_split(x, sections, dim=0):
    return jnp.array_split(x, sections, dim)


def unbind(x, dim=0):
    return [lax.index_in_dim(x, at, dim, keepdims=False) for at in range(x.shape[dim])]


def slice_of(x, dim=0, start=None, end=None, step=1):
    begin, stop, _ = slice(start, end, step).indices(x.shape[dim])
    return lax.slice_in_dim(x, begin, max(begin, stop), step, dim)


def narrow(x, dim, start, length):
    return slice_of(x, dim, start % x.shape[dim], start % x.shape[dim] + length)


def roll(x, shifts, dims=()):
    """Entries moved by ``shifts`` along ``dims``, those that fall off the end in front; without ``dims`` flattened."""
    shifts = each(shifts, 1)
    return jnp.roll(x, shifts, tuple(dims)) if dims else jnp.roll(x, shifts[0])


def pixel_shuffle(x, upscale_factor):
    """``(..., C f², H, W) -> (..., C, f H, f W)``."""
    *batch, channels, height, width = x.shape
    f = upscale_factor
    x = x.reshape(-1, channels // f**2, f, f, height, width).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(*batch, channels // f**2, f * height, f * width)


def pixel_unshuffle(x, downscale_factor):
    """``(..., C, f H, f W) -> (..., C f², H, W)``."""
    *batch, channels, height, width = x.shape
    f = downscale_factor
    x = x.reshape(-1, channels, height // f, f, width // f, f).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(*batch, channels * f**2, height // f, width // f)


def channel_shuffle(x, groups):
    batch, channels, *sides = x.shape
    return x.reshape(batch, groups, channels // groups, *sides).swapaxes(1, 2).reshape(x.shape)


def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    """Matrices over ``dim1`` and ``dim2`` with the last axis on a diagonal."""
    at = jnp.arange(x.shape[-1])
    side = x.shape[-1] + abs(offset)
    matrices = jnp.zeros((*x.shape[:-1], side, side), x.dtype)
    matrices = matrices.at[..., at + max(-offset, 0), at + max(offset, 0)].set(x)
    return jnp.moveaxis(matrices, (-2, -1), (dim1, dim2))


def meshgrid(tensors, *, indexing="ij"):
    return jnp.meshgrid(*tensors, indexing=indexing)


def unfold(x, dimension, size, step):
    """Windows of ``size`` along ``dimension``, one every ``step``; the window is the last axis."""
    axis = dimension % x.ndim
    starts = jnp.arange(0, x.shape[axis] - size + 1, step)
    return jnp.moveaxis(jnp.take(x, starts[:, None] + jnp.arange(size), axis), axis + 1, -1)


def _transposed(x):
    return x.swapaxes(-1, -2) if x.ndim > 1 else x


OPERATORS: Operators = {
    "view": lambda x, size: x.reshape(size),
    "_unsafe_view": lambda x, size: x.reshape(size),
    "reshape": lambda x, shape: x.reshape(shape),
    "view_as": lambda x, other: x.reshape(other.shape),
    "reshape_as": lambda x, other: x.reshape(other.shape),
    "ravel": lambda x: x.reshape(-1),
    "flatten": flatten,
    "unflatten": unflatten,
    "squeeze": squeeze,
    "unsqueeze": lambda x, dim: jnp.expand_dims(x, dim),
    "permute": lambda x, dims: jnp.transpose(x, dims),
    "transpose": jnp.swapaxes,
    "swapaxes": jnp.swapaxes,
    "swapdims": jnp.swapaxes,
    "t": _transposed,
    "mT": _transposed,
    "numpy_T": jnp.transpose,
    "movedim": jnp.moveaxis,
    "moveaxis": jnp.moveaxis,
    "expand": expand,
    "expand_as": lambda x, other: jnp.broadcast_to(x, other.shape),
    "broadcast_to": lambda x, size: expand(x, size),
    "broadcast_tensors": lambda tensors: jnp.broadcast_arrays(*tensors),
    "repeat": lambda x, repeats: jnp.tile(x, repeats),
    "tile": lambda x, dims: jnp.tile(x, dims),
    "repeat_interleave": repeat_interleave,
    "cat": cat,
    "stack": lambda tensors, dim=0: jnp.stack(tensors, dim),
    "hstack": jnp.hstack,
    "vstack": jnp.vstack,
    "split": split,
    "split_with_sizes": split,
    "chunk": chunk,
    "tensor_split": tensor_split,
    "unbind": unbind,
    "slice": slice_of,
    "narrow": narrow,
    "select": lambda x, dim, index: lax.index_in_dim(x, index, dim, keepdims=False),
    "roll": roll,
    "fliplr": jnp.fliplr,
    "flipud": jnp.flipud,
    "flip": lambda x, dims: jnp.flip(x, dims),
    "rot90": lambda x, k=1, dims=(0, 1): jnp.rot90(x, k, tuple(dims)),
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "channel_shuffle": channel_shuffle,
    "native_channel_shuffle": channel_shuffle,
    "meshgrid": meshgrid,
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: jnp.diagonal(x, offset, dim1, dim2),
    "diag": lambda x, diagonal=0: jnp.diag(x, diagonal),
    "diag_embed": diag_embed,
    "block_diag": lambda tensors: block_diag(*tensors),
    "trace": lambda x: jnp.trace(x),
    "tril": lambda x, diagonal=0: jnp.tril(x, diagonal),
    "triu": lambda x, diagonal=0: jnp.triu(x, diagonal),
    "unfold": unfold,
}
