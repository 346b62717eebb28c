"""Linear maps whose convolutions take fewer multiplications, against the maps themselves and float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from geomgan.backend import CPU
from geomgan.metric import fewer as room
from geomgan.metric.fewer import fewer
from tests.fixtures import assert_close

RNG = np.random.default_rng(0)
KERNELS = (RNG.standard_normal((2, 3, 3, 64, 64)) / 24).astype(np.float32)
Z = RNG.standard_normal(64).astype(np.float32)
V = RNG.standard_normal((16, 64)).astype(np.float32)


def convolution(x, kernel, stride=1, padding=(1, 1)):
    return lax.conv_general_dilated(
        x[None], kernel, (stride, stride), [padding] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]


def network(kernels, z, looped=False, width=64, **options):
    """Two convolutions of a 5 x 7 map with ``tanh`` between them; the second one inside ``jit`` or a loop."""
    x = jnp.outer(jnp.cos(jnp.arange(35.0)), z[:width]).reshape(5, 7, width)
    x = jnp.tanh(convolution(x, kernels[0], **options))
    if looped:
        return lax.scan(lambda x, kernel: (jnp.tanh(convolution(x, kernel)), None), x, kernels[1:])[0]
    return jax.jit(convolution)(x, kernels[1])


def program(kernels, **options):
    """The linear map at ``Z`` with its kernels, as a pytree, and its program for 16 tangents by each way."""
    push = jax.jit(lambda kernels: jax.linearize(lambda z: network(kernels, z, **options), Z)[1])(kernels)
    pushed = lambda push, V: jax.vmap(fewer(push, V[0], len(V)))(V)
    return push, pushed


def count(jaxpr, name):
    found = 0
    for equation in jaxpr.eqns:
        found += equation.primitive.name == name
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            found += count(inner, name) if hasattr(inner, "eqns") else 0
    return found


@pytest.mark.parametrize(
    ("options", "left"),
    [({}, 0), ({"looped": True}, 1), ({"stride": 2}, 1), ({"padding": (2, 2)}, 1)],
    ids=["both", "the loop's stays", "a stride", "another padding"],
)
def test_numbers_and_what_is_replaced(options, left):
    push, pushed = program(KERNELS, **options)
    assert count(jax.make_jaxpr(pushed)(push, V).jaxpr, "conv_general_dilated") == left
    with jax.enable_x64(True):
        wide = KERNELS.astype(np.float64)
        exact = jax.vmap(lambda v: jax.jvp(lambda z: network(wide, z, **options), (Z.astype(float),), (v,))[1])(
            V.astype(float)
        )
    assert_close(jax.jit(pushed)(push, V), exact, 2e-6)


def test_combined_once_before_a_loop_over_chunks():
    """The kernels' combinations are inputs of the loop: its body multiplies, and combines none."""
    push, _ = program(KERNELS)
    looped = lambda push, V: lax.map(fewer(push, V[0], 16), V, batch_size=4)
    loop = next(e for e in jax.make_jaxpr(looped)(push, V).jaxpr.eqns if e.primitive.name == "scan")
    kernels = [var.aval.shape for var in loop.invars if var.aval.shape == (64, 64)]
    assert len(kernels) == 2 * 16


@pytest.mark.parametrize("least", [None, 17])
def test_itself_where_it_is_not_worth_while(monkeypatch, least):
    push, _ = program(KERNELS)
    monkeypatch.setattr(room, "pays", lambda count: least is not None and count >= least)
    assert fewer(push, V[0], 16) is push
    assert CPU.fast_tangents == 16


def test_narrow_kernels_stay():
    push, pushed = program(KERNELS[:, :, :, :32, :32], width=32)
    assert count(jax.make_jaxpr(pushed)(push, V).jaxpr, "conv_general_dilated") == 2
