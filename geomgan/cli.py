"""The command line: parse, call the library, print."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from geomgan.errors import GeomganError


def main(arguments: list[str] | None = None) -> int:
    """``geomgan models | fetch | convert | analyze``; returns the exit status."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        return parsed.run(parsed)
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is stored: repeat the same command to go on.", file=sys.stderr)
        return 130
    except (GeomganError, ValueError, TypeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geomgan", description="The Riemannian geometry of the latent space of generative models."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    models = commands.add_parser("models", help="list the known models, show one's card, or check those that are here")
    models.add_argument("model", metavar="NAME", nargs="?", help="show the card of this model, or check only this one")
    models.add_argument(
        "--check", action="store_true",
        help="compute samples again and compare them with the original's, or with those at conversion",
    )  # fmt: skip
    models.set_defaults(run=_models)

    fetch = commands.add_parser("fetch", help="download, check and convert a known model")
    fetch.add_argument("model", metavar="MODEL")
    fetch.set_defaults(run=_fetch)

    convert = commands.add_parser("convert", help="convert a published checkpoint (as python -m weights_convert)")
    from weights_convert.__main__ import add_arguments, run

    add_arguments(convert)
    convert.set_defaults(run=run)

    analyze = commands.add_parser(
        "analyze", help="compute a model's metric field and report it",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )  # fmt: skip
    analyze.add_argument("model", metavar="MODEL", help="a name of `geomgan models`, or a converted model's folder")
    analyze.add_argument("--distance", default="lpips-alex", help="squared distance between samples")
    analyze.add_argument("--codes", type=int, default=16, help="number of latent codes")
    analyze.add_argument("--top", type=int, default=8, help="number of axes to show")
    analyze.add_argument("--seed", type=int, default=0, help="of the codes")
    analyze.add_argument("--resize", type=int, help="interpolate samples to this side before an LPIPS network")
    analyze.add_argument("--out", help="folder for the results (default: runs/MODEL-DISTANCE)")
    analyze.set_defaults(run=_analyze)
    return parser


def _models(arguments: argparse.Namespace) -> int:
    from geomgan import zoo
    from geomgan.zoo import show

    if not arguments.check:
        print("\n".join(show.card_lines(zoo.card(arguments.model))) if arguments.model else show.table())
        return 0
    from geomgan.zoo import parity

    findings = [parity.check(zoo.locate(arguments.model)[0])] if arguments.model else parity.check_all()
    wrong = 0
    print(f"{'name':<24}  {'against':<14}  {'difference':>10}  relative to the largest magnitude")
    for finding in findings:
        print(show.finding_line(finding), flush=True)
        wrong += not finding.ok
    return 1 if wrong else 0


def _fetch(arguments: argparse.Namespace) -> int:
    from geomgan.zoo import fetch

    print(f"{arguments.model} is in {fetch(arguments.model)}. Open it with geomgan.load({arguments.model!r}).")
    return 0


def _analyze(arguments: argparse.Namespace) -> int:
    import jax

    from geomgan.analyze import analyze
    from geomgan.zoo import home

    if not jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(home() / "compiled"))
    out = arguments.out or Path("runs") / f"{Path(arguments.model).name}-{arguments.distance}"
    finding, report = analyze(
        arguments.model, arguments.distance, arguments.codes, arguments.top, arguments.seed, out, arguments.resize
    )
    print(f"{finding} See {report}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
