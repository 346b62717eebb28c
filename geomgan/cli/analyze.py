"""``geomgan analyze``: the main job."""

from __future__ import annotations

import argparse

from geomgan.cli import options

HELP = "compute a model's metric field and report it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    options.distance(parser)
    options.codes(parser)
    parser.add_argument("--top", type=int, default=8, help="number of axes to show")
    options.seed(parser)
    options.memory(parser)
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--control", action=switch, default=True, help="also the model with shuffled weights")
    parser.add_argument("--layers", action=switch, help="compare the layers (default: where it is little work)")
    parser.add_argument("--compare", metavar="DISTANCE", help="a second distance, at the same codes")
    options.out(parser, "folder for the results (default: runs/MODEL-DISTANCE)")


def run(arguments: argparse.Namespace) -> int:
    """Analyse, and print what was found and where the report is."""
    from geomgan.report import analyze

    choices = (arguments.model, arguments.distance, arguments.codes, arguments.top, arguments.seed)
    same = ("resize", "memory", "control", "layers", "compare", "sample_rate")
    more = {name: getattr(arguments, name) for name in same}
    with options.stored_in_out():
        out = options.out_folder(arguments)
        finding, report = analyze(*choices, out, model_options=options.model_options(arguments), **more)
    print(f"{finding} See {report}.")
    return 0
