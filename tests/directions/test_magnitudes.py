"""Laws of magnitudes."""

import jax
import numpy as np
import pytest

from geomgan.directions.magnitudes import draw_magnitudes


def drawn(law, n=20_000, **options):
    return np.asarray(draw_magnitudes(jax.random.key(0), n, law, options.get("least", 0.5), options.get("most", 6.0)))


def test_uniform_and_normal_magnitudes_are_kept_from_zero():
    x = drawn("uniform")
    assert x.min() > -6
    assert x.max() < 6
    assert np.abs(x).min() == 0.5
    assert np.mean(np.abs(x) == 0.5) == pytest.approx(0.5 / 6, abs=0.01)
    assert np.mean(x > 3) == pytest.approx(0.25, abs=0.01)
    x = drawn("normal")
    assert np.abs(x).min() == 0.5
    assert x.std() == pytest.approx(6, rel=0.02)


def test_balanced_magnitudes_have_a_fair_sign():
    x = drawn("balanced", least=0.15, most=0.25)
    assert np.mean(x > 0) == pytest.approx(0.5, abs=0.015)
    assert np.abs(x).min() >= 0.15
    assert np.abs(x).max() <= 0.25
    assert np.abs(x).mean() == pytest.approx(0.2, abs=0.001)


def test_the_original_draws_seven_positive_magnitudes_of_ten():
    draw = jax.jit(jax.vmap(lambda key: draw_magnitudes(key, 32, "warpedganspace", 0.15, 0.25)))
    x = np.asarray(draw(jax.random.split(jax.random.key(0), 2000)))
    assert np.mean(x > 0) == pytest.approx(0.694, abs=0.01)
    assert np.abs(x).min() >= 0.15
    assert np.abs(x).max() <= 0.25


def test_what_cannot_be():
    with pytest.raises(ValueError, match=r"magnitudes from 2.0 to 1.0; expected 0 <= least < most"):
        drawn("uniform", least=2.0, most=1.0)
    with pytest.raises(ValueError, match="law='gauss' is not known"):
        drawn("gauss")
