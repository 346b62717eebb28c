"""Files in the formats of GANSpace's own code: what they mean, and what is refused."""

from __future__ import annotations

import os
import pickle

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions.fit import check_fits
from geomgan.directions.ganspace_files import read_ganspace, read_ganspace_components
from geomgan.errors import CheckpointError, OptionError
from tests.generators.test_style_spaces import WIDTH, loaded
from tests.parity import write_config
from tests.small_models import small_dcgan
from weights_convert.convert import convert

K = 3


def export(d=WIDTH, **others):
    """What GANSpace's viewer saves of one component, with the entries of the published sample."""
    component = np.arange(1, d + 1, dtype=np.float32)
    return {
        "name": "smile",
        "sigma_range": np.float32(-2.8),
        "component_index": 15,
        "act_comp": component.reshape(1, 1, d),
        "lat_comp": (component / np.linalg.norm(component)).reshape(1, d),
        "latent_space": "W",
        "act_stdev": np.float32(1.25),
        "lat_stdev": np.float32(1.0335),
        "model_name": "StyleGAN2",
        "output_class": "ffhq",
        "decomposition": {"name": "ipca", "components": 80, "samples": 1_000_000, "layer": "style"},
        "edit_type": "latent",
        "truncation": 0.9,
        "edit_start": 2,
        "edit_end": 4,
        "example_seed": 7,
        "use_slerp": False,
        **others,
    }


def written(folder, contents, protocol=4):
    file = folder / "edit.pkl"
    data = pickle.dumps(contents, protocol)
    file.write_bytes(data.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))  # as numpy 1 wrote it
    return file


@pytest.mark.parametrize("protocol", [2, 4])
def test_an_export_moves_its_layers_by_its_deviation(tmp_path, protocol):
    G = loaded("w+")
    (found,) = read_ganspace(written(tmp_path, export(), protocol), G)
    assert (found.name, found.space, found.layers) == ("smile", "w", (2, 4))
    code = np.zeros(G.latent_dim)
    moved = found.path(code)(np.array([-2.0]))[0].reshape(-1, WIDTH)
    unit = np.arange(1, WIDTH + 1) / np.linalg.norm(np.arange(1, WIDTH + 1))
    np.testing.assert_allclose(moved[2:4], np.tile(-2 * 1.0335 * unit, (2, 1)), rtol=1e-5)
    assert not moved[[0, 1, 4, 5]].any()


def test_what_an_export_tells_is_kept(tmp_path):
    found = read_ganspace(written(tmp_path, export(edit_start=0, edit_end=18)), loaded("w"))
    assert found.layers == (None,)
    assert found.settings["component_index"] == 15
    assert found.settings["truncation"] == 0.9


def test_a_cache_holds_all_components(tmp_path, rng):
    lat = np.linalg.qr(rng.standard_normal((8, K)))[0].T.astype(np.float32)
    file = tmp_path / "dcgan_block1_ipca_c3_n100.npz"
    np.savez_compressed(
        file,
        act_comp=rng.standard_normal((K, 1, 4, 4)).astype(np.float32),
        act_mean=np.zeros((1, 4, 4), np.float32),
        act_stdev=np.array([3, 2, 1], np.float32),
        lat_comp=lat[:, None],
        lat_mean=np.full((1, 8), 0.5, np.float32),
        lat_stdev=np.ones(K, np.float32),
        var_ratio=np.array([0.5, 0.3, 0.1], np.float32),
        random_stdevs=np.ones(K, np.float32),
    )
    found = read_ganspace(file, small_dcgan())
    np.testing.assert_array_equal(found.vectors, lat.T)
    np.testing.assert_allclose(found.scores["variance_ratio"], [0.5, 0.3, 0.1], rtol=1e-6)
    np.testing.assert_array_equal(found.origin, np.full(8, 0.5, np.float32))


class Acts:
    def __reduce__(self):
        return os.system, ("touch acted",)


def test_code_in_an_export_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="system"):
        read_ganspace(written(tmp_path, export(decomposition=Acts())), loaded("w"))
    assert not (tmp_path / "acted").exists()


@pytest.mark.parametrize(
    ("space", "contents", "message"),
    [
        ("z", export(), r"are in w, and the codes of small-stylegan2 in z. Load the model with space='w'"),
        ("w", export(9), "have 9 dimensions, and the codes of small-stylegan2 6"),
        ("w", {"lat_comp": np.full(WIDTH, np.nan)}, "lat_comp holds 6 NaN"),
        ("w", {"name": "smile"}, "'lat_comp' is missing"),
        ("w", [1, 2], "found a list; expected a dictionary"),
    ],
)
def test_refuses_what_does_not_fit(tmp_path, space, contents, message):
    with pytest.raises(ValueError, match=message):
        read_ganspace(written(tmp_path, contents), loaded(space))


def test_an_export_of_z_moves_layers_of_a_biggan(tmp_path):
    """``edit_start`` 1 and ``edit_end`` 3: the noises of the first two blocks, as GANSpace's viewer edits them."""
    from tests.weights_convert.torch_biggan_deep import SMALL, deep_state
    from tests.weights_convert.torch_models import saved

    write_config(tmp_path, SMALL)
    (tmp_path / "pytorch_model.bin").write_bytes(saved(deep_state()))
    folder = convert("biggan-deep", tmp_path / "pytorch_model.bin", tmp_path / "model")
    size, rows = SMALL["z_dim"], len(SMALL["layers"]) + 1
    contents = export(size, latent_space="Z", lat_stdev=np.float32(1), edit_start=1, edit_end=3)
    G = gg.load(folder, space="z+")
    (found,) = (whole := read_ganspace(written(tmp_path, contents), G))
    assert (found.space, found.layers, G.latent_dim) == ("z", (1, 3), rows * size)
    moved = found.path(np.zeros(G.latent_dim))(np.array([2.0]))[0].reshape(rows, size)
    unit = np.arange(1, size + 1) / np.linalg.norm(np.arange(1, size + 1))
    np.testing.assert_allclose(moved[1:3], np.tile(2 * unit, (2, 1)), rtol=1e-5)
    assert not moved[[0, *range(3, rows)]].any()
    check_fits(whole, G)
    with pytest.raises(OptionError, match=r"move single layers, and codes of z .* space='z\+'"):
        check_fits(whole, gg.load(folder))
    z = np.asarray(G.sample_latent(jax.random.key(0), 1))
    axes = gg.directions.metric_axes(G, gg.distances.mse(), z, 2, layers=(1, 3))
    assert (axes.space, axes.layers[0], axes.vectors.shape) == ("z", (1, 3), (size, 2))


def test_single_layers_of_a_code_without_layers(tmp_path):
    contents = export(8, latent_space="Z")
    with pytest.raises(OptionError, match="one code of small-dcgan is for all layers"):
        read_ganspace(written(tmp_path, contents), small_dcgan())


@pytest.mark.parametrize("cached", [True, False], ids=["a cache", "an export"])
def test_components_of_activations_have_channels_last(tmp_path, cached):
    """They edit a convolutional layer as a picture of the same component, laid out as ours, does."""
    G = small_dcgan()
    layer = next(name for name in G.layers if len(G.at(name).sample_shape.shape) == 3)
    shape = G.at(layer).sample_shape.shape
    part = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    theirs, deviation = np.moveaxis(part, -1, 0)[None], np.float32([2.5])
    file = tmp_path / "c.npz"
    if cached:
        named = {"act_comp": theirs[None], "act_mean": theirs, "act_stdev": deviation, "var_ratio": [0.3]}
        np.savez(file, **named, random_stdevs=np.float32([0.5]))
    else:
        file = written(tmp_path, export(act_comp=theirs, act_stdev=deviation[0], edit_type="activation"))
    found = read_ganspace_components(file, G, layer)
    np.testing.assert_allclose(found.vectors[:, 0], part.ravel() / np.linalg.norm(part), rtol=1e-6)
    assert (found.stdevs[0], found.count) == (2.5, 0 if cached else 1_000_000)
    assert np.array_equal(found.mean, part.ravel()) if cached else np.isnan(found.mean).all()
    edited, (direction,) = gg.directions.activation_edits(G, layer, found)
    assert (direction.scale, edited.latent_dim) == (2.5, G.latent_dim + 1)
    with pytest.raises(OptionError, match="layer"):
        read_ganspace_components(file, G, "nowhere")
    other = next(name for name in G.layers if G.at(name).sample_shape.size != part.size)
    with pytest.raises(OptionError, match=f"components of {part.size} numbers do not fit {other}"):
        read_ganspace_components(file, G, other)
