"""What users hand over: tensors of PyTorch as codes, sizes beyond memory, functions of another arity, no values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from tests.small_models import linear_generator, small_dcgan

MSE = gg.distances.mse()
G = small_dcgan()
KEY = jax.random.key(0)
ONE = {  # entries that take one code
    "call": lambda z: G(z),
    "activations": lambda z: G.activations(z)["block1"],
    "tensor": lambda z: gg.metric_tensor(G, MSE, z),
    "operator": lambda z: gg.metric_operator(G, MSE, z).to_dense(),
    "hessian": lambda z: gg.hessian_operator(G, jnp.sum, z).matvec(np.ones(8)),
    "layers": lambda z: gg.analysis.layer_metrics(G, MSE, z).tensors,
    "trust": lambda z: gg.analysis.trust_radius(G, MSE, z, np.eye(8), progress=False).values,
    "lines": lambda z: gg.paths.walk(G, MSE, gg.paths.lines(z, np.eye(8)), [0.5]).distances,
    "circles": lambda z: gg.paths.walk(G, MSE, gg.paths.great_circles(z, np.eye(8)[:, :2]), [0.5]).distances,
}
SEVERAL = {
    "field": lambda z: gg.metric_field(G, MSE, z, progress=False).tensors,
    "lines": lambda z: gg.paths.walk(G, MSE, gg.paths.lines(z, np.eye(8)[:, :1]), [0.5]).distances,
    "compression": lambda z: gg.analysis.compression(G, MSE, z, np.eye(8), [2], key=KEY).distance,
}


@pytest.mark.parametrize("entry", [*ONE, *(f"several {name}" for name in SEVERAL)])
def test_tensors_of_pytorch_are_codes(rng, entry):
    import torch

    fn = SEVERAL[entry.removeprefix("several ")] if entry.startswith("several") else ONE[entry]
    z = rng.standard_normal((2, 8) if entry.startswith("several") else 8).astype(np.float32)
    expected = np.asarray(fn(z))
    for kind in (torch.float32, torch.float64):
        np.testing.assert_allclose(np.asarray(fn(torch.tensor(z, dtype=kind))), expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(TypeError, match=r"Tensor that numpy cannot read.*\.detach\(\)"):
        fn(torch.tensor(z, requires_grad=True))
    with pytest.raises(TypeError, match=r"\.float\(\)"):
        fn(torch.tensor(z, dtype=torch.bfloat16))


def test_tensors_of_pytorch_are_samples_and_tangents(rng):
    import torch

    x, y = rng.standard_normal((2, 6)).astype(np.float32)
    assert float(MSE(torch.tensor(x), torch.tensor(y))) == pytest.approx(float(MSE(x, y)))
    op = gg.metric_operator(linear_generator(np.diag(x)), MSE, y)
    np.testing.assert_allclose(op.matvec(torch.tensor(y)), op.matvec(y), rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda n: G.sample_latent(KEY, n),
        lambda n: gg.report(G, MSE, n, key=KEY, out="nowhere"),
    ],
    ids=["sample_latent", "report"],
)
@pytest.mark.parametrize("n", [10**13, 10**30, 10**400], ids=["large", "huge", "absurd"])
def test_more_codes_than_memory_holds_are_refused_at_once(call, n, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gg.OutOfMemory, match=r"codes.* GiB are free\. (Draw|Give) fewer"):
        call(n)
    assert not list(tmp_path.iterdir())


def test_a_plan_weighs_its_codes():
    wide = gg.Generator.from_function(lambda p, z: z[:4], (), 10**6)
    with pytest.raises(gg.OutOfMemory, match=r"2e\+09 codes would take .* GiB are free\. Give fewer"):
        gg.plan(wide, MSE, 2 * 10**9, estimate=False)
    for n in (10**13, 10**400):
        with pytest.raises(ValueError, match="expected an integer from 1"):
            gg.plan(wide, MSE, n, estimate=False)


def test_codes_and_results_are_weighed_before_they_are_touched():
    """Views of one row that say they are 10^12 and 10^9: none of them is ever written out."""
    with pytest.raises(gg.OutOfMemory, match="these codes would take"):
        gg.metric_field(G, MSE, np.broadcast_to(np.zeros(8, np.float32), (10**12, 8)), progress=False)
    wide = gg.Generator.from_function(lambda p, z: z[:4], (), 4000)
    with pytest.raises(gg.OutOfMemory, match=r"results of 5000 codes.*store="):
        gg.metric_field(wide, MSE, np.zeros((5000, 4000), np.float32), progress=False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gg.Generator.from_function(lambda z: z, (), 3), r"takes \(z\); expected a function \(params, z\)"),
        (lambda: gg.Generator.from_function(lambda p, z, y: z, (), 3), r"takes \(p, z, y\).*lambda params, z"),
        (lambda: gg.distances.features(lambda x: x), r"takes \(x\); expected a function \(params, x\) -> features"),
        (lambda: gg.distances.from_function(lambda x, y: 0.0), r"\(params, x, y\) -> scalar. One without weights"),
        (
            lambda: gg.Generator.from_function(lambda p, z: z, (), 3, sample_latent=lambda n: np.zeros((n, 3))),
            r"takes \(n\); expected a function \(key, n\)",
        ),
        (
            lambda: gg.hessian_operator(G, lambda p, x: x.sum(), np.ones(8)),
            r"takes \(p, x\); expected a function \(x\)",
        ),
    ],
)
def test_functions_of_another_arity(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_other_signatures_pass():
    class Callable:
        def __call__(self, params, z, scale=2.0):
            return scale * z

    for fn in (Callable(), lambda *arguments: arguments[1], lambda p, z, **options: z, jax.jit(lambda p, z: z)):
        assert gg.Generator.from_function(fn, (), 3)(np.ones(3)).shape == (3,)


@pytest.mark.parametrize("shape", [(0,), (0, 4, 3), (4, 0)])
def test_empty_samples_are_refused(shape):
    with pytest.raises(ValueError, match="hold no value"):
        gg.Generator.from_function(lambda p, z: jnp.zeros(shape), (), 3)
    for D in (MSE, gg.distances.euclidean(), gg.distances.from_function(lambda p, x, y: jnp.sum(x - y))):
        with pytest.raises(ValueError, match="without a value"):
            D(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize("empty", [lambda p, x: x[:0], lambda p, x: [], lambda p, x: {"a": x[:0], "b": ()}])
def test_features_without_a_value_are_refused(empty):
    D = gg.distances.features(empty)
    for call in (
        lambda: D(np.ones(3), np.ones(3)),
        lambda: gg.metric_tensor(linear_generator(np.eye(3)), D, np.ones(3)),
        lambda: gg.metric_tensor(linear_generator(np.eye(3)), D, np.ones(3), hvp="finite-difference"),
        lambda: gg.metric_field(linear_generator(np.eye(3)), D, np.ones((1, 3)), progress=False),
    ):
        with pytest.raises(ValueError, match="no features of a sample"):
            call()
