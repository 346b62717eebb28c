"""The layers that take the code: declared matrices against weights and against what the networks do with codes."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import OptionError
from geomgan.generators import biggan, biggan_deep, generative_latent_space, pggan, sngan, wavegan
from geomgan.generators.dcgan import DCGAN, Stage
from geomgan.generators.first_layers import first_layers, last_affine
from geomgan.generators.layers import Dense, tap
from tests.fixtures import assert_close, random_params
from tests.generators.test_style_spaces import SIZES, WIDTH, loaded
from tests.small_models import smooth_generator

PADDED = DCGAN((8, 4), 1, stages=(Stage(6, 2, 1), Stage(4, 2, 1), Stage(4, 2, 1)))
PLAIN = {  # module, the first activation, whether it is of the normalised code
    "dcgan": (DCGAN((8, 4), 1), "block1.preactivation", False),
    "dcgan with padding": (
        PADDED,
        "block1.preactivation",
        False,
    ),
    "sngan": (sngan.SNGAN((8, 4)), "project", False),
    "wavegan": (wavegan.WaveGAN((8, 4)), "project.preactivation", False),
    "pggan": (pggan.PGGAN((8, 4)), "project.preactivation", True),
    "gls": (generative_latent_space.Decoder((4, 2)), "project", False),
}


@pytest.mark.parametrize("name", PLAIN)
def test_the_matrix_is_what_the_first_activation_makes_of_codes(name):
    module, activation, normalised = PLAIN[name]
    G = gg.Generator.from_module(module, random_params(module, (6,)), 6)
    (A,) = first_layers(G).values()
    z = np.array(G.sample_latent(jax.random.key(0), 1)[0], np.float64)
    made = [np.asarray(G.at(activation)(t * z)).ravel() for t in (1.0, -1.0)]
    code = z / np.sqrt(np.mean(z**2)) if normalised else z
    assert_close(A.T @ code, (made[0] - made[1]) / 2, 1e-5)


def biggan_generator(space):
    config = {"features": [8, 6, 4], "attention": [], "channels": 3, "bottom": 4, "latent_dim": 9, "embedding": 2}
    weights = random_params(biggan.network(config), (9,), (2,))
    params = {"generator": {"network": weights, "classes": np.ones((3, 2), np.float32)}}
    settings = biggan.biggan(config, params, space=space)
    return weights, gg.Generator.in_space(settings.function, settings.params, settings.latent_dim, name="biggan")


def test_chunks_of_biggan_act_on_their_own_layers():
    weights, G = biggan_generator("z")
    layers = first_layers(G)
    assert list(layers) == ["project", "block1", "block2"]
    norms = [weights[f"block2_norm{i}"][w][2:] for i in (1, 2) for w in ("gain", "shift")]
    assert_close(layers["block2"][6:], np.concatenate(norms, axis=1), 1e-6)
    assert not layers["block2"][:6].any()
    assert_close(layers["project"][:3], weights["project"]["kernel"], 1e-6)
    assert not layers["project"][3:].any()


def test_the_class_of_biggan_acts_on_blocks_alone():
    weights, G = biggan_generator("class")
    layers = first_layers(G)
    assert not layers["project"].any()
    assert_close(layers["block1"][:, :8], weights["block1_norm1"]["gain"][:2], 1e-6)


def test_biggan_deep_has_the_whole_condition_in_every_layer():
    module = biggan_deep.BigGANDeep(((False, 4, 4), (True, 4, 2)), 2, 9)
    weights = random_params(module, (5,))
    layers = first_layers(gg.Generator.from_module(module, weights, 5))
    assert {name: A.shape for name, A in layers.items()} == {
        "project": (5, 128),
        "block1": (5, 2 * (8 + 3 * 2)),
        "block2": (5, 2 * (8 + 3 * 2)),
    }
    assert_close(layers["block2"][:, 8:16], weights["block2_norm0"]["shift"], 1e-6)


@pytest.mark.parametrize(
    ("space", "of", "names"),
    [
        ("w", None, ["conv4", "up8", "conv8", "up16", "conv16", "rgb16"]),
        ("w+", (2, 4), ["conv8", "up16"]),
    ],
)
def test_rows_of_w_plus_have_their_convolutions_and_the_last_its_image_layer(space, of, names):
    G = loaded(space, layers=of)
    layers = first_layers(G)
    assert list(layers) == names
    step = np.linspace(-1, 1, WIDTH).astype(np.float32)
    code = jnp.zeros(G.latent_dim)
    moved = np.asarray(G.at("s")(code + jnp.tile(step, G.latent_dim // WIDTH)) - G.at("s")(code))
    starts = dict(zip(SIZES, np.cumsum([0, *SIZES.values()])[:-1], strict=True))
    for name, A in layers.items():
        assert_close(A.T @ step, moved[starts[name] : starts[name] + SIZES[name]], 1e-4)


def test_what_takes_other_codes_is_refused():
    with pytest.raises(OptionError, match="load with space='w'"):
        first_layers(loaded("z"))
    with pytest.raises(ValueError, match="no named layers"):
        first_layers(smooth_generator())


class Own(nn.Module):
    """A network of a user: two affine layers before the first bend."""

    @nn.compact
    def __call__(self, z):
        x = tap(self, "first", Dense(5, name="first")(z))
        x = tap(self, "second", Dense(7, name="second")(x))
        return tap(self, "last", jnp.tanh(x))


def test_the_last_affine_activation_stands_for_what_is_not_declared():
    weights = random_params(Own(), (4,), scale=1.0)
    G = gg.Generator.from_module(Own(), weights, 4)
    assert last_affine(G) == "second"
    product = np.asarray(weights["first"]["kernel"], np.float64) @ weights["second"]["kernel"]
    assert_close(first_layers(G)["second"], product, 1e-6)
    module = pggan.PGGAN((8,))
    with pytest.raises(OptionError, match=r"even 'project.preactivation' bends"):
        last_affine(gg.Generator.from_module(module, random_params(module, (6,)), 6))
