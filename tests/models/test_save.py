"""What is saved opens again as it was; what is code is refused, with what to do."""

from __future__ import annotations

from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import OptionError
from geomgan.models.build import build
from geomgan.models.card import read_card
from geomgan.models.families.torch_programs import OPTIONS
from tests.generators.aten.drawn import Drawing
from tests.small_models import small_dcgan, smooth_generator
from weights_convert.options import Options
from weights_convert.programs import converted


def conditional():
    """Codes of three, five classes, an image of 8 pixels."""
    d = Drawing(3, label="int64")
    x = d("mul", d.code, d("embedding", d.weight("classes.weight", 5, 3), d.value("label")))
    x = d("view", d.layer("linear", x, "fc", 4 * 4 * 4, 3), (1, 4, 4, 4))
    x = d.layer(
        "conv_transpose2d", d("relu", d.norm(x, "norm", 4), name="hidden"), "up", 4, 3, 4, 4, stride=2, padding=1
    )
    made = converted(d.program(d("tanh", x)), d.tensors, Options({}, OPTIONS))
    return build({"family": "torch-module", **made.card}, made.params, None, "conditional", {"label": 3})


def test_a_saved_generator_is_the_same_bit_for_bit(tmp_path):
    G = conditional()
    folder = gg.save(G, tmp_path / "mine", licence="MIT")
    again, z = gg.load(folder), np.arange(3, dtype="f4")
    np.testing.assert_array_equal(again(z), G(z))
    assert (again.layers, again.latent_dim, again.output_range) == (G.layers, 3, (-1, 1))
    np.testing.assert_array_equal(again.at("hidden")(z), G.at("hidden")(z))
    np.testing.assert_array_equal(gg.load(folder, label=1)(z), replace(G, params=with_label(G, 1))(z))
    assert np.abs(gg.load(folder, label=1)(z) - G(z)).max() > 0.01
    card = read_card(folder)
    assert (card["family"], card["licence"], card["config"]["inputs"]) == ("program", "MIT", {"label": 3})
    other = replace(G, params=G.params | {"network": jax.tree.map(lambda x: 2 * x, G.params["network"])})
    gg.save(other, folder)
    np.testing.assert_array_equal(gg.load(folder)(z), other(z))


def with_label(G, label):
    return G.params | {"context": {"label": jnp.full_like(G.params["context"]["label"], label)}}


class OwnModule(nn.Module):
    @nn.compact
    def __call__(self, z):
        return z


def test_what_is_code_is_refused_and_the_way_on_is_said(tmp_path):
    G = conditional()
    for unsaved, says in (
        (smooth_generator(), r"made of a Python function.*from_torch"),
        (small_dcgan(), r"small-dcgan is the network DCGAN.*its folder is the model: copy that"),
        (gg.Generator.from_module(OwnModule(), {}, 2), "A Flax module of your own is code"),
        (G.at("hidden"), "ends at the layer hidden. Save the whole one"),
        (replace(G, prior=lambda params, key, shape: jnp.zeros(shape)), "draws its codes with a function"),
    ):
        with pytest.raises(OptionError, match=says):
            gg.save(unsaved, tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_a_generator_without_a_range_keeps_none(tmp_path):
    G = replace(conditional(), output_range=None)
    assert gg.load(gg.save(G, tmp_path / "mine")).output_range is None
