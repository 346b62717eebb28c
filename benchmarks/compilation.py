"""What JAX traces and compiles during a call, as it says itself."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

_TRACED, _COMPILED = "jaxpr_trace_duration", "backend_compile_duration"
_events: dict[str, list[float]] = defaultdict(list)
_listening: list[bool] = []


@dataclass(frozen=True)
class Compilation:
    """Seconds of a call, traces and programs during it, and the seconds of the latter.

    Programs that a compilation cache had count with the seconds of reading them. Traces within traces count too.
    """

    seconds: float
    traces: int
    programs: int
    compiling: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s: {self.programs} programs {self.compiling:.1f} s, {self.traces} traces"


def compiling(call: Callable[[], Any]) -> tuple[Any, Compilation]:
    """What a call returns, and what was compiled for it."""
    if not _listening:
        _listening.append(True)
        jax.monitoring.register_event_duration_secs_listener(
            lambda name, seconds, **_: _events[name.rpartition("/")[2]].append(seconds)
        )
    _events.clear()
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    compiled = _events[_COMPILED]
    return result, Compilation(seconds, len(_events[_TRACED]), len(compiled), sum(compiled))
