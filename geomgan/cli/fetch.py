"""``geomgan fetch``: from a name to a model that is here."""

from __future__ import annotations

import argparse

HELP = "download, check and convert a known model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("model", metavar="MODEL", help="a name of `geomgan models`")


def run(arguments: argparse.Namespace) -> int:
    """Fetch, and print where the model is."""
    from geomgan.zoo import fetch

    print(f"{arguments.model} is in {fetch(arguments.model)}. Open it with geomgan.load({arguments.model!r}).")
    return 0
