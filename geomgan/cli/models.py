"""``geomgan models``: what is known, what is here, and whether it is what it was."""

from __future__ import annotations

import argparse

HELP = "list the known models, show one's card, or check those that are here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("model", metavar="NAME", nargs="?", help="show the card of this model, or check only this one")
    parser.add_argument(
        "--check",
        action="store_true",
        help="compute samples again and compare them with the original's, or with those at conversion",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table, a card, or a line for each model that is checked; 1 if one of them is wrong."""
    from geomgan import zoo
    from geomgan.zoo import show

    if not arguments.check:
        print("\n".join(show.card_lines(zoo.card(arguments.model))) if arguments.model else show.table())
        return 0
    from geomgan.zoo import check

    findings = [check.check(zoo.locate(arguments.model)[0])] if arguments.model else check.check_all()
    wrong = 0
    print(f"{'name':<24}  {'against':<14}  {'difference':>10}  relative to the largest magnitude")
    for finding in findings:
        print(show.finding_line(finding), flush=True)
        wrong += not finding.ok
    return 1 if wrong else 0
