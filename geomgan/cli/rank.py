"""``geomgan rank``: which paths change which attribute of the picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geomgan.cli import directions, options

HELP = "rank directions or warps by what changes along them: brightness, thickness, head pose, ..."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    directions.add_arguments(parser, or_warps=True)
    parser.set_defaults(codes=8)
    directions.warps(parser)
    parser.add_argument(
        "--attributes",
        default="light",
        help="some with commas between, such as brightness,hue or head-pose; or a group: light, shape, digits, head, "
        "or one of WarpedGANSpace, such as Rotation",
    )
    parser.add_argument(
        "--networks", metavar="FOLDER", help="of ONNX networks (default: attributes in the user's cache)"
    )
    parser.add_argument(
        "--metric", default="pearson", help="correlation: pearson, spearman, or covariance as published"
    )
    parser.add_argument("--top-k", type=int, default=3, help="paths of each table")
    parser.add_argument("--reach", type=float, default=3.0, help="of DIRECTIONS: the largest step to both sides")
    parser.add_argument("--film", action="append", help="gif, mp4 or png of the first path of each attribute")
    options.distance(parser, "none")
    options.out(parser, "folder for the page (default: runs/MODEL-ATTRIBUTES-ranked)")


def run(arguments: argparse.Namespace) -> int:
    """Rank, and print what was found and where the page is."""
    import jax

    from geomgan.directions import GROUPS, named_attributes
    from geomgan.errors import check_choice
    from geomgan.report.ranked import ranked, ranked_page
    from geomgan.report.warped import FILMS

    for film in arguments.film or ():
        check_choice(film, FILMS, "film")
    names = arguments.attributes if arguments.attributes in GROUPS else arguments.attributes.split(",")
    attributes = named_attributes(names, arguments.networks)
    G, walks = _along_warps(arguments) if arguments.warps else _along_directions(arguments)
    found = ranked(
        G,
        walks,
        attributes,
        jax.random.key(arguments.seed),
        method=arguments.metric,
        top=arguments.top_k,
        model=Path(arguments.model).name,
        command=_command(arguments),
        measure=_measure(arguments, G),
        progress=True,
    )
    out = (
        arguments.out or Path("runs") / f"{Path(arguments.model).name}-{arguments.attributes.replace(',', '-')}-ranked"
    )
    said, page = ranked_page(found, out, arguments.film or ())
    print(f"{said} See {page}.")
    return 0


def _along_warps(arguments: argparse.Namespace) -> tuple[Any, list[Any]]:
    """The generator, and for each path what walks all codes along it."""
    from functools import partial

    from geomgan.directions.warp_walks import walks_of_codes, warp_walks

    G, found, codes, _ = directions.opened_warps(arguments)
    chosen = directions.path_numbers(arguments)
    how = {"step": arguments.eps, "steps": arguments.shift_steps, "leap": arguments.shift_leap, "paths": chosen}
    walked, t = warp_walks(found, codes, **how)
    numbers = range(found.paths) if chosen is None else chosen
    return G, [partial(walks_of_codes, G, walked[:, i : i + 1], t, (f"warp {k}",)) for i, k in enumerate(numbers)]


def _along_directions(arguments: argparse.Namespace) -> tuple[Any, list[Any]]:
    from functools import partial

    import numpy as np

    from geomgan.directions import traverse

    G, found, codes = directions.opened(arguments)
    steps = np.linspace(-arguments.reach, arguments.reach, 2 * arguments.shift_steps + 1)
    kinds = {"kind": arguments.kind, "centred": arguments.centred}
    return G, [partial(traverse, G, move, codes, steps, **kinds) for move in found]


def _measure(arguments: argparse.Namespace, G: Any) -> Any:
    """Lengths of walks in ``--distance``, if it is given."""
    if arguments.distance == "none":
        return None
    from functools import partial

    from geomgan.distances.named import named_distance
    from geomgan.geodesics import detours

    D = named_distance(arguments.distance, arguments.resize, sample_rate=arguments.sample_rate)
    return partial(detours, G, D)


def _command(arguments: argparse.Namespace) -> str:
    words = ["directions"] if arguments.directions else ["warps", "pool", "paths", "eps", "shift_leap"]
    return options.command(
        "rank", arguments, *words, "shift_steps", "attributes", "metric", "top_k", "codes", "seed", "distance"
    ).replace("--directions ", "")
