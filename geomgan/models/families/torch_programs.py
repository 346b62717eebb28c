"""Networks that are no family of ours, as programs of operators: one network, and several ways to its program."""

from __future__ import annotations

from geomgan.generators.activations import HIDDEN, SLOPE
from geomgan.generators.aten.generator import generator, network
from geomgan.models.card import SAVED
from geomgan.models.families.declaration import Checkpoint, Family, Part, code

NETWORK = {"generator": Part(network, code, generator)}
OPTIONS = {  # of every way
    "output_range": "LOW,HIGH of the samples, where the last operator does not tell it (-1,1 unless given)",
    "shape": "of the sample, where the network returns a flat vector: 28x28, or 3x64x64 with channels first",
    "inputs": "values of the inputs besides the code, NAME=NUMBER with commas between (whole numbers are 0 unless "
    "given, and stay options of geomgan.load); NAME=normal is a fixed draw from N(0, 1)",
}
_FOUND = {
    "network": "which one, where a file holds several: its keys and prefix with dots between",
    "input": "the shape of one code, where the first layer takes maps: 3,64,64",
}

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
    Family(
        "torch-module",
        NETWORK,
        Checkpoint(
            "a file: a whole module of torch's own layers, torch.save(net, FILE), alone or in containers",
            "torch_module:convert",
            options={
                "order": "paths of its parts in the order in which they run, with commas between, where the module is "
                "of a class of your own (as they were defined unless given): order=fc,main.0,act,main.1",
                **_FOUND,
                **OPTIONS,
            },
        ),
    ),
    Family(
        "torch-layers",
        NETWORK,
        Checkpoint(
            "a file: a state dict of any generator whose layers follow each other; what it does not say is guessed",
            "torch_layers:convert",
            options={
                "layers": "a file with a line for each layer; where there is none, it is written with the best guess",
                "activation": f"{', '.join(HIDDEN)} or another of torch's: between the layers (relu unless given)",
                "slope": f"of leaky_relu, which it implies ({SLOPE} unless given)",
                "output": "the last activation: tanh, sigmoid, linear or another (of a VAE sigmoid, else tanh)",
                "stride": "of every convolution, with commas between, or one for all (from kernels and sides)",
                "padding": "of every convolution",
                "output_padding": "of every convolution",
                "epsilon": "of the norms (1e-05 unless given)",
                "padding_mode": "zeros, reflect, replicate or circular: of convolutions (zeros unless given)",
                "size": "pixels a side of its images, which strides and upsampling then give",
                **_FOUND,
                **OPTIONS,
            },
        ),
    ),
    Family(
        "pythae",
        NETWORK,
        Checkpoint(
            "a file: model.pt of pythae, with its model_config.json; decoder.pkl is code and stays closed",
            "families.pythae:convert",
            options={"shape": OPTIONS["shape"]},
            config_files=("model_config.json",),
            signature=("decoder.layers.0*.weight", "encoder.layers.0.*", "decoder.layers.1*.weight"),
            keys=("model_state_dict",),
        ),
    ),
    Family(
        "keras-layers",
        NETWORK,
        Checkpoint(
            "a file of Keras: a Sequential or functional model of common layers, .keras, or .h5 of a whole model",
            "keras_layers:convert",
            "keras_layers.file:read",
            options=OPTIONS,
        ),
    ),
)
