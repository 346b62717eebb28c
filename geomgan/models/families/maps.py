"""Plain networks of convolutions: DCGAN, GenerativeLatentSpace's for MNIST, PGGAN, SNGAN, DeePSim, WaveGAN."""

from __future__ import annotations

from geomgan.generators import dcgan, pggan
from geomgan.generators import generative_latent_space as gls
from geomgan.generators.activations import HIDDEN, OUTPUT_RANGES, SLOPE
from geomgan.generators.sngan import SNGAN
from geomgan.generators.upconv import LAYOUTS, Upconv
from geomgan.generators.wavegan import WaveGAN
from geomgan.models.families.declaration import Checkpoint, Family, Part, code

_DIGIT = (28, 28, 1)
_VAE = {  # in the order of the networks
    "trainedVAE_D.pth": ("lin.weight", "conv.0.ConvTranspose.weight*", "Xmean.0.weight"),
    "trainedVAE_E.pth": ("enc.0.Convolution.weight*", "zmean.weight"),
}
_BIGAN = {
    "trainedBiGAN_G.pth": ("lin.weight", "conv.0.ConvTranspose.weight*", "conv.2.weight"),
    "trainedBiGAN_E.pth": ("conv.0.Convolution.weight*", "lin.weight"),
    "trainedBiGAN_D.pth": ("Xconv.0.Convolution.weight*", "post_cat.1.weight"),
}
_GENERATOR = ("netG", "generator", "G", "gen", "modelG", "model_G")  # what people call it
_NESTS = (
    *(f"{name}{suffix}" for suffix in ("_state_dict", "") for name in _GENERATOR),
    *("model_state_dict", "state_dict", "model"),
)
WAVEGAN_LENGTHS = {16384: (5, 4), 32768: (6, 2), 65536: (6, 4)}  # samples -> layers, factor of the last one
_EPSILON = {"epsilon": "of the batch norms (1e-05, PyTorch's, unless given or in the module)"}

FAMILIES = (
    Family(
        "dcgan-gan-zoo",
        {"generator": Part(dcgan.network, code)},
        Checkpoint(
            "a file: DCGAN_fashionGen-1d67302.pth, or another DCGAN of the PyTorch GAN zoo",
            "families.dcgan_gan_zoo:convert",
            options={"output": "tanh or linear: the last activation, where the file's loss does not tell", **_EPSILON},
            signature=("formatLayer.weight", "main.batchNorm0.running_mean", "main.outlayer.weight"),
            finder="gan_zoo",
            keys=("avgG", "netG"),
        ),
    ),
    Family(
        "dcgan-tutorial",
        {"generator": Part(dcgan.network, code)},
        Checkpoint(
            "a file: the tutorial's generator, a state dict under any key and prefix, or the whole module",
            "families.dcgan_tutorial:convert",
            options={
                "stride": "of every layer, with commas between (1,2,2,2 for kernels of 4 unless given)",
                "padding": "of every layer (0,1,1,1 for kernels of 4 unless given)",
                "output_padding": "of every layer (0 unless given)",
                "activation": f"{', '.join(HIDDEN)}: between the layers (relu unless given)",
                "slope": f"of leaky_relu, which it implies ({SLOPE} unless given)",
                "output": f"{', '.join(OUTPUT_RANGES)}: the last activation (tanh unless given)",
                **_EPSILON,
            },
            signature=("main.0.weight", "main.1.running_mean", "main.3.weight"),
            finder="chains",
            keys=_NESTS,
        ),
    ),
    Family(
        "generative-latent-space-vae",
        {
            "generator": Part(lambda c: gls.VAEDecoder(c["centers"]), code),
            "encoder": Part(lambda c: gls.VAEEncoder(c["latent_dim"]), lambda _: (_DIGIT,)),
        },
        Checkpoint(
            f"a folder with {', '.join(_VAE)}", "families.generative_latent_space:vae", files=_VAE, options=_EPSILON
        ),
    ),
    Family(
        "generative-latent-space-bigan",
        {
            "generator": Part(lambda _: gls.Decoder((16, 3)), code),
            "encoder": Part(lambda c: gls.BiGANEncoder(c["latent_dim"]), lambda _: (_DIGIT,)),
            "discriminator": Part(lambda _: gls.BiGANDiscriminator(), lambda c: (_DIGIT, (c["latent_dim"],))),
        },
        Checkpoint(
            f"a folder with {', '.join(_BIGAN)}",
            "families.generative_latent_space:bigan",
            files=_BIGAN,
            options=_EPSILON,
        ),
    ),
    Family(
        "pggan-gan-zoo",
        {"generator": Part(pggan.network, lambda c: (*code(c), ()), pggan.growing)},
        Checkpoint(
            "a file of the PyTorch GAN zoo: {config, netG, netD, avgG}",
            "families.pggan:gan_zoo",
            options={
                "slope": "of the leaky ReLUs, where the file's settings do not say (0.2 unless given)",
                "output": "tanh or linear: the last activation, where they name no loss (linear unless given)",
                "alpha": "weight of the old branch, where they do not say (0 unless given)",
                "equalised": "true or false: the learning rate, where they do not say (true unless given)",
            },
            signature=("formatLayer.weight", "groupScale0.0.weight", "toRGBLayers.0.weight"),
            finder="gan_zoo",
            keys=("avgG", "netG"),
        ),
    ),
    Family(
        "proggan",
        {"generator": Part(pggan.network, code)},
        Checkpoint(
            "a file: the state dict with features.0.conv.weight, features.0.wscale.scale, ...",
            "families.pggan:proggan",
            options={
                "slope": "of the leaky ReLUs (0.2, the published one, unless given)",
                "output": "tanh or linear: the last activation (linear, as published, unless given)",
            },
            signature=("features.0.conv.weight", "features.0.wscale.scale", "output.wscale.b"),
            keys=("state_dict", "generator", "netG"),
        ),
    ),
    Family(
        "sngan",
        {"generator": Part(lambda c: SNGAN(tuple(c["features"]), c["channels"], c["seed"]), code)},
        Checkpoint(
            "a file: generator.pt, with its args.json beside it if there is one",
            "families.sngan:convert",
            options=_EPSILON,
            config_files=("args.json",),
            signature=(
                "model.0.weight",
                "model.2.*conv1.weight",
                "model.2.model.0.running_mean",
                "model.2.model.4.weight",
            ),
            keys=("generator", "state_dict"),
        ),
    ),
    Family(
        "upconv",
        {"generator": Part(lambda c: Upconv(c["layout"], tuple(c["features"]), c["scale"]), code)},
        Checkpoint(
            "a file: upconvGAN_fc6.pt, _fc7, _fc8, _pool5, or a translation of conv4, conv3, norm2, conv1",
            "families.upconv:convert",
            options={
                "layout": f"{', '.join(LAYOUTS)}, where the names and shapes of tensors do not tell",
                "scale": "factor on the tanh of conv, norm2 and conv1: 1 as in PyTorch (default), 255 as in Caffe",
            },
            signature=("deconv4.weight", "deconv3.weight", "conv4_1.weight", "conv3_1.weight", "deconv1.weight"),
            finder="deepsim",
            keys=("state_dict",),
        ),
    ),
    Family(
        "wavegan",
        {
            "generator": Part(
                lambda c: WaveGAN(tuple(c["features"]), c["channels"], c["last_factor"], c["repeats"]), code
            )
        },
        Checkpoint(
            "a file of wavegan-pytorch: gan_*.tar, or the generator's state dict",
            "families.wavegan:convert",
            options={
                "slice_len": f"samples: {', '.join(map(str, WAVEGAN_LENGTHS))} (of 6 layers 65536 unless given)",
                "batch_norm": "true or false: what the file must agree with",
                **_EPSILON,
            },
            signature=("fc1.weight", "bn1.running_mean", "deconv_list.0.transpose_ops.*.weight"),
            keys=("generator", "state_dict"),
        ),
    ),
)
