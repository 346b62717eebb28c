"""``geomgan study``: a page that asks people what the axes change."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from geomgan.cli import options

if TYPE_CHECKING:
    from geomgan.study import StudyPlan

HELP = "write a page that asks people what the axes of a model change (see also study-results)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    options.distance(parser)
    options.codes(parser, "latent codes of the mean metric")
    parser.add_argument("--axes", type=int, default=8, metavar="K", help="the K eigenvectors of largest eigenvalue")
    parser.add_argument("--ranks", help="these instead, such as 1,2,5-8")
    parser.add_argument("--controls", type=int, help="random directions among them (default: as many as axes)")
    parser.add_argument("--columns", type=int, default=7, help="pictures in a row, odd")
    parser.add_argument("--equal", default="distance", help="rows go equally far in distance, or latent")
    parser.add_argument("--reach", type=float, default=0.6, help="largest step, in radii of the prior")
    parser.add_argument("--pixels", type=int, default=128, help="largest side of a picture")
    parser.add_argument("--title", default="Pictures that change", help="of the page")
    parser.add_argument("--contact", default="", help="whom the page tells participants to send their answers to")
    options.seed(parser, "of codes, controls and order; participants must not know")
    options.memory(parser)
    options.out(parser, "folder for the page and its key (default: runs/MODEL-DISTANCE-study)")


def run(arguments: argparse.Namespace) -> int:
    """Make the study, and print where its page and its key are."""
    from geomgan.study import StudyPlan, parse_ranks

    ranks = parse_ranks(arguments.ranks) if arguments.ranks is not None else tuple(range(1, arguments.axes + 1))
    controls = len(ranks) if arguments.controls is None else arguments.controls
    same = ("distance", "codes", "columns", "equal", "reach", "pixels", "title", "contact", "seed", "resize")
    more = {name: getattr(arguments, name) for name in same}
    own = options.model_options(arguments) or None
    plan = StudyPlan(arguments.model, ranks=ranks, controls=controls, options=own, **more)
    with options.stored_in_out():
        finding, page = make_study(plan, options.out_folder(arguments, "study"), arguments.memory)
    print(f"{finding} Give {page} to participants; keep {page.with_name('study_key.json')} and the seed to yourself.")
    return 0


def make_study(plan: StudyPlan, out: str | os.PathLike[str], memory: int | str | None = None) -> tuple[str, Path]:
    """:func:`geomgan.study.write_study` on the model and the distance that a plan names."""
    from geomgan.distances.named import named_distance
    from geomgan.study import write_study
    from geomgan.zoo import load_generator

    G, D = load_generator(plan.model, **(plan.options or {})), named_distance(plan.distance, plan.resize)
    return write_study(G, D, plan, out, memory)
