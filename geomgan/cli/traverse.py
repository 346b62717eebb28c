"""``geomgan traverse``: strips and films of walks along directions or warps."""

from __future__ import annotations

import argparse
from pathlib import Path

from geomgan.cli import directions, options

HELP = "walk codes along directions or warps that were found before: strips of pictures, GIF and MP4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    directions.add_arguments(parser, or_warps=True)
    parser.set_defaults(codes=4)
    directions.warps(parser)
    parser.add_argument("--no-images", action="store_true", help="of warps: strips, films and codes only")
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
    if arguments.warps:
        return _along_warps(arguments)
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


def _along_warps(arguments: argparse.Namespace) -> int:
    from geomgan.report.warped import WarpedWalks, configuration, write_warped

    G, found, codes, names = directions.opened_warps(arguments)
    films = [name for name in arguments.film or ["gif"] if name != "none"]
    how = WarpedWalks(
        arguments.eps, arguments.shift_steps, arguments.shift_leap, directions.path_numbers(arguments),
        not arguments.no_images, films, arguments.fps,
    )  # fmt: skip
    out = Path(arguments.out) if arguments.out else directions.results(arguments) / configuration(how)
    print(write_warped(G, found, codes, names, out, how, progress=True))
    return 0
