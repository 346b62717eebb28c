"""The spaces of style-based generators: how they nest, truncation, driven layers, noise, metrics, refused options."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

import geomgan as gg
from geomgan.errors import OptionError
from geomgan.generators import stylegan2
from geomgan.generators.generator import _generate
from tests.fixtures import assert_close
from tests.oracles import half_hessian
from tests.small_models import in_float64

WIDTH, FEATURES = 6, (6, 5, 4)  # 16 pixels, six style layers
DEPTH = 2 * len(FEATURES)
SIZES = {"conv4": 6, "rgb4": 6, "up8": 6, "conv8": 5, "rgb8": 5, "up16": 5, "conv16": 4, "rgb16": 4}
KEY = jax.random.key(7)


def model(features=FEATURES, width=WIDTH, seed=0):
    """Configuration and weights of a small StyleGAN2."""
    config = {
        "resolution": 4 * 2 ** (len(features) - 1),
        "latent_dim": width,
        "mapping": [width] * 2,
        "features": list(features),
        "channels": 3,
        "taps": [0.25, 0.75, 0.75, 0.25],
    }
    rng = np.random.default_rng(seed)

    def weights(name, shape):
        if name.endswith("kernel"):
            return rng.standard_normal(shape) * (2 / np.prod(shape[:-1])) ** 0.5
        return rng.standard_normal(shape) * 0.3 + (name.startswith("styles") and name.endswith("bias"))

    flat = traverse_util.flatten_dict(stylegan2.template(config), sep="/")
    filled = {name: weights(name, leaf.shape).astype(np.float32) for name, leaf in flat.items()}
    return config, {"generator": traverse_util.unflatten_dict(filled, sep="/")}


def loaded(space="z", of=None, **options):
    settings = stylegan2.generator(*(of or model()), space=space, **options)
    return gg.Generator.in_space(
        settings.function, settings.params, settings.latent_dim, prior=settings.prior, name="small-stylegan2"
    )


def rows(code):
    """One ``w`` for every style layer, flattened."""
    return jnp.tile(code, DEPTH)


# --- The spaces, one inside the other ---


@pytest.mark.parametrize("truncation", [1.0, 0.4])
def test_the_priors_of_all_spaces_make_the_same_images(truncation):
    spaces = {space: loaded(space, truncation=truncation) for space in ("z", "w", "w+", "s")}
    codes = {space: G.sample_latent(KEY, 3) for space, G in spaces.items()}
    assert {space: code.shape[1] for space, code in codes.items()} == {"z": 6, "w": 6, "w+": 36, "s": 41}
    theirs = jax.vmap(spaces["z"])(codes["z"])
    assert np.ptp(theirs) > 0.5
    for space in ("w", "w+", "s"):
        assert_close(jax.vmap(spaces[space])(codes[space]), theirs, 1e-5)
    np.testing.assert_allclose(codes["w+"], jax.vmap(rows)(codes["w"]), rtol=1e-6)
    assert_close(codes["z"], jax.random.normal(KEY, (3, 6)), 1e-6)


def test_truncation_moves_mapped_codes_towards_the_mean_and_leaves_given_ones():
    mean = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    whole, half, none = (loaded("w", truncation=psi, mean_latent=mean[None]) for psi in (1, 0.5, 0))
    w = whole.sample_latent(KEY, 4)
    assert_close(half.sample_latent(KEY, 4), mean + 0.5 * (w - mean), 1e-6)
    assert_close(none.sample_latent(KEY, 4), np.tile(mean, (4, 1)), 1e-6)
    np.testing.assert_array_equal(half(w[0]), whole(w[0]))
    assert_close(loaded("z", truncation=0, mean_latent=mean)(np.ones(WIDTH)), whole(mean), 1e-5)
    by_layer = loaded("w+", truncation=[0.5, 0.5, 1, 1, 1, 1], mean_latent=mean).sample_latent(KEY, 4)
    assert_close(by_layer.reshape(4, DEPTH, WIDTH)[:, 1:3], np.stack([half.sample_latent(KEY, 4), w], 1), 1e-6)


def test_style_vectors_lie_in_network_order():
    G = loaded("s")
    s, starts = G.sample_latent(KEY, 1)[0], dict(zip(SIZES, np.cumsum([0, *SIZES.values()]), strict=False))
    for name, size in SIZES.items():
        moved = s.at[starts[name] : starts[name] + size].add(0.5)
        at_own, before = G.at(f"synthesis.{name}"), [n for n in SIZES if n[0] != "r"]
        assert np.abs(at_own(moved) - at_own(s)).max() > 1e-3
        for other in before[: before.index(name)] if name in before else ():
            np.testing.assert_array_equal(G.at(f"synthesis.{other}")(moved), G.at(f"synthesis.{other}")(s))
    assert_close(G.at("s")(s), s, 1e-6)


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_codes_drive_some_layers_and_the_others_stay_at_the_base(space):
    first, last = 1, 4
    base = np.random.default_rng(5).standard_normal((DEPTH, WIDTH)).astype(np.float32)
    G = loaded(space, layers=(first, last), base=base)
    sizes = {
        "z": WIDTH,
        "w": WIDTH,
        "w+": 3 * WIDTH,
        "s": sum(SIZES[n] for n in ("rgb4", "up8", "conv8", "rgb8", "up16")),
    }
    assert G.latent_dim == sizes[space]
    code = G.sample_latent(KEY, 1)[0]
    w = loaded("w").sample_latent(KEY, 1)[0]
    assert_close(G(code), loaded("w+")(jnp.asarray(base).at[first:last].set(w).ravel()), 1e-5)
    flattened, shared = loaded(space, layers=[1, 4], base=base.ravel()), loaded(space, layers=(1, 4), base=base[0])
    assert_close(flattened(code), G(code), 1e-6)
    assert np.abs(shared(code) - G(code)).max() > 1e-2


def test_the_base_is_the_mean_latent_unless_given():
    G = loaded("w+", layers=(2, 3))
    mean = G.params["context"]["mean_latent"]
    assert_close(G(mean), loaded("w")(mean), 1e-6)
    in_s = loaded("s", layers=(0, 1))
    assert_close(in_s.params["context"]["base"], loaded("w").at("s")(mean), 1e-5)
    own = np.linspace(0, 1, 41, dtype=np.float32)
    assert_close(loaded("s", layers=(0, 1), base=own)(own[:6]), loaded("s")(own), 1e-6)


def test_all_layers_are_no_restriction():
    assert loaded("w+", layers=(0, DEPTH)).function == loaded("w+").function


# --- Noise ---


def test_noise_is_zero_drawn_from_a_key_or_given():
    code, sides = np.ones(WIDTH, np.float32), (4, 8, 8, 16, 16)
    fixed, zero, drawn = (loaded("w", noise=noise) for noise in (None, "zero", jax.random.key(3)))
    assert [x.shape for x in drawn.params["context"]["inputs"]["noise"]] == [(n, n) for n in sides]
    np.testing.assert_array_equal(fixed(code), loaded("w", noise=jax.random.key(0))(code))
    assert min(np.abs(fixed(code) - zero(code)).max(), np.abs(fixed(code) - drawn(code)).max()) > 1e-2
    maps = [np.asarray(x) for x in drawn.params["context"]["inputs"]["noise"]]
    np.testing.assert_array_equal(loaded("w", noise=maps)(code), drawn(code))
    np.testing.assert_array_equal(loaded("w", noise=tuple(x[None, None] for x in maps))(code), drawn(code))
    np.testing.assert_array_equal(loaded("w", noise=[0 * x for x in maps])(code), zero(code))


def test_stored_noise_and_mean_are_used():
    config, params = model()
    maps = [np.full((n, n), i, np.float32) for i, n in enumerate((4, 8, 8, 16, 16))]
    mean = np.arange(WIDTH, dtype=np.float32)
    stored = params | {"noise": {f"map{i}": x for i, x in enumerate(maps)}, "average": {"latent": mean}}
    G, code = loaded("w", (config, stored)), np.ones(WIDTH)
    np.testing.assert_array_equal(G(code), loaded("w", noise=maps)(code))
    np.testing.assert_array_equal(G(code), loaded("w", (config, stored), noise="checkpoint")(code))
    np.testing.assert_array_equal(G.params["context"]["mean_latent"], mean)


def test_what_the_user_fixes_is_no_constant():
    code = np.ones(WIDTH, np.float32)
    loaded("z")(code)
    compiled = _generate._cache_size()
    loaded("z", truncation=0.3, mean_latent=code, noise=jax.random.key(9))(code)
    assert _generate._cache_size() == compiled


# --- Metrics ---


@pytest.fixture(scope="module")
def at64():
    """64 pixels, ten style layers of eight dimensions."""
    return model((8, 6, 5, 4, 4), 8)


def exact_metric(G, z):
    """``½ ∂² d² / ∂z²`` in float64, by differentiating the distance twice."""
    with jax.enable_x64(True):
        D = replace(gg.distances.mse(), input_range=(-1.0, 1.0))
        return np.asarray(half_hessian(in_float64(G), D, jnp.asarray(z, jnp.float64)))


@pytest.fixture(scope="module")
def in_w_plus(at64):
    """The exact metric of ``w+`` where every layer has the same ``w``, and that ``w``."""
    w = loaded("w", at64).sample_latent(KEY, 1)[0]
    return exact_metric(loaded("w+", at64), jnp.tile(w, 10)), w


@pytest.mark.parametrize("space", ["z", "w"])
def test_the_metric_tensor_agrees_with_float64(at64, space):
    G = loaded(space, at64, truncation=0.7)
    assert G.sample_shape.shape == (64, 64, 3)
    z = G.sample_latent(KEY, 1)[0]
    assert_close(gg.metric_tensor(G, gg.distances.mse(), z), exact_metric(G, z), 1e-5)


def test_the_operator_of_w_plus_agrees_with_float64(at64, in_w_plus):
    exact, w = in_w_plus
    op = gg.metric_operator(loaded("w+", at64), gg.distances.mse(), jnp.tile(w, 10))
    for v in np.random.default_rng(0).standard_normal((8, 80)).astype(np.float32):
        assert_close(op.matvec(v), exact @ v, 1e-5)
    block = np.eye(80, 32, k=-20, dtype=np.float32)  # rows and columns 20 to 51
    assert_close(op.matmat(block)[20:52], exact[20:52, 20:52], 1e-5)


def test_the_metric_of_w_is_the_exact_one_of_w_plus_contracted_over_layers(at64, in_w_plus):
    exact, w = in_w_plus
    contracted = exact.reshape(10, 8, 10, 8).sum(axis=(0, 2))
    assert_close(gg.metric_tensor(loaded("w", at64), gg.distances.mse(), w), contracted, 1e-5)


# --- Bad input ---


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"space": "W"}, r"Known: 'z', 'w', 'w\+', 's'"),
        ({"truncation": 1.5}, "expected a number from -1 to 1"),
        ({"truncation": float("nan")}, "NaN"),
        ({"truncation": "0.5"}, "expected numbers"),
        ({"truncation": True}, "expected a number"),
        ({"truncation": [0.5, 0.5]}, "or 6 of them"),
        ({"mean_latent": np.ones(5)}, r"shape \(5,\); expected \(6,\), \(1, 6\) or"),
        ({"mean_latent": np.full(6, np.inf)}, "mean_latent is or holds"),
        ({"layers": (2, 7)}, "there are 6 style layers"),
        ({"layers": (3, 3)}, "0 <= a < b <= 6"),
        ({"layers": (-1, 3)}, "0 <= a < b <= 6"),
        ({"layers": (0.0, 3.0)}, "0 <= a < b <= 6"),
        ({"layers": 3}, "layers=3"),
        ({"space": "s", "layers": (0, 7)}, "there are 6 style layers"),
        ({"layers": (1, 2), "base": np.ones((5, 6))}, r"base has shape \(5, 6\); expected \(6,\), \(6, 6\)"),
        ({"space": "s", "layers": (1, 2), "base": np.ones(40)}, r"or \(41,\) style vectors"),
        ({"space": "w+", "layers": (1, 2), "base": np.ones(41)}, r"base has shape \(41,\)"),
        ({"base": np.ones(6)}, "Give layers="),
        ({"noise": "random"}, "noise='random' is not known"),
        ({"noise": "checkpoint"}, "stores no noise maps"),
        ({"noise": jnp.zeros(2, jnp.uint32)}, "expected 'checkpoint', 'zero', one jax.random.key or 5 maps"),
        ({"noise": jax.random.split(KEY)}, "one jax.random.key"),
        ({"noise": [np.zeros((4, 4))] * 4}, "noise is 4 maps"),
        ({"noise": [np.zeros((4, 4))] * 5}, r"noise map 1 has shape \(4, 4\); expected \(8, 8\)"),
        ({"noise": [np.zeros((4, 4)), "x", 0, 0, 0]}, "noise map 1 is 'x'"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(OptionError, match=says):
        loaded(**{"space": "w", **options})
