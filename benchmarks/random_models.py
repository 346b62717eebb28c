"""Published architectures with random weights, for timings: as fast as the trained models, and nothing to download."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

import geomgan as gg
from geomgan.distances.trunks import TRUNKS
from geomgan.generators import biggan as plain_biggan
from geomgan.generators import biggan_deep as deep
from geomgan.generators import stylegan2 as style2
from geomgan.generators.dcgan import DCGAN
from geomgan.generators.generative_latent_space import Decoder
from geomgan.generators.layers import Dense
from geomgan.generators.sngan import SNGAN
from geomgan.generators.upconv import LAYOUTS, MEAN, Upconv


def faces64() -> tuple[gg.Generator, str]:
    """The face DCGAN if it was fetched, otherwise the same network with random weights: equally fast."""
    try:
        return gg.load("faces64"), "DCGAN-64 (faces64)"
    except gg.NotHereError:
        module, rng = DCGAN(), np.random.default_rng(0)
        shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(100))["params"]
        params = jax.tree.map(lambda s: jnp.asarray(0.05 * rng.standard_normal(s.shape), jnp.float32), shapes)
        return gg.Generator.from_module(module, params, 100), "DCGAN-64 (random weights)"


def vae_decoder(latent_dim: int = 16, seed: int = 0) -> gg.Generator:
    """The mean of a MNIST VAE's decoder, 28 pixels; kernels are normal with variance ``1 / fan_in``."""
    module, rng = Decoder((32, 32)), np.random.default_rng(seed)
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(latent_dim))["params"]
    params = jax.tree.map(lambda s: _scaled_normal(rng, s.shape, 1.0), shapes)
    return gg.Generator.from_module(module, params, latent_dim, name="vae-decoder (random weights)")


class DenseDecoder(nn.Module):
    """``z -> sigmoid(W2 relu(W1 z))``: the decoder of PyTorch's VAE example, 400 hidden units, 28 pixels."""

    @nn.compact
    def __call__(self, z):
        hidden = nn.relu(Dense(400, name="hidden")(z))
        return nn.sigmoid(Dense(784, name="output")(hidden)).reshape(28, 28, 1)


def dense_vae_decoder(latent_dim: int = 16, seed: int = 0) -> gg.Generator:
    """A VAE's decoder of two dense layers; kernels are normal with variance ``1 / fan_in``."""
    module, rng = DenseDecoder(), np.random.default_rng(seed)
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(latent_dim))["params"]
    params = jax.tree.map(lambda s: _scaled_normal(rng, s.shape, 1.0), shapes)
    return gg.Generator.from_module(
        module, params, latent_dim, output_range=(0, 1), name="dense-vae-decoder (random weights)"
    )


def lpips_squeeze(seed: int = 0) -> gg.distances.Distance:
    """LPIPS with a SqueezeNet of random weights."""
    return _random_lpips("squeeze", seed)


def _random_lpips(net: str, seed: int, **options: Any) -> gg.distances.Distance:
    """LPIPS with a network of He's initial weights and heads that are uniform in ``(0, 1)``."""
    trunk, rng = TRUNKS[net], np.random.default_rng(seed)
    shapes = jax.eval_shape(trunk.init, jax.random.key(0), jnp.zeros((64, 64, 3)))["params"]
    kernels = jax.tree.map(lambda s: _scaled_normal(rng, s.shape, 2.0), shapes)
    heads = [rng.uniform(size=width).astype(np.float32) for width in trunk.widths]
    return gg.distances.lpips(net, weights={"trunk": kernels, "heads": heads}, **options)


def _scaled_normal(rng: np.random.Generator, shape: tuple[int, ...], gain: float) -> jax.Array:
    """A normal kernel of variance ``gain / fan_in``; zeros for a bias."""
    if len(shape) == 1:
        return jnp.zeros(shape)
    return jnp.asarray(rng.standard_normal(shape) * (gain / np.prod(shape[:-1])) ** 0.5, jnp.float32)


def lpips_alex(folder: str | None = None, seed: int = 0, **options: Any) -> tuple[gg.distances.Distance, str]:
    """LPIPS with AlexNet and where its weights are from: a folder, the installed package, or random ones."""
    if folder:
        return gg.distances.lpips("alex", weights=folder, **options), f"LPIPS-alex of {folder}"
    try:
        return gg.distances.lpips("alex", **options), "LPIPS-alex"
    except gg.NotHereError:
        return _random_lpips("alex", seed, **options), "LPIPS-alex with random weights"


def biggan_deep(resolution: int = 128, seed: int = 0, **changes: Any) -> gg.Generator:
    """BigGAN-deep of 128, 256 or 512 pixels over its joint space: 128 noise and 128 class dimensions, ``N(0, I)``.

    ``changes`` are of the published configuration, for smaller networks.

    Kernels are normal with variance ``2 / fan_in`` (``1 / fan_in`` where no ReLU comes before), so that every layer
    gives about unit variance. The trained statistics of the batch norms are replaced by the variance that arrives
    there: 1 behind a convolution, and one more with every block on the residual path. Gains and shifts move by about
    0.3 with the condition. The pre-activation of the output has a deviation of about 0.5: ``tanh`` is not saturated.
    """
    config = deep.configuration(resolution) | changes
    module, rng = deep.network(config), np.random.default_rng(seed)
    dim = config["z_dim"] + config["class_embed_dim"]
    shapes = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((dim,), jnp.float32))["params"]

    def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
        layer, _, leaf = name.rpartition("/")
        behind_relu = "conv" in layer or layer == "output"
        normal = rng.standard_normal(shape, np.float32)
        match leaf:
            case "kernel" | "theta" | "phi" | "g" | "o":
                scale = {"output": 0.5, "attention": 0.5}.get(layer, 1.0)
                return scale * normal * ((1 + behind_relu) / np.prod(shape[:-1])) ** 0.5
            case "gain" | "shift":
                return 0.3 * normal / shape[0] ** 0.5
            case "inverse_std":
                block, norm = layer.removeprefix("block").split("_norm")
                return np.full(shape, 1.0 if norm != "0" else int(block) ** -0.5)
            case "norm_scale":
                return np.full(shape, (1 + len(config["layers"])) ** -0.5)
            case _:  # biases, means, the last shift
                return np.zeros(shape)

    flat = traverse_util.flatten_dict(shapes, sep="/")
    filled = {name: jnp.asarray(weights(name, leaf.shape), jnp.float32) for name, leaf in flat.items()}
    params = traverse_util.unflatten_dict(filled, sep="/")
    return gg.Generator.from_module(module, params, dim, name=f"biggan-deep-{resolution} (random weights)")


def biggan(seed: int = 0, features: tuple[int, ...] = (1536, 1536, 768, 384, 192, 96)) -> gg.Generator:
    """BigGAN, by default of 128 pixels, over its noise, ``(20 len(features),)``; one class, attention at 64 pixels.

    Kernels are normal with variance ``2 / fan_in`` (``1 / fan_in`` where no ReLU comes before). As in
    :func:`biggan_deep` the statistics of the batch norms are the variances that arrive there, one more with every block
    on the residual path; gains and shifts move by about 0.3, and the output is not saturated.
    """
    blocks = len(features) - 1
    config = {"features": features, "attention": (4,), "channels": 3, "bottom": 4, "latent_dim": 20 * (blocks + 1)}
    module, rng = plain_biggan.network(config), np.random.default_rng(seed)
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(config["latent_dim"]), jnp.zeros(128))["params"]

    def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
        layer, _, leaf = name.rpartition("/")
        normal = rng.standard_normal(shape, np.float32)
        match leaf:
            case "kernel" | "theta" | "phi" | "g" | "o":
                behind_relu = "conv" in layer or layer == "output"
                scale = {"output": 0.5, "block4_attention": 0.5}.get(layer, 1.0)
                return scale * normal * ((1 + behind_relu) / np.prod(shape[:-1])) ** 0.5
            case "gain" | "shift":
                return 0.3 * normal / shape[0] ** 0.5
            case "inverse_std":
                block, norm = layer.removeprefix("block").split("_norm")
                return np.full(shape, 1.0 if norm == "2" else int(block) ** -0.5)
            case "norm_scale":
                return np.full(shape, (1 + blocks) ** -0.5)
            case _:  # biases, means, the last shift
                return np.zeros(shape)

    flat = traverse_util.flatten_dict(shapes, sep="/")
    filled = {name: jnp.asarray(weights(name, leaf.shape), jnp.float32) for name, leaf in flat.items()}
    params = {"network": traverse_util.unflatten_dict(filled, sep="/"), "classes": rng.standard_normal((1, 128))}
    settings = plain_biggan.biggan(config, {"generator": params})
    name = f"biggan-{4 * 2**blocks} (random weights)"
    return gg.Generator.in_space(settings.function, settings.params, settings.latent_dim, name=name)


def stylegan2(
    resolution: int = 64, channel_multiplier: int = 2, space: str = "w", seed: int = 0, **changes: Any
) -> gg.Generator:
    """StyleGAN2 of 64 to 1024 pixels with the published initial weights, in ``space``.

    Kernels are normal with variance ``1 / fan_in``, the styles have mean 1, and the noise has strength 0.1 (0 in the
    published start), so that the maps cost what they do in a trained model. ``changes`` are of the published
    configuration, for smaller networks.
    """
    config, rng = style2.configuration(resolution, channel_multiplier) | changes, np.random.default_rng(seed)

    def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
        leaf = name.rpartition("/")[2]
        normal = rng.standard_normal(shape, np.float32)
        if leaf == "kernel":
            gain = 2.0 if name.startswith("mapping/") else 1.0
            return normal * (gain / np.prod(shape[:-1])) ** 0.5
        if leaf == "constant":
            return normal
        return np.full(shape, {"strength": 0.1, "bias": float(name.startswith("styles/"))}[leaf])

    flat = traverse_util.flatten_dict(style2.template(config), sep="/")
    filled = {name: jnp.asarray(weights(name, leaf.shape), jnp.float32) for name, leaf in flat.items()}
    params = {"generator": traverse_util.unflatten_dict(filled, sep="/")}
    settings = style2.generator(config, params, space=space)
    name = f"stylegan2-{resolution} (random weights)"
    return gg.Generator.in_space(
        settings.function, settings.params, settings.latent_dim, prior=settings.prior, name=name
    )


FC6 = (4096, 4096, 4096, 256, 512, 256, 256, 128, 128, 64, 32, 3)  # features of its layers


def upconv_fc6(seed: int = 0, latent_dim: int = 4096, features: tuple[int, ...] = FC6) -> gg.Generator:
    """DeePSim's fc6 network, by default at its published size: 4096 dimensions, 56 million weights, 256 pixels.

    Kernels are normal with variance ``2 / (1.09 fan_in)``, which keeps the mean square through leaky ReLUs of slope
    0.3, so that activations are about 1 for codes from N(0, I), a little less at borders. The last kernel is 40 times
    larger and the last bias the mean of the images: samples are about 118 ± 45, 1 per cent outside (0, 255).
    """
    module, rng = Upconv("fc", features), np.random.default_rng(seed)
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(latent_dim))["params"]
    params = {}
    for stage in LAYOUTS["fc"].stages:
        shape = shapes[stage.name]["kernel"].shape
        last = stage.name == "deconv0"
        fan_in = np.prod(shape[:-1]) / stage.stride**2  # a transposed convolution of stride 2 uses a quarter at a time
        kernel = rng.standard_normal(shape, np.float32) * np.float32((2 / 1.09 / fan_in) ** 0.5 * (40 if last else 1))
        bias = MEAN if last else np.zeros(shape[-1])
        params[stage.name] = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias, jnp.float32)}
    return gg.Generator.from_module(
        module, params, latent_dim, output_range=(0, 255), name="deepsim-fc6 (random weights)"
    )


def sngan(seed: int = 0) -> gg.Generator:
    """SNGAN of digits, 32 pixels and 128 dimensions, with kernels of He's law."""
    module, rng = SNGAN(), np.random.default_rng(seed)
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(128))["params"]

    def weights(path: tuple[Any, ...], leaf: Any) -> jax.Array:
        return jnp.ones(leaf.shape) if path[-1].key == "scale" else _scaled_normal(rng, leaf.shape, 0.5)

    params = jax.tree_util.tree_map_with_path(weights, dict(shapes))
    return gg.Generator.from_module(module, params, 128, name="sngan")
