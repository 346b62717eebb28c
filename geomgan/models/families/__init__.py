"""The families of models: all of them, each declared once.

A new family is:

1. one ``Family(...)`` in a file of this folder, listed in its ``FAMILIES``: the networks, their inputs, the converter;
2. the function that ``converter`` names, in ``weights_convert``: tensors of the checkpoint -> card and weights;
3. for a checkpoint that people know by name, an entry in ``zoo/catalogue.toml``.

Everything else (``geomgan.load`` and its options, ``convert`` and its help, checks, messages) follows from these.
"""

from collections.abc import Mapping

from geomgan.models.families import autoencoders, biggan, gans, judges, maps, stylegan, torch_programs
from geomgan.models.families.declaration import Checkpoint, Family, Part

FAMILIES: dict[str, Family] = {
    family.name: family
    for group in (biggan, maps, stylegan, gans, autoencoders, torch_programs, judges)
    for family in group.FAMILIES
}

NETWORKS: dict[str, Mapping[str, Part]] = {
    family.name: family.networks for family in FAMILIES.values() if family.networks
}
CHECKPOINTS: dict[str, Checkpoint] = {
    family.name: family.checkpoint for family in FAMILIES.values() if family.checkpoint
}

__all__ = ["CHECKPOINTS", "FAMILIES", "NETWORKS", "Checkpoint", "Family", "Part"]
