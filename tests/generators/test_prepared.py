"""Prepared kernels: weights whose tangents take another way, and which weights can be prepared."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.errors import ScopeParamShapeError
from jax import lax

import geomgan as gg
from geomgan.generators.convolutions import convolve, transposed_convolve, upsample_convolve
from geomgan.generators.dcgan import DCGAN
from geomgan.generators.generator import output_of
from geomgan.generators.layers import Conv
from geomgan.generators.prepared import KernelUse, Prepared, any_prepared, kernels_used, prepare, unprepared
from geomgan.generators.style_layers import demodulation
from geomgan.generators.winograd import SCHEMES, combined_taps
from geomgan.metric.maps import Pushforward
from geomgan.metric.pair import bound, prepared

LAYERS = {
    "plain_3": lambda x, kernel: convolve(x, kernel, padding=1),
    "upsampled_3": lambda x, kernel: upsample_convolve(x, kernel, 2),
    "transposed_4": lambda x, kernel: transposed_convolve(x, kernel, 2, 1),
}
plain_3 = LAYERS["plain_3"]


def layer(rng, name, shape=(6, 6), channels=(128, 96), dtype=np.float32):
    size = len(SCHEMES[name].taps[0])
    x = rng.standard_normal((*shape, channels[0])).astype(dtype)
    return x, rng.standard_normal((*(size,) * len(shape), *channels)).astype(dtype)


def prepared_for(function, kernel, x):
    return prepare(kernel, kernels_used(lambda kernel, x: function(x, kernel), kernel, x))


def primitives(function, *arguments):
    found = set()

    def walk(jaxpr):
        for equation in jaxpr.eqns:
            found.add(equation.primitive.name)
            for body in (equation.params.get("jaxpr"), equation.params.get("call_jaxpr")):
                body = getattr(body, "jaxpr", body)
                if hasattr(body, "eqns"):
                    walk(body)

    walk(jax.make_jaxpr(function)(*arguments).jaxpr)
    return found


def close(got, expected, tolerance=3e-6):
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", SCHEMES)
def test_only_tangents_of_samples_take_combinations(name, rng):
    """Samples bit for bit as before; tangents of kernels, and of both together, as the definition has them."""
    x, kernel = layer(rng, name)
    dx, dkernel = layer(rng, name)
    function = LAYERS[name]
    fast = lambda x, kernel: function(x, prepared_for(function, kernel, x))
    assert isinstance(prepared_for(function, kernel, x), Prepared)
    np.testing.assert_array_equal(jax.jit(fast)(x, kernel), jax.jit(function)(x, kernel))
    ready = prepared_for(function, jnp.asarray(kernel), x)
    tangent = lambda kernel: jax.linearize(lambda x: function(x, kernel), x)[1]
    assert "conv_general_dilated" not in primitives(tangent(ready), dx)
    assert "conv_general_dilated" in primitives(tangent(kernel), dx)
    for tangents in ((dx, np.zeros_like(kernel)), (np.zeros_like(x), dkernel), (dx, dkernel)):
        close(jax.jvp(fast, (x, kernel), tangents)[1], jax.jvp(function, (x, kernel), tangents)[1])
    (y, back), (_, fast_back) = jax.vjp(function, x, kernel), jax.vjp(fast, x, kernel)
    for got, expected in zip(fast_back(y), back(y), strict=True):
        close(got, expected)


@pytest.mark.parametrize("name", SCHEMES)
def test_derivatives_of_tangents_by_kernels(name, rng):
    """What a tangent becomes depends on the kernel, also through its combinations."""
    x, kernel = layer(rng, name)
    dx, dkernel = layer(rng, name)
    function = LAYERS[name]

    def pushed(kernel, prepared):
        of = prepared_for(function, kernel, x) if prepared else kernel
        return jax.jvp(lambda x: function(x, of), (x,), (dx,))[1]

    got, expected = (jax.jvp(lambda k, way=way: pushed(k, way), (kernel,), (dkernel,))[1] for way in (True, False))
    close(got, expected)


@pytest.mark.parametrize("name", SCHEMES)
def test_kernels_of_narrow_layers_stay_as_they_are(name, rng):
    x, kernel = layer(rng, name, channels=(16, 16))
    assert prepared_for(LAYERS[name], kernel, x) is kernel


@pytest.mark.parametrize("name", SCHEMES)
def test_a_linearised_map_keeps_the_kernel_itself(name, rng):
    """Not a copy of it: weights are large."""
    x, kernel = map(jnp.asarray, layer(rng, name))
    traced = jax.make_jaxpr(lambda x, k: jax.linearize(lambda x: LAYERS[name](x, k), x)[1])(x, kernel).jaxpr
    assert all(var in traced.invars for var in traced.outvars if var.aval.shape == kernel.shape)


def test_which_weights_are_found(rng):
    """Those that reach a wide convolution unchanged, through functions of their own, loops and maps."""
    x, kernel = layer(rng, "plain_3", channels=(96, 96))
    used = lambda function: kernels_used(function, kernel, x)
    plain = (KernelUse(0, "plain_3", 0),)
    assert used(lambda k, x: plain_3(x, k)) == plain
    assert used(lambda k, x: jax.jit(plain_3)(x, k)) == plain
    assert used(lambda k, x: jax.checkpoint(plain_3)(x, k)) == plain
    assert used(lambda k, x: lax.map(lambda x: plain_3(x, k), jnp.stack([x, x]))) == plain
    assert used(lambda k, x: lax.scan(lambda c, x: (plain_3(c + x, k), x), x, jnp.stack([x, x]))) == plain
    assert used(lambda k, x: jax.vmap(lambda x: plain_3(x, k))(jnp.stack([x, x]))) == plain
    assert used(lambda k, x: plain_3(plain_3(x, k), k)) == plain
    assert used(lambda k, x: plain_3(x, k) * demodulation(x[0, 0], k)) == plain
    both = (KernelUse(0, "plain_3", 0), KernelUse(0, "upsampled_3", 0))
    assert used(lambda k, x: upsample_convolve(plain_3(x, k), k, 2)) == both


def test_which_weights_are_not_found(rng):
    """Those that change on the way, and those that something else takes that wants an array."""
    x, kernel = layer(rng, "plain_3", channels=(96, 96))
    used = lambda function, kernel=kernel: kernels_used(function, kernel, x)
    assert used(lambda k, x: plain_3(x, 2 * k)) == ()
    assert used(lambda k, x: plain_3(x, k.astype(jnp.bfloat16).astype(k.dtype))) == ()
    assert used(lambda k, x: plain_3(x, k[0]), np.stack([kernel, kernel])) == ()
    assert used(lambda k, x: plain_3(x, k) + jnp.sum(k**2)) == ()
    assert used(lambda k, x: (plain_3(x, k), k)) == ()
    assert used(lambda k, x: lax.map(lambda k: plain_3(x, k), k), np.stack([kernel, kernel])) == ()
    assert used(lambda k, x: lax.scan(lambda k, x: (2 * k, plain_3(x, k)), k, jnp.stack([x, x]))[1]) == ()
    assert used(lambda k, x: jax.vmap(plain_3, (None, 1))(x, k), np.stack([kernel] * 3, axis=1)) == ()
    assert used(lambda k, x: convolve(x[:1, :1], k, padding=1)) == ()  # of one pixel: the centre of the kernel alone
    assert used(lambda k, x: convolve(x, k, padding=2)) == ()


def test_a_prepared_kernel_serves_every_other_use(rng):
    """A weight may be shared with a layer that no scheme computes."""
    x, kernel = layer(rng, "plain_3", channels=(96, 96))
    ready = Prepared(jnp.asarray(kernel), {"plain_3": combined_taps(SCHEMES["plain_3"], kernel)})
    for use in (
        lambda k: convolve(x, k, padding=2),
        lambda k: convolve(x[:1, :1], k, padding=1),
        lambda k: convolve(x, k, stride=2, padding=1),
        lambda k: upsample_convolve(x, k, 2),
        lambda k: upsample_convolve(x, k, 3),
        lambda k: transposed_convolve(x, k, 2, 1),
        lambda k: demodulation(x[0, 0], k),
    ):
        np.testing.assert_array_equal(use(ready), use(kernel))


def test_flax_takes_prepared_kernels_also_of_members(rng):
    x, kernel = layer(rng, "plain_3", channels=(96, 96))
    module = Conv(96, kernel=3, padding=1)
    run = lambda params, x: module.apply({"params": params}, x)
    stacked = {"kernel": np.stack([kernel, 2 * kernel]), "bias": np.zeros((2, 96), np.float32)}
    members = lambda params, x: jax.vmap(run, (0, None))(params, x)
    used = kernels_used(members, stacked, x)
    assert used == (KernelUse(1, "plain_3", 1),)
    ready = prepare(stacked, used)
    assert isinstance(ready["kernel"], Prepared)
    np.testing.assert_array_equal(members(ready, x), members(stacked, x))
    pushed = lambda params: jax.jvp(partial(members, params), (x,), (x,))[1]
    close(pushed(ready), pushed(stacked))
    assert "conv_general_dilated" not in primitives(jax.linearize(partial(members, ready), x)[1], x)
    with pytest.raises(ScopeParamShapeError, match="shape"):
        Conv(95, kernel=3, padding=1).apply({"params": jax.tree.map(lambda leaf: leaf[0], ready)}, x)


def test_preparing_is_undone(rng):
    x, kernel = layer(rng, "plain_3")
    tree = {"a": jnp.asarray(kernel), "b": jnp.zeros(3)}
    ready = prepare(tree, kernels_used(lambda tree, x: plain_3(x, tree["a"]) + tree["b"][0], tree, x))
    assert any_prepared(ready)
    assert not any_prepared(tree)
    undone = unprepared(ready)
    assert jax.tree.structure(undone) == jax.tree.structure(tree)
    assert undone["a"] is tree["a"]
    assert kernels_used(lambda tree, x: plain_3(x, tree["a"]), ready, x) == ()  # there is nothing left to prepare


@pytest.fixture(scope="module")
def wide():
    """A DCGAN of 32 pixels whose two wide blocks take a scheme, the output does not."""
    module = DCGAN(features=(256, 128, 96))
    params = jax.jit(module.init)(jax.random.key(3), jnp.zeros(24))["params"]
    return gg.Generator.from_module(module, params, 24)


def test_metric_of_a_wide_generator(wide):
    z = wide.sample_latent(jax.random.key(1), 3)
    mse = gg.distances.mse()
    field = gg.metric_field(wide, mse, z, progress=False)
    for i, code in enumerate(z):
        plain = gg.metric_operator(wide, mse, code).to_dense()  # may be used for one product: not prepared
        for g in (gg.metric_tensor(wide, mse, code), field.tensors[i]):
            close(g, plain, 1e-5)


def test_kernels_of_a_field_are_prepared_once_and_used(wide):
    mse = gg.distances.mse()
    pair = bound(wide, mse)
    ready = prepared(pair, 16)
    G = ready.G
    kernels = [node for node in jax.tree.leaves(G, is_leaf=lambda n: isinstance(n, Prepared)) if any_prepared(node)]
    assert sorted(kernel.plain.shape for kernel in kernels) == [(4, 4, 128, 96), (4, 4, 256, 128)]
    for kernel in kernels:
        ((name, combinations),) = kernel.combinations.items()
        assert len(combinations) == len(SCHEMES[name].taps) ** 2
        own = combined_taps(SCHEMES[name], kernel.plain)
        for key, combination in combinations.items():
            np.testing.assert_allclose(combination, own[key], rtol=1e-6, atol=1e-6)
    assert prepared(pair, 15) is pair
    assert prepared(ready, 24) is ready  # the kernels of a field are not prepared again
    without = bound(wide, gg.distances.ssim())  # no embedding: products only
    assert prepared(without, 24) is without

    def doubled(node):  # the result shows where kernels come from
        return Prepared(node.plain, jax.tree.map(lambda k: 2 * k, node.combinations)) if any_prepared(node) else node

    twice = jax.tree.map(doubled, G, is_leaf=lambda node: isinstance(node, Prepared))
    z = wide.sample_latent(jax.random.key(1), 1)[0]
    push = lambda G: np.asarray(Pushforward.at(replace(ready, G=G), z, 24).push(z)[0])
    close(push(twice), 4 * push(G), 1e-5)
    np.testing.assert_array_equal(jax.jit(output_of)(G, z), jax.jit(output_of)(wide, z))


def test_an_ensemble_is_prepared_too(wide):
    members = gg.ensemble(wide, jax.tree.map(lambda leaf: jnp.stack([leaf, 0.5 * leaf]), wide.params))
    z = wide.sample_latent(jax.random.key(1), 1)[0]
    used = kernels_used(output_of, members, z)
    assert [(use.scheme, use.stacked) for use in used] == [("transposed_4", 1)] * 2
    mse = gg.distances.mse()
    close(gg.metric_tensor(members, mse, z), gg.metric_operator(members, mse, z).to_dense(), 1e-5)
