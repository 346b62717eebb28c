"""What traced programs cost: products counted by hand, loops as often as they run, the widest array."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from geomgan.generators.convolutions import convolve, transposed_convolve
from geomgan.generators.cost import Profile, count_flops, largest_array, profile
from geomgan.generators.prepared import kernels_used, prepare
from geomgan.generators.winograd import SCHEMES

F32 = jnp.float32


def shape(*sides, dtype=F32):
    return jax.ShapeDtypeStruct(sides, dtype)


def test_matrix_products():
    assert count_flops(jnp.matmul, shape(3, 4), shape(4, 5)) == 2 * 3 * 4 * 5
    batched = lambda a, b: jnp.einsum("bij,bjk->bik", a, b)
    assert count_flops(batched, shape(7, 3, 4), shape(7, 4, 5)) == 7 * 2 * 3 * 4 * 5
    assert count_flops(lambda x: jnp.tanh(x) + 1, shape(100)) == 0  # element-wise work is not counted


def test_convolutions():
    """One product for each output, tap and input channel; zeros between pixels are no products."""
    x, kernel = shape(8, 8, 3), shape(3, 3, 3, 5)
    assert count_flops(lambda x, k: convolve(x, k, padding=1), x, kernel) == 2 * 8 * 8 * 9 * 3 * 5
    assert count_flops(lambda x, k: convolve(x, k, 2, 1), x, kernel) == 2 * 4 * 4 * 9 * 3 * 5
    wide, kernel = shape(8, 8, 512), shape(4, 4, 512, 5)
    assert count_flops(lambda x, k: transposed_convolve(x, k, 2, 1), wide, kernel) == 2 * 16 * 16 * 4 * 512 * 5


@pytest.mark.parametrize(
    ("wrapped", "times"),
    [
        (lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=6)[0], 6),
        (lambda f: lambda x: lax.map(f, jnp.stack([x] * 5)), 5),
        (lambda f: jax.vmap(f, axis_size=4, in_axes=None), 1),
        (jax.jit, 1),
        (jax.checkpoint, 1),
        (lambda f: lambda x: lax.cond(x.sum() > 0, lambda x: f(f(x)), f, x), 2),  # the dearer branch
        (lambda f: lambda x: jax.jvp(f, (x,), (x,)), 2),
    ],
)
def test_functions_inside(wrapped, times):
    matrix = np.ones((4, 4), np.float32)
    assert count_flops(wrapped(lambda x: matrix @ x), shape(4)) == times * 2 * 4 * 4


def test_convolutions_that_can_be_prepared_are_counted_once():
    x, kernel = shape(6, 6, 96), shape(3, 3, 96, 96)
    run = lambda k, x: convolve(x, k, padding=1)
    expected = 2 * 6 * 6 * 9 * 96 * 96
    assert count_flops(run, kernel, x) == expected
    ready = jax.eval_shape(lambda k: prepare(k, kernels_used(run, kernel, x)), kernel)
    assert count_flops(run, ready, x) == expected
    pushed = lambda k, x: jax.jvp(lambda x: run(k, x), (x,), (x,))[1]
    assert count_flops(pushed, ready, x) == pytest.approx(expected * (1 + 16 / 36))


def test_the_largest_array():
    assert largest_array(lambda x: jnp.outer(x, x).sum(), shape(100)) == 4 * 100 * 100
    in_loop = lambda x: lax.map(lambda row: jnp.outer(row, row).sum(), x)
    assert largest_array(in_loop, shape(3, 50)) == 4 * 50 * 50
    assert largest_array(lambda x: x.astype(jnp.int8), shape(100)) == 100
    assert largest_array(lambda x: x, shape(100)) == 0  # makes none


def test_a_profile_is_all_of_them_from_one_trace():
    traces = []

    def network(weights, x):
        traces.append(1)
        y = convolve(x, weights["kernel"], padding=1)
        return {"map": y, "mean": y.mean(axis=(0, 1)) @ weights["dense"]}

    weights = {"dense": shape(96, 7), "kernel": shape(3, 3, 96, 96)}
    got = profile(network, weights, shape(6, 5, 96))
    assert len(traces) == 1
    assert got == Profile(
        outputs=(shape(6, 5, 96), shape(7)),
        flops=2 * 6 * 5 * 9 * 96 * 96 + 2 * 96 * 7,
        largest=4 * 6 * 5 * 96,
        kernels=((1, "plain_3", 0),),
    )
    assert got.flops == count_flops(network, weights, shape(6, 5, 96))
    assert got.largest == largest_array(network, weights, shape(6, 5, 96))
    assert got.kernels == kernels_used(network, weights, shape(6, 5, 96))
    assert got.kernels[0].scheme in SCHEMES
