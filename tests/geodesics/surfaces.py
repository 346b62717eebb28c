"""Surfaces whose geometry is known, as generators of points in space; float64 inside ``jax.enable_x64``."""

import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from tests.fixtures import ASSETS
from weights_convert.convert import convert

EUCLIDEAN = gg.distances.euclidean()
TORUS = (2.0, 0.7)  # radii


def sphere_point(params, z):
    """Latitude and longitude."""
    del params
    return jnp.stack([jnp.cos(z[0]) * jnp.cos(z[1]), jnp.cos(z[0]) * jnp.sin(z[1]), jnp.sin(z[0])])


def paraboloid_point(params, z):
    del params
    return jnp.append(z, z @ z)


def torus_point(params, z):
    del params
    big, small = TORUS
    ring = big + small * jnp.cos(z[0])
    return jnp.stack([ring * jnp.cos(z[1]), ring * jnp.sin(z[1]), small * jnp.sin(z[0])])


def itself(params, z):
    del params
    return z * 1.0


def half_plane(params, x, y):
    """``|x - y|² / (x₂ y₂)``: to second order at ``x = y`` the squared distance of the hyperbolic plane."""
    del params
    return jnp.sum((x - y) ** 2) / (x[1] * y[1])


def surface(fn, dim=2):
    return gg.Generator.from_function(fn, (), dim, output_range=None)


def surfaces():
    """Generators and distances; call it where 64-bit types are on."""
    hyperbolic = gg.distances.from_function(half_plane)
    return {
        "sphere": (surface(sphere_point), EUCLIDEAN),
        "paraboloid": (surface(paraboloid_point), EUCLIDEAN),
        "torus": (surface(torus_point), EUCLIDEAN),
        "hyperbolic plane": (surface(itself), hyperbolic),
    }


def great_circle_distance(a, b):
    x, y = (np.asarray(sphere_point((), jnp.asarray(z))) for z in (a, b))
    return 2 * np.arcsin(np.linalg.norm(x - y) / 2)


def half_plane_distance(a, b):
    return 2 * np.arcsinh(np.linalg.norm(a - b) / (2 * np.sqrt(a[1] * b[1])))


def published_pair(kind, folder):
    """The converted VAE or BiGAN of GenerativeLatentSpace, with the distance of its metric."""
    if not (ASSETS / "generative-latent-space").is_dir():
        pytest.skip(f"no folder {ASSETS}/generative-latent-space: put the published files there to run this")
    G = gg.load(convert(f"generative-latent-space-{kind}", ASSETS / "generative-latent-space", folder / kind))
    return G, gg.distances.gaussian() if kind == "vae" else EUCLIDEAN


def mlp(params, z):
    first, second, third = params
    return jnp.sin(third @ jnp.tanh(second @ jnp.tanh(first @ z)))


def mlp_generator(dim, seed=0, width=24, out=40, dtype=np.float32):
    """A curved manifold in ``out`` dimensions."""
    rng = np.random.default_rng(seed)
    shapes = [(width, dim), (width, width), (out, width)]
    params = [jnp.asarray(1.5 * rng.standard_normal(s) / s[1] ** 0.5, dtype) for s in shapes]
    return gg.Generator.from_function(mlp, params, dim, output_range=None)
