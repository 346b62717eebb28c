"""What each name of precision gives: its error against float32, what is stated of it, and which products it is of."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from benchmarks.random_models import stylegan2
from geomgan import backend
from geomgan.metric.maps import map_of
from geomgan.metric.pair import bound
from tests.fixtures import ASSETS, needs_assets
from tests.small_models import small_dcgan, smooth_generator

EMULATED = dict(backend.CPU.formats)
NATIVE = dict(backend.ACCELERATOR.formats)
MOST = {"tf32": 5e-4, "bf16": 8e-3, "high": 1e-5}


def relative(a, b):
    """Difference of two tensors in the Frobenius norm, relative to the second."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.fixture
def on(monkeypatch):
    """Whatever the device, products of tangents in these formats."""

    def choose(**formats):
        changed = replace(backend.CPU, formats=tuple((EMULATED | formats).items()))
        monkeypatch.setattr(backend, "CPU", changed)
        jax.clear_caches()

    yield choose
    monkeypatch.undo()
    jax.clear_caches()


def check_errors(G, D, on, count):
    """Tensors at a few codes in every format against float32's, which are themselves true to 2e-6."""
    on(high=backend.SPLIT)
    codes = G.sample_latent(jax.random.key(1), count)
    exact = [gg.metric_tensor(G, D, z) for z in codes]
    for name, most in MOST.items():
        errors = [relative(gg.metric_tensor(G, D, z, precision=name), g) for z, g in zip(codes, exact, strict=True)]
        stated = gg.metric_operator(G, D, codes[0], precision=name).cost.error
        assert np.median(errors) <= most
        assert max(errors) <= stated <= 20 * np.median(errors)


def test_errors_of_digits(on):
    check_errors(gg.load("digits-dcgan"), gg.distances.lpips("alex"), on, 8)


@needs_assets
@pytest.mark.slow
def test_errors_of_faces(on, tmp_path):
    from weights_convert.convert import convert

    with pytest.warns(UserWarning, match="assumed"):
        folder = convert("dcgan-tutorial", ASSETS / "dcgan-faces64" / "weights.tar", tmp_path / "faces")
    check_errors(gg.load(folder), gg.distances.lpips("alex"), on, 8)


@pytest.mark.slow
def test_errors_of_a_deep_network():
    """Eight dense layers before ten convolutions: more than twice the error of digits-dcgan, and stated still."""
    G = stylegan2(64, 1, space="z", features=[32] * 5, latent_dim=64, mapping=[64] * 8)
    z = G.sample_latent(jax.random.key(0), 1)[0]
    exact = gg.metric_tensor(G, gg.distances.mse(), z)
    for name in ("tf32", "bf16"):
        error = relative(gg.metric_tensor(G, gg.distances.mse(), z, precision=name), exact)
        assert error <= EMULATED[name].error <= 20 * error


def planted(rng, depth=6, d=24, m=200):
    """A network of dense layers whose Jacobian has singular values over four decades."""
    frame = lambda n, k: np.linalg.qr(rng.standard_normal((n, k)))[0]
    scales = np.geomspace(1, 1e-4, d)
    weights = [frame(d, d), scales[:, None] * frame(d, d), *(frame(d, d) for _ in range(depth - 3)), frame(m, d)]
    return gg.Generator.from_function(dense, [jnp.asarray(w, jnp.float32) for w in weights], d, output_range=None)


def dense(weights, z):
    for w in weights:
        z = w @ z
    return z


@pytest.mark.parametrize(("name", "most"), [("highest", 1e-13), ("tf32", 1e-7), ("bf16", 1e-5)])
def test_noise_begins_where_the_floor_says(rng, name, most):
    """Above the floor all eigenvalues are right to a half; it is not higher than it must be."""
    G, truth = planted(rng), np.geomspace(1, 1e-8, 24)
    e = gg.eigenpairs(gg.metric_operator(G, gg.distances.euclidean(), np.zeros(24), precision=name))
    above = truth > e.noise_floor
    assert np.abs(e.values / truth - 1)[above].max() < 0.5
    assert np.abs(e.values - truth).max() <= e.relative_error
    assert e.noise_floor <= most * 20
    if name == "bf16":  # the only one whose noise reaches these values
        wrong = truth[np.abs(e.values / truth - 1) > 0.5]
        assert wrong.size
        assert wrong.max() <= e.noise_floor <= 20 * wrong.max()


CASES = {
    "embedding": (small_dcgan, gg.distances.mse),
    "without embedding": (small_dcgan, lambda: gg.distances.from_function(quartic)),
    "ssim": (smooth_generator, lambda: gg.distances.ssim(window=5)),
    "ensemble": (lambda: pair_of(small_dcgan()), gg.distances.mse),
    "gaussian": (lambda: gg.Generator.from_function(stochastic, WEIGHTS, 5, output_range=None), gg.distances.gaussian),
}
WEIGHTS = [np.random.default_rng(i).standard_normal((16, 5)).astype(np.float32) / 2 for i in (0, 1)]


def quartic(params, x, y):
    del params
    return jnp.sum((x - y) ** 2) + 0.1 * jnp.sum((x**2 - y**2) ** 2)


def stochastic(params, z):
    first, second = params
    return gg.Gaussian(jnp.tanh(first @ z).reshape(4, 4, 1), jnp.exp(0.3 * (second @ z)).reshape(4, 4, 1))


def pair_of(G):
    return gg.ensemble(G, jax.tree.map(lambda leaf: jnp.stack([leaf, 0.5 * leaf]), G.params))


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_metric_honours_it(case):
    G, D = (make() for make in CASES[case])
    z = 0.3 * G.sample_latent(jax.random.key(0), 1)[0]
    exact = gg.metric_tensor(G, D, z)
    error = relative(gg.metric_tensor(G, D, z, precision="tf32"), exact)
    assert 2e-5 < error < 2e-3
    op = gg.metric_operator(G, D, z, precision="tf32")
    assert 2e-5 < relative(op.to_dense(), exact) < 2e-3
    assert 2e-5 < relative(op.matmat(np.eye(G.latent_dim)), exact) < 2e-3
    assert relative(op.exact.matmat(np.eye(G.latent_dim)), exact) < 1e-5
    assert op.cost.error == EMULATED["tf32"].error


def test_hessians_and_layers_honour_it():
    G = small_dcgan()
    z = G.sample_latent(jax.random.key(0), 1)[0]
    exact, coarse = (
        gg.metric.hessian_operator(G, summed, z, precision=name).to_dense() for name in ("highest", "tf32")
    )
    assert 2e-5 < relative(coarse, exact) < 2e-3
    exact, coarse = (
        gg.analysis.layer_metrics(G, gg.distances.mse(), z, G.layers[:2], precision=name)
        for name in ("highest", "tf32")
    )
    errors = [relative(a, b) for a, b in zip(coarse.tensors, exact.tensors, strict=True)]
    assert min(errors) > 2e-5
    assert max(errors) < coarse.relative_error == EMULATED["tf32"].error
    assert exact.relative_error < 1e-5


def summed(x):
    return jnp.sum(jnp.tanh(x) ** 2)


def products(program, moving):
    """``(precision, type, whether a tangent is multiplied)`` of every product, and which outputs are tangents."""
    jaxpr = getattr(program, "jaxpr", program)
    flags = dict(zip(jaxpr.invars, moving, strict=True))
    found = []
    for equation in jaxpr.eqns:
        inputs = [not hasattr(atom, "val") and flags.get(atom, False) for atom in equation.invars]
        outputs = [any(inputs)] * len(equation.outvars)
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            precision = equation.params["precision"]
            found.append((precision and precision[0], equation.invars[0].aval.dtype.name, any(inputs)))
        elif inner := equation.params.get("jaxpr", equation.params.get("call_jaxpr")):
            more, outputs = products(inner, inputs)
            found += more
        flags |= dict(zip(equation.outvars, outputs, strict=True))
    return found, [not hasattr(atom, "val") and flags.get(atom, False) for atom in jaxpr.outvars]


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("name", ["high", "tf32", "bf16"])
def test_products_of_the_primal_are_float32_and_those_of_tangents_are_not(on, name, general):
    on(**NATIVE)
    D = gg.distances.from_function(quartic) if general else gg.distances.lpips("alex", resize=32)
    pair, z = bound(small_dcgan(), D), jnp.zeros(8)

    def program(z, tangents):
        with backend.in_float32():
            linear = map_of(pair.D, "exact").at(pair, z, 8, precision=name)
            return linear.rows(tangents, 8), linear.product(tangents[0])

    traced = jax.make_jaxpr(program)(z, jnp.eye(8))
    found, _ = products(traced, [False, True])
    highest, default = jax.lax.Precision.HIGHEST, jax.lax.Precision.DEFAULT
    kind = "bfloat16" if name == "bf16" else "float32"
    primal = [product[:2] for product in found if not product[2]]
    tangents = [product[:2] for product in found if product[2]]
    assert primal
    assert set(primal) == {(highest, "float32")}
    assert set(tangents) == {(default, kind)}
    assert len(tangents) % (3 if name == "high" else 1) == 0


@pytest.mark.parametrize("name", ["high", "tf32", "bf16"])
def test_the_formats_of_a_gpu_run(on, name):
    """On a CPU their products are float32's, but for the operands' own rounding."""
    G, D = small_dcgan(), gg.distances.mse()
    z = G.sample_latent(jax.random.key(0), 1)[0]
    exact = gg.metric_tensor(G, D, z)
    on(**NATIVE)
    op = gg.metric_operator(G, D, z, precision=name)
    for g in (op.to_dense(), op.matmat(np.eye(8))):
        assert relative(g, exact) <= NATIVE[name].error
    assert (relative(g, exact) > 1e-4) == (name == "bf16")


def test_the_finest_program_is_what_it_was():
    """Its name makes no difference, nor does ``high`` on a CPU."""
    G, D, z = small_dcgan(), gg.distances.mse(), jnp.zeros(8)
    traced = {
        name: str(jax.make_jaxpr(partial(gg.metric_tensor, G, D, precision=name))(z)) for name in ("highest", "high")
    }
    assert "reduce_precision" not in traced["highest"]
    assert traced["high"] == traced["highest"]


def test_finite_differences_have_no_tangents():
    with pytest.raises(gg.OptionError, match="precision='tf32' is of products of tangents"):
        gg.metric_tensor(small_dcgan(), gg.distances.mse(), np.zeros(8), precision="tf32", hvp="finite-difference")


@pytest.mark.parametrize(("name", "meant"), [("float32", "highest"), ("tensorfloat32", "tf32"), ("bfloat16", "bf16")])
def test_names_of_others_are_told_ours(name, meant):
    with pytest.raises(gg.OptionError, match=f"precision='{name}' is not known here. Expected '{meant}'"):
        gg.metric_tensor(smooth_generator(), gg.distances.mse(), np.zeros(6), precision=name)
