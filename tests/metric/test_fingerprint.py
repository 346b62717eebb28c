"""What is hashed is what is computed: not more, not less, and the same in every process."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.metric.fingerprint import fingerprints
from geomgan.metric.pair import bound, with_programs
from geomgan.metric.probe import alike, probe
from tests.child import python
from tests.fields import changed_programs as programs
from tests.small_models import linear_generator, small_dcgan

A = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
CODES = np.ones((2, 3), np.float32)


def prints(G, D=None, codes=CODES):
    pair = with_programs(bound(G, D or gg.distances.euclidean()))
    return {**fingerprints(pair, (G.name, "D")), "probe": probe(pair, codes)}


def of(fn, params=A):
    return prints(gg.Generator.from_function(fn, jnp.asarray(params), 3, output_range=None, name="G"))


def same(a, b):
    known = {**a, "probe": b["probe"] if a["probe"] and b["probe"] and alike(a["probe"], b["probe"]) else a["probe"]}
    return known == b


def of_model(seed, changed):
    G, D, _ = programs.model(seed, changed)
    return prints(G, D, programs.codes(seed))


ONE_OF_EACH = range(len(programs.KINDS))


@pytest.mark.parametrize("seed", ONE_OF_EACH, ids=list(programs.KINDS))
def test_a_changed_program_is_another_and_the_same_one_made_again_is_not(seed):
    first = of_model(seed, changed=False)
    assert same(first, of_model(seed, changed=False))
    assert not same(first, of_model(seed, changed=True))


def test_a_new_process_finds_the_same():
    code = (
        "import json\nfrom tests.metric.test_fingerprint import of_model\n"
        f"print(json.dumps([of_model(seed, changed=False) for seed in {list(ONE_OF_EACH)}]))"
    )
    there = json.loads(python(code, PYTHONHASHSEED="7"))
    for seed, name in enumerate(programs.KINDS):
        assert same(there[seed], of_model(seed, changed=False)), name


def test_what_computes_the_same_is_the_same():
    def named(weights, code):
        # another name, a comment, other variables, something unused, a print and an alias
        unused = jnp.sin(weights)
        del unused
        jax.debug.print("code {}", code)
        matrix = weights
        return jnp.tanh(matrix @ code)

    assert same(of(lambda A, z: jnp.tanh(A @ z)), of(named))


def test_equations_that_wait_for_nothing_may_change_places():
    def first(A, z):
        a, b = jnp.sin(A @ z), jnp.cos(A @ z)
        return a - b

    def second(A, z):
        b = jnp.cos(A @ z)
        a = jnp.sin(A @ z)
        return a - b

    assert same(of(first), of(second))
    assert not same(of(first), of(lambda A, z: jnp.cos(A @ z) - jnp.sin(A @ z)))


def test_which_part_has_changed_is_told():
    G, other = linear_generator(A), linear_generator(2 * A)
    first, second = (gg.distances.features(f) for f in (lambda p, x: x, lambda p, x: 2 * x))
    base = prints(G, first)
    assert {name for name, value in prints(other, first).items() if value != base[name]} == {"generator"}
    assert {name for name, value in prints(G, second).items() if value != base[name]} == {"distance"}
    weights, program = base["generator"].removeprefix("linear#").split(", ")
    assert prints(other, first)["generator"] == prints(other, second)["generator"]
    assert prints(other, first)["generator"].endswith(f", {program}")
    assert prints(linear_generator(A[:6]), first)["generator"].split(", ")[1] != program
    sine = gg.Generator.from_function(lambda A, z: jnp.sin(A @ z), jnp.asarray(A), 3, name="linear")
    assert prints(sine, first)["generator"].startswith(f"linear#{weights}, program ")
    assert prints(sine, first)["distance"] == base["distance"]


def test_networks_and_distances_of_the_package_are_told_apart():
    lpips = gg.distances.lpips
    distances = (
        lpips(resize=32),
        lpips(resize=64),
        lpips(resize=32, scaling="gan-geometry"),
        lpips("vgg", resize=32),
        gg.distances.mse(),
    )
    G, codes = small_dcgan(), np.ones((2, 8), np.float32)
    found = [prints(G, D, codes=codes) for D in distances]
    assert len({one["distance"] for one in found}) == 5
    assert len({one["generator"] for one in found}) == 1
    assert prints(G.at("block1"))["generator"].split(", ")[1] != found[0]["generator"].split(", ")[1]
    assert all(one["probe"] is None for one in found)  # their programs hold all that they do


SCALE = {"value": 0.5}
array = np.float32([0.5])


def by_a_global(A, z):
    return SCALE["value"] * (A @ z)


def by_a_numpy_array(A, z):
    return array * (A @ z)


class Network:
    scale = 0.5

    def __init__(self):
        self.own = 0.5

    def __call__(self, A, z):
        return self.own * (A @ z)

    def shared(self, A, z):
        return type(self).scale * (A @ z)


helper = programs.module("helper", "scale = 0.5\ndef scaled(x):\n    return scale * x")


def by_a_module(A, z):
    return helper.scaled(A @ z)


def by_a_default(A, z, scale=0.5):
    return scale * (A @ z)


network = Network()


@pytest.mark.parametrize(
    ("fn", "change"),
    [
        (by_a_global, lambda value: SCALE.update(value=value)),
        (by_a_numpy_array, lambda value: array.fill(value)),
        (network, lambda value: setattr(network, "own", value)),
        (network.shared, lambda value: setattr(Network, "scale", value)),
        (by_a_module, lambda value: setattr(helper, "scale", value)),
        (by_a_default, lambda value: setattr(by_a_default, "__defaults__", (value,))),
        (jax.jit(by_a_global), None),
    ],
    ids=["a global", "an array", "an attribute", "a class", "a module", "a default", "jit"],
)
def test_what_changes_between_two_calls_of_one_function_is_seen(fn, change):
    """JAX would take the program that it remembers of the function; what is hashed is what is run."""
    G = gg.Generator.from_function(fn, jnp.asarray(A), 3, output_range=None, name="G")
    D = gg.distances.euclidean()
    change = change or (lambda value: SCALE.update(value=value))
    first, before = gg.metric_field(G, D, CODES, progress=False), prints(G)
    change(1.0)
    second, after = gg.metric_field(G, D, CODES, progress=False), prints(G)
    change(0.5)
    np.testing.assert_allclose(first.tensors[0], 0.25 * A.T @ A, rtol=1e-5)
    seen = fn is not None and not hasattr(fn, "lower")  # of a jitted function JAX hands out its old program
    np.testing.assert_allclose(second.tensors[0], (1 if seen else 0.25) * A.T @ A, rtol=1e-5)
    assert same(before, after) is not seen
    assert same(before, prints(G))


def test_nothing_is_traced_twice():
    traces = itertools.count()

    def fn(A, z):
        next(traces)
        return A @ z

    G = gg.Generator.from_function(fn, jnp.asarray(A), 3, output_range=None)
    gg.metric_field(G, gg.distances.euclidean(), CODES, progress=False)
    made = next(traces)
    gg.metric_field(G, gg.distances.euclidean(), CODES + 1, progress=False)
    assert next(traces) == made + 1


def test_settings_of_the_surroundings_change_nothing():
    fn = lambda A, z: jnp.tanh(A @ z)
    before = of(fn)
    with jax.default_matmul_precision("bfloat16"):
        assert same(before, of(fn))
    with jax.numpy_rank_promotion("raise"), jax.debug_nans(True):
        assert same(before, of(fn))


def forward_rule(scale):
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (f(*primals), scale * tangents[0]))
    return f


def rule_in_parts(scale):
    f = jax.custom_jvp(lambda x: jnp.maximum(x, 0))
    f.defjvps(lambda tangent, result, x: scale * tangent * (x > 0))
    return f


def reverse_rule(scale):
    f = jax.custom_vjp(jnp.sin)
    f.defvjp(lambda x: (jnp.sin(x), jnp.cos(x)), lambda cosine, cotangent: (scale * cosine * cotangent,))
    return f


def rule_of_a_rule(scale):
    slope = rule_in_parts(scale)
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (f(*primals), slope(*primals) * tangents[0]))
    return f


@pytest.mark.parametrize("rule", [forward_rule, rule_in_parts, reverse_rule, rule_of_a_rule])
def test_derivatives_that_functions_bring_with_them_count(rule):
    after = lambda f: gg.Generator.from_function(lambda A, z: f(A @ z), jnp.asarray(A), 3, output_range=None, name="G")
    D = gg.distances.from_function(lambda _, x, y: jnp.sum((x - y) ** 2))  # is derived twice
    made = [prints(after(rule(scale)), D) for scale in (1.0, 1.0, 2.0)]
    assert same(made[0], made[1])
    assert not same(made[0], made[2])


@pytest.mark.parametrize(("change", "expected"), [(0.0, True), (1e-6, True), (1e-2, False), (np.nan, False)])
def test_a_probe_passes_over_last_digits(change, expected):
    def host(noise):
        return lambda z: (np.tanh(A @ z) * (1 + noise * np.sin(np.arange(12)))).astype(np.float32)

    def called(noise):
        shape = jax.ShapeDtypeStruct((12,), jnp.float32)
        return of(lambda _, z: jax.pure_callback(host(noise), shape, z, vmap_method="sequential"))

    assert same(called(0.0), called(change)) is expected
    assert json.loads(json.dumps(called(change))) == called(change)


@pytest.mark.parametrize(
    "stored", [None, [], ["x", "y"], [[1.0], [2.0]], [{}, {}], [["a"] * 16] * 2, "text", [None, None]]
)
def test_a_probe_of_a_file_that_was_changed_is_another(stored):
    G, D, _ = programs.model(list(programs.KINDS).index("callback_weights"), changed=False)
    now = prints(G, D)["probe"]
    assert alike(now, now)
    assert not alike(stored, now)
