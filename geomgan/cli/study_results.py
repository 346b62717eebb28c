"""``geomgan study-results``: what the participants of a study said."""

from __future__ import annotations

import argparse
from pathlib import Path

from geomgan.cli import options

HELP = "merge the answers to a study and report what they say"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("key", metavar="KEY_JSON", help="the study_key.json of `geomgan study`")
    parser.add_argument("answers", metavar="ANSWERS.json", nargs="+", help="what participants downloaded")
    options.out(parser, "folder for the results (default: the key's)")


def run(arguments: argparse.Namespace) -> int:
    """Print a table of the results, and where the numbers are."""
    import jax

    from geomgan.study import read_answers, read_key, study_results, summary_table, write_results

    key = read_key(arguments.key)
    results = study_results(key, read_answers(key, arguments.answers), jax.random.key(0))
    out = write_results(results, arguments.out or Path(arguments.key).parent)
    print(f"{summary_table(results)}\n\nThe numbers are in {out / 'results.json'}, results.csv and answers.csv.")
    return 0
