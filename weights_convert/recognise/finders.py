"""What tells the networks of a family from others: the functions that a declaration names as its ``finder``."""

from __future__ import annotations

from collections.abc import Sequence

from weights_convert.containers import Fits
from weights_convert.containers import signed as signed
from weights_convert.recognise.sequences import chains as chains


def gan_zoo(signature: Sequence[str]) -> Fits:
    """By names, of which the GAN zoo's first version has ``layer.module.weight`` for ``layer.weight``."""
    return signed(signature, lambda name: name.replace(".module.", "."))


def deepsim(signature: Sequence[str]) -> Fits:
    """By names, of which older translations of DeePSim have ``layer.1.weight`` for ``layer.weight``."""
    return signed(signature, lambda name: name.replace(".1.", "."))
