"""``geomgan fetch``: from a name to a model that is here."""

from __future__ import annotations

import argparse

HELP = "download, check and convert a known model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("model", metavar="MODEL", help="a name of `geomgan models`")
    parser.add_argument(
        "--accept", metavar="SHA256", help="take the file of this sha256, where it is not the one that was published"
    )


def run(arguments: argparse.Namespace) -> int:
    """Fetch, and print where the model is."""
    from geomgan.zoo import fetch

    folder = fetch(arguments.model, accept=arguments.accept)
    print(f"{arguments.model} is in {folder}. Open it with geomgan.load({arguments.model!r}).")
    return 0
