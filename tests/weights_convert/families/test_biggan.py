"""BigGAN and BigBiGAN from their checkpoints: against the published systems, and other sizes against torch."""

from __future__ import annotations

import os
import shutil

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.fixtures import assert_close, golden
from tests.parity import assert_activation, assert_samples, converted
from tests.weights_convert.torch_biggan import SMALL, biggan_state, images
from tests.weights_convert.torch_models import saved, tutorial_dcgan
from weights_convert.convert import convert

EPSILONS = {"biggan-138k": (1e-5, 1e-6), "bigbigan": (1e-4, 1e-4)}  # batch norm, spectral norm
MIDDLE = {
    "project": "linear",
    "block1": "blocks.0.0",
    "block3": "blocks.2.0",
    "block4.attention": "blocks.3.1",
    "block5": "blocks.4.0",
    "output.preactivation": "output_layer",
}


def model(folder, state, family="biggan-138k", zipped=True):
    """The folder that the command line's function makes of a state dict."""
    (folder / "G_ema.pth").write_bytes(saved(state, zipped))
    return convert(family, folder / "G_ema.pth", folder / "model")


# --- The published sizes, against the stored outputs ---


@pytest.fixture(scope="module")
def biggan128(tmp_path_factory):
    folder = converted("biggan128", "biggan-138k", tmp_path_factory.mktemp("biggan"), "G_ema.pth")
    yield folder
    shutil.rmtree(folder)  # hundreds of megabytes


@pytest.fixture(scope="module")
def bigbigan128(tmp_path_factory):
    folder = converted("bigbigan128", "bigbigan", tmp_path_factory.mktemp("bigbigan"), "BigBiGAN_x1.pth")
    yield folder
    shutil.rmtree(folder)


@jax.jit
def activations(G, z):
    """The sample and every activation that a fixture tells of, in one program for all classes."""
    made = G.activations(z)
    return {"sample": G(z)} | {layer: made[layer] for layer in MIDDLE}


def assert_equals_fixture(name, made):
    assert_samples(name, [one["sample"] for one in made])
    for layer, reference in MIDDLE.items():
        assert_activation(name, [one[layer] for one in made], reference)


def test_biggan_128(biggan128):
    arrays, made = golden("biggan128")[1], []
    for number, z in zip(arrays["class_index"], arrays["z"], strict=True):
        G = gg.load(biggan128, class_index=int(number))
        made.append(activations(G, z))
    assert (G.latent_dim, G.output_range) == (120, (-1, 1))
    assert_equals_fixture("biggan128", made)


def test_biggan_128_in_class_space(biggan128):
    """The same images with the noise fixed and the row of the class as code."""
    arrays = golden("biggan128")[1]
    made = []
    for number, z in zip(arrays["class_index"], arrays["z"], strict=True):
        fixed = gg.load(biggan128, space="class", base=z)
        np.testing.assert_array_equal(fixed.params["context"]["noise"], z)
        assert fixed.latent_dim == 128
        made.append(fixed(fixed.params["context"]["classes"][number]))
    assert_samples("biggan128", made)


def test_bigbigan_128(bigbigan128):
    G = gg.load(bigbigan128)
    assert (G.latent_dim, G.output_range) == (120, (-1, 1))
    assert_equals_fixture("bigbigan128", [activations(G, z) for z in golden("bigbigan128")[1]["z"]])
    assert gg.zoo.card(bigbigan128)["config"] == {
        "latent_dim": 120,
        "features": [1536, 1536, 768, 384, 192, 96],
        "attention": [4],
        "channels": 3,
        "bottom": 4,
        "embedding": 128,
        "classes": 1,
        "resolution": 128,
    }


# --- Other sizes, against torch ---

SIZES = {
    "64 pixels": SMALL,
    "128 pixels": {"features": (16, 16, 8, 8, 8, 8), "attention": (4,), "chunk": 2, "classes": 7},
    "256 pixels": {"features": (8, 8, 8, 8, 8, 8, 8), "attention": (4,), "chunk": 17, "embedding": 9},
    "attention twice": {"features": (16, 8, 16), "attention": (1, 2), "classes": 1},
    "no attention": {"features": (6, 5), "channels": 1, "chunk": 1, "embedding": 1},
    "another first map": {"features": (6, 5, 4), "bottom": 3, "channels": 4},
}


@pytest.mark.parametrize("family", EPSILONS)
@pytest.mark.parametrize("size", SIZES)
def test_another_size_equals_torch(tmp_path, size, family):
    state = biggan_state(**SIZES[size], seed=len(size))
    folder = model(tmp_path, state, family, zipped=size == "64 pixels")
    rows = len(state["shared.weight"]) if family == "biggan-138k" else 1
    options = {"class_index": rows - 1} if family == "biggan-138k" else {}
    G = gg.load(folder, **options)
    chunk, blocks = SIZES[size].get("chunk", 3), len(SIZES[size]["features"]) - 1
    assert G.latent_dim == chunk * (blocks + 1)
    z = np.random.default_rng(1).standard_normal((2, G.latent_dim)).astype(np.float32)
    embedding = state["shared.weight"][[rows - 1] * 2]
    theirs = images(state, z, embedding, *EPSILONS[family])
    side = SIZES[size].get("bottom", 4) * 2**blocks
    assert theirs.shape == (2, side, side, SIZES[size].get("channels", 3))
    assert 0.1 < np.abs(theirs).mean() < 0.95
    assert np.abs(theirs[0] - theirs[1]).max() > 0.1
    assert_close(jax.vmap(G)(z), theirs)
    assert gg.zoo.card(folder)["config"]["resolution"] == side


def test_class_space_equals_torch(tmp_path):
    state = biggan_state(**SMALL)
    folder = model(tmp_path, state)
    rng = np.random.default_rng(2)
    noise, codes = rng.standard_normal(12), rng.standard_normal((3, 5))  # between and beyond the classes
    theirs = images(state, np.stack([noise] * 3), codes, *EPSILONS["biggan-138k"])
    assert_close(jax.vmap(gg.load(folder, space="class", base=noise))(codes), theirs)
    theirs = images(state, np.zeros((3, 12)), codes, *EPSILONS["biggan-138k"])
    assert_close(jax.vmap(gg.load(folder, space="class"))(codes), theirs)


def test_the_epsilons_of_the_families_differ(tmp_path):
    """One file, two families: what tells them apart is not in the tensors."""
    state = biggan_state(**SMALL)
    made = []
    for family in EPSILONS:
        folder = tmp_path / family
        folder.mkdir()
        made.append(np.asarray(gg.load(model(folder, state, family))(np.ones(12))))
    assert np.abs(made[0] - made[1]).max() > 5e-4


@pytest.mark.parametrize("epsilons", [(1e-3, 1e-6), (1e-5, 0.5), (0.3, 0.1)])
def test_epsilons_of_another_training(tmp_path, epsilons):
    state = biggan_state(**SMALL)
    (tmp_path / "a.pth").write_bytes(saved(state))
    options = dict(zip(("epsilon", "spectral_epsilon"), map(str, epsilons), strict=True))
    folder = convert("biggan-138k", tmp_path / "a.pth", tmp_path / "model", options)
    z = np.random.default_rng(1).standard_normal((2, 12)).astype(np.float32)
    theirs = images(state, z, state["shared.weight"][[0, 0]], *epsilons)
    assert_close(jax.vmap(gg.load(folder, class_index=0))(z), theirs)
    assert "assumed" not in gg.zoo.card(folder)
    assert gg.zoo.card(model(tmp_path, state))["assumed"] == {"epsilon": 1e-5, "spectral_epsilon": 1e-6}


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("bigbigan", lambda state: {f"big_gan.{name}": x for name, x in state.items()}),
        ("bigbigan", lambda state: {f"module.big_gan.{name}": x for name, x in state.items()}),
        ("biggan-138k", lambda state: {f"module.{name}": x for name, x in state.items()}),
        ("biggan-138k", lambda state: {n: x for n, x in state.items() if not n.endswith(".sv0")}),
    ],
    ids=["big_gan.", "module.big_gan.", "module.", "without singular values"],
)
def test_the_same_model_under_other_names(tmp_path, family, change):
    state = biggan_state(**SMALL)
    z = np.linspace(-1, 1, 12)
    theirs = images(state, z[None], state["shared.weight"][:1], *EPSILONS[family])[0]
    assert_close(gg.load(model(tmp_path, change(state), family))(z), theirs)


def test_half_precision_is_accepted(tmp_path):
    state = {name: x.half() for name, x in biggan_state(**SMALL).items()}
    G = gg.load(model(tmp_path, state))
    assert G.dtype == np.float32
    z = np.linspace(-1, 1, 12)
    assert_close(G(z), images(state, z[None], state["shared.weight"][:1], *EPSILONS["biggan-138k"])[0])


# --- Files that are no such model ---


def without(name):
    return lambda state: {n: x for n, x in state.items() if n != name}


def replaced(name, *shape):
    return lambda state: {**state, name: torch.ones(shape)}


def not_hierarchical(state):
    """Conditions of the class alone."""
    return {n: x[:, :5] if n.endswith(("gain.weight", "bias.weight")) else x for n, x in state.items()}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("blocks.1.0.bn2.gain.u0"), r"1 tensors missing: blocks\.1\.0\.bn2\.gain\.u0"),
        (without("shared.weight"), r"lacks shared\.weight"),
        (without("blocks.1.0.conv1.weight"), r"the file has blocks \[0, 2\]"),
        (without("blocks.2.1.theta.weight"), r"left over: blocks\.2\.1\.g\.u0"),
        (replaced("blocks.9.0.conv1.weight", 2, 2, 3, 3), r"at most 8 blocks; the file has blocks \[0, 1, 2, 9\]"),
        (replaced("extra.weight", 2), r"1 tensors left over: extra\.weight"),
        (not_hierarchical, r"trained without hierarchical codes \(--hier\)"),
        (replaced("linear.weight", 256, 4), r"the blocks see 8 numbers; expected 5 of the class .* and 4 of the code"),
        (replaced("linear.weight", 250, 3), "do not fit each other|shape"),
        (replaced("blocks.0.0.conv1.weight", 16, 0, 3, 3), "shapes do not fit"),
        (
            replaced("blocks.1.0.conv2.weight", 8, 9, 3, 3),
            r"block2_conv2/kernel of shape \(3, 3, 9, 8\); expected \(3, 3",
        ),
        (replaced("blocks.1.0.bn1.stored_mean", 3), r"stored_mean gives network/block2_norm1/mean of shape \(3,\)"),
        (replaced("blocks.1.0.conv1.bias", 3), "do not fit each other"),
        (replaced("blocks.1.0.conv1.u0", 1, 3), "do not fit each other"),
        (replaced("blocks.2.1.gamma", 4), "do not fit each other"),
        (replaced("output_layer.2.weight", 3), "are no matrices"),
        (lambda state: tutorial_dcgan(3, (4,), 1).state_dict(), "Its tensor names are those of dcgan-tutorial"),
    ],
)
@pytest.mark.parametrize("family", EPSILONS)
def test_what_does_not_fit_is_named(tmp_path, family, change, says):
    with pytest.raises(CheckpointError, match=says) as caught:
        model(tmp_path, change(biggan_state(**SMALL)), family)
    assert ("tensor names are those of" in str(caught.value)) == ("tensor names" in says)
    assert not (tmp_path / "model").exists()


def test_as_another_family_it_is_recognised(tmp_path):
    with pytest.raises(CheckpointError, match=r"Its tensor names are those of big.* or big.*: convert it as that"):
        model(tmp_path, biggan_state(**SMALL), "dcgan-tutorial")


class Harm:
    """What runs a command when ``pickle`` reads it."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("family", EPSILONS)
def test_a_malicious_file_is_refused_and_nothing_happens(tmp_path, monkeypatch, family, zipped):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"system, which is not data and is refused"):
        model(tmp_path, {**biggan_state(**SMALL), "epoch": Harm()}, family, zipped)
    assert [path.name for path in tmp_path.iterdir()] == ["G_ema.pth"]
