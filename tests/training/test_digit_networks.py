"""The networks as they train against the published architecture in PyTorch, and folded against our modules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.generators import generative_latent_space as gls
from geomgan.training import digit_networks as nets

DIM, SHAPES = 4, {"image": (28, 28, 1), "code": (4,)}
MODULES = {
    "decoder": (gls.Decoder((16, 3)), ("code",), lambda p, x, s: nets.decode(p, *x, s)),
    "vae encoder": (gls.VAEEncoder(DIM), ("image",), lambda p, x, s: nets.encode(p, *x, s)),
    "bigan encoder": (gls.BiGANEncoder(DIM), ("image",), lambda p, x, s: nets.encode(p, *x, s)),
    "discriminator": (gls.BiGANDiscriminator(), ("image", "code"), lambda p, x, s: nets.discriminate(p, x, s)),
}


def drawn(module, inputs, rng):
    """Parameters, vectors and statistics with nothing at its initial value."""
    params, vectors = nets.initial_network(module, jax.random.key(0), *(SHAPES[name] for name in inputs))
    statistics = {}
    for name in vectors:
        n = params[name]["bias"].shape[0]
        scale, bias, mean, var = (
            rng.uniform(0.5, 1.5, n),
            rng.normal(size=n),
            rng.normal(size=n),
            rng.uniform(0.2, 2, n),
        )
        params[name] |= {"scale": jnp.asarray(scale, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
        statistics[name] = {"mean": jnp.asarray(mean, jnp.float32), "var": jnp.asarray(var, jnp.float32)}
    return params, nets.settled(params, vectors), statistics


@pytest.mark.parametrize("name", MODULES)
def test_folded_weights_are_those_of_the_module(name, rng):
    module, inputs, network = MODULES[name]
    params, vectors, statistics = drawn(module, inputs, rng)
    x = [jnp.asarray(rng.uniform(-1, 1, (3, *SHAPES[kind])), jnp.float32) for kind in inputs]
    trained, used = network(nets.spectral(params, vectors), x, statistics)
    weights = nets.folded(params, vectors, statistics)
    ours = jax.vmap(lambda *x: module.apply({"params": weights}, *x))(*x)
    assert used == statistics
    if name == "vae encoder":
        trained, ours = trained["mean"], ours.mean
    elif name == "bigan encoder":
        trained = trained["code"]
    elif name == "discriminator":
        trained = jax.nn.sigmoid(trained)
    assert float(jnp.std(trained)) > 1e-3
    np.testing.assert_allclose(ours, trained, atol=2e-5)
    init = jax.eval_shape(module.init, jax.random.key(0), *(jnp.zeros(SHAPES[kind]) for kind in inputs))["params"]
    assert jax.tree.map(jnp.shape, weights) == jax.tree.map(jnp.shape, init)


def test_the_sizes_are_the_published_ones():
    """Numbers of parameters at 16 dimensions; the biases before batch norms, which are left out, are added."""
    shapes = {"image": (28, 28, 1), "code": (16,)}
    modules = (gls.VAEEncoder(16), gls.Decoder((16, 3)), gls.BiGANEncoder(16), gls.BiGANDiscriminator())
    inputs = (["image"], ["code"], ["image"], ["image", "code"])
    for module, names, published in zip(modules, inputs, (46_816, 25_021, 23_456, 43_937), strict=True):
        params, vectors = nets.initial_network(module, jax.random.key(0), *(shapes[name] for name in names))
        left_out = sum(vector.size for vector in vectors.values())
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) + left_out == published


def test_the_discriminator_trains_as_the_published_one_in_pytorch(rng):
    """One forward pass and its gradient in training mode: spectral norm, batch norm, ELU."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch to run this")
    module, inputs, _ = MODULES["discriminator"]
    params, vectors, _ = drawn(module, inputs, rng)
    x, z = (rng.uniform(-1, 1, (6, *SHAPES[kind])).astype(np.float32) for kind in inputs)

    def block(value, name, layer):
        weights = params[name]
        kernel = torch.tensor(np.asarray(weights["kernel"]))
        order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
        kernel = kernel.permute(*order)
        value = layer(value, kernel / torch.linalg.matrix_norm(kernel.reshape(len(kernel), -1), 2))
        scale, bias = (torch.tensor(np.asarray(weights[key])) for key in ("scale", "bias"))
        return torch.nn.functional.elu(torch.nn.functional.batch_norm(value, None, None, scale, bias, training=True))

    conv = lambda x, w: torch.nn.functional.conv2d(x, w, stride=2)
    dense = lambda x, w: x @ w.T
    images, codes = torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(z, requires_grad=True)
    seen = block(block(images, "features/block1", conv), "features/block2", conv).permute(0, 2, 3, 1).flatten(1)
    joint = block(torch.cat([seen, block(block(codes, "code1", dense), "code2", dense)], 1), "joint", dense)
    score = {key: torch.tensor(np.asarray(value)) for key, value in params["score"].items()}
    theirs = (joint @ score["kernel"] + score["bias"])[:, 0]
    theirs.square().sum().backward()

    spectral = nets.spectral(params, vectors)
    ours, _ = nets.discriminate(spectral, (x, z))
    grads = jax.grad(lambda z: jnp.square(nets.discriminate(spectral, (x, z))[0]).sum())(jnp.asarray(z))
    np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(grads, codes.grad, rtol=1e-3, atol=1e-5)
