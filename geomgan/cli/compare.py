"""``geomgan compare``: two models between the same real images."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from geomgan.cli import options

HELP = "compare two models by shortest paths between real images, each through its own encoder"
DATA = "mnist, fashion-mnist, emnist, mnist.npz, or a folder of images or of IDX files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("model1", metavar="MODEL1", help=options.FOLDER)
    parser.add_argument("model2", metavar="MODEL2", help="another, with an encoder, too")
    parser.add_argument("--data", required=True, help=f"real test images: {DATA}")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of images")
    options.distance(parser, None)
    parser.add_argument("--segments", type=int, default=64, help="chords of each path")
    options.seed(parser, "of the images")
    options.out(parser, "folder for the results (default: runs/MODEL1-MODEL2-compare)")


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print what was found and where the page is."""
    import jax

    from geomgan.errors import check_count
    from geomgan.report.compare import Encoded, compare_page
    from geomgan.zoo import load_generator
    from geomgan.zoo.encode import encode, encoder
    from geomgan.zoo.real import real_images

    paths = (arguments.model1, arguments.model2)
    for path in paths:  # before any work
        encoder(path)
    pairs = check_count(arguments.pairs, 10**6, "pairs")
    models = []
    for path in paths:
        G = load_generator(path)
        _, D = options.own_distance(arguments, G)
        images, names = real_images(arguments.data, G, 2 * pairs, jax.random.key(arguments.seed))
        codes = encode(path, images)
        both = [x.reshape(2, pairs, *x.shape[1:]) for x in (images, codes)]
        models.append(Encoded(Path(path).name, G, D, *both))
    out = Path(arguments.out or Path("runs") / "-".join([*(Path(path).name for path in paths), "compare"]))
    called = [f"{a} to {b}" for a, b in zip(names[:pairs], names[pairs:], strict=True)]
    words = ["geomgan", "compare", *paths]
    for name in ("data", "pairs", "distance", "resize", "sample_rate", "segments", "seed"):
        x = getattr(arguments, name)
        words += [] if x is None else [f"--{name.replace('_', '-')}", str(x)]
    with options.stored_in_out():
        finding, page = compare_page(models, called, shlex.join(words), out, segments=arguments.segments)
    print(f"{finding} See {page}.")
    return 0
