"""``geomgan decoder``: the card of an autoencoder's decoder, at photographs."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from geomgan.cli import options

HELP = "the geometry of an autoencoder's decoder at photographs, of one model or of two side by side"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    parser.add_argument("photographs", metavar="IMAGE", nargs="*", help="files (default: the twelve of the package)")
    options.distance(parser)
    parser.add_argument("--beside", metavar="MODEL", help="a second model, with its own encoder")
    parser.add_argument("--top", type=int, default=64, help="axes of codes that are too large for all")
    options.seed(parser, "of noise and random directions")
    options.out(parser, "folder for the results (default: runs/MODEL-DISTANCE-decoder)")


def run(arguments: argparse.Namespace) -> int:
    """Compute the card, and print what was found and where the page is."""
    with options.stored_in_out():
        finding, page = card(arguments, options.out_folder(arguments, "decoder"))
    print(f"{finding} See {page}.")
    return 0


def card(arguments: argparse.Namespace, out: Path) -> tuple[str, Path]:
    """The card and its page: what was found, and where."""
    import jax
    import numpy as np

    from geomgan.analysis.decoders import decoder_geometry
    from geomgan.distances.named import named_distance
    from geomgan.generators.patches import map_shape
    from geomgan.models.photographs import names, photographs
    from geomgan.optimize import read_images
    from geomgan.report.decoder import Card, decoder_page
    from geomgan.zoo import load_generator
    from geomgan.zoo.encode import encode

    own = options.model_options(arguments)
    sized = {"resolution": own["resolution"]} if "resolution" in own else {}
    found, images = {}, np.zeros(0)
    D = named_distance(arguments.distance, arguments.resize, sample_rate=arguments.sample_rate)
    opened = [(arguments.model, own), *([(arguments.beside, sized)] if arguments.beside else [])]
    generators: list[tuple[str, Any]] = []
    for model, given in opened:
        G = load_generator(model, **given)
        map_shape(G)
        label = Path(model).name
        taken = [name for name, _ in generators]
        generators.append((f"{label} (2)" if label in taken else label, G))
    for (label, G), (model, _) in zip(generators, opened, strict=True):
        height, width, _ = G.sample_shape.shape
        files = arguments.photographs
        images = read_images(files, G) if files else photographs((height, width))
        codes = encode(model, images)
        key = jax.random.key(arguments.seed)
        found[label] = decoder_geometry(G, D, codes, images, key=key, top=arguments.top, progress=True)
    shown = tuple(Path(image).name for image in arguments.photographs) or names()
    words = shlex.split(options.command("decoder", arguments, "distance", "resize", "beside", "top", "seed"))
    command = shlex.join([*words[:3], *arguments.photographs, *words[3:]])
    subject = Card(images, shown, (-1.0, 1.0), arguments.distance, command)
    return decoder_page(found, subject, out)
