"""Patches of the latent map: their metrics are blocks of the whole one, and cost what their part of the maps costs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.generators.autoencoder_kl import KLDecoder
from geomgan.generators.autoencoder_tiny import TinyDecoder
from geomgan.generators.cost import count_flops
from geomgan.generators.latent_maps import settings
from geomgan.generators.patches import map_shape, patch
from geomgan.metric.pair import bound
from tests.fixtures import assert_close, random_params


def decoder(network, channels, factor, resolution, seed=0):
    config = {"latent_channels": channels, "factor": factor, "resolution": resolution, "native": "latent"}
    params = {"generator": random_params(network, (1, 1, channels), seed=seed, scale=0.25)}
    made = settings(network, {**config, "scaling": None, "shift": 0.0}, params, "latent", None)
    return gg.Generator.in_space(made.function, made.params, made.latent_dim, prior=made.prior, name="decoder")


def tiny(pooled, features=6):
    return TinyDecoder(((features, ((features, pooled),)), (features, ((features, False),)), (features, ())))


@pytest.mark.parametrize(
    ("kind", "rows", "columns"),
    [("local", (3, 5), (0, 3)), ("pooled", (5, 7), (4, 6)), ("norms", (2, 4), (0, 2))],
)
def test_a_patch_is_a_block(kind, rows, columns):
    network = KLDecoder((4, 4, 4), 1, 2, attention=True, quant=True) if kind == "norms" else tiny(kind == "pooled")
    G = decoder(network, 2, 4, (32, 24))
    z = G.sample_latent(jax.random.key(0), 1)[0]
    part, code = patch(G, z, rows, columns)
    at = np.arange(G.latent_dim).reshape(map_shape(G))[:, slice(*rows), slice(*columns)].ravel()
    window = tuple(slice(4 * low, 4 * high) for low, high in (rows, columns))
    assert_close(part(code), np.asarray(G(z))[window], 1e-6)
    crop = gg.distances.features(lambda _, x: x[window], ())
    whole = gg.metric_operator(G, crop, z).to_dense()[np.ix_(at, at)]
    assert_close(gg.metric_operator(part, gg.distances.euclidean(), code).to_dense(), whole, 1e-5)


def test_channels_of_a_code():
    G = decoder(tiny(True), 3, 4, 16)
    z = G.sample_latent(jax.random.key(0), 1)[0]
    part, code = patch(G, z, channels=(2, 0))
    assert_close(code, np.asarray(z).reshape(3, 16)[[2, 0]].ravel(), 1e-7)
    g, D = gg.metric_operator(G, gg.distances.mse(), z).to_dense(), gg.distances.mse()
    at = np.r_[32:48, :16]
    assert_close(gg.metric_operator(part, D, code).to_dense(), g[np.ix_(at, at)], 1e-5)
    assert part.sample_latent(jax.random.key(1), 2).shape == (2, 32)
    with pytest.raises(ValueError, match=r"rows are 2 to 5; expected first < last within 0 to 4"):
        patch(G, z, (2, 5))
    with pytest.raises(ValueError, match=r"channels are \(0, 3\)"):
        patch(G, z, channels=(0, 3))
    with pytest.raises(ValueError, match="a patch already"):
        patch(part, code)
    with pytest.raises(ValueError, match=r"no maps \(C, h, w\)"):
        patch(gg.Generator.from_function(lambda _, z: jnp.outer(z, z), (), 4), np.ones(4))


def test_what_a_patch_costs():
    """LPIPS on 32 of 64 pixels, with TAEF2's widths: at most a fifth of the multiplications of the whole metric."""
    blocks = lambda n, pooled=False: (64, ((64, pooled),) * n)
    network = TinyDecoder((blocks(3, True), blocks(3), blocks(3), blocks(1)))
    config = {"latent_channels": 32, "factor": 8, "resolution": 64, "native": "latent", "scaling": None, "shift": 0.0}
    shapes = jax.eval_shape(network.init, jax.random.key(0), jax.ShapeDtypeStruct((8, 8, 32), jnp.float32))["params"]
    params = {"generator": jax.tree.map(lambda x: np.zeros(x.shape, np.float32), shapes)}
    made = settings(network, config, params, "latent", None)
    G = gg.Generator.in_space(made.function, made.params, made.latent_dim, name="TAEF2")
    part, _ = patch(G, np.zeros(2048), (0, 4), (0, 4))
    D = gg.distances.lpips("alex")
    costs = []
    for one in (G, part):
        pair = bound(one, D)
        costs.append(count_flops(lambda pair, z: pair.embed(z), pair, pair.code) * one.latent_dim)
    assert part.sample_shape.shape == (32, 32, 3)
    assert 0.1 < costs[1] / costs[0] <= 0.2
