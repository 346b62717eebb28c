"""The autoencoders of latent diffusion against a transcription, in every published layout."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.fixtures import assert_close
from tests.weights_convert.torch_autoencoders import AutoencoderKL, compvis, old_diffusers
from tests.weights_convert.torch_models import randomise, saved
from weights_convert.auto import convert_any
from weights_convert.convert import convert

SIDE = 16
PLAIN = {"latents": 4, "widths": (8, 16), "layers": 1, "groups": 4}


def image(n=2, side=SIDE):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def folder(tmp_path, state, config=None, **options):
    (tmp_path / "vae.pt").write_bytes(saved(state, True))
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    return convert("autoencoder-kl", tmp_path / "vae.pt", tmp_path / "model", options)


def expect(model, net, scaling, shift):
    """Decoder and encoder agree with PyTorch's in both conventions, to 1e-4 of the largest magnitude."""
    with torch.no_grad():
        mean, std = net.encode(image())
        made = net.decode(mean).movedim(1, -1).numpy()
    E = gg.load(model, part="encoder", resolution=SIDE)
    found = jax.vmap(E)(image().movedim(1, -1).numpy())
    latent = ((mean - shift) * scaling).flatten(1).numpy()
    assert_close(found.mean, latent)
    assert_close(found.std, (std * scaling).flatten(1).numpy())
    assert_close(jax.vmap(gg.load(model, resolution=SIDE))(latent), made)
    assert_close(jax.vmap(gg.load(model, resolution=SIDE, space="raw"))(mean.flatten(1).numpy()), made)


@pytest.mark.parametrize("names", ["diffusers", "old diffusers", "CompVis", "FLUX.1"])
def test_layouts(tmp_path, names):
    """FLUX.1's without the quantising convolutions; an old file with three scales and two layers."""
    sizes = {"FLUX.1": {"quant": False, "latents": 6}, "old diffusers": {"widths": (4, 8, 12), "layers": 2}}
    net = randomise(AutoencoderKL(**{**PLAIN, **sizes.get(names, {})}))
    state, scaling, shift = net.state_dict(), 0.5, 0.25
    config = {"scaling_factor": 0.5, "shift_factor": 0.25, "norm_num_groups": 4}
    if names == "diffusers":
        model = folder(tmp_path, state, config)
    elif names == "old diffusers":
        model = folder(tmp_path, old_diffusers(state), {**config, "shift_factor": None})
        shift = 0.0
    else:
        state = compvis(state, 2)
        if names == "CompVis":  # inside the file of a diffusion model, in half precision
            state = {f"first_stage_model.{name}": x.half() for name, x in state.items()}
            state["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(4, 4, 3, 3)
            net.load_state_dict({name: x.half().float() for name, x in net.state_dict().items()})
        model = folder(tmp_path, state, scaling="0.5", shift="0.25", groups="4")
    expect(model, net, scaling, shift)


def test_a_file_tells_its_family(tmp_path):
    (tmp_path / "vae.pt").write_bytes(saved(compvis(randomise(AutoencoderKL(**PLAIN)).state_dict(), 2), True))
    options = {"scaling": "1", "shift": "0", "groups": "4"}
    made = convert_any(tmp_path / "vae.pt", tmp_path / "model", options, say=lambda _: None)
    assert gg.zoo.card(tmp_path / "model")["family"] == "autoencoder-kl", made


def test_bad_input(tmp_path):
    state = randomise(AutoencoderKL(**PLAIN)).state_dict()
    with pytest.raises(OptionError, match=r"does not say its scaling.*0\.18215 for Stable Diffusion 1 and 2"):
        folder(tmp_path, state, groups="4")
    with pytest.raises(CheckpointError, match="widths 16, 8 do not divide into 32 groups"):
        folder(tmp_path, state, scaling="1", shift="0")
    wide = AutoencoderKL(**{**PLAIN, "widths": (8, 24)}).state_dict()
    mixed = {**state, **{name: x for name, x in wide.items() if "up_blocks.0.resnets.1" in name}}
    with pytest.raises(CheckpointError, match=r"up_blocks\.0\.resnets\.1.*another size than its other tensors say"):
        folder(tmp_path, mixed, scaling="1", shift="0", groups="4")
    model = folder(tmp_path, state, scaling="0.18215", shift="0", groups="4")
    with pytest.raises(OptionError, match=r"resolution=15 does not divide: a latent pixel is 2 pixels.*14 or 16"):
        gg.load(model, resolution=15)
    with pytest.raises(OptionError, match="resolution=15"):
        gg.load(model, part="encoder", resolution=15)


@pytest.mark.slow
@pytest.mark.parametrize(("quant", "attention"), [(True, True), (False, True), (True, False)])
def test_the_package_itself(tmp_path, quant, attention):
    """The transcription above is diffusers' AutoencoderKL."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed: pip install diffusers to run this")
    theirs = diffusers.AutoencoderKL(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, latent_channels=4, use_quant_conv=quant,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        use_post_quant_conv=quant, mid_block_add_attention=attention,
    )  # fmt: skip
    state = randomise(theirs).state_dict()
    net = AutoencoderKL(**PLAIN, quant=quant, attention=attention)
    net.load_state_dict(state)
    with torch.no_grad():
        moments = theirs.encode(image()).latent_dist
        assert_close(net.encode(image())[0].numpy(), moments.mean.numpy(), 1e-5)
        assert_close(net.decode(moments.mean).numpy(), theirs.decode(moments.mean).sample.numpy(), 1e-5)
    expect(folder(tmp_path, state, scaling="0.18215", shift="0", groups="4"), net, 0.18215, 0.0)
    assert np.isfinite(moments.std.numpy()).all()
