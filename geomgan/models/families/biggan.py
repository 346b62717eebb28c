"""BigGAN with hierarchical codes, BigBiGAN and the residual generators of two libraries, and BigGAN-deep."""

from __future__ import annotations

from geomgan.generators import biggan, biggan_deep
from geomgan.models.families.declaration import Checkpoint, Family, Part

_SIGNATURE = ("shared.weight", "linear.u0", "blocks.0.0.conv_sc.u0", "output_layer.0.gain")

_EPSILONS = {
    "epsilon": "of the batch norms, where training set another BN_eps than the published model",
    "spectral_epsilon": "of the spectral norms, where training set another SN_eps than the published model",
}

FAMILIES = (
    Family(
        "biggan-138k",
        {"generator": Part(biggan.network, biggan.inputs, biggan.biggan)},
        Checkpoint(
            "a file: G_ema.pth of BigGAN-PyTorch, trained with --hier",
            "families.biggan:biggan",
            options=_EPSILONS,
            signature=_SIGNATURE,
        ),
    ),
    Family(
        "bigbigan",
        {"generator": Part(biggan.network, biggan.inputs, biggan.bigbigan)},
        Checkpoint("a file: BigBiGAN_x1.pth", "families.biggan:bigbigan", options=_EPSILONS, signature=_SIGNATURE),
    ),
    Family(
        "studiogan",
        {"generator": Part(biggan.network, biggan.inputs, biggan.biggan)},
        Checkpoint(
            "a file of PyTorch-StudioGAN, model=G_ema-*.pth or model=G-*.pth: BigGAN, SNGAN, SAGAN, ReACGAN and others "
            "on resnet or big_resnet",
            "families.residual:studiogan",
            options={
                "epsilon": "of the batch norms (0.0001, StudioGAN's, unless given)",
                "hierarchical": "true or false: whether the blocks see chunks of the code, where they see as many "
                "numbers as the first layer and there is no class embedding (true unless given)",
            },
            signature=("linear0.weight*", "blocks.0.0.conv2d1.weight*", "bn4.running_mean", "conv2d5.weight*"),
            keys=("state_dict",),
        ),
    ),
    Family(
        "mimicry",
        {"generator": Part(biggan.network, biggan.inputs, biggan.biggan)},
        Checkpoint(
            "a file of torch-mimicry, netG_*_steps.pth: SNGAN, SAGAN, SSGAN, InfoMax-GAN, WGAN-GP, cGAN-PD, DCGAN",
            "families.residual:mimicry",
            options={
                "epsilon": "of the batch norms (1e-05, PyTorch's, unless given)",
                "output": "tanh or sigmoid: the last activation (tanh unless given; its DCGAN for CIFAR has sigmoid)",
            },
            signature=("l1.weight*", "block2.c1.weight*", "block2.c_sc.weight*", "block2.b1.*", "b?.running_mean"),
            keys=("model_state_dict",),
        ),
    ),
    Family(
        "biggan-deep",
        {"generator": Part(biggan_deep.network, biggan_deep.inputs, biggan_deep.generator)},
        Checkpoint(
            "a file: pytorch_model.bin of pytorch-pretrained-biggan, with its config.json or *-config.json beside it",
            "families.biggan_deep:convert",
            options={"epsilon": "of the batch norms, where the configuration has no eps (0.0001 unless given)"},
            config_files=("config.json", "*-config.json"),
            needs_config=True,
            signature=(
                "generator.gen_z.weight*",
                "generator.layers.0.bn_0.running_means",
                "generator.conv_to_rgb.weight*",
            ),
        ),
    ),
)
