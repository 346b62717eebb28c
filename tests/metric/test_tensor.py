"""Metric tensors: closed forms, second derivatives in float64, the original's numbers, invariances."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import backend
from geomgan.eigen import threads
from geomgan.metric import gram, operator, tensor
from tests.fixtures import ASSETS, golden, needs_assets
from tests.oracles import half_hessian
from tests.small_models import in_float64, largest_difference, linear_generator, small_dcgan, smooth_generator

DISTANCES = {
    "mse": gg.distances.mse,
    "lpips": lambda: gg.distances.lpips("alex", resize=64),
}


def sphere(params, z):
    """The unit sphere in coordinates (colatitude, longitude)."""
    del params
    theta, phi = z
    return jnp.stack([jnp.sin(theta) * jnp.cos(phi), jnp.sin(theta) * jnp.sin(phi), jnp.cos(theta)])


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    from weights_convert.convert import convert

    folder = tmp_path_factory.mktemp("models") / "vae"
    return gg.load(convert("generative-latent-space-vae", ASSETS / "generative-latent-space", folder))


def test_linear_map_is_exact(rng):
    A = rng.standard_normal((20, 7)).astype(np.float32)
    for chunk in (1, 3, 7):
        g = gg.metric_tensor(linear_generator(A), gg.distances.euclidean(), np.zeros(7), chunk=chunk)
        assert largest_difference(g, A.T @ A) < 1e-6


def test_sphere():
    G = gg.Generator.from_function(sphere, (), 2, output_range=None)
    for theta in (0.3, 1.2, 2.9):
        g = gg.metric_tensor(G, gg.distances.euclidean(), np.array([theta, 0.7]))
        np.testing.assert_allclose(g, np.diag([1, np.sin(theta) ** 2]), atol=1e-6)


@pytest.mark.parametrize("name", DISTANCES)
def test_agrees_with_the_hessian_on_the_embedded_model_in_float64(float64, name):
    G, D = in_float64(gg.load("digits-dcgan")), in_float64(DISTANCES[name]())
    for z in G.sample_latent(jax.random.key(0), 2):
        assert largest_difference(gg.metric_tensor(G, D, z), half_hessian(G, D, z)) < 1e-6


@pytest.mark.parametrize("name", DISTANCES)
def test_agrees_with_the_hessian_on_the_embedded_model_in_float32(name):
    G, D = gg.load("digits-dcgan"), DISTANCES[name]()
    codes = G.sample_latent(jax.random.key(1), 8)
    assert np.median([largest_difference(gg.metric_tensor(G, D, z), half_hessian(G, D, z)) for z in codes]) < 1e-5


@needs_assets
@pytest.mark.parametrize("name", DISTANCES)
def test_agrees_with_the_hessian_on_the_vae(vae, name):
    D = DISTANCES[name]()
    codes = vae.sample_latent(jax.random.key(2), 8)
    assert np.median([largest_difference(gg.metric_tensor(vae, D, z), half_hessian(vae, D, z)) for z in codes]) < 1e-5
    with jax.enable_x64(True):
        G, D = in_float64(vae), in_float64(D)
        for z in codes[:2]:
            z = z.astype(jnp.float64)
            assert largest_difference(gg.metric_tensor(G, D, z), half_hessian(G, D, z)) < 1e-6


@needs_assets
def test_numbers_of_the_original_on_the_vae(vae):
    _, arrays = golden("metric_vae")
    lpips = gg.distances.lpips("alex", scaling="gan-geometry", resize=64)
    for i, z in enumerate(arrays["z"]):
        assert largest_difference(vae(z)[..., 0], arrays["image"][i, 0]) < 1e-5
        assert largest_difference(2 * gg.metric_tensor(vae, gg.distances.mse(), z), arrays["hessian_mse"][i]) < 1e-5
        assert largest_difference(gg.metric_tensor(vae, gg.distances.euclidean(), z), arrays["jtj_mean"][i]) < 1e-5
        if i < 2:
            assert largest_difference(2 * gg.metric_tensor(vae, lpips, z), arrays["hessian_lpips_alex"][i]) < 1e-4


def test_chunks_jit_and_vmap_agree(rng):
    G, D = small_dcgan(latent_dim=10), gg.distances.mse()
    codes = rng.standard_normal((3, 10)).astype(np.float32)
    expected = np.stack([gg.metric_tensor(G, D, z) for z in codes])
    batched = jax.jit(jax.vmap(gg.metric_tensor, (None, None, 0)))(G, D, codes)
    assert largest_difference(batched, expected) < 1e-5
    for chunk in (1, 4, 64):
        assert largest_difference(gg.metric_tensor(G, D, codes[0], chunk=chunk), expected[0]) < 1e-5


def test_small_tangents_go_together_and_large_ones_in_chunks(monkeypatch, rng):
    G, D = small_dcgan(latent_dim=60), gg.distances.mse()
    z = rng.standard_normal(60).astype(np.float32)
    assert G.sample_shape.shape == (16, 16, 3)
    loops = lambda: str(jax.make_jaxpr(gg.metric_tensor)(G, D, z)).count(" scan[")
    assert loops() == 0
    together = gg.metric_tensor(G, D, z)
    jax.clear_caches()
    monkeypatch.setattr(backend, "CPU", dataclasses.replace(backend.CPU, whole_bytes=60 * 4 * 16 * 16 * 3 - 1))
    assert loops() == 1
    assert largest_difference(gg.metric_tensor(G, D, z), together) < 1e-5
    jax.clear_caches()


@pytest.mark.parametrize(("codes", "dim"), [(1, 7), (2, 7), (1, 60)])
def test_gram_matrices_on_the_host_are_those_of_the_device(rng, codes, dim):
    shapes = ((), (3,), (10, 20, 5), (backend.CPU.gram_block // 400,))
    leaves = [rng.standard_normal((codes, dim, *shape)).astype(np.float32) for shape in shapes]
    host = gram.gram_on_host(leaves)
    with jax.enable_x64(True):
        device = np.stack([jax.jit(gram.gram64)([jnp.asarray(leaf[i]) for leaf in leaves]) for i in range(codes)])
    assert host.dtype == device.dtype == np.float64
    np.testing.assert_allclose(host, device, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(host, np.swapaxes(host, -1, -2))


def test_blas_has_one_thread_until_the_last_one_leaves():
    blas = threads._blas()
    count = lambda: {library["num_threads"] for library in blas.info()}
    with blas.limit(limits=2):
        assert count() == {2}
        with threads.one_blas_thread(100):
            with threads.one_blas_thread(10), threads.one_blas_thread(backend.CPU.blas_rows + 1):
                assert count() == {1}
            assert count() == {1}
        assert count() == {2}
        with pytest.raises(ValueError, match="inside"), threads.one_blas_thread(10):
            raise ValueError("inside")
        assert count() == {2}
        with threads.one_blas_thread(backend.CPU.blas_rows + 1):
            assert count() == {2}


def test_changing_coordinates_changes_the_metric_as_a_tensor(rng):
    G, D = smooth_generator(), gg.distances.euclidean()
    Q = jnp.asarray(rng.standard_normal((6, 6)), jnp.float32)
    moved = gg.Generator.from_function(lambda p, u: G.function(p, Q @ u), G.params, 6)
    u = rng.standard_normal(6).astype(np.float32)
    expected = Q.T @ gg.metric_tensor(G, D, Q @ u) @ Q
    assert largest_difference(gg.metric_tensor(moved, D, u), expected) < 1e-5


def test_it_predicts_small_distances(rng):
    G, D = smooth_generator(), gg.distances.euclidean()
    z = rng.standard_normal(6).astype(np.float32)
    step = 1e-2 * rng.standard_normal(6).astype(np.float32)
    predicted = step @ np.asarray(gg.metric_tensor(G, D, z)) @ step
    symmetric = (float(D(G(z), G(z + step))) + float(D(G(z), G(z - step)))) / 2
    assert symmetric == pytest.approx(float(predicted), rel=1e-3)


def test_other_codes_and_weights_do_not_recompile(rng):
    D = gg.distances.mse()
    gg.metric_tensor(small_dcgan(seed=0), D, rng.standard_normal(8))
    gg.metric_operator(small_dcgan(seed=0), D, rng.standard_normal(8)).matvec(np.ones(8))
    functions = (tensor._metric_tensor, operator._at, operator._matvec)
    before = [fn._cache_size() for fn in functions]
    for seed in (1, 2):
        gg.metric_tensor(small_dcgan(seed=seed), D, rng.standard_normal(8))
        gg.metric_operator(small_dcgan(seed=seed), D, rng.standard_normal(8)).matvec(np.ones(8))
    assert [fn._cache_size() for fn in functions] == before


def squared(params, x, y):
    return params * jnp.mean((x - y) ** 2)


@pytest.mark.parametrize("name", DISTANCES)
def test_operator_agrees_with_the_matrix(rng, name):
    G, D = small_dcgan(latent_dim=10, features=(16, 8, 8)), DISTANCES[name]()
    z = rng.standard_normal(10)
    g = np.asarray(gg.metric_tensor(G, D, z))
    op = gg.metric_operator(G, D, z, chunk=4)
    V = rng.standard_normal((10, 6)).astype(np.float32)
    assert largest_difference(op.matvec(V[:, 0]), g @ V[:, 0]) < 1e-5
    assert largest_difference(op.matmat(V), g @ V) < 1e-5
    assert largest_difference(op.to_dense(), g) < 1e-5
    linear = op.as_linear_operator()
    assert linear.dtype == np.float64
    assert largest_difference(linear @ V.astype(np.float64), g @ V) < 1e-5


def test_a_distance_without_embedding_takes_second_derivatives(rng):
    G = small_dcgan(latent_dim=10)
    z = rng.standard_normal(10)
    expected = 3 * gg.metric_tensor(G, gg.distances.mse(), z)
    D = gg.distances.from_function(squared, 3.0)
    for chunk in (None, 3):
        assert largest_difference(gg.metric_tensor(G, D, z, chunk=chunk), expected) < 1e-5
    op = gg.metric_operator(G, D, z)
    assert largest_difference(op.matvec(np.ones(10)), expected @ np.ones(10)) < 1e-5
    assert largest_difference(op.to_dense(), expected) < 1e-5


@pytest.mark.parametrize(
    "D", [gg.distances.mse(), gg.distances.from_function(squared, 1.0)], ids=["embedded", "general"]
)
def test_finite_differences(rng, D):
    G = smooth_generator()
    z = rng.standard_normal(6)
    expected = np.asarray(gg.metric_tensor(G, gg.distances.mse(), z))
    assert largest_difference(gg.metric_tensor(G, D, z, hvp="finite-difference"), expected) < 3e-3
    op = gg.metric_operator(G, D, z, hvp="finite-difference")
    assert largest_difference(op.matmat(np.eye(6)), expected) < 3e-3


@pytest.mark.parametrize(
    "D", [gg.distances.mse(), gg.distances.from_function(squared, 1.0)], ids=["embedded", "general"]
)
def test_finite_differences_need_no_derivative_at_all(rng, D):
    smooth = smooth_generator()

    def on_the_host(params, z):
        image = jax.ShapeDtypeStruct((16, 16, 3), z.dtype)
        return jax.pure_callback(lambda z: np.asarray(smooth_network_in_numpy(params_in_numpy, z)), image, z)

    def smooth_network_in_numpy(params, z):
        first, second = params
        return np.tanh(second @ np.tanh(first @ z)).reshape(16, 16, 3).astype(np.float32)

    params_in_numpy = jax.tree.map(np.asarray, smooth.params)
    G = gg.Generator.from_function(on_the_host, (), 6)
    z = rng.standard_normal(6)
    expected = gg.metric_tensor(smooth, gg.distances.mse(), z)
    assert largest_difference(gg.metric_tensor(G, D, z, hvp="finite-difference"), expected) < 3e-3


def test_layerwise_metrics_follow_the_chain(rng):
    """The metric of a ReLU layer is that of its preactivation with the dead units left out."""
    G = small_dcgan(latent_dim=8)
    z = rng.standard_normal(8).astype(np.float32)
    before, after = G.at("block1.preactivation"), G.at("block1")
    J = jax.jacfwd(lambda z: before(z).ravel())(z)[np.asarray(before(z)).ravel() > 0]
    assert largest_difference(gg.metric_tensor(after, gg.distances.euclidean(), z), J.T @ J) < 1e-5


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"G": 3}, TypeError, "expected a Generator"),
        ({"D": 3}, TypeError, "expected a Distance"),
        ({"z": np.zeros(3)}, ValueError, r"\(3,\); expected \(8,\)"),
        ({"z": np.zeros(8, int)}, TypeError, "floating point"),
        ({"precision": "high-ish"}, ValueError, "'high'"),
        ({"hvp": "finite"}, ValueError, "'finite-difference'"),
        ({"chunk": 0}, ValueError, "positive integer"),
        ({"D": gg.distances.lpips("alex")}, ValueError, "16 x 16 pixels"),
    ],
)
def test_bad_arguments_raise_before_tracing(change, error, message):
    arguments = {"G": small_dcgan(), "D": gg.distances.mse(), "z": np.zeros(8)} | change
    for fn in (gg.metric_tensor, gg.metric_operator):
        with pytest.raises(error, match=message):
            fn(**arguments)


def test_bad_tangents_raise():
    op = gg.metric_operator(small_dcgan(), gg.distances.mse(), np.zeros(8))
    with pytest.raises(ValueError, match="matmat"):
        op.matvec(np.zeros((8, 2)))
    with pytest.raises(ValueError, match="tangents are columns"):
        op.matmat(np.zeros((2, 8)))


@pytest.mark.parametrize(("dim", "chunk"), [(7, 3), (8, 3), (6, 2), (5, 5), (4, 1)])
def test_shares_of_tangents_go_side_by_side(dim, chunk, rng):
    """One share, several, and a last one that begins among the tangents of the share before."""
    A = rng.standard_normal((12, dim))
    G = linear_generator(A)
    g = gg.metric_operator(G, gg.distances.euclidean(), np.zeros(dim), chunk=chunk).to_dense()
    np.testing.assert_allclose(g, A.T @ A, rtol=1e-5, atol=1e-5)
