"""Named layout rules: published tensors of one layer -> our parameters of that layer, in numpy.

PyTorch stores kernels as ``(out, in, h, w)``, transposed ones as ``(in, out, h, w)``, and flattens maps as
``(C, H, W)``; here kernels are ``(h, w, in, out)`` and maps ``(H, W, C)``. Audio has one axis where images have two.
"""

from __future__ import annotations

import math

import numpy as np

BATCH_NORM_EPSILON = 1e-5

# Position of the output channels in the published weight, which batch norm scales and spectral norm makes rows.
OUTPUT_AXIS = {"dense": 0, "dense_to_map": 0, "dense_from_map": 0, "conv": 0, "conv_transpose": 1}


def kernel(weight: np.ndarray, layout: str, spatial: tuple[int, ...] = ()) -> np.ndarray:
    """The published ``weight`` in our layout.

    ``dense``: ``(out, in) -> (in, out)``. ``dense_to_map``, ``dense_from_map``: the same, where the output, or the
    first inputs, are a flattened map ``(C, *spatial)``. ``conv``, ``conv_transpose``: the latter also flips the
    kernel, as the equivalent convolution over the dilated input wants it.
    """
    axes = tuple(range(2, weight.ndim))
    if layout == "conv":
        return weight.transpose(*axes, 1, 0)
    if layout == "conv_transpose":
        return np.flip(weight, axes).transpose(*axes, 0, 1)
    if layout == "dense_to_map":
        return channels_last(weight, spatial).T
    if layout == "dense_from_map":
        size = weight.shape[1] // math.prod(spatial) * math.prod(spatial)
        return np.concatenate([channels_last(weight[:, :size].T, spatial), weight[:, size:].T])
    return weight.T


def bias(vector: np.ndarray, layout: str, spatial: tuple[int, ...] = ()) -> np.ndarray:
    """The published bias in our layout: reordered where the output is a map."""
    return channels_last(vector[:, None], spatial)[:, 0] if layout == "dense_to_map" else vector


def spectral_norm(
    weight: np.ndarray, u: np.ndarray, v: np.ndarray | None = None, *, output_axis: int = 0
) -> np.ndarray:
    """``W / (uᵀ W v)`` with the stored vectors: what PyTorch's spectral norm evaluates to outside training.

    Files of its first version hold no ``v``; there ``v = Wᵀu / ‖Wᵀu‖``.
    """
    matrix = np.moveaxis(weight, output_axis, 0).reshape(weight.shape[output_axis], -1)
    if u.ndim != 1 or (v is not None and v.ndim != 1):
        raise ValueError("the vectors of the spectral norm have several axes")
    if v is None:
        v = u @ matrix / np.linalg.norm(u @ matrix)
    return weight / (u @ matrix @ v)


def spectral_norm_half_step(weight: np.ndarray, u: np.ndarray, epsilon: float) -> np.ndarray:
    """``W / (v Wᵀ u')`` with ``v = n(u W)``, ``u' = n(v Wᵀ)``, ``n(x) = x / max(‖x‖, ε)``.

    What the spectral norm of BigGAN-PyTorch evaluates to outside training: one power iteration from the stored ``u``.
    """
    matrix = weight.reshape(len(weight), -1)
    v = u.reshape(1, -1) @ matrix
    v = v / max(float(np.linalg.norm(v)), epsilon)
    image = v @ matrix.T
    return weight / float((image @ image.T).item() / max(float(np.linalg.norm(image)), epsilon))


def batch_norm(
    gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray, *, epsilon: float = BATCH_NORM_EPSILON
) -> tuple[np.ndarray, np.ndarray]:
    """The affine map ``s x + t`` of a trained batch norm: ``s = γ / √(var + ε)``, ``t = β - s mean``."""
    scale = gamma / np.sqrt(var + epsilon)
    return scale, beta - scale * mean


def flush_denormals(x: np.ndarray) -> np.ndarray:
    """``x`` in float32 with denormals as zero: they carry no information and slow every product down."""
    x = np.asarray(x, np.float32, order="C")
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.float32(0), x)


def channels_last(rows: np.ndarray, spatial: tuple[int, ...]) -> np.ndarray:
    """Rows that are a flattened map ``(C, *spatial)``, reordered as ``(*spatial, C)``."""
    columns = rows.shape[-1]
    maps = rows.reshape(-1, *spatial, columns)
    return np.moveaxis(maps, 0, -2).reshape(rows.shape)
