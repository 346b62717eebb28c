"""Where a device's time goes, by kind of kernel: a call under JAX's profiler, read by JAX itself."""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

# The first that matches names the kind: XLA names its fusions after what they end in, libraries theirs by product.
KINDS = {
    "copies from and to the host": r"memcpy(h2d|d2h)|memcpy.*(htod|dtoh)",
    "copies on the device": r"memcpy|memset|\bcopy|_copy",
    "eigenproblems and factorisations": r"syev|sytr|orm[tq]r|org[tq]r|steqr|stedc|cusolver|jacobi|geqr|potrf|larf",
    "products and convolutions": r"gemm|conv(?!ert)|dot|cutlass|cudnn|cublas|xmma|fprop|dgrad|wgrad|implicit|nvjet",
    "concatenations": r"concatenate",
    "masks (select)": r"select",
    "transpositions": r"transpose",
    "reductions": r"reduc",
    "element by element": r"fusion|loop|add|sub|mul|div|max|min|exp|tanh|sqrt|broadcast|convert|pad|slice|gather",
}
OTHER = "other"


@dataclass(frozen=True)
class Kernel:
    """One run of a kernel: its name, start and duration in nanoseconds."""

    name: str
    start: float
    duration: float


@dataclass(frozen=True)
class Profile:
    """Seconds of a call, seconds during which a kernel ran, seconds and number by kind, the longest by name."""

    wall: float
    busy: float
    kinds: dict[str, tuple[float, int]]
    longest: dict[str, tuple[float, int]]

    def lines(self) -> list[str]:
        """The profile as people read it."""
        total = sum(seconds for seconds, _ in self.kinds.values()) or 1.0
        part = lambda s, n: f"{1e3 * s:.1f} ms ({s / total:.0%}, {n} x)"
        return [
            f"{1e3 * self.wall:.0f} ms, device busy {1e3 * self.busy:.0f} ms ({self.busy / self.wall:.0%})",
            "by kind: " + "; ".join(f"{kind} {part(*found)}" for kind, found in self.kinds.items()),
            "longest: " + "; ".join(f"{name} {part(*found)}" for name, found in self.longest.items()),
        ]


def kind_of(name: str) -> str:
    """The kind of a kernel, by its name."""
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, name, re.IGNORECASE)), OTHER)


def summary(kernels: Iterable[Kernel], wall: float, top: int = 8) -> Profile:
    """The profile of a call of ``wall`` seconds that ran these kernels; overlapping ones count once as busy."""
    kernels = sorted(kernels, key=lambda kernel: kernel.start)
    busy, end = 0.0, float("-inf")
    for kernel in kernels:
        stop = kernel.start + kernel.duration
        busy += max(0.0, stop - max(kernel.start, end))
        end = max(end, stop)
    kinds = _counted((kind_of(kernel.name), kernel.duration) for kernel in kernels)
    names = _counted((re.sub(r"[._]?\d+$", "", kernel.name)[:60], kernel.duration) for kernel in kernels)
    return Profile(wall, busy / 1e9, kinds, dict(list(names.items())[:top]))


def _counted(durations: Iterable[tuple[str, float]]) -> dict[str, tuple[float, int]]:
    seconds: Counter[str] = Counter()
    number: Counter[str] = Counter()
    for name, duration in durations:
        seconds[name] += duration / 1e9
        number[name] += 1
    return {name: (each, number[name]) for name, each in seconds.most_common()}


def profiled(call: Callable[[], Any]) -> Profile:
    """The profile of a call that was compiled before and waits for its result.

    Raises:
        LookupError: the profiler recorded no kernel of a device.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            start = time.perf_counter()
            call()
            wall = time.perf_counter() - start
        kernels = [kernel for path in Path(folder).rglob("*.xplane.pb") for kernel in read(path)]
    if not kernels:
        raise LookupError("the profiler recorded no kernel")
    return summary(kernels, wall)


def read(path: Path) -> list[Kernel]:
    """What ran on the first device; on a machine without an accelerator, XLA's operations on the host."""
    data: Any = jax.profiler.ProfileData.from_file(str(path))
    planes = list(data.planes)
    devices = [plane for plane in planes if plane.name.startswith("/device:") and "CUSTOM" not in plane.name]
    if devices:
        lines = [
            line for line in devices[0].lines if not line.name.startswith(("XLA ", "Steps", "TensorFlow", "Source"))
        ]
    else:
        lines = [line for plane in planes for line in plane.lines if line.name.startswith("tf_XLA")]
    found = [Kernel(e.name, e.start_ns, e.duration_ns) for line in lines for e in line.events]
    return [kernel for kernel in found if devices or not re.search(r"::|^end: ", kernel.name)]
