"""Networks that are no family of ours, as programs of operators: one network, and several ways to its program."""

from __future__ import annotations

from geomgan.generators.aten.generator import generator, network
from geomgan.models.families.declaration import Checkpoint, Family, Part, code

NETWORK = {"generator": Part(network, code, generator)}
OPTIONS = {  # of every way
    "output_range": "LOW,HIGH of the samples, where the last operator does not tell it (-1,1 unless given)",
    "shape": "of the sample, where the network returns a flat vector: 28x28, or 3x64x64 with channels first",
    "inputs": "values of the inputs besides the code, NAME=NUMBER with commas between (whole numbers are 0 unless "
    "given, and stay options of geomgan.load); NAME=normal is a fixed draw from N(0, 1)",
}

SAVED = "program"  # as geomgan.save writes it

FAMILIES = (
    Family(SAVED, NETWORK),
    Family(
        "torch-export",
        NETWORK,
        Checkpoint(
            "a file of torch.export.save (.pt2); `geomgan export-recipe` prints the lines that write it",
            "torch_export:convert",
            "exported:read_archive",
            options={
                "output": "of a network that returns several tensors: which of them is the sample, from 0, or its name",
                **OPTIONS,
            },
        ),
    ),
    Family("torch-module", NETWORK),
    Family("torch-layers", NETWORK),
    Family("keras-layers", NETWORK),
)
