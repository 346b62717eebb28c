"""The command line: parse, call the library, print."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from geomgan.errors import GeomganError, StoreError


def main(arguments: list[str] | None = None) -> int:
    """``geomgan models | fetch | convert | plan | analyze | study | study-results | export``; gives the exit status."""
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
    analyze.add_argument("--memory", help="what one device may use, such as 8GB (default: a share of what is free)")
    analyze.add_argument(
        "--control", action=argparse.BooleanOptionalAction, default=True, help="also the model with shuffled weights"
    )
    analyze.add_argument(
        "--layers", action=argparse.BooleanOptionalAction, help="compare the layers (default: where it is little work)"
    )
    analyze.add_argument("--compare", metavar="DISTANCE", help="a second distance, at the same codes")
    analyze.add_argument("--out", help="folder for the results (default: runs/MODEL-DISTANCE)")
    analyze.set_defaults(run=_analyze)

    study = commands.add_parser(
        "study", help="write a page that asks people what the axes of a model change (see also study-results)",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )  # fmt: skip
    study.add_argument("model", metavar="MODEL", help="a name of `geomgan models`, or a converted model's folder")
    study.add_argument("--distance", default="lpips-alex", help="squared distance between samples")
    study.add_argument("--codes", type=int, default=16, help="latent codes of the mean metric")
    study.add_argument("--axes", type=int, default=8, metavar="K", help="the K eigenvectors of largest eigenvalue")
    study.add_argument("--ranks", help="these instead, such as 1,2,5-8")
    study.add_argument("--controls", type=int, help="random directions among them (default: as many as axes)")
    study.add_argument("--columns", type=int, default=7, help="pictures in a row, odd")
    study.add_argument("--equal", default="distance", help="rows go equally far in distance, or latent")
    study.add_argument("--reach", type=float, default=0.6, help="largest step, in radii of the prior")
    study.add_argument("--pixels", type=int, default=128, help="largest side of a picture")
    study.add_argument("--title", default="Pictures that change", help="of the page")
    study.add_argument("--contact", default="", help="whom the page tells participants to send their answers to")
    study.add_argument("--seed", type=int, default=0, help="of codes, controls and order; participants must not know")
    study.add_argument("--resize", type=int, help="interpolate samples to this side before an LPIPS network")
    study.add_argument("--memory", help="what one device may use, such as 8GB (default: a share of what is free)")
    study.add_argument("--out", help="folder for the page and its key (default: runs/MODEL-DISTANCE-study)")
    study.set_defaults(run=_study)

    results = commands.add_parser("study-results", help="merge the answers to a study and report what they say")
    results.add_argument("key", metavar="KEY_JSON", help="the study_key.json of `geomgan study`")
    results.add_argument("answers", metavar="ANSWERS.json", nargs="+", help="what participants downloaded")
    results.add_argument("--out", help="folder for the results (default: the key's)")
    results.set_defaults(run=_study_results)

    plan = commands.add_parser("plan", help="method, memory and time of a metric field, without computing it")
    plan.add_argument("model", metavar="MODEL", help="a name of `geomgan models`, or a converted model's folder")
    plan.add_argument("--distance", default="lpips-alex", help="squared distance between samples")
    plan.add_argument("--codes", type=int, default=16, help="number of latent codes")
    plan.add_argument("--top", type=int, metavar="K", help="eigenpairs for each code (default: all)")
    plan.add_argument("--memory", help="what one device may use, such as 8GB (default: a share of what is free)")
    plan.add_argument("--solver", default="auto", help="auto, dense, block or arpack")
    plan.add_argument("--resize", type=int, help="interpolate samples to this side before an LPIPS network")
    plan.set_defaults(run=_plan)

    export = commands.add_parser("export", help="write a stored metric field as GAN-Geometry's .npz files")
    export.add_argument("store", metavar="STORE", help="a folder that metric_field or `geomgan analyze` wrote (*.zarr)")
    export.add_argument("out", metavar="OUT_DIR", help="folder for the files")
    export.set_defaults(run=_export)
    return parser


def _models(arguments: argparse.Namespace) -> int:
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


def _fetch(arguments: argparse.Namespace) -> int:
    from geomgan.zoo import fetch

    print(f"{arguments.model} is in {fetch(arguments.model)}. Open it with geomgan.load({arguments.model!r}).")
    return 0


def _analyze(arguments: argparse.Namespace) -> int:
    from geomgan.report import analyze

    _keep_compiled_programs()
    out = arguments.out or Path("runs") / f"{Path(arguments.model).name}-{arguments.distance}"
    choices = (arguments.model, arguments.distance, arguments.codes, arguments.top, arguments.seed)
    more = {"control": arguments.control, "layers": arguments.layers, "compare": arguments.compare}
    with _stored_in_out():
        finding, report = analyze(*choices, out, arguments.resize, arguments.memory, **more)
    print(f"{finding} See {report}.")
    return 0


def _study(arguments: argparse.Namespace) -> int:
    from geomgan.study import StudyPlan, make_study, parse_ranks

    _keep_compiled_programs()
    ranks = parse_ranks(arguments.ranks) if arguments.ranks is not None else tuple(range(1, arguments.axes + 1))
    controls = len(ranks) if arguments.controls is None else arguments.controls
    same = ("distance", "codes", "columns", "equal", "reach", "pixels", "title", "contact", "seed", "resize")
    plan = StudyPlan(arguments.model, ranks=ranks, controls=controls, **{x: getattr(arguments, x) for x in same})
    out = Path(arguments.out or Path("runs") / f"{Path(arguments.model).name}-{arguments.distance}-study")
    with _stored_in_out():
        finding, page = make_study(plan, out, arguments.memory)
    print(f"{finding} Give {page} to participants; keep {page.with_name('study_key.json')} and the seed to yourself.")
    return 0


def _study_results(arguments: argparse.Namespace) -> int:
    from geomgan.study import read_answers, read_key, study_results, summary_table, write_results

    key = read_key(arguments.key)
    results = study_results(key, read_answers(key, arguments.answers))
    out = write_results(results, arguments.out or Path(arguments.key).parent)
    print(f"{summary_table(results)}\n\nThe numbers are in {out / 'results.json'}, results.csv and answers.csv.")
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from geomgan.fields.plan import plan_field
    from geomgan.report import named_distance
    from geomgan.zoo import load_generator

    _keep_compiled_programs()
    G, D = load_generator(arguments.model), named_distance(arguments.distance, arguments.resize)
    options = {"k": arguments.top, "solver": arguments.solver, "memory": arguments.memory}
    print(plan_field(G, D, arguments.codes, **options))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from geomgan.fields.export import export_npz

    written, skipped = export_npz(arguments.store, arguments.out)
    left = f" {skipped} codes are failed or not computed yet." if skipped else ""
    print(f"{written} codes are in {arguments.out}.{left}")
    return 0


@contextlib.contextmanager
def _stored_in_out() -> Iterator[None]:
    """Stores lie in the folder ``--out``: messages about them say so."""
    from geomgan.runs.store import ANOTHER

    try:
        yield
    except StoreError as error:
        raise StoreError(str(error).replace(ANOTHER, "name another folder with --out")) from error


def _keep_compiled_programs() -> None:
    """Programs that were compiled once are found again by later runs."""
    import jax

    from geomgan.zoo import home

    if not jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(home() / "compiled"))
