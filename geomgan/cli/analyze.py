"""``geomgan analyze``: the main job."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geomgan.cli import options

HELP = "compute a model's metric field and report it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    options.distance(parser)
    options.codes(parser)
    parser.add_argument("--top", type=int, help="number of axes to show (default: 8, or all of fewer dimensions)")
    options.seed(parser)
    options.memory(parser)
    options.precision(parser)
    switch = argparse.BooleanOptionalAction
    parser.add_argument(
        "--control", action=switch, help="also the model with shuffled weights (default: where it has any)"
    )
    parser.add_argument("--layers", action=switch, help="compare the layers (default: where it is little work)")
    parser.add_argument("--compare", metavar="DISTANCE", help="a second distance, at the same codes")
    options.out(parser, "folder for the results (default: runs/MODEL-DISTANCE)")


def run(arguments: argparse.Namespace) -> int:
    """Analyse, and print what was found and where the report is."""
    choices = (arguments.model, arguments.distance, arguments.codes, arguments.top, arguments.seed)
    same = ("resize", "memory", "precision", "control", "layers", "compare", "sample_rate")
    more = {name: getattr(arguments, name) for name in same}
    with options.stored_in_out():
        out = options.out_folder(arguments)
        finding, page = analyze(*choices, out, model_options=options.model_options(arguments), **more)
    print(f"{finding} See {page}.")
    return 0


def analyze(
    model: str,
    distance: str,
    codes: int,
    top: int | None,
    seed: int,
    out: str | os.PathLike[str],
    resize: int | None = None,
    memory: int | str | None = None,
    precision: str = "highest",
    *,
    control: bool | None = None,
    layers: bool | None = None,
    compare: str | None = None,
    sample_rate: float | None = None,
    model_options: Mapping[str, Any] | None = None,
) -> tuple[str, Path]:
    """:func:`geomgan.report` on a model and distances by their names.

    Args:
        model: a name of the catalogue, or the folder of a converted checkpoint.
        distance: see ``geomgan.distances.named.DISTANCES``.
        codes: number of latent codes, drawn from the model's prior.
        top: number of axes to show; None as :func:`geomgan.report` has it.
        seed: of everything random.
        out: the folder.
        resize: interpolate samples to this side before the distances that can.
        memory: what one device may use; see :func:`geomgan.metric_field`.
        precision: of products of tangents; see :func:`geomgan.metric_field`.
        control: also analyse the generator with shuffled weights, at the same codes; None does where it has any.
        layers: compare the layers of the generator; None does where that is little work.
        compare: a second distance for the same codes.
        sample_rate: of the samples, for the distances that need it.
        model_options: of the model, as :func:`geomgan.load` takes them.

    Returns:
        What was found, in one line, and the page.
    """
    import jax

    from geomgan.distances.named import named_distances
    from geomgan.report import report
    from geomgan.zoo import load_generator

    own = dict(model_options or {})
    G = load_generator(model, **own)
    D, *others = named_distances((distance, *((compare,) if compare else ())), resize, sample_rate=sample_rate)
    said: dict[str, Any] = {"distance": distance, "codes": codes, "top": top, "seed": seed, "resize": resize}
    said |= {"sample-rate": sample_rate, "compare": compare}
    said |= {"precision": precision} if precision != "highest" else {}
    words = ["geomgan", "analyze", model, *options.model_words(own)]
    words += [word for name, x in said.items() if x is not None for word in (f"--{name}", str(x))]
    words += [] if control is None else ["--control"] if control else ["--no-control"]
    words += [] if layers is None else ["--layers"] if layers else ["--no-layers"]
    call = ", ".join([repr(model), *(f"{name}={x!r}" for name, x in own.items())])
    notes: dict[str, Any] = {"model": model, "distance": distance, "seed": seed, "resize": resize, "compare": compare}
    notes |= {"sample_rate": sample_rate} if sample_rate is not None else {}
    notes |= {"options": own} if own else {}
    notes |= {"command": shlex.join(words), "opened": f"geomgan.load({call})"}
    choices: dict[str, Any] = {
        "control": control,
        "layers": layers,
        "compare": others[0] if others else None,
        "memory": memory,
        "precision": precision,
    }
    made = report(G, D, codes, out=out, key=jax.random.key(seed), top=top, notes=notes, **choices)
    return made.finding, made.page
