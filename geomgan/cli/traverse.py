"""``geomgan traverse``: strips and films of walks along directions."""

from __future__ import annotations

import argparse

from geomgan.cli import directions, options

HELP = "walk codes along directions that were found before: strips of pictures, GIF and MP4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    directions.add_arguments(parser)
    parser.set_defaults(codes=4)
    parser.add_argument("--reach", type=float, default=3.0, help="the largest step to both sides")
    parser.add_argument("--spacing", default="code", help="equal steps in code, or in distance")
    options.distance(parser)
    parser.add_argument(
        "--film", action="append", help="gif, mp4 or png; repeat it for more, none for no film (default: gif)"
    )
    parser.add_argument(
        "--schedule", default="centred", help="of a film: smooth, linear, or centred, which ends where it began"
    )
    parser.add_argument("--frames", type=int, default=60, help="of a film")
    parser.add_argument("--fps", type=float, default=24, help="frames a second")
    options.out(parser, "folder for the results (default: runs/MODEL-DIRECTIONS-traversed)")


def run(arguments: argparse.Namespace) -> int:
    """Walk, and print where strips and films are."""
    from geomgan.distances.named import named_distance
    from geomgan.report.walked import write_traversal

    films = [name for name in arguments.film or ["gif"] if name != "none"]
    D = None
    if arguments.spacing == "distance":
        D = named_distance(arguments.distance, arguments.resize, sample_rate=arguments.sample_rate)
    G, found, codes = directions.opened(arguments)
    same = ("reach", "frames", "spacing", "fps", "kind", "centred")
    how = {name: getattr(arguments, name) for name in same}
    out = directions.out_folder(arguments, "traversed")
    print(write_traversal(G, found, codes, out, D=D, films=films, order=arguments.schedule, progress=True, **how))
    return 0
