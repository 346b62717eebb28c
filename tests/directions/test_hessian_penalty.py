"""The Hessian Penalty: closed forms, a transcription in numpy, a published network, kinks, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import hessian_penalty, hessian_ratio
from geomgan.errors import OptionError
from geomgan.metric.hessian_penalty import check_deterministic
from tests.fixtures import ASSETS, needs_assets
from tests.small_models import small_dcgan, smooth_generator

BIGAN = ASSETS / "generative-latent-space"


def products(z):
    """The self-test of the published code: Hessians off the diagonal are 1 and 2 z0."""
    return [z[0] * z[1], z[0] ** 2 * z[1]]


def transcription(f, codes, signs, epsilon, ddof):
    """The published estimator, in numpy: variances ``(n, ...)`` of second differences."""
    rows = lambda codes: np.stack([f(z) for z in codes])
    steps = epsilon * signs
    forms = [(rows(codes + x) - 2 * rows(codes) + rows(codes - x)) / epsilon**2 for x in steps]
    return np.var(forms, axis=0, ddof=ddof)


@pytest.mark.parametrize("method", ["exact", "differences"])
def test_closed_forms_of_the_published_self_test(method):
    codes = np.array([[1.5, -0.4], [0.3, 2.0]], np.float32)
    key = jax.random.key(0)
    first, second = hessian_penalty(
        products, codes, key, k=4000, method=method, epsilon=0.1, reduction=None, separate=True
    )
    np.testing.assert_allclose(first, [4, 4], rtol=0.05)  # 2 Σ_{i≠j} 1
    np.testing.assert_allclose(second, 16 * codes[:, 0] ** 2, rtol=0.05)
    both = hessian_penalty(products, codes, key, k=4000, method=method)
    np.testing.assert_allclose(both, first.max() + second.max(), rtol=1e-5)


@pytest.mark.parametrize(("k", "ddof"), [(2, 1), (2, 0), (5, 1)])
def test_equals_a_transcription_for_the_same_signs(k, ddof):
    G = smooth_generator()
    rng = np.random.default_rng(0)
    first, second = (np.asarray(p, np.float64) for p in G.params)
    plain = lambda z: np.tanh(second @ np.tanh(first @ z)).reshape(16, 16, 3)
    codes, signs = rng.standard_normal((3, 6)), rng.choice([-1.0, 1.0], (k, 3, 6))
    expected = transcription(plain, codes, signs, 0.1, ddof)
    with jax.enable_x64(True):
        f = lambda z: jnp.tanh(second @ jnp.tanh(first @ z)).reshape(16, 16, 3)
        for reduction, reduce in (("max", np.max), ("mean", np.mean)):
            ours = hessian_penalty(f, codes, signs=signs, ddof=ddof, reduction=reduction)
            np.testing.assert_allclose(ours, reduce(expected), rtol=1e-6)
    single = hessian_penalty(G, codes, signs=signs, ddof=ddof, reduction="mean")
    np.testing.assert_allclose(single, expected.mean(), rtol=1e-3)  # float32: 1e-7 / ε² of samples near 1


def test_the_biased_variance_is_half_of_the_unbiased_for_two_draws():
    G, codes, key = smooth_generator(), np.ones((2, 6)), jax.random.key(1)
    halves = hessian_penalty(G, codes, key, ddof=0) / hessian_penalty(G, codes, key, ddof=1)
    np.testing.assert_allclose(halves, 0.5, rtol=1e-6)


def test_layers_of_a_generator_add_up():
    G, codes, key = small_dcgan(features=(8,)), np.ones((1, 8)) / 3, jax.random.key(0)
    layers = [name for name in G.layers if "preactivation" in name]
    assert len(layers) == 2
    each = hessian_penalty(G, codes, key, layers=layers, separate=True)
    alone = [hessian_penalty(G.at(name), codes, key) for name in layers]
    np.testing.assert_allclose([each[name] for name in layers], alone, rtol=1e-4)
    np.testing.assert_allclose(sum(alone), hessian_penalty(G, codes, key, layers=layers), rtol=1e-4)


def test_the_share_off_the_diagonal_does_not_see_scales():
    rng = np.random.default_rng(0)
    H = rng.standard_normal((40, 5, 5))
    H = jnp.asarray(H + H.swapaxes(1, 2), jnp.float32)
    codes, key = rng.standard_normal((4, 5)).astype(np.float32), jax.random.key(0)
    energy, diagonal = np.square(H).sum(), np.square(np.einsum("xii->xi", H)).sum()
    for scale, method in ((1.0, "exact"), (1e-3, "differences")):
        quadratic = lambda z, scale=scale: scale * 0.5 * jnp.einsum("xij,i,j->x", H, z, z)
        share = hessian_ratio(quadratic, codes, key, k=600, method=method, epsilon=0.5)
        np.testing.assert_allclose(share, 1 - diagonal / energy, atol=0.02)
    separate = lambda z: jnp.stack([z[0] ** 2, jnp.sin(z[1])])
    assert abs(float(hessian_ratio(separate, codes, key, method="exact"))) < 1e-6


@needs_assets
def test_the_published_bigan_has_the_known_curvature(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch to run this")
    from geomgan.directions import penalty_of_hessians, pixel_hessians
    from weights_convert.convert import convert

    G = gg.load(convert("generative-latent-space-bigan", BIGAN, tmp_path / "model"))
    codes = torch.randn(8, 16, generator=torch.manual_seed(0)).numpy()[:1]
    exact = penalty_of_hessians(pixel_hessians(G, codes[0])).mean()
    np.testing.assert_allclose(exact, 295.4, rtol=2e-3)
    key, options = jax.random.key(0), {"k": 200, "reduction": "mean"}
    differences = hessian_penalty(G, codes, key, **options)  # of one draw of 200 signs: 108 with a deviation of 7
    assert abs(differences - 99.7) < 20
    estimated = hessian_penalty(G, codes, key, method="exact", **options)
    np.testing.assert_allclose(estimated, exact, rtol=0.25)


def test_kinks_are_curvature_for_differences_only():
    relus = lambda z: jax.nn.relu(z[0] + z[1] + 0.05)
    codes, key = np.zeros((1, 2), np.float32), jax.random.key(0)
    assert hessian_penalty(relus, codes, key, k=20, method="exact") == 0
    assert hessian_penalty(relus, codes, key, k=20, method="differences") > 1


def test_rounding_is_said():
    G, codes, key = smooth_generator(), np.ones((2, 6)), jax.random.key(0)
    with pytest.warns(UserWarning, match=r"epsilon=0\.0001 is too small for float32.*rounding"):
        hessian_penalty(G, codes, key, epsilon=1e-4)


def test_what_draws_numbers_is_found():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="noisy gave two different samples of one code"):
        check_deterministic(lambda z: z + rng.standard_normal(), np.ones(3, np.float32), "noisy")
    check_deterministic(lambda z: z * 2, np.ones(3, np.float32), "quiet")


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"k": 1}, OptionError, "k is 1; expected at least 2 draws"),
        ({"signs": np.ones((1, 2, 6))}, OptionError, "k is 1"),
        ({"signs": np.ones((2, 3, 6))}, ValueError, r"signs have shape \(2, 3, 6\)"),
        ({"key": None}, TypeError, "neither key nor signs"),
        ({"epsilon": 0.0}, OptionError, "epsilon is 0.0; expected a positive number"),
        ({"ddof": 2}, OptionError, "ddof is 2; expected 1"),
        ({"method": "exakt"}, OptionError, "Did you mean 'exact'"),
        ({"reduction": "sum"}, OptionError, "reduction='sum'"),
        ({"layers": ["x"]}, OptionError, "layers='x' is not known"),
        ({"codes": np.ones((2, 5))}, ValueError, r"expected \(n, 6\)"),
    ],
)
def test_bad_input(change, error, says):
    options = {"f": smooth_generator(), "codes": np.ones((2, 6)), "key": jax.random.key(0), **change}
    with pytest.raises(error, match=says):
        hessian_penalty(**options)
