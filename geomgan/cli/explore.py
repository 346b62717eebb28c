"""``geomgan explore``: sliders in a browser."""

from __future__ import annotations

import argparse

from geomgan.cli import ends, options

SMALL = 64  # pixels, to which smaller samples are enlarged for LPIPS
HELP = "move a code by hand in a browser, along axes and directions, in steps of equal visible change"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    options.distance(parser)
    parser.add_argument("--code", default="0", help=f"where to start; {ends.WORDS}")
    parser.add_argument("--directions", metavar="FILE", help="of geomgan.directions.save, for sliders of their own")
    parser.add_argument("--sliders", type=int, default=6, help="axes of the metric that have one at first")
    parser.add_argument("--host", default="127.0.0.1", help="of this machine alone: 127.0.0.1, localhost or ::1")
    parser.add_argument("--port", type=int, help="0 for any that is free (default: 8250, or the next that is free)")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from geomgan.explore.serve import bound_socket, check_installed

    check_installed()
    bound_socket(arguments.host, arguments.port).close()  # before any work

    from geomgan.directions import load
    from geomgan.distances.named import named_distance
    from geomgan.explore import explore
    from geomgan.pictures import is_image
    from geomgan.zoo import load_generator

    G = load_generator(arguments.model, **options.model_options(arguments))
    shape, resize = G.sample_shape.shape, arguments.resize
    if resize is None and arguments.distance.startswith("lpips") and is_image(shape) and min(shape[:2]) < SMALL:
        resize = SMALL  # LPIPS's networks see nothing in smaller ones
    D = named_distance(arguments.distance, resize, sample_rate=arguments.sample_rate)
    found = load(arguments.directions, G) if arguments.directions else ()
    z = ends.codes(arguments.model, G, [arguments.code])[0]
    rate = {} if arguments.sample_rate is None else {"rate": int(arguments.sample_rate)}
    explore(G, D, z, found, sliders=arguments.sliders, **rate).serve(host=arguments.host, port=arguments.port)
    return 0
