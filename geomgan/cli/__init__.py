"""The command line: one file for each command, that says its options, calls the library once and prints.

Commands import the library in ``run``, so that ``--help`` and usage errors answer at once.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import warnings
from typing import Any

import geomgan
from geomgan.cli import (
    analyze,
    apply,
    compare,
    convert,
    decoder,
    discover,
    doctor,
    explore,
    export,
    export_recipe,
    export_weights,
    fetch,
    geodesic,
    improvement,
    invert,
    models,
    plan,
    pool,
    rank,
    sample,
    study,
    study_results,
    train,
    train_warps,
    traverse,
)
from geomgan.cli.words import of_command

COMMANDS = {
    "models": models,
    "fetch": fetch,
    "convert": convert,
    "analyze": analyze,
    "decoder": decoder,
    "invert": invert,
    "geodesic": geodesic,
    "improvement": improvement,
    "compare": compare,
    "discover": discover,
    "apply": apply,
    "traverse": traverse,
    "train-warps": train_warps,
    "pool": pool,
    "rank": rank,
    "explore": explore,
    "sample": sample,
    "train": train,
    "study": study,
    "study-results": study_results,
    "plan": plan,
    "export": export,
    "export-recipe": export_recipe,
    "export-weights": export_weights,
    "doctor": doctor,
}


def main(arguments: list[str] | None = None) -> int:
    """``geomgan COMMAND ...``, see ``COMMANDS``; gives the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        parser().error(_unknown(words[0]))
    parsed = parser().parse_args(words)
    if arguments is None:  # a command of its own, not a call from Python
        warnings.showwarning = lambda text, *_, **__: print(
            f"warning: {of_command(str(text), parsed)}", file=sys.stderr
        )
    try:
        return int(parsed.run(parsed))
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is stored: repeat the same command to go on.", file=sys.stderr)
        return 130
    except Exception as error:
        from geomgan.errors import GeomganError, OptionError

        extra = isinstance(error, ImportError) and error.name is None  # raised here: the message says what to install
        if not (extra or isinstance(error, GeomganError | ValueError | TypeError | OSError)):
            raise
        print(f"error: {of_command(str(error), parsed, family=isinstance(error, OptionError))}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="geomgan", description="The Riemannian geometry of the latent space of generative models."
    )
    parser.add_argument("--version", action="version", version=f"geomgan {geomgan.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        text = f"{command.HELP[0].upper()}{command.HELP[1:]}."
        how: dict[str, Any] = {
            "formatter_class": _Help,
            "conflict_handler": "resolve",
        }  # one may have a help of its own
        one = commands.add_parser(name, help=command.HELP, description=text, **how)
        command.add_arguments(one)
        one.set_defaults(run=command.run, usage=one.format_usage())
    return parser


def _unknown(word: str) -> str:
    """What is said of a first word that is no command."""
    close = difflib.get_close_matches(word, COMMANDS, n=2)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{word!r} is no command. {hint}`geomgan --help` lists them."


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Says defaults, where there are some."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        empty = str(action.default) in ("None", "False", "[]", "")
        return action.help if empty else super()._get_help_string(action)
