"""``geomgan discover``: directions by every method, side by side."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geomgan.cli import options

HELP = "find directions by several methods, and show and score them side by side"
FOLDER, TRAININGS = "directions", "training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    options.distance(parser)
    parser.add_argument(
        "--methods", default="all", help="all, or some with commas between: random, metric, sefa, ganspace, "
        "dictionary, penalty, deformator, warps; and penalty-trained, which all leaves out"
    )  # fmt: skip
    parser.add_argument("-k", "--k", type=int, default=10, help="directions of each method")
    parser.add_argument("--steps", type=int, default=1000, help="training steps of the methods that train")
    parser.add_argument("--classes", help="all, or 3,17,...: trainings by samples draw one of these for every code")
    parser.add_argument(
        "--predictor-steps", type=int, default=500, help="training steps of the predictors that judge; 0: none"
    )
    parser.add_argument("--show", type=int, default=3, help="directions of each method in the picture")
    parser.add_argument("--reach", type=float, default=2.0, help="latent units to each side of walks")
    options.codes(parser, "latent codes at which directions are measured")
    options.seed(parser)
    options.out(parser, "folder for the results (default: runs/MODEL-DISTANCE-directions)")


def run(arguments: argparse.Namespace) -> int:
    """Find, score, and print what was found and where the page is."""
    with options.stored_in_out():
        finding, page = discover(arguments, options.out_folder(arguments, "directions"))
    print(f"{finding} See {page}.")
    return 0


def discover(arguments: argparse.Namespace, out: Path) -> tuple[str, Path]:
    """The sets, their scores and the page: what was found, and where."""
    import jax
    import numpy as np

    from geomgan import directions
    from geomgan.directions.warped_training import WARPS, moves_of
    from geomgan.distances.named import named_distance
    from geomgan.errors import check_count
    from geomgan.report.discovery import Discovery, discovery_page
    from geomgan.report.trainings import curve_pictures, training_pictures, walked
    from geomgan.runs.results import read_result
    from geomgan.zoo import card, load_generator

    own = options.model_options(arguments)
    G = load_generator(arguments.model, **own)
    D = named_distance(arguments.distance, arguments.resize, sample_rate=arguments.sample_rate)
    key_codes, key_find, key_judge, key_truth = jax.random.split(jax.random.key(arguments.seed), 4)
    codes = G.sample_latent(key_codes, check_count(arguments.codes, np.inf, "codes"))
    check_count(arguments.show, np.inf, "show")
    methods = arguments.methods if arguments.methods == "all" else arguments.methods.split(",")
    how = {"reach": arguments.reach, "first": arguments.show}
    picture = training_pictures(G, codes[0], out / TRAININGS, **how)
    sets = directions.discover(
        G,
        D,
        codes,
        key_find,
        methods,
        k=arguments.k,
        steps=arguments.steps,
        classes=None if arguments.classes is None else class_rows(arguments.model, arguments.classes),
        out=out / "found",
        picture=picture,
    )
    curve_pictures(list(sets), out / "found", out / TRAININGS)
    for method, found in sets.items():
        directions.save(found, out / FOLDER / f"{method}.npz")
    board = directions.scoreboard(
        G,
        D,
        sets,
        codes,
        key_judge,
        reach=arguments.reach,
        predictor_steps=arguments.predictor_steps,
        out=out / "scores",
    )
    moves: dict[str, Any] = dict(sets)
    if "warps" in sets:  # they themselves, in the order of their chords
        warps = read_result(out / "found" / "warps" / WARPS, directions.Warps)
        named = {move.name: move for move in moves_of(warps, G.space)}
        moves["warps"] = [named[name] for name in sets["warps"].names]
    walks = {method: walked(G, found, codes[0], **how) for method, found in moves.items()}
    known = directions.known_factors(card(arguments.model))
    truth = {} if known is None or G.space != "z" else {
        method: directions.disentanglement(directions.unit_columns(G, found), known, key_truth)
        for method, found in sets.items()
        if len(found) > 1
    }  # fmt: skip
    call = ", ".join([repr(arguments.model), *(f"{name}={x!r}" for name, x in own.items())])
    page = Discovery(
        Path(arguments.model).name,
        sets,
        board,
        walks,
        G.output_range,
        truth,
        f"gg.load({call})",
        shlex.join(_words(arguments, own)),
    )
    return discovery_page(page, out)


def class_rows(model: str, classes: str) -> Any:
    """The embeddings ``(m, e)`` of the classes of a model that ``"all"`` or ``"3,17"`` names.

    Raises:
        OptionError: the model has no classes, or not these.
    """
    import numpy as np

    from geomgan.generators.class_names import class_number
    from geomgan.zoo import load_generator

    table = np.asarray(load_generator(model, space="class").params["context"]["classes"])
    return table if classes == "all" else table[[class_number(one, len(table)) for one in classes.split(",")]]


def _words(arguments: argparse.Namespace, own: dict[str, Any]) -> Sequence[str]:
    """The command, as it was given."""
    words = ["geomgan", "discover", arguments.model, *options.model_words(own)]
    for name in ("distance", "resize", "sample_rate", "methods", "k", "steps", "classes", "predictor_steps", "show",
                 "reach", "codes", "seed"):  # fmt: skip
        x = getattr(arguments, name)
        words += [] if x is None else [f"--{name.replace('_', '-')}", str(x)]
    return words
