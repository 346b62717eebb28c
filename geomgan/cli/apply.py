"""``geomgan apply``: samples at steps along directions."""

from __future__ import annotations

import argparse

from geomgan.cli import directions, options

HELP = "move codes along directions that were found before, and write the samples and their codes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    directions.add_arguments(parser)
    parser.set_defaults(codes=1)
    parser.add_argument("--step", metavar="T", nargs="+", type=float, default=[-3.0, -1.5, 0.0, 1.5, 3.0], help="steps")
    options.out(parser, "folder for the results (default: runs/MODEL-DIRECTIONS-applied)")


def run(arguments: argparse.Namespace) -> int:
    """Apply, and print where the samples are."""
    from geomgan.report.walked import write_applied

    G, found, codes = directions.opened(arguments)
    out = directions.out_folder(arguments, "applied")
    how = {"kind": arguments.kind, "centred": arguments.centred, "progress": True}
    print(write_applied(G, found, codes, arguments.step, out, **how))
    return 0
