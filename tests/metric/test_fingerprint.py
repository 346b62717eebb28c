"""What is hashed is what is computed: not more, not less, and the same in every process."""

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


def prints(G, D=None, hvp="exact", codes=CODES):
    pair = with_programs(bound(G, D or gg.distances.euclidean()), hvp)
    return {**fingerprints(pair, (G.name, "D")), "probe": probe(pair, codes)}


def of(fn, params=A, hvp="exact"):
    return prints(gg.Generator.from_function(fn, jnp.asarray(params), 3, output_range=None, name="G"), hvp=hvp)


def same(a, b):
    known = {**a, "probe": b["probe"] if a["probe"] and b["probe"] and alike(a["probe"], b["probe"]) else a["probe"]}
    return known == b


def of_model(seed, changed):
    G, D, options = programs.model(seed, changed)
    return prints(G, D, options.get("hvp", "exact"), programs.codes(seed))


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
    weights, program = base["generator"].removeprefix("linear#").split("-")
    assert prints(other, first)["generator"] == prints(other, second)["generator"]
    assert prints(other, first)["generator"].endswith(f"-{program}")
    assert prints(linear_generator(A[:6]), first)["generator"].split("-")[1] != program
    sine = gg.Generator.from_function(lambda A, z: jnp.sin(A @ z), jnp.asarray(A), 3, name="linear")
    assert prints(sine, first)["generator"].startswith(f"linear#{weights}-")
    assert prints(sine, first)["distance"] == base["distance"]


def test_networks_and_distances_of_the_package_are_told_apart():
    lpips = gg.distances.lpips
    distances = (lpips(), lpips(resize=64), lpips(scaling="gan-geometry"), lpips("vgg"), gg.distances.mse())
    G, codes = small_dcgan(), np.ones((2, 8), np.float32)
    found = [prints(G, D, codes=codes) for D in distances]
    assert len({one["distance"] for one in found}) == 5
    assert len({one["generator"] for one in found}) == 1
    assert prints(G.at("block1"))["generator"].split("-")[1] != found[0]["generator"].split("-")[1]
    assert all(one["probe"] is None for one in found)  # their programs hold all that they do


def test_a_global_that_changes_between_two_calls_is_seen():
    """JAX would take the program that it remembers of the same function object."""
    settings = {"scale": 0.5}
    G = gg.Generator.from_function(lambda A, z: settings["scale"] * (A @ z), jnp.asarray(A), 3, output_range=None)
    D = gg.distances.euclidean()
    first, before = gg.metric_field(G, D, CODES, progress=False), prints(G)
    settings["scale"] = 1.0
    assert not same(before, prints(G))
    second = gg.metric_field(G, D, CODES, progress=False)
    np.testing.assert_allclose(first.tensors[0], 0.25 * A.T @ A, rtol=1e-5)
    np.testing.assert_allclose(second.tensors[0], A.T @ A, rtol=1e-5)  # what was hashed is what was run
    settings["scale"] = 0.5
    assert same(before, prints(G))


def test_settings_of_the_surroundings_change_nothing():
    fn = lambda A, z: jnp.tanh(A @ z)
    before = of(fn)
    with jax.default_matmul_precision("bfloat16"):
        assert same(before, of(fn))
    with jax.numpy_rank_promotion("raise"), jax.debug_nans(True):
        assert same(before, of(fn))


def test_a_derivative_counts_where_it_is_taken():
    def with_rule(scale):
        f = jax.custom_jvp(jnp.sin)
        f.defjvp(lambda primals, tangents: (f(*primals), scale * tangents[0]))
        return lambda A, z: f(A @ z)

    assert not same(of(with_rule(1.0)), of(with_rule(2.0)))
    assert same(of(with_rule(1.0), hvp="finite-difference"), of(with_rule(2.0), hvp="finite-difference"))


@pytest.mark.parametrize(("change", "expected"), [(0.0, True), (1e-6, True), (1e-2, False), (np.nan, False)])
def test_a_probe_passes_over_last_digits(change, expected):
    def host(noise):
        return lambda z: (np.tanh(A @ z) * (1 + noise * np.sin(np.arange(12)))).astype(np.float32)

    def called(noise):
        shape = jax.ShapeDtypeStruct((12,), jnp.float32)
        return of(
            lambda _, z: jax.pure_callback(host(noise), shape, z, vmap_method="sequential"), hvp="finite-difference"
        )

    assert same(called(0.0), called(change)) is expected
    assert json.loads(json.dumps(called(change))) == called(change)
