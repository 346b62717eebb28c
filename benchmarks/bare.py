"""What lets the package run on a machine that has JAX, Flax and Orbax only: from its source tree, uninstalled.

Two small dependencies that computing needs get stand-ins where they are missing: ``tqdm``, a bar that shows nothing,
and ``threadpoolctl``, which leaves BLAS its threads. For trees of before the package knew what to do without it, the
version of the distribution is ``0+tree``. Only for benchmarks: an installed package has its dependencies.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any


class _Bar:
    """``tqdm.tqdm`` without a bar."""

    def __init__(self, iterable: Iterable[Any] = (), **_: Any) -> None:
        self.iterable = iterable

    def __iter__(self) -> Any:
        return iter(self.iterable)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


class _Threads:
    """``threadpoolctl.ThreadpoolController`` that finds no library."""

    def select(self, **_: Any) -> _Threads:
        return self

    def limit(self, **_: Any) -> Any:
        return contextlib.nullcontext()


STAND_INS: dict[str, dict[str, Any]] = {"tqdm": {"tqdm": _Bar}, "threadpoolctl": {"ThreadpoolController": _Threads}}


def stand_in() -> list[str]:
    """Put stand-ins where something is missing; returns what is. Called before geomgan is imported."""
    missing = [name for name in STAND_INS if name not in sys.modules and importlib.util.find_spec(name) is None]
    for name in missing:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(STAND_INS[name])
    installed = metadata.version

    def version(package: str) -> str:
        try:
            return installed(package)
        except metadata.PackageNotFoundError:
            if package != "geomgan":
                raise
            return "0+tree"

    metadata.version = version
    return missing
