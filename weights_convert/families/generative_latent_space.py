"""The MNIST VAE and BiGAN of the repository GenerativeLatentSpace, in its published files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.options import Options
from weights_convert.table import Layer, Tensor, fill, shapes

Tables = dict[str, list[Layer | Tensor]]  # part -> rows
LICENCE = "none stated by the source: for private study, do not redistribute"


def _blocks(target: str, source: str, kind: str, layout: str) -> list[Layer]:
    """Two blocks of a spectrally normalised layer and its batch norm."""
    return [
        Layer(
            f"{target}{i + 1}", f"{source}.{i}.{kind}", layout, norm=f"{source}.{i}.BatchNorm", spectral_norm="stored"
        )
        for i in range(2)
    ]


def _decoder(target: str, output: str) -> list[Layer]:
    return [
        Layer(f"{target}project", "lin", "dense_to_map", spatial=(6, 6)),
        *_blocks(f"{target}block", "conv", "ConvTranspose", "conv_transpose"),
        Layer(f"{target}output", output, "conv"),
    ]


RBF = [
    Tensor("precision/centers", "rbfNN.centers"),
    Tensor("precision/bandwidth", "rbfNN.bandwidth"),
    Tensor("precision/zeta", "rbfNN.zeta"),
    Tensor("precision/kernel", "rbfNN.W.weight", transpose=True),
]

VAE: Tables = {
    "generator": [*RBF, *_decoder("mean/", "Xmean.0")],
    "encoder": [
        *_blocks("features/block", "enc", "Convolution", "conv"),
        Layer("mean", "zmean", "dense_from_map", spatial=(6, 6)),
        Layer("log_variance", "zlogvar", "dense_from_map", spatial=(6, 6)),
    ],
}
BIGAN: Tables = {
    "generator": [*_decoder("", "conv.2")],
    "encoder": [
        *_blocks("features/block", "conv", "Convolution", "conv"),
        Layer("code", "lin", "dense_from_map", spatial=(6, 6)),
    ],
    "discriminator": [
        *_blocks("features/block", "Xconv", "Convolution", "conv"),
        *_blocks("code", "zlin", "Linear", "dense"),
        Layer(
            "joint",
            "post_cat.0.Linear",
            "dense_from_map",
            norm="post_cat.0.BatchNorm",
            spectral_norm="stored",
            spatial=(6, 6),
        ),
        Layer("score", "post_cat.1", "dense"),
    ],
}


def vae(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Decoder and encoder; the latent size and the number of RBF centres are read from the shapes."""
    return _converted(family, states, VAE, options)


def bigan(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Generator, encoder and discriminator; the latent size is read from the shapes."""
    return _converted(family, states, BIGAN, options)


def _converted(family: Family, states: Mapping[str, Any], tables: Tables, options: Options) -> Converted:
    """Each part from its file; files are declared in the order of the networks."""
    files = dict(zip(family.networks, states, strict=True))
    tensors = {part: states[file] for part, file in files.items()}
    generator = tensors["generator"]
    latent_dim = generator["lin.weight"].shape[1] if "lin.weight" in generator else 16
    centers = generator["rbfNN.bandwidth"].shape[0] if "rbfNN.bandwidth" in generator else 64
    config = {"latent_dim": latent_dim, "centers": centers, "channels": 1, "resolution": 28}
    params = {}
    for part, network in family.networks.items():
        template = shapes(network.module(config), *network.inputs(config))
        epsilon = options.epsilon(tensors[part])
        rows = [
            replace(row, epsilon=epsilon(row.norm)) if isinstance(row, Layer) and row.norm else row
            for row in tables[part]
        ]
        params[part] = fill(tensors[part], rows, template, f"{family.name} ({part}, {files[part]})")
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I)", "licence": LICENCE}
    return Converted(card, params)
