"""BasinCMA: basins of a loss with many, the best of all generations, penalties, the published recipes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.optimize import (
    RECIPES,
    Penalty,
    Recipe,
    adam,
    anchored,
    basin_cma,
    cma,
    in_blocks,
    levenberg_marquardt,
    losses,
    noise_and_class,
)
from geomgan.optimize.downhill import Penalised
from tests.small_models import linear_generator, smooth_generator

KEY = jax.random.key(0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rastrigin:
    """A basin about every whole number: ``Σ z² + 3 (1 - cos 2πz)``, the lowest at the centre."""

    centre: jax.Array

    def value(self, z):
        y = z - self.centre
        return jnp.sum(y**2 + 3 * (1 - jnp.cos(2 * jnp.pi * y)))


def found(recipe, seed=0, **options):
    loss = Rastrigin(jnp.full(4, 3.0))
    return basin_cma(loss, cma(4, 1.5), np.zeros(4), jax.random.key(seed), recipe, progress=False, **options)


def test_finds_the_basin_that_a_descent_alone_does_not():
    result = found(Recipe(25, 15, 100), descent=adam(0.05))
    np.testing.assert_allclose(result.codes[0], 3, atol=1e-2)
    alone = found(Recipe(0, 0, 150))
    assert alone.losses[0] > 3
    assert result.losses[0] < 0.01


@pytest.mark.parametrize("moved", [False, True])
def test_the_best_of_all_generations_are_kept(moved):
    result = found(Recipe(8, 5, 0), moved=moved, keep=3)
    assert result.before.shape == result.after.shape == (8, 8)
    assert (result.after <= result.before + 1e-5).all()
    np.testing.assert_allclose(result.losses, np.sort(result.after.ravel())[:3])
    np.testing.assert_allclose(result.history, np.minimum.accumulate(result.after.min(axis=1)))
    np.testing.assert_allclose([Rastrigin(jnp.full(4, 3.0)).value(z) for z in result.codes], result.losses, rtol=1e-5)


def test_is_told_moved_codes_or_those_asked_for():
    """One generation by hand, for both: what the second asks for is what the method says after it was told."""
    for moved in (False, True):
        result = found(Recipe(2, 5, 0), moved=moved)
        method = cma(4, 1.5)
        state = method.init(np.zeros(4), KEY)
        asked = method.ask(state)
        reached = np.asarray(found(Recipe(1, 5, 0), keep=8).codes)
        order = np.argsort(np.argsort(result.after[0]))
        told = method.tell(state, reached[order] if moved else asked, result.after[0])
        loss = jax.vmap(Rastrigin(jnp.full(4, 3.0)).value)
        np.testing.assert_allclose(result.before[1], loss(np.asarray(method.ask(told), np.float32)), rtol=1e-3)


def test_batches_change_nothing():
    whole, parts = found(Recipe(3, 5, 4)), found(Recipe(3, 5, 4), batch=3)
    np.testing.assert_allclose(parts.codes, whole.codes, rtol=1e-5)
    assert parts.passes == whole.passes
    assert whole.passes == 3 * 8 * (1 + 3 * 5 + 1) + 4 * (3 * 4 + 1)


class Interrupted(Exception):
    pass


def test_an_interrupted_search_ends_with_the_same_numbers(tmp_path):
    """Stopped within the generations; a finished one asks for nothing, and another search is refused."""
    recipe, asked = Recipe(4, 5, 60), []
    whole = found(recipe)

    def until(calls):
        def ask(state):
            asked.append(1)
            if len(asked) > calls:
                raise Interrupted
            return cma(4, 1.5).ask(state)

        return cma(4, 1.5)._replace(ask=ask)

    loss = Rastrigin(jnp.full(4, 3.0))
    with pytest.raises(Interrupted):
        basin_cma(loss, until(2), np.zeros(4), KEY, recipe, out=tmp_path, progress=False)
    assert (tmp_path / "generations.npz").exists()
    part = found(recipe, out=tmp_path)
    again = basin_cma(loss, until(0), np.zeros(4), KEY, recipe, out=tmp_path, progress=False)
    for result in (part, again):
        for name, value in vars(whole).items():
            np.testing.assert_array_equal(getattr(result, name), value, err_msg=name)
    with pytest.raises(gg.errors.GeomganError, match="numbers"):
        found(recipe, seed=1, out=tmp_path)
    with pytest.raises(gg.errors.GeomganError, match="choices"):
        found(Recipe(4, 5, 61), out=tmp_path)


def test_inverts_a_generator_with_any_inner_method():
    G = smooth_generator()
    code = np.asarray(G.sample_latent(jax.random.key(5), 1))[0]
    loss = losses(G, gg.distances.mse(), np.asarray(G(code))[None])[0]
    method = in_blocks([cma(2, 0.4, population=6), cma(4, 0.2, population=6)])
    lm = levenberg_marquardt()
    for descent in (adam(0.05), lm):
        options = {"descent": descent, "last": lm, "progress": False}
        result = basin_cma(loss, method, np.zeros(6), KEY, Recipe(3, 4, 8), **options)
        np.testing.assert_allclose(result.codes[0], code, atol=1e-3)


def test_penalties_are_the_published_ones():
    z = jnp.asarray([3.0, 4.0, 1.0, 2.0])
    assert Penalty(0.09, 12.0, end=2)(z) == 0
    np.testing.assert_allclose(Penalty(2.0, 1.0, end=2)(z), 2 * (5 - 1))
    np.testing.assert_allclose(Penalty(0.4, centre=np.array([1.0, -1.0]), begin=2)(z), 0.4 * 3)
    assert np.isfinite(jax.grad(Penalty(1.0))(jnp.zeros(4))).all()
    noise, classes = anchored(2, [0, 0, 1.0, -1.0])
    assert noise(z) == 0
    np.testing.assert_allclose(classes(z), 1.2, rtol=1e-6)
    loss = losses(
        linear_generator(np.eye(4, dtype=np.float32)), gg.distances.euclidean(), np.zeros((1, 4), np.float32)
    )[0]
    penalised = Penalised.of(loss, (Penalty(2.0, 1.0, end=2), classes))
    np.testing.assert_allclose(penalised.value(z), 30 + 8 + 1.2, rtol=1e-6)
    np.testing.assert_allclose(sum(jnp.sum(r**2) for r in penalised.residual(z)), 39.2, rtol=1e-6)


def test_the_published_recipes():
    assert RECIPES["basin-cma"] == (10, 10, 600, False)
    assert RECIPES["cma"] == (100, 0, 0, False)
    assert noise_and_class().dim == 256
    assert noise_and_class().population == 18
    with pytest.raises(ValueError, match=r"recipe='basin' is not known\. Did you mean 'basin-cma'"):
        found("basin")
    with pytest.raises(ValueError, match="the recipe is anchored; expected penalties"):
        found("basin-cma-anchored")
    with pytest.raises(ValueError, match="keep is 9; expected an integer from 1 to 8, the codes of a generation"):
        found(Recipe(1, 0, 0), keep=9)
