"""``geomgan sample``: samples as image files."""

from __future__ import annotations

import argparse
from typing import Any

from geomgan.cli import options
from geomgan.cli.compare import DATA

HELP = "write samples as PNG files of exactly their size, and judge them beside real images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    parser.add_argument("--count", type=int, default=64, help="samples")
    parser.add_argument("--data", help=f"also as many real test images, and the Fréchet distance from them: {DATA}")
    options.seed(parser)
    parser.add_argument("--out", required=True, help="folder for samples, real, codes.npz, grid.png and summary.json")


def run(arguments: argparse.Namespace) -> int:
    """Write samples, and print where they are and how far from real ones."""
    import jax

    from geomgan.report.samples import write_samples
    from geomgan.zoo import load_generator
    from geomgan.zoo.real import real_images

    G = load_generator(arguments.model, **options.model_options(arguments))
    of_codes, of_images = jax.random.split(jax.random.key(arguments.seed))

    def real(count: int) -> Any:
        return real_images(arguments.data, G, count, of_images, at_least=arguments.count)[0]

    with options.stored_in_out():
        found = write_samples(G, arguments.count, of_codes, arguments.out, real=real if arguments.data else None)
    print(found)
    return 0
