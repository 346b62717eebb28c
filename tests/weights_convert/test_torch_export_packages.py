"""Modules of packages that nobody here wrote, through ``torch.export``: none of the packages is a dependency."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import jax
import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures import assert_close
from tests.weights_convert.test_torch_export import opened, with_example
from tests.weights_convert.torch_programs import Of

MODULES: dict[str, tuple[str, Callable]] = {}  # name -> the package, and what makes the module and its inputs


def of(package: str) -> Callable[[Callable], Callable]:
    """Have a function that makes ``(module, inputs)`` among the modules, under its name."""

    def listed(make: Callable) -> Callable:
        MODULES[make.__name__] = package, make
        return make

    return listed


@of("diffusers")
def autoencoder_kl(diffusers):
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    net = diffusers.AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4, latent_channels=4, **blocks)
    return Of(lambda s, z: s.net.decode(z).sample, net=net), torch.randn(1, 4, 3, 3)


@of("diffusers")
def autoencoder_vq(diffusers):
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    net = diffusers.VQModel(block_out_channels=(8, 16), norm_num_groups=4, num_vq_embeddings=9, **blocks)
    return Of(lambda s, z: s.net.decode(z).sample, net=net), torch.randn(1, 3, 3, 3)


@of("diffusers")
def autoencoder_tiny(diffusers):
    net = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(2, 1),
    )
    return Of(lambda s, z: s.net.decode(z).sample, net=net), torch.randn(1, 4, 3, 3)


@of("diffusers")
def diffusion_unet(diffusers):
    blocks = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
    net = diffusers.UNet2DModel(8, 3, 3, block_out_channels=(8, 16), norm_num_groups=4, attention_head_dim=4, **blocks)
    return Of(lambda s, z: s.net(z, s.time).sample, net=net, time=torch.tensor([7])), torch.randn(1, 3, 8, 8)


@of("vector_quantize_pytorch")
def finite_scalars(package):
    return Of(lambda s, z: s.out(s.net(z)[0]), net=package.FSQ([8, 5, 5], dim=8), out=nn.Linear(8, 4)), torch.randn(
        1, 5, 8
    )


@of("x_transformers")
def decoder_of_tokens(package):
    layers = package.Encoder(dim=16, depth=2, heads=2, rotary_pos_emb=True, ff_glu=True, use_rmsnorm=True)
    net = package.ContinuousTransformerWrapper(dim_in=6, dim_out=5, max_seq_len=7, attn_layers=layers)
    return net, torch.randn(1, 7, 6)


@of("nflows.flows")
def real_nvp_of_residual_networks(package):
    flow = package.SimpleRealNVP(6, 16, 3, 1)
    return Of(lambda s, z: s.flow._transform.inverse(z)[0], flow=flow), torch.randn(1, 6)


@of("normflows")
def coupling_flow(normflows):
    flows = []
    for _ in range(3):
        flows += [
            normflows.flows.AffineCouplingBlock(normflows.nets.MLP([2, 8, 4])),
            normflows.flows.LULinearPermute(4),
        ]
    net = normflows.NormalizingFlow(normflows.distributions.DiagGaussian(4), flows)
    return Of(lambda s, z: s.net.forward(z), net=net), torch.randn(1, 4)


@of("zuko")
def zuko_flow(zuko):
    flow = zuko.flows.NSF(4, 0, transforms=2, hidden_features=(8,))
    return Of(lambda s, z: s.flow().transform.inv(z), flow=flow), torch.randn(1, 4)


@of("pythae.models.nn.benchmarks.mnist")
def digits_decoder(package):
    config = import_module("pythae.models").VAEConfig(input_dim=(1, 28, 28), latent_dim=6)
    return Of(lambda s, z: s.net(z).reconstruction, net=package.Decoder_Conv_AE_MNIST(config)), torch.randn(1, 6)


@of("segmentation_models_pytorch")
def segmentation_unet(package):
    return package.Unet("resnet18", encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 8)), (
        torch.randn(1, 3, 32, 32),
    )


@of("snac.layers")
def snac_decoder(package):
    return package.Decoder(4, 16, [4, 2], noise=False, depthwise=True, attn_window_size=None), torch.randn(1, 4, 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_modules_of_others(tmp_path, name):
    """Slow: seconds of compilation each, of packages that are not installed for the tests."""
    package, make = MODULES[name]
    needed = pytest.importorskip(package, reason=f"{package} is not installed: pip install it to run this")
    torch.manual_seed(0)
    module, inputs = make(needed)
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    module = module.eval().requires_grad_(False)
    for tensor in module.parameters():
        if not tensor.any():  # layers that begin as nothing would hide what is wrong
            nn.init.normal_(tensor, std=0.1)
    G = opened(with_example(module, *inputs), tmp_path)
    z = inputs[0].ravel().numpy()
    last = [layer for layer in G.layers if "." not in layer][-2]
    ours, jacobian, inside = jax.jit(lambda z: (jax.vmap(G)(z[None]), jax.jacfwd(G)(z), G.at(last)(z)))(z)
    code = inputs[0].clone().requires_grad_()
    theirs = module(code, *inputs[1:])[0].movedim(0, -1)
    pull = torch.randn(theirs.shape)
    (gradient,) = torch.autograd.grad((theirs * pull).sum(), code)
    pulled = np.tensordot(pull.numpy(), jacobian, pull.ndim)
    assert_close(ours[0], theirs.detach().numpy(), 1e-5)
    assert_close(pulled, gradient.numpy().ravel(), 1e-4)
    assert np.isfinite(inside).all()
