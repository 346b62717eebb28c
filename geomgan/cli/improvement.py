"""``geomgan improvement``: how much shorter than straight lines."""

from __future__ import annotations

import argparse

from geomgan.cli import options

HELP = "measure how much shorter than straight lines paths between random pairs are"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    options.distance(parser, None)
    parser.add_argument("--pairs", type=int, default=100, help="random pairs")
    parser.add_argument("--step", type=float, default=1.0, help="from start to end, in latent units")
    parser.add_argument("--direction", default="eigenvector", help="of the step: eigenvector (the first), or random")
    parser.add_argument("--segments", type=int, default=16, help="chords of each path")
    parser.add_argument(
        "--schedule", action=argparse.BooleanOptionalAction, default=True, help="also the published schedule"
    )
    options.seed(parser, "of the pairs")
    options.out(parser, "folder for the results (default: runs/MODEL-DISTANCE-improvement)")


def run(arguments: argparse.Namespace) -> int:
    """Run the experiment, and print what was found and where the page is."""
    from pathlib import Path

    import jax

    from geomgan.geodesics import improvement
    from geomgan.geodesics.improvement import PUBLISHED
    from geomgan.report.improvement import improvement_page
    from geomgan.report.short import Asked
    from geomgan.zoo import load_generator

    G = load_generator(arguments.model, **options.model_options(arguments))
    arguments.distance, D = options.own_distance(arguments, G)
    out = options.out_folder(arguments, "improvement")
    same = ("pairs", "step", "direction", "segments")
    how = {name: getattr(arguments, name) for name in same}
    how |= {"schedule": PUBLISHED if arguments.schedule else None, "out": out}
    with options.stored_in_out():
        found = improvement(G, D, jax.random.key(arguments.seed), **how)
    said = options.command("improvement", arguments, "distance", "resize", "sample_rate", *same, "schedule", "seed")
    asked = Asked(Path(arguments.model).name, (), options.opened(arguments), said)
    finding, page = improvement_page(found, asked, out)
    print(f"{finding} See {page}.")
    return 0
