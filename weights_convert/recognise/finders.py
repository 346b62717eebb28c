"""What tells the networks of a family from others: the functions that a declaration names as its ``finder``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weights_convert.containers import Fits
from weights_convert.containers import signed as signed
from weights_convert.modules import StateDict
from weights_convert.recognise.sequences import chains as chains


def gan_zoo(signature: Sequence[str]) -> Fits:
    """By names, of which the GAN zoo's first version has ``layer.module.weight`` for ``layer.weight``."""
    return signed(signature, lambda name: name.replace(".module.", "."))


def deepsim(signature: Sequence[str]) -> Fits:
    """By names, of which older translations of DeePSim have ``layer.1.weight`` for ``layer.weight``."""
    return signed(signature, lambda name: name.replace(".1.", "."))


_TINY = re.compile(r"(?:(?<![^.])(decoder|encoder)\.layers\.|^)(\d+)\.")
_KL = (  # CompVis's names, and those of older versions of diffusers -> those of diffusers
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.", ".mid_block.attentions.0."),
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.down\.(\d+)\.block\.", r".down_blocks.\1.resnets."),
    (r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
    (r"(attentions\.0)\.norm\.", r"\1.group_norm."),
    (r"(attentions\.0)\.(?:q|query)\.", r"\1.to_q."),
    (r"(attentions\.0)\.(?:k|key)\.", r"\1.to_k."),
    (r"(attentions\.0)\.(?:v|value)\.", r"\1.to_v."),
    (r"(attentions\.0)\.(?:proj_out|proj_attn)\.", r"\1.to_out.0."),
)
_UP = re.compile(r"decoder\.up\.(\d+)\.(block|upsample)\.")
KL_PARTS = ("decoder.", "encoder.", "quant_conv.", "post_quant_conv.")


def autoencoder_tiny(signature: Sequence[str]) -> Fits:
    """By names, of which diffusers has ``decoder.layers.0`` for ``decoder.1``, and a decoder's file ``1``."""

    def rename(name: str) -> str:
        found = _TINY.search(name)
        if found is None:
            return name
        part = found[1] or "decoder"  # diffusers squashes latents outside of its layers
        number = int(found[2]) + (found[1] == "decoder")
        return f"{name[: found.start()]}{part}.{number}.{name[found.end() :]}"

    return signed(signature, rename)


def autoencoder_kl(signature: Sequence[str]) -> Fits:
    """By names, those of CompVis and of older diffusers under those of diffusers; without a diffusion model beside."""

    def fits(tensors: StateDict) -> dict[str, StateDict]:
        stages = [int(found[1]) for name in tensors if (found := _UP.search(name))]
        rename = lambda name: kl_name(name, max(stages, default=0))
        only = lambda name: name if name.startswith(KL_PARTS) else None
        return {prefix: part.renamed(only) for prefix, part in signed(signature, rename)(tensors).items()}

    return fits


def kl_name(name: str, last: int) -> str:
    """The name that diffusers has; CompVis counts the decoder's stages from the largest map, of ``last + 1``."""
    for pattern, replacement in _KL:
        name = re.sub(pattern, replacement, name)
    kinds = {"block": "resnets", "upsample": "upsamplers.0"}
    return _UP.sub(lambda found: f"decoder.up_blocks.{last - int(found[1])}.{kinds[found[2]]}.", name)
