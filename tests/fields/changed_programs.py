"""Random pairs of a model and a changed one, and how what was changed is hidden: ``model(seed, changed)``.

The same seed makes the same model in every process. Each kind is a way in which a function depends on something that
neither its code nor its arguments show.
"""

import functools
import types

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import geomgan as gg
from geomgan.generators.ensemble import ensemble

DIM = 3
KINDS = {}


def kind(make):
    """Register ``make(rng, value, A, changed)``, which gives a function, a generator, or ``(generator, distance)``.

    ``rng`` gives what both have in common, ``value`` is the number that is changed, and ``A`` are weights ``(12, 3)``.
    """
    KINDS[make.__name__] = make
    return make


def model(seed: int, changed: bool):
    """``(G, D, options of metric_field)``; each kind in turn."""
    make = list(KINDS.values())[seed % len(KINDS)]
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(0.2, 0.9, 2)
    A = rng.standard_normal((12, DIM)).astype(np.float32)
    made = make(rng, float(second if changed else first), A, changed)
    G, D = made if isinstance(made, tuple) else (made, gg.distances.mse())
    if not isinstance(G, gg.Generator):
        G = gg.Generator.from_function(G, jnp.asarray(A), DIM, name="G")
    called = make.__name__.startswith("callback")
    return G, D, {"hvp": "finite-difference"} if called else {}


def codes(seed: int):
    return np.random.default_rng([seed, 1]).standard_normal((2, DIM)).astype(np.float32)


def image(x):
    return x.reshape(2, 2, 3)


@kind
def closed_over_number(rng, value, A, changed):
    return lambda A, z: image(jnp.tanh(value * (A @ z)))


@kind
def closed_over_array(rng, value, A, changed):
    scale = jnp.full(12, 0.5).at[int(rng.integers(12))].set(value)
    return lambda A, z: image(scale * jnp.tanh(A @ z))


@kind
def closed_over_numpy_array(rng, value, A, changed):
    scale = rng.uniform(size=12).astype(np.float32)
    scale[3] = value
    return lambda A, z: image(scale * jnp.tanh(A @ z))


@kind
def closed_over_weights(rng, value, A, changed):
    W = jnp.asarray(A).at[int(rng.integers(12)), 1].set(value)
    return gg.Generator.from_function(lambda _, z: image(jnp.sin(W @ z)), (), DIM, name="G")


@kind
def default(rng, value, A, changed):
    def fn(A, z, scale=value):
        return image(jnp.tanh(scale * (A @ z)))

    return fn


@kind
def keyword_default(rng, value, A, changed):
    def fn(A, z, *, scale=value):
        return image(jnp.tanh(scale * (A @ z)))

    return fn


def module(name, source, **values):
    made = types.ModuleType(name)
    vars(made).update(values, jnp=jnp, jax=jax, image=image)
    exec(compile(source, f"{name}.py", "exec"), vars(made))
    return made


@kind
def module_global(rng, value, A, changed):
    return module("own", "def fn(A, z):\n    return image(jnp.tanh(SCALE * (A @ z)))", SCALE=value).fn


@kind
def helper_in_another_module(rng, value, A, changed):
    helper = module("helper", f"def squash(x):\n    return {value!r} * jnp.tanh(x)")
    return module("own", "def fn(A, z):\n    return image(helper.squash(A @ z))", helper=helper).fn


@kind
def edited_module(rng, value, A, changed):
    body = "jnp.sin(A @ z)" if changed else "jnp.tanh(A @ z)"
    return module("own", f"def fn(A, z):\n    return image({body})").fn


@kind
def activation(rng, value, A, changed):
    first, second = rng.permutation([nn.relu, nn.gelu, jnp.tanh, jax.nn.sigmoid, nn.softplus, nn.leaky_relu])[:2]
    act = second if changed else first
    return lambda A, z: image(act(A @ z))


@kind
def slope(rng, value, A, changed):
    return lambda A, z: image(nn.leaky_relu(A @ z, value))


@kind
def axis(rng, value, A, changed):
    along = 0 if changed else 1
    return lambda A, z: jax.nn.softmax(image(A @ z), along)


@kind
def stride(rng, value, A, changed):
    kernel = jnp.asarray(rng.standard_normal((2, 2, 3, 3)), jnp.float32)
    steps = (1, 2) if changed else (2, 1)

    def fn(A, z):
        x = jnp.tile(image(A @ z), (2, 2, 1))
        return jax.lax.conv_general_dilated(
            x[None], kernel, steps, ((0, 0), (0, 0)), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )[0]

    return fn


@kind
def padding(rng, value, A, changed):
    mode = "reflect" if changed else "edge"
    return lambda A, z: jnp.pad(image(A @ z), ((1, 1), (1, 1), (0, 0)), mode=mode)


@kind
def order_of_operations(rng, value, A, changed):
    first, second = (jnp.tanh, lambda x: 2 * x)[:: -1 if changed else 1]
    return lambda A, z: image(second(first(A @ z)))


@kind
def order_of_axes(rng, value, A, changed):
    order = (1, 0, 2) if changed else (0, 1, 2)
    weights = jnp.asarray(rng.uniform(size=(2, 2, 3)), jnp.float32)
    return lambda A, z: image(A @ z).transpose(order) * weights


@kind
def precision_of_numbers(rng, value, A, changed):
    dtype = jnp.bfloat16 if changed else jnp.float16
    return lambda A, z: image((A @ z).astype(dtype).astype(jnp.float32))


@kind
def precision_of_products(rng, value, A, changed):
    precision = "tensorfloat32" if changed else "highest"
    return lambda A, z: image(jnp.dot(A, z, precision=precision))


@kind
def partial_argument(rng, value, A, changed):
    return functools.partial(lambda scale, A, z: image(jnp.tanh(scale * (A @ z))), value)


@kind
def callable_object(rng, value, A, changed):
    class Network:
        def __init__(self, scale):
            self.scale = scale

        def __call__(self, A, z):
            return image(jnp.tanh(self.scale * (A @ z)))

    return Network(value)


@kind
def bound_method(rng, value, A, changed):
    class Network:
        def run(self, A, z):
            return image(jnp.tanh(self.weights @ (A @ z)))

    network = Network()
    network.weights = rng.standard_normal((12, 12)).astype(np.float32) * value
    return network.run


@kind
def flax_module(rng, value, A, changed):
    class Net(nn.Module):
        scale: float
        act: object

        @nn.compact
        def __call__(self, z):
            return image(self.act(self.scale * nn.Dense(12)(z)))

    params = {"Dense_0": {"kernel": jnp.asarray(A.T), "bias": jnp.zeros(12)}}
    return gg.Generator.from_module(Net(value, jnp.tanh), params, DIM, name="G")


@kind
def nnx_graph(rng, value, A, changed):
    class Net(nnx.Module):
        def __init__(self):
            self.last, self.scale = nnx.Linear(DIM, 12, rngs=nnx.Rngs(0)), value

        def __call__(self, z):
            return image(jnp.tanh(self.scale * self.last(z)))

    graph, state = nnx.split(Net())
    return gg.Generator.from_function(lambda state, z: nnx.merge(graph, state)(z), state, DIM, name="G")


@kind
def loop_body(rng, value, A, changed):
    def fn(A, z):
        x = jax.lax.scan(lambda x, _: (jnp.tanh(x + value), None), A @ z, length=3)[0]
        return image(x)

    return fn


@kind
def loop_length(rng, value, A, changed):
    return lambda A, z: image(jax.lax.fori_loop(0, 4 if changed else 3, lambda _, x: jnp.sin(x), A @ z))


@kind
def branch(rng, value, A, changed):
    return lambda A, z: image(jax.lax.cond(z[0] > 9, jnp.cos, lambda x: jnp.tanh(value * x), A @ z))


@kind
def jitted_helper(rng, value, A, changed):
    helper = jax.jit(lambda x: jnp.tanh(value * x))
    return lambda A, z: image(helper(A @ z))


@kind
def own_derivative(rng, value, A, changed):
    @jax.custom_jvp
    def rounded(x):
        return jnp.round(4 * x) / 4

    rounded.defjvp(lambda primals, tangents: (rounded(*primals), value * tangents[0]))
    return lambda A, z: image(rounded(A @ z))


@kind
def noise_key(rng, value, A, changed):
    key = jax.random.key(int(1e6 * value))
    return lambda A, z: image(A @ z * jax.random.normal(key, (12,)))


@kind
def gaussian_deviation(rng, value, A, changed):
    fn = lambda A, z: gg.Gaussian(image(A @ z), image(jnp.exp(value * (A @ z))))
    G = gg.Generator.from_function(fn, jnp.asarray(A), DIM, name="G")
    return G, gg.distances.gaussian()


@kind
def member_of_an_ensemble(rng, value, A, changed):
    G = gg.Generator.from_function(lambda A, z: image(jnp.tanh(A @ z)), jnp.asarray(A), DIM, name="G")
    return ensemble(G, jnp.stack([jnp.asarray(A), value * jnp.asarray(A)]))


@kind
def weights(rng, value, A, changed):
    A[5, 2] = value
    return lambda A, z: image(A @ z)


def linear(A):
    return gg.Generator.from_function(lambda A, z: image(A @ z), jnp.asarray(A), DIM, name="G")


@kind
def embedding_constant(rng, value, A, changed):
    return linear(A), gg.distances.features(lambda _, x: [x, jnp.tanh(value * x)])


@kind
def embedding_weights(rng, value, A, changed):
    kernel = jnp.asarray(rng.standard_normal((3, 5)), jnp.float32).at[1, 2].set(value)
    return linear(A), gg.distances.features(lambda kernel, x: jnp.sin(x @ kernel), kernel)


@kind
def distance_function(rng, value, A, changed):
    squash = lambda x: jnp.tanh(value * x)
    return linear(A), gg.distances.from_function(lambda _, x, y: jnp.sum((squash(x) - squash(y)) ** 2))


@kind
def which_argument(rng, value, A, changed):
    def apart(_, x, y):
        reference = x if changed else y
        return jnp.sum((x - y) ** 2 * (1 + reference**2))

    return linear(A), gg.distances.from_function(apart)


@kind
def input_range(rng, value, A, changed):
    kept = (-1.0, 1.0) if changed else (0.0, 1.0)
    fn = lambda A, z: image(jax.nn.sigmoid(A @ z))
    G = gg.Generator.from_function(fn, jnp.asarray(A), DIM, output_range=kept, name="G")
    return G, gg.distances.fisher("bernoulli", input_range=kept)


@kind
def callback_weights(rng, value, A, changed):
    W = A * value
    return called(lambda z: np.tanh(W @ z).reshape(2, 2, 3))


@kind
def callback_in_a_helper(rng, value, A, changed):
    act = np.sin if changed else np.tanh
    network = lambda z: act(A @ z)
    return called(lambda z: network(z).reshape(2, 2, 3))


@kind
def callback_object(rng, value, A, changed):
    class Network:
        def __init__(self):
            self.layers = [A, value * rng.standard_normal((12, 12)).astype(np.float32)]

        def __call__(self, z):
            for W in self.layers:
                z = np.tanh(W @ z)
            return z.reshape(2, 2, 3)

    return called(Network())


@kind
def callback_of_a_distance(rng, value, A, changed):
    shape = jax.ShapeDtypeStruct((2, 2, 3), jnp.float32)
    features = lambda x: np.tanh(value * np.asarray(x)).astype(np.float32)
    embed = lambda _, x: jax.pure_callback(features, shape, x, vmap_method="sequential")
    return linear(A), gg.distances.features(embed)


def called(host):
    """A generator's function whose network stays outside JAX."""
    shape = jax.ShapeDtypeStruct((2, 2, 3), jnp.float32)
    run = lambda z: np.asarray(host(np.asarray(z)), np.float32)
    fn = lambda _, z: jax.pure_callback(run, shape, z, vmap_method="sequential")
    return gg.Generator.from_function(fn, (), DIM, name="G")
