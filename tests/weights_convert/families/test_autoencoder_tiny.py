"""Tiny autoencoders against a transcription, with random weights and with TAEF2's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from geomgan.models.photographs import names, photographs
from tests.fixtures import ASSETS, assert_close
from tests.weights_convert.torch_autoencoders import AutoencoderKL, of_diffusers, tiny_decoder, tiny_encoder
from tests.weights_convert.torch_models import randomise, saved
from weights_convert.convert import convert

TAEF2 = ASSETS / "taef2" / "taef2_decoder.pth"
NEEDS = pytest.mark.skipif(not TAEF2.is_file(), reason="TAEF2 is not here: put it into ../shared/assets to run this")


def write(folder, decoder, encoder=None):
    (folder / "tae_decoder.pth").write_bytes(saved(decoder.state_dict(), True))
    if encoder is not None:
        (folder / "tae_encoder.pth").write_bytes(saved(encoder.state_dict(), True))
    return folder / "tae_decoder.pth"


def small(pooled=False):
    decoder = randomise(tiny_decoder(5, (8, 8, 8), (2, 1, 1), pooled))
    return decoder, randomise(tiny_encoder(5, (8, 8, 8), (1, 1, 2), pooled), seed=1)


def expect(model, decoder, encoder, side, tolerance=1e-5):
    """Both networks agree with PyTorch's, whose images are in (0, 1)."""
    x = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        z = encoder(x)
        y = decoder(z).movedim(1, -1).numpy()
    code = gg.load(model, part="encoder", resolution=side)(2 * x[0].movedim(0, -1).numpy() - 1)
    assert_close(code, z.numpy().ravel(), tolerance)
    assert_close((gg.load(model, resolution=side)(z.numpy().ravel()) + 1) / 2, y[0], tolerance)


def test_pairs_of_raw_files(tmp_path):
    decoder, encoder = small(pooled=True)
    model = convert("autoencoder-tiny", write(tmp_path, decoder, encoder), tmp_path / "model")
    expect(model, decoder, encoder, 8)
    card = gg.zoo.card(model)
    assert [file["file"] for file in card["files"]] == ["tae_decoder.pth", "tae_encoder.pth"]
    assert card["prior"].startswith("random parts of 12 encoded photographs of 128 pixels; of larger")
    assert card["config"]["factor"] == 4
    G = gg.load(model)
    assert G.sample_latent(jax.random.key(0), 3).shape == (3, 5 * 16 * 16)


def test_sana_by_the_names_of_diffusers(tmp_path):
    """Other widths at each scale with projections, and an encoder that begins with two strides."""
    decoder = randomise(tiny_decoder(6, (8, 6, 4, 4), (1, 1, 1, 1)))
    encoder = randomise(tiny_encoder(6, (6, 6), (1, 2), stem=(4, 6)), seed=1)
    path = tmp_path / "diffusion_pytorch_model.pt"
    path.write_bytes(saved({f"vae.{name}": x for name, x in of_diffusers(decoder, encoder).items()}, True))
    model = convert("autoencoder-tiny", path, tmp_path / "model", {"scaling": "0.25", "shift": "0.5"})
    expect(model, decoder, encoder, 16)
    z = gg.load(model, resolution=16).sample_latent(jax.random.key(0), 1)[0]
    raw = gg.load(model, resolution=16, space="raw")
    assert_close(raw(z / 0.25 + 0.5), gg.load(model, resolution=16)(z), 1e-5)
    assert_close(raw.sample_latent(jax.random.key(0), 1)[0], z / 0.25 + 0.5, 1e-5)


def test_bad_input(tmp_path):
    decoder, _ = small()
    model = convert("autoencoder-tiny", write(tmp_path, decoder), tmp_path / "alone")
    assert "no encoder" in gg.zoo.card(model)["prior"]
    with pytest.raises(OptionError, match="space='raw', but nothing said how raw latents are scaled"):
        gg.load(model, space="raw")
    with pytest.raises(ValueError, match="converted without its encoder"):
        gg.load(model, part="encoder")
    pair = write(tmp_path, decoder, randomise(tiny_encoder(6, (8, 8, 8), (1, 1, 2))))
    with pytest.raises(CheckpointError, match=r"makes 6 channels, each of 4 pixels.*the decoder's 5 of 4"):
        convert("autoencoder-tiny", pair, tmp_path / "mixed")
    state = decoder.state_dict()
    state["3.conv.2.weight"] = torch.zeros(8, 12, 3, 3)
    (tmp_path / "wide.pth").write_bytes(saved(state, True))
    with pytest.raises(CheckpointError, match=r"3\.conv\.2 gives .* another size than its other tensors say"):
        convert("autoencoder-tiny", tmp_path / "wide.pth", tmp_path / "wide")
    del state["3.conv.2.weight"], state["3.conv.2.bias"]
    (tmp_path / "wide.pth").write_bytes(saved({**state, "4.conv.0.weight": torch.zeros(8, 8, 3, 3)}, True))
    with pytest.raises(CheckpointError, match="missing"):
        convert("autoencoder-tiny", tmp_path / "wide.pth", tmp_path / "wide")
    (tmp_path / "kl.pt").write_bytes(saved(randomise(AutoencoderKL(4, (8, 8), 1, 4)).state_dict(), True))
    with pytest.raises(CheckpointError, match="convert it as that family"):
        convert("autoencoder-tiny", tmp_path / "kl.pt", tmp_path / "kl")


# --- The real one ---


@pytest.fixture(scope="module")
def taef2(tmp_path_factory):
    return convert("autoencoder-tiny", TAEF2, tmp_path_factory.mktemp("taef2") / "model")


@NEEDS
def test_taef2_against_torch(taef2):
    decoder = tiny_decoder(32, (64,) * 4, (3, 3, 3, 1), pooled=True)
    encoder = tiny_encoder(32, (64,) * 4, (1, 3, 3, 3), pooled=True)
    for net, part in ((decoder, "decoder"), (encoder, "encoder")):
        net.load_state_dict(torch.load(TAEF2.with_name(f"taef2_{part}.pth")))
    expect(taef2, decoder.float(), encoder.float(), 64)


@NEEDS
def test_taef2_on_a_photograph(taef2):
    """A round trip of 64 pixels; and which codes are of photographs, in numbers that other conventions have not."""
    E, G = gg.load(taef2, part="encoder"), gg.load(taef2)
    x = photographs((64, 64))
    z = np.asarray(jax.vmap(E)(x))
    assert abs(z.mean() - 0.05) < 0.02
    assert abs(z.std() - 0.88) < 0.02
    error = np.mean((np.asarray(jax.vmap(G)(z)) - x) ** 2, axis=(1, 2, 3)) / 4
    decibel = dict(zip(names(), -10 * np.log10(error), strict=True))
    assert 22 < np.median(list(decibel.values())) < 28
    assert min(decibel, key=decibel.get) == "gravel"
    with pytest.raises(ValueError, match=r"6\.\d times as wide as those of photographs in the space 'latent'"):
        G(5.49 * z[0])
    with pytest.raises(ValueError, match="times as wide"):
        gg.metric_operator(G, gg.distances.mse(), 5.49 * z[0])
    with pytest.warns(UserWarning, match="may be of another convention"):
        G(0.18215 * z[1])


@NEEDS
def test_taef2_metric_against_float64(taef2):
    G = gg.load(taef2, resolution=16)
    D = gg.distances.mse()
    z = gg.load(taef2, part="encoder", resolution=16)(photographs((16, 16))[3])
    g = gg.metric_operator(G, D, z).to_dense()
    V = np.random.default_rng(0).standard_normal((z.size, 6)) * np.linspace(0.1, 3, 6)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), G.params)
        push = jax.jit(
            lambda v: jax.jvp(lambda z: G.function(wide, z).ravel(), (jnp.asarray(z, jnp.float64),), (v,))[1]
        )
        J = np.stack([push(v) for v in V.T])
    exact = J @ J.T / J.shape[1]
    assert np.linalg.norm(V.T @ g @ V - exact) <= 1e-5 * np.linalg.norm(exact)


@NEEDS
@pytest.mark.slow
def test_taef2_lpips_metric_against_float64_entry_by_entry(taef2):
    G = gg.load(taef2, resolution=32)
    D = gg.distances.lpips("alex", input_range=G.output_range)
    z = np.asarray(gg.load(taef2, part="encoder", resolution=32)(photographs((32, 32))[names().index("astronaut")]))
    g = gg.metric_operator(G, D, z).to_dense()
    with jax.enable_x64(True):
        wide = [jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tree) for tree in (G, D)]
        push = jax.jit(lambda G, D, z, V: jax.vmap(lambda v: jax.jvp(lambda z: D.embed(G(z)), (z,), (v,))[1])(V))
        units = np.eye(z.size)
        J = np.concatenate([push(*wide, z.astype(float), units[i : i + 32]) for i in range(0, z.size, 32)])
    exact = J @ J.T
    assert np.abs(g - exact).max() <= 1e-5 * np.abs(exact).max()
