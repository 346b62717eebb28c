"""``python -m weights_convert FAMILY CHECKPOINT OUT_DIR [--option key=value ...]``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from weights_convert.listing import Help


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m weights_convert",
        description="Convert a published checkpoint into a folder that geomgan.load opens. Nothing in it is executed.",
        conflict_handler="resolve",  # add_arguments has a help of its own
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of a conversion, also for ``geomgan convert``."""
    parser.add_argument(
        "-h", "--help", nargs=0, action=Help, default=argparse.SUPPRESS, help="explain, also one FAMILY"
    )
    parser.add_argument("family", metavar="FAMILY", help="of the checkpoint, or auto to be told; --help lists them")
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", nargs="?", help="a file, or a folder where a model has several files"
    )
    parser.add_argument("out", metavar="OUT_DIR", nargs="?", help="the folder to write")
    parser.add_argument(
        "--option",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="what the checkpoint does not say: --option slope=0.2 output=sigmoid",
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert as the arguments say, and print the folder, or the error."""
    say = lambda text: print(text, file=sys.stderr)
    if arguments.out is None:
        say(f"error: {_incomplete(arguments.family, arguments.checkpoint)}")
        return 2
    from geomgan.errors import GeomganError
    from geomgan.models.families import FAMILIES
    from weights_convert.auto import NAME, convert_any
    from weights_convert.convert import convert

    try:
        pairs = [option.partition("=") for option in arguments.option]
        unpaired = [key for key, equals, _ in pairs if not equals]
        if unpaired:
            raise ValueError(f"--option {unpaired[0]}: expected KEY=VALUE.")
        options = {key: value for key, _, value in pairs}
        family, files = arguments.family, (arguments.checkpoint, arguments.out, options)
        if family == NAME:
            family, folder = convert_any(*files, say=say)
        else:
            folder = convert(family, *files, say=say)
    except (GeomganError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    generates = "geomgan.load(" in FAMILIES[family].call
    report = f", or report on it: geomgan analyze {shlex.quote(arguments.out)}" if generates else ""
    print(f"Converted to {folder}. Open it with {FAMILIES[family].use(repr(str(folder)))}{report}.")
    return 0


def _incomplete(first: str, second: str | None) -> str:
    """What is said where one or two of the three arguments are missing."""
    if second is None:
        file = shlex.quote(first) if os.path.exists(first) else "CHECKPOINT"
        family = "auto" if os.path.exists(first) else first
        return f"expected FAMILY CHECKPOINT OUT_DIR, got {first}: `geomgan convert {family} {file} OUT_DIR`."
    if os.path.exists(first):
        return f"FAMILY is missing: `geomgan convert auto {shlex.quote(first)} {shlex.quote(second)}` finds it."
    return f"OUT_DIR is missing: geomgan convert {first} {shlex.quote(second)} OUT_DIR."


if __name__ == "__main__":
    sys.exit(main())
