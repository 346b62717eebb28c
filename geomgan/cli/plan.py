"""``geomgan plan``: what a metric field will cost."""

from __future__ import annotations

import argparse

from geomgan.cli import options
from geomgan.cli.words import of_command

HELP = "method, memory and time of a metric field, without computing it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    options.distance(parser)
    options.codes(parser)
    parser.add_argument("--top", type=int, metavar="K", help="eigenpairs for each code (default: all)")
    options.memory(parser)
    options.precision(parser)
    parser.add_argument("--solver", default="auto", help="auto, dense, block or arpack")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; 1 if it does not fit."""
    import geomgan as gg
    from geomgan.distances.named import named_distance
    from geomgan.zoo import load_generator

    G = load_generator(arguments.model, **options.model_options(arguments))
    D = named_distance(arguments.distance, arguments.resize, sample_rate=arguments.sample_rate)
    given = {name: getattr(arguments, name) for name in ("solver", "memory", "precision")}
    plan = gg.plan(G, D, arguments.codes, k=arguments.top, **given)
    print(of_command(str(plan), arguments))
    return 0 if plan.fits else 1
