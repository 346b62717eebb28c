"""BigGAN-deep from its published files: parity, other sizes, what does not fit."""

from __future__ import annotations

import itertools
import json

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError
from geomgan.generators.biggan_deep import configuration, statistics
from tests.fixtures import assert_close, golden
from tests.parity import assert_activation, assert_samples, converted, observed, write_config
from tests.weights_convert.test_convert import naming_os_system
from tests.weights_convert.torch_biggan_deep import SMALL, deep_forward, deep_state
from tests.weights_convert.torch_models import saved, tutorial_dcgan
from weights_convert.convert import convert

OTHER = {  # 16 pixels, no attention, the published number of rows
    **SMALL,
    "output_dim": 16,
    "z_dim": 2,
    "class_embed_dim": 6,
    "channel_width": 8,
    "layers": [[True, 16, 8], [False, 8, 8], [True, 8, 4], [False, 4, 2], [False, 2, 1]],
    "attention_layer_position": 9,
    "n_stats": 51,
}


MIDDLE = {
    "project": "gen_z",
    "block1": "layers.0",
    "block4": "layers.3",
    "attention": "layers.8",
    "block12": "layers.12",
}


def model(folder, state, config=SMALL, zipped=True):
    write_config(folder, config)
    (folder / "pytorch_model.bin").write_bytes(saved(state, zipped))
    return convert("biggan-deep", folder / "pytorch_model.bin", folder / "model")


# --- The stored outputs of the original ---


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder, (manifest, _) = tmp_path_factory.mktemp("biggan-deep-256"), golden("biggan_deep256")
    write_config(folder, manifest["config"], "biggan-deep-256-config.json")
    return converted("biggan_deep256", "biggan-deep", folder, "biggan-deep-256-pytorch_model.bin")


@pytest.fixture(scope="module")
def made(published):
    """What samples and activations the model makes at one truncation, from one program for both."""
    arrays = golden("biggan_deep256")[1]

    def at(truncation):
        G = gg.load(published, class_index=int(arrays["class_index"][0]), truncation=truncation)
        return observed(G, arrays["z"], tuple(MIDDLE))

    return at


@pytest.mark.parametrize("tag", ["", "_trunc0655"])
def test_outputs_on_a_row_and_between_two_rows(made, tag):
    truncation = golden("biggan_deep256")[0]["config"]["variants"][bool(tag)]["truncation"]
    assert_samples("biggan_deep256", made(truncation)[0], f"output{tag}")


def test_activations(made):
    """Those of the first code are stored."""
    activations = made(0.7)[1]
    for layer, module in MIDDLE.items():
        assert_activation("biggan_deep256", activations[layer][0], f"generator.{module}")


def test_the_published_configurations():
    """256 pixels as in the fixture; the others have as many blocks and as large images as published."""
    config = golden("biggan_deep256")[0]["config"]
    ours = configuration(256)
    assert {**ours, "layers": [list(block) for block in ours["layers"]]} == {key: config[key] for key in ours}
    for resolution, blocks in ((128, 10), (512, 14)):
        layers = configuration(resolution)["layers"]
        assert (len(layers), 4 * 2 ** sum(up for up, _, _ in layers)) == (blocks, resolution)
        assert all(a[2] == b[1] for a, b in itertools.pairwise(layers))
    with pytest.raises(ValueError, match="64 pixels; expected 128, 256 or 512"):
        configuration(64)


# --- Other sizes, against the formula in torch ---


@pytest.fixture(scope="module", params=[SMALL, OTHER], ids=["attention", "no attention"])
def case(request, tmp_path_factory):
    state = deep_state(request.param, seed=1)
    return request.param, state, model(tmp_path_factory.mktemp("biggan-deep"), state, request.param)


@pytest.mark.parametrize("truncation", [1.0, 0.4, 0.655, 0.58, 0.14, 0.013])
def test_another_size_equals_torch(case, truncation):
    config, state, folder = case
    e = state["embeddings.weight"][:, 5].numpy()
    z = np.random.default_rng(2).standard_normal((3, config["z_dim"])).astype(np.float32)
    condition = np.concatenate([z, np.broadcast_to(e, (3, e.size))], 1)
    theirs = deep_forward(state, config, torch.as_tensor(condition), truncation).movedim(1, -1).numpy()
    assert theirs.std() > 0.1
    assert abs(theirs[0] - theirs[1]).max() > 0.1
    assert_close(jax.vmap(gg.load(folder, class_index=5, truncation=truncation))(z), theirs, 1e-5)


@pytest.mark.parametrize("space", ["joint", "class"])
def test_the_other_spaces_equal_torch(case, space):
    config, state, folder = case
    codes = np.random.default_rng(3).standard_normal((2, config["z_dim"] + config["class_embed_dim"]))
    codes = codes.astype(np.float32)
    codes[1, : config["z_dim"]] = base = codes[0, : config["z_dim"]]
    theirs = deep_forward(state, config, torch.as_tensor(codes), 0.5).movedim(1, -1).numpy()
    G = gg.load(folder, space=space, truncation=0.5, **({"base": base} if space == "class" else {}))
    assert_close(jax.vmap(G)(codes[:, -G.latent_dim :]), theirs, 1e-5)


def test_a_noise_for_each_layer_equals_torch(case):
    """As GANSpace feeds a BigGAN: row 0 to the first map, row ``i`` to block ``i``, the class with each."""
    config, state, folder = case
    G = gg.load(folder, space="z+", class_index=5, truncation=0.5)
    rows, size = len(config["layers"]) + 1, config["z_dim"]
    codes = np.random.default_rng(4).standard_normal((2, rows, size)).astype(np.float32)
    e = np.broadcast_to(state["embeddings.weight"][:, 5].numpy(), (2, rows, config["class_embed_dim"]))
    conditions = torch.as_tensor(np.concatenate([codes, e], 2))
    theirs = deep_forward(state, config, conditions, 0.5).movedim(1, -1).numpy()
    assert_close(jax.vmap(G)(codes.reshape(2, -1)), theirs, 1e-5)
    one = gg.load(folder, class_index=5, truncation=0.5)
    drawn, key = G.sample_latent(jax.random.key(0), 2), jax.random.key(0)
    np.testing.assert_array_equal(drawn, np.tile(one.sample_latent(key, 2), (1, rows)))
    assert_close(jax.vmap(G)(drawn), np.asarray(jax.vmap(one)(drawn[:, :size])), 1e-6)


def test_rows_of_the_statistics():
    """Between rows the weights are swapped, as published; rounding of ``truncation / 0.02`` misses some rows."""
    table = np.arange(51.0)[:, None]
    expected = {1.0: 50, 0.7: 35, 0.02: 1, 0.655: 0.75 * 32 + 0.25 * 33, 0.01: 0.5, 0.015: 0.25, 0.58: 28, 0.14: 8}
    ours = {truncation: statistics(table, truncation).item() for truncation in expected}
    assert ours == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "zipped"),
    [
        (lambda state: {f"module.{name}": tensor for name, tensor in state.items()}, True),
        (lambda state: {name: tensor.half() for name, tensor in state.items()}, False),
        (lambda state: {name: tensor for name, tensor in state.items() if "weight_v" not in name}, True),
    ],
    ids=["parallel", "half precision, legacy", "first version of the spectral norm"],
)
def test_other_ways_to_save_the_same_weights(tmp_path, change, zipped):
    state = deep_state()
    if zipped and "generator.gen_z.weight_v" not in change(state):  # v is the normalised uᵀW there
        for name in [name for name in state if name.endswith("weight_v")]:
            source = name.removesuffix("_v")
            v = state[f"{source}_u"] @ state[f"{source}_orig"].flatten(1)
            state[name] = v / v.norm()
    state = {name: tensor.half().float() for name, tensor in state.items()} if not zipped else state
    G = gg.load(model(tmp_path, change(state), zipped=zipped), space="joint", truncation=0.3)
    condition = torch.randn(2, G.latent_dim, generator=torch.Generator().manual_seed(3))
    theirs = deep_forward(state, SMALL, condition, 0.3).movedim(1, -1).numpy()
    assert_close(jax.vmap(G)(condition.numpy()), theirs, 1e-5)


def test_the_card_holds_the_whole_configuration(tmp_path):
    short = {key: SMALL[key] for key in ("layers", "eps")}  # the tensors say the rest
    card = gg.zoo.card(model(tmp_path, deep_state(), short))
    assert card["config"] == {**SMALL, "resolution": 32}
    assert "assumed" not in card
    card = gg.zoo.card(model(tmp_path, deep_state(), {"layers": SMALL["layers"]}))
    assert card["assumed"] == {"epsilon": 1e-4}
    assert card["config"]["eps"] == 1e-4
    assert card["output_range"] == [-1, 1]


# --- What does not fit ---


def without(name):
    return lambda state: {key: tensor for key, tensor in state.items() if key != name}


def replaced(name, *shape):
    return lambda state: {**state, name: torch.ones(shape)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("embeddings.weight"), "expected a tensor embeddings.weight of 2 axes; there is none"),
        (without("generator.layers.2.bn_1.running_vars"), r"1 tensors missing: .*layers\.2\.bn_1\.running_vars"),
        (without("generator.layers.2.conv_1.weight_u"), r"missing: generator\.layers\.2\.conv_1\.weight_u"),
        (without("generator.layers.2.conv_0.weight_orig"), r"a tensor generator\.layers\.2\.conv_0\.weight of 4 axes"),
        (replaced("generator.layers.9.conv_0.bias", 4), r"1 tensors left over: generator\.layers\.9"),
        (replaced("generator.layers.1.conv_0.bias", 1), "do not fit each other"),
        (replaced("generator.layers.1.conv_1.weight_orig", 9, 16, 3, 3), "do not fit each other"),
        (replaced("generator.layers.1.bn_2.running_means", 11, 3), "do not fit each other"),
        (replaced("generator.layers.1.bn_2.running_vars", 10, 16), r"of shape \(10, 16\); expected \(11, 16\)"),
        (replaced("generator.layers.3.gamma", 2), "do not fit each other"),
        (lambda state: {**state, "generator.bn.running_vars": -torch.ones(11, 4)}, "a variance is negative"),
        (lambda state: {**state, "generator.gen_z.bias": torch.full((1024,), torch.nan)}, "1024 NaN or infinite"),
        (replaced("generator.bn.running_means", 1, 4), "the statistics have 1 rows"),
        (lambda state: tutorial_dcgan(3, (4,), 1).state_dict(), "Its tensor names are those of dcgan-tutorial"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_named(tmp_path, change, says):
    with pytest.raises(CheckpointError, match=says):
        model(tmp_path, change(deep_state()))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layers": OTHER["layers"]}, r"it says layers = \[\[True, 16, 8\].*and \[\[16, 16\].*by the tensors"),
        ({"layers": [*SMALL["layers"][:-1], [True, 2, 1]]}, "output_dim = 32, and 64 by the tensors"),
        ({"layers": [*SMALL["layers"][:-1], [True, 2, 2]]}, r"layers = .*\[True, 2, 2\]\], and .*\[True, 2, 1\]\] by"),
        ({"layers": None}, r"layers = None; expected 1 to 40 times"),
        ({"layers": [[0, 16, 16]]}, r"layers = \[\[0, 16, 16\]\]; expected"),
        ({"channel_width": 8}, "channel_width = 8, and 4 by the tensors"),
        ({"z_dim": 128, "num_classes": 1000}, "z_dim = 128, and 5 .* num_classes = 1000, and 7 by the tensors"),
        ({"attention_layer_position": 4}, "attention_layer_position = 4, and 3 by the tensors"),
        ({"attention_layer_position": 99}, "attention_layer_position = 6, and 3 by the tensors"),
        ({"n_stats": 51}, "n_stats = 51, and 11 by the tensors"),
        ({"eps": -1.0}, "eps = -1.0, which is no small positive number"),
        ({"eps": "1e-4"}, "eps = '1e-4', which is no small positive number"),
    ],
)
def test_a_configuration_of_another_model(tmp_path, change, says):
    with pytest.raises(CheckpointError, match=says):
        model(tmp_path, deep_state(), {**SMALL, **change})
    assert not (tmp_path / "model").exists()


def test_no_configuration(tmp_path):
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(saved(deep_state()))
    with pytest.raises(
        NotHereError, match=r"there is no config\.json or \*-config\.json beside .*biggan-deep needs it"
    ):
        convert("biggan-deep", file, tmp_path / "model")
    file.write_bytes(saved(tutorial_dcgan(3, (4,), 1).state_dict()))
    with pytest.raises(NotHereError, match="Its tensor names are those of dcgan-tutorial"):
        convert("biggan-deep", file, tmp_path / "model")
    (tmp_path / "config.json").write_text(json.dumps(SMALL)[:-5])
    with pytest.raises(CheckpointError, match=r"config\.json is no JSON file"):
        convert("biggan-deep", file, tmp_path / "model")


def test_as_another_family_it_is_recognised(tmp_path):
    (tmp_path / "netG.pth").write_bytes(saved(deep_state()))
    with pytest.raises(CheckpointError, match="Its tensor names are those of biggan-deep"):
        convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "model")


def test_a_malicious_file_is_refused_and_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, SMALL)
    (tmp_path / "pytorch_model.bin").write_bytes(naming_os_system())
    with pytest.raises(CheckpointError, match=r"os\.system, which is not data and is refused"):
        convert("biggan-deep", tmp_path / "pytorch_model.bin", tmp_path / "model")
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "pytorch_model.bin"}
