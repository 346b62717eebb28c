"""Linear programs in coarser formats: which of their products change, and what these compute."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from geomgan import backend
from geomgan.backend import ACCELERATOR, BF16, CPU, FLOAT32, SPLIT, TF32, Format
from geomgan.metric.coarse import coarse, in_format

ROUNDED = {"tf32": replace(TF32, native=False), "bf16": replace(BF16, native=False)}
AS_IT_IS = Format(23, native=False)  # walks a program and changes no number
W = np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)
K = np.random.default_rng(1).standard_normal((3, 2, 2)).astype(np.float32)
Z = np.linspace(-1, 1, 6).astype(np.float32)
V = np.random.default_rng(2).standard_normal(6).astype(np.float32)


def convolved(z):
    maps = lax.conv_general_dilated(z.reshape(1, 3, 2), K, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
    return jnp.tanh(maps).ravel()


def branched(z):
    return lax.cond(z[0] > 0, lambda z: jnp.tanh(W @ z), lambda z: jnp.sin(W.T @ z), z)


@jax.custom_jvp
def cubed(z):
    return (W @ z) ** 3


@cubed.defjvp
def _(primals, tangents):
    image = W @ primals[0]
    return image**3, 3 * image**2 * jax.jit(lambda v: W @ v)(tangents[0])


PROGRAMS = {
    "dot": lambda z: jnp.tanh(W @ z),
    "convolution": convolved,
    "jit": jax.jit(lambda z: jnp.tanh(W @ jnp.tanh(W @ z))),
    "scan": lambda z: lax.scan(lambda c, w: (jnp.tanh(w @ c), c @ W), z, jnp.stack([W, W.T]))[1].sum(0),
    "while": lambda z: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.tanh(W @ s[1])), (0, z))[1],
    "cond": branched,
    "checkpoint": jax.checkpoint(lambda z: jnp.tanh(W @ jnp.tanh(W @ z))),
    "custom_jvp": cubed,
    "map": lambda z: lax.map(lambda w: jnp.tanh(w @ z), jnp.stack([W, 2 * W])).ravel(),
}


def linearised(fn):
    with backend.in_float32():
        return jax.linearize(fn, jnp.asarray(Z))[1]


def rounded(x, bits):
    """To the nearest number with so many bits of mantissa, ties to even; in float64, which holds all of them."""
    mantissa, exponent = np.frexp(np.asarray(x, np.float64))
    return np.ldexp(np.round(mantissa * 2.0 ** (bits + 1)), exponent - bits - 1)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_walked_program_computes_what_it_did(name):
    push = linearised(PROGRAMS[name])
    walked = jax.jit(in_format(push, AS_IT_IS))
    np.testing.assert_allclose(walked(V), jax.jit(push)(V), rtol=1e-6)
    together = jax.jit(jax.vmap(in_format(push, AS_IT_IS)))(np.eye(6, dtype=np.float32))
    np.testing.assert_allclose(together, jax.vmap(push)(jnp.eye(6)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PROGRAMS)
def test_products_of_tangents_are_coarse_inside_every_kind_of_program(name):
    push = linearised(PROGRAMS[name])
    exact, tf32 = np.asarray(push(V)), np.asarray(jax.jit(in_format(push, ROUNDED["tf32"]))(V))
    error = np.linalg.norm(tf32 - exact) / np.linalg.norm(exact)
    assert 1e-5 < error < 3e-3


@pytest.mark.parametrize(("name", "bits"), [("tf32", 10), ("bf16", 7)])
def test_rounded_products_are_those_of_an_independent_rounding(name, bits):
    push = linearised(lambda z: W @ z)
    result = np.asarray(in_format(push, ROUNDED[name])(V), np.float64)
    expected = rounded(W, bits) @ rounded(V, bits)
    expected = rounded(expected, bits) if name == "bf16" else expected
    np.testing.assert_allclose(result, expected, rtol=2e-7 if name == "tf32" else 1e-9, atol=1e-9)


def test_three_products_of_halves_are_nearly_float32(rng):
    A, x = rng.standard_normal((200, 300)).astype(np.float32), rng.standard_normal(300).astype(np.float32)
    exact = A.astype(np.float64) @ x
    push = jax.linearize(lambda z: A @ z, jnp.zeros(300))[1]
    error = {
        form: np.linalg.norm(in_format(push, form)(x) - exact) / np.linalg.norm(exact) for form in (SPLIT, FLOAT32)
    }
    assert error[SPLIT] < 2 * error[FLOAT32] < 1e-6
    assert np.linalg.norm(in_format(push, ROUNDED["tf32"])(x) - exact) / np.linalg.norm(exact) > 1e-4


@pytest.mark.parametrize("name", ["while", "checkpoint"])
def test_activations_that_are_computed_again_stay_in_float32(name):
    """The same network without a loop has nothing to compute again: it gives the same tangents."""
    repeats = {"while": 3, "checkpoint": 2}[name]

    def unrolled(z):
        for _ in range(repeats):
            z = jnp.tanh(W @ z)
        return z

    walked = [jax.jit(in_format(linearised(fn), ROUNDED["bf16"]))(V) for fn in (PROGRAMS[name], unrolled)]
    np.testing.assert_allclose(*walked, rtol=1e-5)


def test_what_is_always_float32_is_left_alone():
    def fn(z):
        with backend.always_float32():
            z = jnp.einsum("ij,j->i", W, z)
        return jnp.tanh(z)

    push = linearised(fn)
    assert np.array_equal(jax.jit(in_format(push, ROUNDED["bf16"]))(V), jax.jit(push)(V))
    back = lambda v: jax.linear_transpose(push, V)(v)[0]
    assert np.array_equal(jax.jit(in_format(back, ROUNDED["bf16"]))(V), jax.jit(back)(V))


@pytest.mark.parametrize("form", [SPLIT, BF16])
def test_reverse_passes_of_strided_convolutions_have_flipped_kernels(form):
    """By which XLA knows them; rounded before they are flipped, they are the same numbers."""
    numbers = ("NWC", "WIO", "NWC")
    strided = lambda z: lax.conv_general_dilated(z.reshape(1, 6, 2), K, (2,), "SAME", dimension_numbers=numbers)
    back = jax.linear_transpose(strided, jnp.zeros(12))
    v = np.random.default_rng(3).standard_normal((1, 3, 2)).astype(np.float32)
    equations = jax.make_jaxpr(in_format(back, form))(v).eqns
    made_by = {var: equation.primitive.name for equation in equations for var in equation.outvars}
    kernels = [made_by[each.invars[1]] for each in equations if each.primitive.name == "conv_general_dilated"]
    assert kernels == ["rev"] * (3 if form.halves else 1)
    found, exact = (np.asarray(fn(v)[0]) for fn in (in_format(back, form), back))
    assert np.linalg.norm(found - exact) < (1e-6 if form.halves else 1e-2) * np.linalg.norm(exact)


def test_products_of_other_types_stay_as_they_are():
    with jax.enable_x64(True):
        push = jax.linearize(lambda z: W.astype(np.float64) @ z, jnp.asarray(Z, jnp.float64))[1]
        v = V.astype(np.float64)
        assert np.array_equal(in_format(push, ROUNDED["tf32"])(v), push(v))


def test_a_format_that_is_float32_changes_nothing():
    push = linearised(PROGRAMS["dot"])
    assert coarse(push, "highest") is push
    assert coarse(push, "high") is push  # on a CPU
    assert dict(CPU.formats)["tf32"] != dict(ACCELERATOR.formats)["tf32"]


class Card:
    """A device, as JAX describes it."""

    platform = "gpu"

    def __init__(self, capability):
        self.compute_capability = capability


@pytest.mark.parametrize(
    ("capability", "said"),
    [
        ("9.0", "TF32"),
        ("12.0", "TF32"),
        ("7.5", "TF32, emulated by rounding"),
        ("gfx90a", "TF32, emulated by rounding"),
    ],
)
def test_formats_follow_the_device(capability, said):
    formats = dict(backend.backend(Card(capability)).formats)
    assert str(formats["tf32"]) == said
    assert str(formats["highest"]) == "float32"
    assert str(formats["high"]) == ("three products of TF32 halves" if said == "TF32" else "float32")
