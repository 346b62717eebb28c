"""``geomgan invert``: the codes of images."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geomgan.cli import options

HELP = "find the codes of images, and show what the model makes of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", help="files: PNG, JPEG and what else pillow reads; or folders of such"
    )
    options.distance(parser)
    parser.add_argument(
        "--method", default="levenberg-marquardt",
        help="levenberg-marquardt, lm-subspace, lm-cg, lm-metric, natural, adam, adam-eigenbasis, adam-half, "
        "adam-whitened, sgd or lbfgs",
    )  # fmt: skip
    parser.add_argument("--restarts", type=int, default=4, help="runs for each image")
    parser.add_argument("--steps", type=int, help="of a run, at most (default: what suits the method)")
    parser.add_argument("--start", default="nearest", help="prior, or nearest: of a pool of samples")
    parser.add_argument("--pool", type=int, default=256, help="samples to draw for --start nearest")
    parser.add_argument("--mse", metavar="WEIGHT", type=float, default=0.0, help="of the mean squared difference too")
    parser.add_argument("--penalty", type=float, default=0.0, help="weight of the code's distance from the prior")
    parser.add_argument("--crop", default="centre", type=options.value, help="centre, none, or LEFT,TOP,WIDTH,HEIGHT")
    parser.add_argument("--registration", help="sample or target: move it onto the other, by a transform found too")
    options.seed(parser, "of the starts")
    options.memory(parser)
    options.out(parser, "folder for the results (default: runs/MODEL-DISTANCE-inversion)")


def run(arguments: argparse.Namespace) -> int:
    """Invert, and print what was found and where the page is."""
    with options.stored_in_out():
        finding, page = invert(arguments, options.out_folder(arguments, "inversion"))
    print(f"{finding} See {page}.")
    return 0


def invert(arguments: argparse.Namespace, out: Path) -> tuple[str, Path]:
    """The inversion and its page: what was found, and where."""
    import jax

    from geomgan.distances import lpips, mse
    from geomgan.distances.named import named_distance
    from geomgan.optimize import invert, read_images
    from geomgan.report.inversion import inversion_page
    from geomgan.report.short import Asked
    from geomgan.training.image_folders import images_in
    from geomgan.zoo import load_generator

    own = options.model_options(arguments)
    G = load_generator(arguments.model, **own)
    arguments.images = [str(file) for word in arguments.images for file in images_in(Path(word)) or [word]]
    targets = read_images(arguments.images, G, crop=arguments.crop)
    D = named_distance(arguments.distance, arguments.resize, sample_rate=arguments.sample_rate)
    # LPIPS is reported whatever was minimised; small samples are enlarged for it
    small = min(targets.shape[1:3]) < 64
    beside = [] if arguments.distance.startswith("lpips") else [lpips("alex", resize=64 if small else None)]
    same = ("method", "restarts", "steps", "start", "pool", "penalty", "registration", "memory")
    found = invert(
        G,
        targets,
        [(1.0, D), (arguments.mse, mse())] if arguments.mse else D,
        key=jax.random.key(arguments.seed),
        measures=beside,
        out=out,
        **{name: getattr(arguments, name) for name in same},
    )
    call = ", ".join([repr(arguments.model), *(f"{name}={x!r}" for name, x in own.items())])
    names = tuple(Path(image).name for image in arguments.images)
    subject = Asked(Path(arguments.model).name, names, f"geomgan.load({call})", shlex.join(_words(arguments, own)))
    return inversion_page(found, subject, out)


def _words(arguments: argparse.Namespace, own: dict[str, Any]) -> Sequence[str]:
    """The command, as it was given."""
    words = ["geomgan", "invert", arguments.model, *arguments.images, *options.model_words(own)]
    names = ("distance", "resize", "sample_rate", "method", "restarts", "steps", "start", "pool", "mse", "penalty")
    for name in (*names, "crop", "registration", "seed"):
        x = getattr(arguments, name)
        x = ",".join(map(str, x)) if isinstance(x, tuple) else x
        words += [] if x is None else [f"--{name.replace('_', '-')}", str(x)]
    return words
