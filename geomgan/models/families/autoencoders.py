"""The autoencoders of diffusion models, whose decoders are the generators."""

from __future__ import annotations

from geomgan.generators import autoencoder_kl, autoencoder_tiny
from geomgan.models.families.declaration import Checkpoint, Family, Part

CONVENTION = {
    "scaling": "factor from raw latents to those that the diffusion model sees, where no config.json says it: 0.18215 "
    "for Stable Diffusion 1 and 2, 0.13025 for XL, 1.5305 for 3, 0.3611 for FLUX.1",
    "shift": "of raw latents, before the factor: 0.0609 for Stable Diffusion 3, 0.1159 for FLUX.1, else 0",
}

FAMILIES = (
    Family(
        "autoencoder-tiny",
        {
            "generator": Part(autoencoder_tiny.decoder, autoencoder_tiny.latents, autoencoder_tiny.generator),
            "encoder": Part(autoencoder_tiny.encoder, autoencoder_tiny.images),
        },
        Checkpoint(
            "a file: taesd_decoder.pth, taesdxl_, taesd3_, taef1_, taef2_ or taesana_decoder.pth, with the encoder's "
            "beside it if there is one; or diffusion_pytorch_model.safetensors of AutoencoderTiny",
            "families.autoencoder_tiny:convert",
            options=CONVENTION,
            signature=("decoder.1.weight", "decoder.3.conv.0.weight", "decoder.3.conv.4.weight"),
            finder="autoencoder_tiny",
            beside=("decoder", "encoder"),
        ),
    ),
    Family(
        "autoencoder-kl",
        {
            "generator": Part(autoencoder_kl.decoder, autoencoder_kl.latents, autoencoder_kl.generator),
            "encoder": Part(autoencoder_kl.encoder, autoencoder_kl.images),
        },
        Checkpoint(
            "a file: diffusion_pytorch_model.safetensors of AutoencoderKL with its config.json beside it, a file of "
            "Stable Diffusion that has the autoencoder as first_stage_model, or FLUX.1's ae.safetensors",
            "families.autoencoder_kl:convert",
            options={**CONVENTION, "groups": "of the group norms, where no config.json says it; 32 unless given"},
            config_files=("config.json",),
            signature=(
                "decoder.conv_in.weight",
                "decoder.mid_block.resnets.0.conv1.weight",
                "decoder.up_blocks.0.resnets.0.norm1.weight",
                "decoder.conv_norm_out.weight",
            ),
            finder="autoencoder_kl",
        ),
    ),
)
