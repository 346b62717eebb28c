"""GANs that people train themselves: the two of lucidrains, R3GAN, FastGAN."""

from __future__ import annotations

from geomgan.generators import fastgan, lightweight_gan, lucidrains_stylegan2, r3gan
from geomgan.models.families.declaration import Checkpoint, Family, Part, code

FAMILIES = (
    Family(
        "lucidrains-stylegan2",
        {"generator": Part(lucidrains_stylegan2.network, code, lucidrains_stylegan2.generator)},
        Checkpoint(
            "a file of lucidrains' stylegan2-pytorch, models/NAME/model_N.pt, with its .config.json if it is there",
            "families.lucidrains_stylegan2:convert",
            options={
                "lr_multiplier": "of the mapping network, --lr-mlp, where there is no .config.json (0.1 unless given)"
            },
            config_files=(".config.json",),
            signature=("SE.net.0.weight", "GE.initial_conv.weight", "GE.blocks.0.to_style1.weight"),
            keys=("GAN",),
        ),
    ),
    Family(
        "lightweight-gan",
        {"generator": Part(lightweight_gan.network, code, lightweight_gan.generator)},
        Checkpoint(
            "a file of lucidrains' lightweight-gan, models/NAME/model_N.pt",
            "families.lightweight_gan:convert",
            options={"epsilon": "of the batch norms (1e-05, PyTorch's, unless given)"},
            signature=("GE.initial_conv.0.weight", "GE.layers.0.0.0.net.0.weight", "GE.layers.0.0.2.1.weight"),
            keys=("GAN",),
        ),
    ),
    Family(
        "r3gan",
        {"generator": Part(r3gan.network, r3gan.inputs, r3gan.generator)},
        Checkpoint(
            "a pickle of R3GAN, network-snapshot-*.pkl, or the state dict of its generator",
            "families.r3gan:convert",
            signature=(
                "MainLayers.0.Layers.0.Basis",
                "MainLayers.0.Layers.1.LinearLayer1.Layer.weight",
                "AggregationLayer.Layer.weight",
            ),
            keys=("G_ema",),
        ),
    ),
    Family(
        "fastgan",
        {"generator": Part(fastgan.network, code, fastgan.generator)},
        Checkpoint(
            "a pickle of Projected GAN's fastgan or fastgan_lite, network-snapshot.pkl, or a file of FastGAN-pytorch",
            "families.fastgan:convert",
            options={
                "epsilon": "of the batch norms (1e-05, PyTorch's, unless given)",
                "resolution": "of the images, where maps of several sides have as many channels as the output takes",
            },
            signature=("init.init.0.weight*", "feat_8.*.weight*", "se_64.main.1.weight*", "to_big.weight*"),
            keys=("G_ema", "g_ema"),
        ),
    ),
)
