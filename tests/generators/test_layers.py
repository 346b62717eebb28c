"""Layers against PyTorch's."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from geomgan import backend
from geomgan.generators.convolutions import convolve, transposed_convolve
from geomgan.generators.cost import count_flops
from geomgan.generators.layers import Conv, ConvTranspose, SelfAttention
from tests.small_models import largest_difference


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "side"),
    [(4, 2, 1, 7), (3, 2, 0, 6), (4, 1, 0, 1), (5, 3, 2, 5), (1, 2, 0, 5), (2, 3, 0, 4)],
)
def test_conv_transpose(rng, kernel, stride, padding, side):
    x = rng.standard_normal((side, side, 6)).astype(np.float32)
    weight = rng.standard_normal((6, 5, kernel, kernel)).astype(np.float32)
    bias = rng.standard_normal(5).astype(np.float32)
    expected = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(x.transpose(2, 0, 1)[None]), torch.from_numpy(weight), torch.from_numpy(bias), stride, padding
    )[0].permute(1, 2, 0)
    params = {"kernel": weight.transpose(2, 3, 0, 1)[::-1, ::-1], "bias": bias}
    y = ConvTranspose(5, kernel, stride, padding).apply({"params": params}, x)
    assert largest_difference(y, expected) < 1e-5


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (4, 2, 0), (11, 4, 2)])
def test_conv(rng, kernel, stride, padding):
    x = rng.standard_normal((20, 17, 3)).astype(np.float32)
    weight = rng.standard_normal((5, 3, kernel, kernel)).astype(np.float32)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(x.transpose(2, 0, 1)[None].copy()), torch.from_numpy(weight), None, stride, padding
    )[0].permute(1, 2, 0)
    params = {"kernel": weight.transpose(2, 3, 1, 0)}
    y = Conv(5, kernel, stride, padding, bias=False).apply({"params": params}, x)
    assert largest_difference(y, expected) < 1e-5


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding", "products"),
    [
        ((1, 1), 3, 1, 1, 1),  # the last maps of SqueezeNet, of images of 28 pixels
        ((1, 3), 3, 1, 1, 3 * 3),
        ((2, 2), 5, 1, 2, 4 * 9),
        ((2, 1), 4, 2, 2, 2 * 4),  # windows that overhang differently on both sides
        ((1,), 7, 1, 3, 1),
    ],
)
def test_taps_that_meet_only_padding_are_left_out(rng, shape, kernel, stride, padding, products):
    axes = len(shape)
    x = rng.standard_normal((*shape, 3)).astype(np.float32)
    weight = rng.standard_normal((5, 3, *(kernel,) * axes)).astype(np.float32)
    convolve = torch.nn.functional.conv2d if axes == 2 else torch.nn.functional.conv1d
    expected = convolve(torch.from_numpy(np.moveaxis(x, -1, 0)[None]), torch.from_numpy(weight), None, stride, padding)
    layer = Conv(5, kernel, stride, padding, bias=False)
    params = {"params": {"kernel": np.moveaxis(weight, (0, 1), (-1, -2))}}
    assert largest_difference(layer.apply(params, x), expected[0].movedim(0, -1)) < 1e-5
    assert count_flops(layer.apply, params, x) == 2 * products * 3 * 5


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding"),
    [((3, 3), 5, 1, 2), ((2, 2), 3, 1, 1), ((2, 4), 3, 1, 1), ((3, 3), 6, 2, 3), ((2, 3), 5, 2, 3), ((4,), 7, 1, 3)],
)
def test_kernels_wider_than_their_map_are_products_of_patches(rng, monkeypatch, shape, kernel, stride, padding):
    """The same sample and derivatives, forward and reverse, as XLA's convolution."""
    x, dx = rng.standard_normal((2, *shape, 96)).astype(np.float32)
    weight = 0.02 * rng.standard_normal(((kernel,) * len(shape)) + (96, 96)).astype(np.float32)
    run = lambda x, k: convolve(x, k, stride, padding)
    found = []
    for patches in (True, False):
        monkeypatch.setattr(backend, "CPU", dataclasses.replace(backend.CPU, patches=patches))
        assert ("conv_general_dilated" in str(jax.make_jaxpr(lambda x, k: run(x, k))(x, weight))) == (not patches)
        y, dy = jax.jvp(lambda x: run(x, weight), (x,), (dx,))
        found.append((y, dy, *jax.vjp(run, x, weight)[1](jnp.sin(y))))
    for ours, xlas in zip(*found, strict=True):
        assert largest_difference(ours, xlas) < 1e-5


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding", "more"),
    [((4, 4), 5, 2, 2, 1), ((2, 3), 4, 2, 1, -1), ((6,), 25, 4, 11, 1)],
)
def test_transposed_kernels_wider_than_their_map_have_no_zeros_between(
    rng, monkeypatch, shape, kernel, stride, padding, more
):
    """The same sample and derivatives, forward and reverse, as XLA's convolution; of more channels than phases take."""
    x, dx = rng.standard_normal((2, *shape, 8)).astype(np.float32)
    weight = rng.standard_normal(((kernel,) * len(shape)) + (8, 5)).astype(np.float32)
    run = lambda x, k: transposed_convolve(x, k, stride, padding, more)

    def all_of(x, dx, weight):
        y, dy = jax.jvp(lambda x: run(x, weight), (x,), (dx,))
        return y, dy, *jax.vjp(run, x, weight)[1](jnp.sin(y))

    found = []
    for patches in (True, False):
        monkeypatch.setattr(backend, "CPU", dataclasses.replace(backend.CPU, patches=patches, phases=4))
        dilated = f"lhs_dilation={(stride,) * len(shape)}"
        assert (dilated in str(jax.make_jaxpr(lambda x, k: run(x, k))(x, weight))) == (not patches)
        found.append(jax.jit(lambda *arrays: all_of(*arrays))(x, dx, weight))
    for ours, xlas in zip(*found, strict=True):
        assert largest_difference(ours, xlas) < 1e-5


@pytest.mark.parametrize("shape", [(5, 6), (17, 19), (40,), (300,)])  # below and above the size where phases are used
@pytest.mark.parametrize(("kernel", "factor"), [(1, 2), (3, 2), (5, 4), (25, 4)])
def test_upsampled_convolution(rng, shape, kernel, factor):
    axes = len(shape)
    x = rng.standard_normal((*shape, 3)).astype(np.float32)
    weight = rng.standard_normal((4, 3, *(kernel,) * axes)).astype(np.float32)
    larger = torch.nn.functional.interpolate(torch.from_numpy(np.moveaxis(x, -1, 0)[None]), scale_factor=factor)
    convolve = torch.nn.functional.conv2d if axes == 2 else torch.nn.functional.conv1d
    expected = convolve(larger, torch.from_numpy(weight), padding=kernel // 2)[0].movedim(0, -1)
    params = {"kernel": np.moveaxis(weight, (0, 1), (-1, -2))}
    y = Conv(4, kernel, padding=kernel // 2, bias=False, upsample=factor).apply({"params": params}, x)
    assert largest_difference(y, expected) < 1e-5


def largest_concatenation(function, *arguments):
    """Numbers in the largest array that is put together of others."""
    equations = jax.make_jaxpr(function)(*arguments).eqns
    return max([0, *(e.outvars[0].aval.size for e in equations if e.primitive.name in ("concatenate", "stack"))])


@pytest.mark.parametrize(
    "layer", [Conv(8, 3, padding=1, upsample=2), Conv(8, 3, padding=1, upsample=3), ConvTranspose(8, 4, 2, 1)]
)
def test_phases_are_interleaved_without_concatenations(rng, layer):
    """What is concatenated are taps of the kernel, of which there are few: never the map, once for each axis."""
    x = rng.standard_normal((40, 40, 4)).astype(np.float32)
    params = {"params": {"kernel": np.ones((layer.kernel,) * 2 + (4, 8), np.float32), "bias": np.zeros(8, np.float32)}}
    apply = lambda x: layer.apply(params, x)
    assert "dilation=(2, 2)" not in str(jax.make_jaxpr(apply)(x))
    assert largest_concatenation(apply, x) <= (2 * 2 * 4 * 9 * 8 if layer.kernel == 3 else 2 * 2 * 4 * 4 * 8)


@pytest.mark.parametrize("layer", [Conv(48, 3, padding=1, upsample=2), ConvTranspose(48, 4, 2, 1)])
def test_accelerators_never_multiply_with_zeros_between_pixels(rng, monkeypatch, layer):
    """The same sample and derivatives in their form as in the CPU's, of many channels on small maps."""
    x, dx = rng.standard_normal((2, 8, 8, 300)).astype(np.float32)
    kernel = 0.02 * rng.standard_normal((layer.kernel,) * 2 + (300, 48)).astype(np.float32)
    params, found, work, dilated = {"params": {"kernel": kernel, "bias": np.zeros(48, np.float32)}}, [], [], []
    for kind in (backend.CPU, backend.ACCELERATOR):
        monkeypatch.setattr(backend, "CPU", kind)
        run = lambda x: layer.apply(params, x)
        found.append(jax.jit(lambda x, dx: jax.jvp(run, (x,), (dx,)))(x, dx))  # noqa: B023
        dilated.append("lhs_dilation=(2, 2)" in str(jax.make_jaxpr(lambda x: run(x))(x)))  # noqa: B023
        work.append(count_flops(lambda x: run(x), x))  # noqa: B023
    for ours, theirs in zip(*found, strict=True):
        assert largest_difference(ours, theirs) < 1e-5
    assert dilated == [layer.kernel == 4, False]  # the zeros are three of four products
    assert work[1] < 0.6 * work[0] if layer.kernel == 3 else work[1] < 1.3 * work[0]  # without those with zeros


def test_attention_on_accelerators_has_no_loop(rng, monkeypatch):
    """All weights at once where they are few, blocks elsewhere: the same sample and derivatives."""
    layer, x = SelfAttention(), rng.standard_normal((16, 16, 16)).astype(np.float32)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), x)
    params = jax.tree.map(lambda s: 0.5 * rng.standard_normal(s.shape).astype(np.float32), shapes)
    dx, found, trips = rng.standard_normal(x.shape).astype(np.float32), [], []
    for most in (backend.ACCELERATOR.attention_bytes, 32 * 64 * 4, 1):
        monkeypatch.setattr(backend, "CPU", dataclasses.replace(backend.CPU, attention_bytes=most))
        run = lambda x: layer.apply(params, x)
        equations = jax.make_jaxpr(lambda x: run(x))(x).eqns  # noqa: B023
        trips.append([e.params["length"] for e in equations if e.primitive.name == "scan"])
        found.append(jax.jit(lambda x, dx: (*jax.jvp(run, (x,), (dx,)), jax.vjp(run, x)[1](dx)[0]))(x, dx))  # noqa: B023
    assert trips == [[], [8], [256]]
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert largest_difference(one, other) < 1e-5


def test_attention_of_the_published_models_is_whole_on_accelerators():
    """Of 64 x 64 pixels, 1024 of them pooled; in 32 blocks on a CPU."""
    assert backend.ACCELERATOR.attention_bytes >= 4096 * 1024 * 4
    assert backend.CPU.attention_bytes == 128 * 1024 * 4
