"""Functions without derivatives: what is said, by every entry, and that the way out is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg

MSE = gg.distances.mse()
SQUARED = gg.distances.from_function(lambda params, x, y: jnp.sum((x - y) ** 2))
Z = np.full(4, 0.3, np.float32)


def callback(params, z):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((4,), jnp.float32), z, vmap_method="sequential")


@jax.custom_vjp
def reverse_only(z):
    return jnp.sin(z)


reverse_only.defvjp(lambda z: (jnp.sin(z), z), lambda z, ct: (ct * jnp.cos(z),))


def loop(params, z):
    """Sines by a loop of unknown length, which has no reverse mode."""
    return jax.lax.while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, jnp.sin(s[1])), (jnp.float32(0), z))[1]


GENERATORS = {"callback": callback, "custom_vjp": lambda params, z: reverse_only(z), "loop": loop}
ENTRIES = {
    "tensor": gg.metric_tensor,
    "operator": lambda G, D, z, **options: gg.eigenpairs(gg.metric_operator(G, D, z, **options), solver="block", k=1),
    "field": lambda G, D, z, **options: gg.metric_field(G, D, z[None], progress=False, **options).values,
    "plan": lambda G, D, z, **options: gg.plan(G, D, 3, estimate=False, **options),
    "jit": lambda G, D, z, **options: jax.jit(lambda z: gg.metric_tensor(G, D, z, **options))(z),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("kind", "D"), [("callback", MSE), ("callback", SQUARED), ("custom_vjp", MSE), ("loop", SQUARED)]
)
def test_every_entry_names_finite_differences(entry, kind, D):
    G = gg.Generator.from_function(GENERATORS[kind], (), 4)
    with pytest.raises(gg.OptionError, match=r"no derivatives.*hvp='finite-difference'"):
        ENTRIES[entry](G, D, Z)
    ENTRIES[entry](G, D, Z, hvp="finite-difference")


def test_a_distance_behind_a_callback(rng):
    def features(params, x):
        return jax.pure_callback(np.cos, jax.ShapeDtypeStruct((4,), jnp.float32), x, vmap_method="sequential")

    G, D = gg.Generator.from_function(lambda p, z: 2 * z, (), 4), gg.distances.features(features)
    with pytest.raises(gg.OptionError, match=r"finite-difference"):
        gg.metric_tensor(G, D, Z)
    g = gg.metric_tensor(G, D, Z, hvp="finite-difference")
    np.testing.assert_allclose(g, np.diag(4 * np.sin(0.6) ** 2 * np.ones(4)), atol=2e-3)


def test_a_hessian_says_that_it_needs_them():
    G = gg.Generator.from_function(callback, (), 4)
    with pytest.raises(gg.OptionError, match=r"no derivatives.*A Hessian takes two"):
        gg.hessian_operator(G, jnp.sum, Z)


def test_other_errors_pass_as_they_are():
    def failing(params, x):
        raise ValueError("my own mistake")

    G = gg.Generator.from_function(lambda p, z: z, (), 4)
    with pytest.raises(ValueError, match=r"^my own mistake"):
        gg.metric_tensor(G, gg.distances.features(failing), Z)
