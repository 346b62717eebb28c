"""CMA-ES: step by step against numpy, evaluations against pycma's, and double precision under any flag."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.optimize import Status, cholesky_cma, cma, hess_cma, pure_search
from tests.optimize import transcriptions

DIM = 20
PYCMA = {"sphere": 2856, "ellipsoid": 12936, "rosenbrock": 16164}  # median evaluations of 11 seeds, population 12


def rotation(seed=0, dim=DIM):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0]


def ellipsoid(params, z):
    values, Q = params
    return jnp.sum(values * (Q @ z) ** 2)


def sphere(params, z):
    return jnp.sum(z**2)


def rosenbrock(params, z):
    return jnp.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2)


def searches(score, params, method, start, generations, *, seeds=11, target=1e-9, dtype=jnp.float64, tol=1e-12):
    """Records of as many seeds in one program."""
    keys = jax.random.split(jax.random.key(1), seeds)
    mean = jnp.broadcast_to(np.asarray(start, np.float32), (method.dim,))

    @jax.jit
    def run(params, keys):
        one = lambda key: pure_search(
            score, params, method, mean, key, generations=generations, target=target, dtype=dtype, tol=tol
        )[1]
        return jax.vmap(one)(keys)

    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, run(jax.tree.map(lambda x: jnp.asarray(x, dtype), params), keys))


def noise_of(state, generations, shape):
    """The numbers that the search draws, by their definition."""
    draws = [jax.random.normal(jax.random.fold_in(state.key, g), shape, jnp.float32) for g in range(generations)]
    return np.asarray(draws, np.float64)


def cigar(z):
    return z[0] ** 2 + 1e4 * sum(z[1:] ** 2) + z[0] * z[1]


@pytest.mark.parametrize("active", [True, False])
def test_cma_is_the_tutorial_s_step_by_step(active):
    method = cma(7, 0.3, active=active)
    state = method.init(np.linspace(-1, 1, 7), jax.random.key(5))
    noise = noise_of(state, 60, (method.population, 7))
    for codes, mean, sigma, C in transcriptions.cma(np.linspace(-1, 1, 7), 0.3, noise, cigar, active):
        asked = method.ask(state)
        np.testing.assert_allclose(asked, codes, rtol=1e-9, atol=1e-9)
        state = method.tell(state, asked, [cigar(z) for z in np.asarray(asked)])
        np.testing.assert_allclose(state.mean, mean, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(state.sigma, sigma, rtol=1e-9)
        np.testing.assert_allclose(state.covariance, C, rtol=1e-8, atol=1e-10)


def test_decomposes_lazily_where_that_is_enough():
    method = cma(90, 0.3, population=8)
    state = method.init(np.ones(90), jax.random.key(5))
    noise = noise_of(state, 6, (8, 90))
    for codes, mean, _, C in transcriptions.cma(np.ones(90), 0.3, noise, cigar):
        np.testing.assert_allclose(method.ask(state), codes, rtol=1e-9, atol=1e-9)
        state = method.tell(state, codes, [cigar(z) for z in np.asarray(codes)])
        np.testing.assert_allclose(state.mean, mean, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(state.covariance, C, rtol=1e-9, atol=1e-12)
    assert not np.allclose((state.vectors * state.scales**2) @ state.vectors.T, state.covariance, rtol=0, atol=1e-6)


def test_cholesky_cma_is_the_paper_s_step_by_step():
    method = cholesky_cma(8, 0.3, every=3)
    assert method.population == 13
    state = method.init(np.linspace(-1, 1, 8), jax.random.key(3))
    noise = noise_of(state, 60, (13, 8))
    for codes, mean, sigma, A in transcriptions.cholesky_cma(np.linspace(-1, 1, 8), 0.3, noise, cigar, 3):
        asked = method.ask(state)
        np.testing.assert_allclose(asked, codes, rtol=1e-9, atol=1e-9)
        state = method.tell(state, asked, [cigar(z) for z in np.asarray(asked)])
        np.testing.assert_allclose(state.mean, mean, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(state.sigma, sigma, rtol=1e-9)
        np.testing.assert_allclose(state.factor, A, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(state.factor @ state.inverse, np.eye(8), atol=1e-12)


@pytest.mark.parametrize(
    ("dim", "population", "parents"), [(128, 25, 12), (256, 28, 14), (500, 30, 15), (4096, 40, 20)]
)
def test_the_paper_s_populations(dim, population, parents):
    method = cholesky_cma(dim, 1.0)
    assert (method.population, method.population // 2) == (population, parents)


def test_needs_no_more_evaluations_than_pycma():
    r = searches(sphere, (), cma(DIM, 1.0), 1.0, 400)
    assert (r.status == Status.TARGET).all()
    assert np.median(r.evaluations) <= 1.15 * PYCMA["sphere"]
    ellipses = (10 ** np.linspace(0, 6, DIM), rotation())
    r = searches(ellipsoid, ellipses, cma(DIM, 1.0), 1.0, 1500)
    assert (r.status == Status.TARGET).all()
    assert np.median(r.evaluations) <= 1.15 * PYCMA["ellipsoid"]
    r = searches(rosenbrock, (), cma(DIM, 0.5), 0.0, 2500)
    assert np.median(r.evaluations) <= 1.15 * PYCMA["rosenbrock"]
    assert (r.score <= 1e-9).sum() >= 9  # of 11; the others may end in the local minimum


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "score", "x0", "sigma"), [("sphere", sphere, 1.0, 1.0), ("rosenbrock", rosenbrock, 0.0, 0.5)]
)
def test_pycma_s_own_count(name, score, x0, sigma):
    pycma = pytest.importorskip("cma", reason="pycma is not installed: pip install cma to run this")
    plain = {
        "sphere": lambda z: z @ z,
        "rosenbrock": lambda z: sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2),
    }
    counts = []
    for seed in range(1, 12):
        options = {"seed": seed, "verbose": -9, "popsize": 12, "ftarget": 1e-9}
        counts.append(pycma.fmin2(plain[name], DIM * [x0], sigma, options)[1].result.evaluations)
    assert abs(np.median(counts) / PYCMA[name] - 1) < 0.05


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_ten_decades_in_a_rotated_basis(dtype):
    params = (10 ** np.linspace(0, 10, DIM), rotation())
    r = searches(ellipsoid, params, cma(DIM, 1.0), 1.0, 2600, seeds=3, dtype=dtype)
    assert (r.status == Status.TARGET).all()
    assert (r.score <= 1e-9).all()


def test_the_covariance_becomes_the_inverse_hessian():
    values, Q = 10 ** np.linspace(0, 4, 10), rotation(dim=10)
    method = cma(10, 1.0)
    state = method.init(np.ones(10), jax.random.key(0))
    score = lambda p, codes: (codes @ p[1].T) ** 2 @ p[0]
    for _ in range(300):
        codes = method.ask(state)
        state = method.tell(state, codes, score((values, Q), np.asarray(codes)))
    white = np.sqrt(values)[:, None] * (Q @ np.asarray(state.covariance) @ Q.T) * np.sqrt(values)
    spread = np.linalg.eigvalsh(white)
    assert spread[-1] / spread[0] < 30  # of 10⁴ before


def test_states_are_float64_under_any_flag():
    method = cma(4, 1.0)
    states = jax.vmap(method.init)(jnp.ones((3, 4)), jax.random.split(jax.random.key(0), 3))
    codes = jax.vmap(method.ask)(states)
    told = jax.vmap(method.tell)(states, codes, (np.asarray(codes) ** 2).sum(-1))
    assert codes.dtype == told.covariance.dtype == np.float64
    one = method.init(jnp.ones(4), jax.random.split(jax.random.key(0), 3)[1])
    np.testing.assert_array_equal(method.ask(one), codes[1])
    with jax.enable_x64(True):
        np.testing.assert_array_equal(jax.jit(method.ask)(one), codes[1])
    with pytest.raises(TypeError, match=r"Put `with jax.enable_x64\(True\):` around"):
        jax.jit(method.tell)(one, codes[1], np.arange(8.0))


def test_moved_codes_do_not_blow_up_the_covariance():
    method = cma(6, 0.1)
    state = method.init(np.zeros(6), jax.random.key(0))
    codes = np.array(method.ask(state))
    codes[0] = 100.0
    state = method.tell(state, codes, np.arange(len(codes), dtype=float))
    assert np.abs(np.asarray(state.mean)).max() < 0.3
    assert np.asarray(state.scales).max() < 2


def test_bad_input_is_said():
    method = cma(4, 1.0)
    with pytest.raises(ValueError, match=r"mean has shape \(5,\); expected \(4,\)"):
        method.init(np.ones(5), jax.random.key(0))
    state = method.init(np.ones(4), jax.random.key(0))
    with pytest.raises(ValueError, match=r"scores of shape \(3,\); expected \(8, 4\) and \(8,\)"):
        method.tell(state, method.ask(state), np.ones(3))
    with pytest.raises(ValueError, match="population is 3; expected at least 4"):
        cma(4, 1.0, population=3)
    with pytest.raises(ValueError, match=r"sigma is -1\.0; expected a positive number"):
        cma(4, -1.0)


def metric(decades, dim=DIM):
    return 10 ** np.linspace(0, -decades, dim), rotation(dim=dim)


@pytest.mark.parametrize("adapt", ["frozen", "full"])
def test_hess_cma_needs_a_fifth_where_the_hessian_is_the_metric(adapt):
    values, Q = metric(8)
    start = np.random.default_rng(2).standard_normal(DIM)
    method = hess_cma((values, Q.T), 0.3, exponent=0.5, adapt=adapt, population=12)
    ours = searches(ellipsoid, (values, Q), method, start, 2000, seeds=5, tol=1e-30)
    plain = searches(ellipsoid, (values, Q), cma(DIM, 1.0), start, 4000, seeds=5, tol=1e-30)
    assert (ours.status == Status.TARGET).all()
    assert (plain.status == Status.TARGET).all()
    assert np.median(ours.evaluations) <= np.median(plain.evaluations) / 5


def test_hess_cma_is_the_paper_s_with_the_metric_s_factor():
    """``A = Λ_r^-α U_rᵀ (r, d)`` and its pseudo-inverse, in the paper's own loop over codes of d dimensions."""
    values, Q = metric(3, dim=6)
    r, exponent = 4, 0.4
    A0, start = (values[:r] ** -exponent)[:, None] * Q[:r], np.linspace(0, 1, 6)
    assert np.allclose(A0 @ (values[:r] ** exponent * Q[:r].T), np.eye(r))
    method = hess_cma((values, Q.T), 0.2, r, exponent=exponent, population=10)
    state = method.init(start, jax.random.key(1))
    noise = noise_of(state.inner, 40, (10, r))
    score = lambda u: cigar(start + u @ A0)
    for codes, mean, sigma, _ in transcriptions.cholesky_cma(np.zeros(r), 0.2, noise, score, 10):
        np.testing.assert_allclose(method.ask(state), start + codes @ A0, rtol=1e-9, atol=1e-9)
        state = method.tell(state, method.ask(state), [score(u) for u in codes])
        np.testing.assert_allclose(method.mean(state), start + mean @ A0, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(state.inner.sigma, sigma, rtol=1e-9)


def test_hess_cma_s_bad_input_is_said():
    values, Q = metric(3, dim=6)
    with pytest.raises(ValueError, match="cutoff is 7; expected an integer from 1 to 6, the number of eigenpairs"):
        hess_cma((values, Q.T), 0.2, 7)
    with pytest.raises(ValueError, match="vectors are columns"):
        hess_cma((values, Q[:, :4]), 0.2)
    with pytest.raises(ValueError, match="not finite and descending"):
        hess_cma((values[::-1], Q.T), 0.2)
    tiny = np.array([1.0, 1e-3, -1e-9])
    scales = np.linalg.norm(
        np.asarray(
            hess_cma((tiny, np.eye(3)), 0.2, exponent=0.5, floor=1e-6).init(np.zeros(3), jax.random.key(0)).to_code
        ),
        axis=0,
    )
    np.testing.assert_allclose(scales, [1, 1e-3**-0.5, 1e3])
