"""StyleGAN to StyleGAN3: translations into PyTorch, and NVIDIA's own files."""

from __future__ import annotations

from geomgan.generators import nvidia_stylegan2, nvidia_stylegan3, stylegan, stylegan2
from geomgan.generators.stylegan3_sampling import Sampling
from geomgan.models.families.declaration import Checkpoint, Family, Part, code

OFFICIAL = "a .pkl of the official repository, or a file {G_ema: state dict}"
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
PICKLED = (PERSISTENT, "dnnlib.EasyDict", "dnnlib.util.EasyDict", "torch.nn.modules.*")
_OF_TENSORS = {
    "resolution": "of the images, checked against the tensors",
    "lr_multiplier": "of the mapping network, where the file does not say; 0.01 unless given",
    "latent_dim": "of the codes, where the mapping network takes more numbers than it makes and the file has no class "
    "embedding: give it if the network has no classes; else the file lacks them",
}
_TAPS = {"taps": "of the resampling filter, where the file has none of its buffers; 1,3,3,1 unless given"}
_OF_OFFICIAL = {**_OF_TENSORS, **_TAPS}
_OF_SAMPLING = {
    "num_critical": "layers without oversampling at the end",
    "first_cutoff": "cutoff frequency of the first layer",
    "first_stopband": "frequency that the first layer's filter stops",
    "last_stopband_rel": "frequency that the last layer's filter stops, over its cutoff",
    "margin_size": "pixels around the visible part of a map",
    "lrelu_upsampling": "oversampling of the non-linearities",
    "output_scale": "factor on the image",
}
SAMPLING = {name: getattr(Sampling, name, 0.25) for name in _OF_SAMPLING}  # option -> value where nothing says one


FAMILIES = (
    Family(
        "nvidia-stylegan2",
        {"generator": Part(stylegan2.network, code, nvidia_stylegan2.generator)},
        Checkpoint(
            OFFICIAL,
            "families.nvidia_stylegan2:convert",
            "families.nvidia:read",
            options=_OF_OFFICIAL,
            signature=("mapping.fc0.weight", "synthesis.b4.const", "synthesis.b4.conv1.affine.weight"),
            keys=("G_ema",),
        ),
    ),
    Family(
        "nvidia-stylegan3",
        {"generator": Part(nvidia_stylegan3.network, code, nvidia_stylegan3.generator)},
        Checkpoint(
            OFFICIAL,
            "families.nvidia_stylegan3:convert",
            "families.nvidia:read",
            options={
                **_OF_TENSORS,
                **{
                    name: f"{what}, where the file does not say; {SAMPLING[name]:g} unless given"
                    for name, what in _OF_SAMPLING.items()
                },
            },
            signature=("mapping.fc0.weight", "synthesis.input.freqs", "synthesis.L0_*.affine.weight"),
            keys=("G_ema",),
        ),
    ),
    Family(
        "stylegan-xl",
        {"generator": Part(nvidia_stylegan3.network, code, nvidia_stylegan3.generator)},
        Checkpoint(
            "a .pkl of StyleGAN-XL, a stem or one with super-resolution layers",
            "families.stylegan_xl:convert",
            signature=(
                "mapping.embed_proj.weight",
                "mapping.embed.weight",
                "synthesis.input.freqs",
                "synthesis.L0_*.affine.weight",
            ),
            keys=("G_ema",),
        ),
    ),
    Family(
        "stylegan",
        {"generator": Part(stylegan.network, code, stylegan.generator)},
        Checkpoint(
            "a file: {g_running, ...} of style-based-gan-pytorch, or g_running's state dict alone",
            "families.stylegan:convert",
            options={
                "resolution": "of the images, where the network was trained to fewer pixels than it has layers for"
            },
            signature=(
                "style.1.linear.weight_orig",
                "generator.progression.0.conv1.input",
                "generator.to_rgb.0.conv.bias",
            ),
            keys=("g_running",),
        ),
    ),
    Family(
        "stylegan2",
        {"generator": Part(stylegan2.network, code, stylegan2.generator)},
        Checkpoint(
            "a file: {g_ema, latent_avg} of stylegan2-pytorch, g_ema's state dict alone, or an encoder's of pSp or e4e",
            "families.stylegan2:convert",
            options=_OF_OFFICIAL,
            signature=("style.1.weight", "conv1.conv.modulation.weight", "to_rgb1.conv.weight", "convs.0.conv.weight"),
            keys=("g_ema",),
        ),
    ),
)
