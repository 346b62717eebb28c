"""Converted models agree with the original systems: with their stored outputs, and with the torch modules."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from tests.fixtures import ASSETS, assert_close, golden, needs_assets
from tests.golden import make_weights
from tests.weights_convert.torch_models import saved, tutorial_dcgan
from weights_convert.convert import convert
from weights_convert.torch_file import read_checkpoint

LINE = np.linspace(-1, 1, 16, dtype=np.float32)


def images(batch: np.ndarray) -> np.ndarray:
    """Channels last."""
    return np.moveaxis(batch, 1, -1)


def assert_statistics(layer, arrays, name) -> None:
    """Mean and deviation over a whole activation, relative to its own size."""
    layer = np.asarray(layer, np.float64)
    assert_close([layer.mean(), layer.std()], [arrays[f"mid/{name}/mean"], arrays[f"mid/{name}/std"]])


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae") / "model"
    return convert("generative-latent-space-vae", ASSETS / "generative-latent-space", folder)


@pytest.fixture(scope="module")
def bigan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bigan") / "model"
    return convert("generative-latent-space-bigan", ASSETS / "generative-latent-space", folder)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return convert(
        "dcgan-tutorial", ASSETS / "dcgan-faces64" / "weights.tar", tmp_path_factory.mktemp("faces") / "model"
    )


# --- The published files ---


@needs_assets
def test_vae_decoder(vae):
    G, arrays = gg.load(vae), golden("vae_mnist")[1]
    gaussian = jax.vmap(G.distribution)(arrays["z"])
    assert_close(gaussian.mean, images(arrays["output"]))
    assert_close(np.reshape(gaussian.std**2, (16, 784)), arrays["output_variance"])
    assert_close(jax.vmap(G)(arrays["z"]), images(arrays["output"]))


@needs_assets
@pytest.mark.parametrize(
    ("layer", "name"),
    [("mean.project", "lin"), ("mean.block1", "conv.0"), ("mean.block2", "conv.1")],
)
def test_vae_layers(vae, layer, name):
    arrays = golden("vae_mnist")[1]
    assert_statistics(jax.vmap(gg.load(vae).activations)(arrays["z"])[layer], arrays, name)


@needs_assets
def test_vae_precision_and_mean_statistics(vae):
    arrays = golden("vae_mnist")[1]
    gaussian = jax.vmap(gg.load(vae).distribution)(arrays["z"])
    assert_statistics(gaussian.std**-2, arrays, "rbfNN")
    assert_statistics(gaussian.mean, arrays, "Xmean")


@needs_assets
def test_vae_encoder(vae):
    arrays = golden("vae_mnist")[1]
    code = jax.vmap(gg.load(vae, part="encoder"))(images(arrays["output"]))
    assert_close(code.mean, arrays["encoder_mean"])
    assert_close(2 * np.log(code.std), arrays["encoder_logvar"])


@needs_assets
def test_bigan(bigan):
    G, arrays = gg.load(bigan), golden("bigan_mnist")[1]
    sample = jax.vmap(G)(arrays["z"])
    assert_close(sample, images(arrays["output"]))
    assert_close(jax.vmap(gg.load(bigan, part="encoder"))(sample), arrays["encoder"])
    score = jax.vmap(gg.load(bigan, part="discriminator"))(sample, arrays["z"])
    assert_close(score, arrays["discriminator_score"][:, 0])


@needs_assets
@pytest.mark.parametrize(
    ("layer", "name"),
    [("project", "lin"), ("block1", "conv.0"), ("block2", "conv.1"), ("output.preactivation", "conv.2")],
)
def test_bigan_layers(bigan, layer, name):
    arrays = golden("bigan_mnist")[1]
    assert_statistics(jax.vmap(gg.load(bigan).activations)(arrays["z"])[layer], arrays, name)


@needs_assets
def test_sums_on_a_line_of_the_latent_space(vae, bigan):
    gaussian = gg.load(vae).distribution(LINE)
    sums = [np.asarray(x, np.float64).sum() for x in (gaussian.mean, gaussian.std**2, gg.load(bigan)(LINE))]
    np.testing.assert_allclose(sums, [-540.62592, 259.64032, -583.71600], rtol=1e-4)


@needs_assets
def test_faces(faces):
    G, arrays = gg.load(faces), golden("dcgan_faces64")[1]
    sample = np.asarray(jax.vmap(G)(arrays["z"]))
    assert_close(sample, images(arrays["output"]))
    assert_close(sample.mean(axis=(1, 2), dtype=np.float64), arrays["output_mean"])
    assert_close(sample.std(axis=(1, 2), dtype=np.float64), arrays["output_std"])
    assert_statistics(jax.vmap(G.activations)(arrays["z"])["output.preactivation"], arrays, "main.12")


@needs_assets
@pytest.mark.parametrize("block", [1, 2, 3])
def test_faces_layers_before_their_folded_batch_norm(faces, block):
    arrays = golden("dcgan_faces64")[1]
    tensors = read_checkpoint(ASSETS / "dcgan-faces64" / "weights.tar")["netG_state_dict"]
    convolution = 3 * (block - 1)
    gamma, beta, mean, var = (
        tensors[f"main.{convolution + 1}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    normed = jax.vmap(gg.load(faces).activations)(arrays["z"])[f"block{block}.preactivation"]
    assert_statistics((normed - beta) / gamma * np.sqrt(var + 1e-5) + mean, arrays, f"main.{convolution}")


# --- DCGANs of other sizes, against torch ---


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("latent", "features", "channels", "bias", "nest"),
    [
        (7, (12,), 1, False, lambda state: state),
        (5, (10, 6), 4, True, lambda state: {"netG_state_dict": state, "epoch": 3}),
        (9, (8, 6, 5), 3, False, lambda state: {f"module.{name}": tensor for name, tensor in state.items()}),
        (3, (4, 8, 4, 2), 2, True, lambda state: {"netG_state_dict": {f"module.{k}": v for k, v in state.items()}}),
    ],
    ids=["8 pixels", "16 pixels, nested", "32 pixels, parallel", "64 pixels, nested, parallel"],
)
def test_dcgan_of_another_size_equals_torch(tmp_path, latent, features, channels, bias, nest, zipped):
    module = tutorial_dcgan(latent, features, channels, bias, seed=latent)
    (tmp_path / "netG.pth").write_bytes(saved(nest(module.state_dict()), zipped))
    folder = convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "model")
    G = gg.load(folder)
    z = torch.randn(3, latent, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = module.main(z[:, :, None, None]).numpy()
    assert theirs.shape == (3, channels, *[2 ** (len(features) + 2)] * 2)
    assert theirs.std() > 0.1
    assert_close(jax.vmap(G)(z.numpy()), images(theirs))
    assert gg.zoo.card(folder)["config"] == {
        "latent_dim": latent,
        "features": list(features),
        "channels": channels,
        "resolution": theirs.shape[-1],
    }


# --- LPIPS with other weights than the published ones ---


@pytest.fixture(scope="module")
def lpips_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    make_weights.write_checkpoint(golden("lpips_alex_seeded")[0], folder / "alex.pth")
    return convert("lpips-alex", folder / "alex.pth", folder / "model")


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize(
    ("normalize", "scaling"), [(0, "gan-geometry"), (1, "standard")], ids=["as GAN-Geometry", "standard"]
)
def test_seeded_lpips(lpips_folder, size, normalize, scaling):
    arrays = golden("lpips_alex_seeded")[1]
    x, y = (images(arrays[f"image{i}_{size}"]).astype(np.float32) / 255 for i in (0, 1))
    D = gg.distances.lpips("alex", weights=lpips_folder, scaling=scaling, input_range=(0, 1))
    ours = [float(D(a, b)) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ours, arrays[f"distance_{size}_normalize{normalize}"], rtol=1e-4)


def test_seeded_lpips_differs_from_the_published_one(lpips_folder):
    """The folder's weights are used, and not the default ones."""
    arrays = golden("lpips_alex_seeded")[1]
    x, y = (images(arrays[f"image{i}_64"])[0].astype(np.float32) / 255 for i in (0, 1))
    published = float(gg.distances.lpips("alex", input_range=(0, 1))(x, y))
    assert abs(published / arrays["distance_64_normalize1"][0] - 1) > 0.01
