"""The hash of a traced program: what changes it, and what does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.generators.program_hash import Found, constant_hash, program_hash, value_hashes

X = jax.ShapeDtypeStruct((4, 3), jnp.float32)


def test_names_of_results_and_shapes_of_arguments_count():
    fn = lambda x: {"first": jnp.sin(x), "second": jnp.cos(x)}
    renamed = lambda x: {"first": jnp.sin(x), "third": jnp.cos(x)}
    assert program_hash(fn, X) == program_hash(lambda x: {"second": jnp.cos(x), "first": jnp.sin(x)}, X)
    assert program_hash(fn, X) != program_hash(renamed, X)
    assert program_hash(fn, X) != program_hash(fn, jax.ShapeDtypeStruct((3, 4), jnp.float32))
    assert program_hash(fn, X) != program_hash(fn, jax.ShapeDtypeStruct((4, 3), jnp.float16))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.float32([0.0]), np.float32([-0.0])),
        (np.float32([1, 2]), np.float32([2, 1])),
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32)),
        (np.zeros(4, np.int32), np.zeros(4, np.float32)),
        (jnp.ones(3, jnp.bfloat16), jnp.ones(3, jnp.float16)),
        (jax.random.key(0), jax.random.key(1)),
        (jax.random.key(0), jax.random.key(0, impl="rbg")),
        (np.zeros(0, np.float32), np.zeros((0, 1), np.float32)),
    ],
)
def test_constants_are_told_apart(a, b):
    assert constant_hash(a) == constant_hash(a.copy())
    assert constant_hash(a) != constant_hash(b)


def test_strides_and_places_of_constants_do_not_count():
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert constant_hash(a) == constant_hash(np.asfortranarray(a)) == constant_hash(jnp.asarray(a))
    assert constant_hash(a.T) == constant_hash(np.ascontiguousarray(a.T)) != constant_hash(a.reshape(4, 3))


def test_which_of_two_results_is_which_counts():
    """An equation with several results, of which one is used."""
    both = lambda x: jnp.linalg.eigh(x.T @ x)
    assert program_hash(lambda x: both(x)[0].sum(), X) != program_hash(lambda x: both(x)[1].sum(), X)


@pytest.mark.parametrize(
    ("call", "held"),
    [
        (lambda x: jax.pure_callback(np.sin, X, x), False),
        (lambda x: jax.experimental.io_callback(np.sin, X, x), False),
        (lambda x: jax.lax.scan(lambda c, r: (c, jax.pure_callback(np.sin, r, r)), 0, x)[1], False),
        (lambda x: jax.jit(lambda x: jax.pure_callback(np.sin, X, x))(x), False),
        (lambda x: jax.ffi.ffi_call("somewhere", X)(x), False),
        (lambda x: jax.lax.cond(x[0, 0] > 0, jnp.sin, jnp.cos, x), True),
        (lambda x: jnp.linalg.qr(x)[0] + jnp.fft.fft(x).real + jax.image.resize(x, (4, 3), "cubic"), True),
        (lambda x: x + jax.random.normal(jax.random.key(0), x.shape), True),
    ],
    ids=["pure", "io", "in a loop", "in jit", "foreign", "branches", "algebra", "random"],
)
def test_what_a_program_does_not_hold_is_found(call, held):
    found = Found()
    value_hashes(jax.make_jaxpr(call)(X), [b"x"], found)
    assert (not found.calls) is held


def test_a_state_outside_is_kept_in_order():
    """Two writes in another order are another program, although no result takes their values."""

    def written(first, second):
        def fn(x):
            ref = jax.new_ref(x)
            ref[first] = 2 * ref[second]
            ref[second] = ref[first] + 1
            return ref[...]

        return fn

    assert program_hash(written(0, 1), X) == program_hash(written(0, 1), X)
    assert program_hash(written(0, 1), X) != program_hash(written(1, 0), X)
