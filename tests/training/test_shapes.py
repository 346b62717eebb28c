import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.training import shapes
from geomgan.training.shapes_renderer import FACTORS, NUISANCES, STRIPES, factors_of, render, rotation

MIDDLE = np.array([(factor.low + factor.high) / 2 for factor in (*FACTORS, *NUISANCES)], np.float32)
draw = jax.jit(render)


def drawn(**factors):
    names = [factor.name for factor in (*FACTORS, *NUISANCES)]
    values = MIDDLE.copy()
    for name, value in factors.items():
        values[names.index(name)] = value
    return np.asarray(draw(values))


def pin(image):
    """How much of each pixel is the pin, by its colour: the ground is grey."""
    return np.ptp(image, axis=-1)


def centre(image):
    rows, columns = np.mgrid[:32, :32]
    weight = pin(image) / pin(image).sum()
    return (weight * columns).sum(), -(weight * rows).sum()


def test_position_moves_the_pin_by_its_pixels():
    x0, y0 = centre(drawn(size=7, x=0, y=0))
    for name, by in (("x", (3, 0)), ("y", (0, 2))):
        x, y = centre(drawn(size=7, **{name: sum(by)}))
        np.testing.assert_allclose((x - x0, y - y0), by, atol=0.02)


def test_size_is_area_and_turns_turn():
    areas = [pin(drawn(size=size)).sum() for size in (7.0, 10.5)]
    assert areas[1] / areas[0] == pytest.approx(1.5**2, rel=0.1)  # soft edges add to small ones
    np.testing.assert_allclose(drawn(x=0, rotation=0.7), drawn(x=0, rotation=-0.7)[:, ::-1], atol=2 * STRIPES)
    upright = pin(drawn(x=0, y=0, size=9, rotation=0.0))
    lying = pin(drawn(x=0, y=0, size=9, rotation=np.pi / 2))
    np.testing.assert_allclose(np.rot90(upright), lying, atol=2 * STRIPES)  # counterclockwise
    assert np.abs(upright - upright[::-1]).max() > 0.5  # the head is up


def test_hue_turns_the_colour_around_grey_and_shade_is_the_ground():
    head = drawn(x=0, y=0, size=12, hue=0.0)[9, 15]
    np.testing.assert_allclose(head, 0.1 + 0.9 * np.array([2, -1, -1]) / np.sqrt(6), atol=1e-5)
    head = drawn(x=0, y=0, size=12, hue=np.pi / 2)[9, 15]
    np.testing.assert_allclose(head, 0.1 + 0.9 * np.array([0, 1, -1]) / np.sqrt(2), atol=1e-5)
    ground = drawn(shade=-0.4)[:, 0]
    np.testing.assert_allclose(ground.mean(axis=0), -0.4, atol=0.01)
    assert np.ptp(ground) == pytest.approx(2 * STRIPES, rel=0.1)


def test_codes_give_uniform_factors_along_the_columns_of_the_rotation():
    Q = rotation(jax.random.key(3))
    np.testing.assert_allclose(Q.T @ Q, np.eye(10), atol=1e-12)
    values = np.asarray(factors_of(jax.random.normal(jax.random.key(0), (20_000, 10)), Q))
    for i, factor in enumerate((*FACTORS, *NUISANCES)):
        shares = (values[:, i] - factor.low) / (factor.high - factor.low)
        np.testing.assert_allclose(np.quantile(shares, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.015)
        at = np.asarray(factors_of(jnp.asarray(Q[:, i]), Q))
        assert at[i] == pytest.approx(factor.low + 0.8413447 * (factor.high - factor.low), abs=1e-4)  # Φ(1)
        np.testing.assert_allclose(np.delete(at, i), np.delete(MIDDLE, i), atol=1e-4)
    np.testing.assert_allclose(factors_of(jnp.asarray(Q[:, 8]), Q), MIDDLE, atol=1e-4)  # does nothing


def test_the_command_trains_evaluates_and_saves(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shapes, "finished_shapes", partial(shapes.finished_shapes, batches=2, batch=16))
    monkeypatch.setattr(shapes, "evaluate", partial(shapes.evaluate, batch=20))
    command = ["--out", str(tmp_path), "--steps", "3", "--batch", "4", "--samples", "20", "--seed", "5"]
    shapes.main(command)
    figures = json.loads(capsys.readouterr().out)
    assert (figures["steps"], figures["seed"]) == (3, 5)
    G, card = gg.load(tmp_path / "shapes"), gg.zoo.card(tmp_path / "shapes")
    assert card["figures"]["rms"] == figures["rms"]
    Q = rotation(jax.random.fold_in(jax.random.key(5), 0))
    np.testing.assert_allclose(card["factors"]["directions"], Q[:, :7].T, atol=1e-11)
    z = G.sample_latent(jax.random.key(0), 20)
    images = jax.vmap(render)(factors_of(z, jnp.asarray(Q, jnp.float32)))
    assert np.sqrt(np.square(jax.vmap(G)(z) - images).mean()) == pytest.approx(figures["rms"], rel=0.2)


def test_the_error_of_the_mean_image_explains_nothing(monkeypatch):
    Q = rotation(jax.random.key(0))
    params = shapes.initial_shapes(jax.random.key(0), shapes.DEFAULTS).params
    params = {name: {"kernel": 0 * block["kernel"], "bias": block["bias"]} for name, block in params.items()}
    found = shapes.evaluate(params, Q, jax.random.key(1), samples=50, batch=50)
    assert found["explained"] < 0  # grey is worse than the mean image
    assert found["rms"] == pytest.approx(0.5, abs=0.1)
