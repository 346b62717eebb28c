"""Named layout rules: published tensors of one layer -> our parameters of that layer, in numpy.

PyTorch stores kernels as ``(out, in, h, w)``, transposed ones as ``(in, out, h, w)``, and flattens maps as
``(C, H, W)``; here kernels are ``(h, w, in, out)`` and maps ``(H, W, C)``.
"""

from __future__ import annotations

import numpy as np

BATCH_NORM_EPSILON = 1e-5

# Position of the output channels in the published weight, which batch norm scales and spectral norm makes rows.
OUTPUT_AXIS = {"dense": 0, "dense_to_map": 0, "dense_from_map": 0, "conv": 0, "conv_transpose": 1}


def kernel(weight: np.ndarray, layout: str, side: int = 0) -> np.ndarray:
    """The published ``weight`` in our layout.

    ``dense``: ``(out, in) -> (in, out)``. ``dense_to_map``, ``dense_from_map``: the same, where the output, or the
    first ``side² C`` inputs, is a flattened map of ``side`` pixels. ``conv``, ``conv_transpose``: the latter also
    flips the kernel, as the equivalent convolution over the dilated input wants it.
    """
    if layout == "conv":
        return weight.transpose(2, 3, 1, 0)
    if layout == "conv_transpose":
        return weight.transpose(2, 3, 0, 1)[::-1, ::-1]
    if layout == "dense_to_map":
        return _channels_last(weight, side).T
    if layout == "dense_from_map":
        channels = weight.shape[1] // side**2
        of_map, rest = weight[:, : channels * side**2], weight[:, channels * side**2 :]
        return np.concatenate([_channels_last(of_map.T, side), rest.T])
    return weight.T


def bias(vector: np.ndarray, layout: str, side: int = 0) -> np.ndarray:
    """The published bias in our layout: reordered where the output is a map."""
    return _channels_last(vector[:, None], side)[:, 0] if layout == "dense_to_map" else vector


def spectral_norm(weight: np.ndarray, u: np.ndarray, v: np.ndarray, *, output_axis: int) -> np.ndarray:
    """``W / (uᵀ W v)`` with the stored vectors: what PyTorch's spectral norm evaluates to outside training."""
    matrix = np.moveaxis(weight, output_axis, 0).reshape(weight.shape[output_axis], -1)
    return weight / (u @ matrix @ v)


def batch_norm(gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The affine map ``s x + t`` of a trained batch norm: ``s = γ / √(var + ε)``, ``t = β - s mean``."""
    scale = gamma / np.sqrt(var + BATCH_NORM_EPSILON)
    return scale, beta - scale * mean


def flush_denormals(x: np.ndarray) -> np.ndarray:
    """``x`` in float32 with denormals as zero: they carry no information and slow every product down."""
    x = np.asarray(x, np.float32, order="C")
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.float32(0), x)


def _channels_last(rows: np.ndarray, side: int) -> np.ndarray:
    """Rows that are a flattened ``(C, H, W)`` map, reordered as ``(H, W, C)``."""
    return rows.reshape(-1, side, side, rows.shape[-1]).transpose(1, 2, 0, 3).reshape(rows.shape)
