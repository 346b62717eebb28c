"""Fourier transforms, and complex numbers."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators

NORMS = ("backward", "ortho", "forward")  # of a forward transform; backwards the outer two change places


def _along(transform):
    return lambda x, n=None, dim=-1, norm=None: transform(x, n, dim, norm)


def _of_images(transform):
    return lambda x, s=None, dim=(-2, -1), norm=None: transform(x, s, tuple(dim), norm)


def _of_all(transform):
    return lambda x, s=None, dim=None, norm=None: transform(x, s, dim, norm)


def _shift(shift):
    return lambda x, dim=None: shift(x, dim)


def real_to_complex(x, dim, normalization, onesided):
    return (jnp.fft.rfftn if onesided else jnp.fft.fftn)(x, axes=tuple(dim), norm=NORMS[normalization])


def complex_to_real(x, dim, normalization, last_dim_size):
    sizes = [*(x.shape[axis] for axis in dim[:-1]), last_dim_size]
    return jnp.fft.irfftn(x, sizes, tuple(dim), NORMS[::-1][normalization])


def complex_to_complex(x, dim, normalization, forward):
    if forward:
        return jnp.fft.fftn(x, axes=tuple(dim), norm=NORMS[normalization])
    return jnp.fft.ifftn(x, axes=tuple(dim), norm=NORMS[::-1][normalization])


def view_as_real(x):
    return jnp.stack([x.real, x.imag], -1)


OPERATORS: Operators = {
    "fft_fft": _along(jnp.fft.fft),
    "fft_ifft": _along(jnp.fft.ifft),
    "fft_rfft": _along(jnp.fft.rfft),
    "fft_irfft": _along(jnp.fft.irfft),
    "fft_hfft": _along(jnp.fft.hfft),
    "fft_ihfft": _along(jnp.fft.ihfft),
    "fft_fft2": _of_images(jnp.fft.fft2),
    "fft_ifft2": _of_images(jnp.fft.ifft2),
    "fft_rfft2": _of_images(jnp.fft.rfft2),
    "fft_irfft2": _of_images(jnp.fft.irfft2),
    "fft_fftn": _of_all(jnp.fft.fftn),
    "fft_ifftn": _of_all(jnp.fft.ifftn),
    "fft_rfftn": _of_all(jnp.fft.rfftn),
    "fft_irfftn": _of_all(jnp.fft.irfftn),
    "fft_fftshift": _shift(jnp.fft.fftshift),
    "fft_ifftshift": _shift(jnp.fft.ifftshift),
    "_fft_r2c": real_to_complex,
    "_fft_c2r": complex_to_real,
    "_fft_c2c": complex_to_complex,
    "complex": lax.complex,
    "polar": lambda abs, angle: lax.complex(abs * jnp.cos(angle), abs * jnp.sin(angle)),
    "real": jnp.real,
    "imag": jnp.imag,
    "angle": jnp.angle,
    "conj": jnp.conj,
    "_conj": jnp.conj,
    "conj_physical": jnp.conj,
    "resolve_conj": lambda x: x,
    "view_as_complex": lambda x: lax.complex(x[..., 0], x[..., 1]),
    "view_as_real": view_as_real,
}
