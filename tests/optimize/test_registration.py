"""Similarity transforms: against scipy, exact inverses, and an inversion that finds one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

import geomgan as gg
from geomgan import optimize as go
from geomgan.optimize.registration import onto_sample, onto_target


def similarity(scale, angle, x, y):
    return go.Similarity(jnp.asarray(scale), jnp.asarray(angle), jnp.asarray([x, y]))


def waves(params, z):
    """Smooth images of low frequencies."""
    return jnp.tanh(jnp.einsum("khwc,k->hwc", params, z))


def smooth_images(d=4, side=24):
    rng = np.random.default_rng(1)
    noise = ndimage.gaussian_filter(rng.standard_normal((d, side, side, 3)), (0, 3, 3, 0))
    noise *= 1.0 / noise.std()
    return gg.Generator.from_function(waves, jnp.asarray(noise, jnp.float32), d, name="waves")


@pytest.mark.parametrize("shape", [(9, 9), (8, 12)])
def test_warps_are_those_of_scipy(shape):
    rng = np.random.default_rng(0)
    image = rng.standard_normal((*shape, 2)).astype(np.float32)
    scale, angle, x, y = 1.2, 0.3, 0.1, -0.2
    moved, inside = onto_target(jnp.asarray(image), similarity(scale, angle, x, y))
    half, centre = min(shape) / 2, (np.array(shape) - 1) / 2
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    py, px = (rows - centre[0]) / half - y, (columns - centre[1]) / half - x
    sx = (np.cos(angle) * px + np.sin(angle) * py) / scale
    sy = (-np.sin(angle) * px + np.cos(angle) * py) / scale
    at = [sy * half + centre[0], sx * half + centre[1]]
    for channel in range(2):
        expected = ndimage.map_coordinates(image[..., channel], at, order=1, mode="nearest")
        np.testing.assert_allclose(moved[..., channel], expected, atol=1e-5)
    within = (at[0] >= 0) & (at[0] <= shape[0] - 1) & (at[1] >= 0) & (at[1] <= shape[1] - 1)
    assert (np.asarray(inside[..., 0])[within] == 1).all()
    assert (np.asarray(inside[..., 0])[~within] < 1).all()


def test_a_quarter_turn_is_numpys_and_its_inverse_undoes_it():
    image = np.random.default_rng(0).standard_normal((7, 7, 1)).astype(np.float32)
    turn = similarity(1.0, np.pi / 2, 0.0, 0.0)
    turned, inside = onto_target(jnp.asarray(image), turn)
    np.testing.assert_allclose(turned, np.rot90(image, -1), atol=1e-5)  # x turns towards y, which points down
    back, _ = onto_sample(turned, turn)
    np.testing.assert_allclose(back, image, atol=1e-5)
    assert float(inside.min()) > 0.999
    moved, _ = onto_target(jnp.asarray(image), similarity(1.0, 0.0, 2 / 3.5, 0.0))
    np.testing.assert_allclose(moved[:, 2:], image[:, :5], atol=1e-5)


@pytest.mark.parametrize("kind", ["sample", "target"])
def test_a_moved_target_is_found(kind):
    G = smooth_images()
    code = np.array([[0.6, -0.5, 0.4, 0.3]], np.float32)
    true = similarity(1.08, 0.12, 0.1, -0.06)
    target = np.asarray(onto_target(G(code[0]), true)[0])[None]
    D = gg.distances.mse()
    found = go.invert(G, target, D, key=jax.random.key(0), restarts=4, steps=60, registration=kind, progress=False)
    T = found.transforms
    got = [float(found.of_best(x)[0]) for x in (T.scale, T.angle)] + found.of_best(T.translation)[0].tolist()
    np.testing.assert_allclose(got, [1.08, 0.12, 0.1, -0.06], atol=0.03)
    np.testing.assert_allclose(found.best_codes, code, atol=0.1)
    differences = ((found.of_best(found.aligned)[0] - target[0]) ** 2)[4:-4, 4:-4]
    assert differences.mean() < 0.01
    plain = go.invert(G, target, D, key=jax.random.key(0), restarts=4, steps=60, progress=False)
    assert found.of_best(found.measures["mse"])[0] < 0.1 * plain.of_best(plain.measures["mse"])[0]


def test_without_an_overlap_nothing_is_gained():
    """The loss does not fall where the sample is moved out of the picture."""
    G = smooth_images()
    target = np.asarray(G(jnp.array([0.6, -0.5, 0.4, 0.3])))[None]
    loss = go.losses(G, gg.distances.mse(), target, registration="sample")[0]
    away = jnp.array([2.0, 1.0, -1.0, 0.5, 0, 0, 0, 0])
    here = loss.value(away)
    for shift in (2.0, 5.0, 9.0):
        assert loss.value(away.at[6].set(shift)) > 0.5 * here


def test_images_without_channels_are_told():
    G = gg.Generator.from_function(lambda p, z: z, (), 4, output_range=None)
    with pytest.raises(ValueError, match="registration is of images"):
        go.losses(G, gg.distances.mse(), np.zeros((1, 4), np.float32), registration="sample")
