"""``geomgan geodesic``: shortest paths between codes."""

from __future__ import annotations

import argparse

from geomgan.cli import ends, options

HELP = "find shortest paths between codes, and show them beside straight lines"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    parser.add_argument("--from", dest="start", metavar="CODE", nargs="+", required=True, help=ends.WORDS)
    parser.add_argument("--to", dest="end", metavar="CODE", nargs="+", required=True, help="as many, or one; likewise")
    options.distance(parser, None)
    parser.add_argument("--method", default="gauss-newton", help="gauss-newton, matrix-free or georce")
    parser.add_argument("--segments", type=int, default=64, help="chords of each path")
    parser.add_argument(
        "--guess", default="linear", help="where the search begins: linear, spherical, or pool: through draws"
    )
    parser.add_argument("--axes", metavar="K", type=int, help="leading axes that paths stay in (default: all)")
    options.seed(parser, "of the pool")
    options.out(parser, "folder for the results (default: runs/MODEL-DISTANCE-geodesic)")


def run(arguments: argparse.Namespace) -> int:
    """Find paths, and print what was found and where the page is."""
    from pathlib import Path

    from geomgan.report.geodesic import geodesic_page
    from geomgan.report.short import Asked
    from geomgan.zoo import load_generator

    G = load_generator(arguments.model, **options.model_options(arguments))
    arguments.distance, D = options.own_distance(arguments, G)
    starts, to = (ends.codes(arguments.model, G, words) for words in (arguments.start, arguments.end))
    names = ends.names(arguments.start, arguments.end, max(len(starts), len(to)))
    same = ("distance", "method", "segments", "guess", "axes", "seed")
    said = options.command("geodesic", arguments, "start", "end", "resize", "sample_rate", *same)
    said = said.replace("--start", "--from", 1).replace("--end", "--to", 1)
    asked = Asked(Path(arguments.model).name, names, options.opened(arguments), said)
    how = {name: getattr(arguments, name) for name in same}
    with options.stored_in_out():
        finding, page = geodesic_page(G, D, starts, to, asked, options.out_folder(arguments, "geodesic"), **how)
    print(f"{finding} See {page}.")
    return 0
