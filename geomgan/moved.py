"""Where names of version 0.1 are now: they stay importable for one version, with a warning that names the new place."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODULES: dict[str, tuple[str, ...]] = {
    "geomgan.analyze": ("geomgan.cli.analyze", "geomgan.distances.named"),
    "geomgan.analyze.findings": ("geomgan.report.subject",),
    "geomgan.analyze.job": ("geomgan.cli.analyze", "geomgan.distances.named"),
    "geomgan.distances.digit_classifier": ("geomgan.models.digit_classifier",),
    "geomgan.files": ("geomgan.runs.files",),
    "geomgan.metric.axes": ("geomgan.paths.axes",),
    "geomgan.metric.block": ("geomgan.eigen.block",),
    "geomgan.metric.eigenpairs": ("geomgan.eigen", "geomgan.eigen.dense", "geomgan.eigen.choice"),
    "geomgan.metric.engine": ("geomgan.fields.solve", "geomgan.fields.job", "geomgan.errors"),
    "geomgan.metric.export": ("geomgan.fields.export",),
    "geomgan.metric.field": ("geomgan.fields.field", "geomgan.fields"),
    "geomgan.metric.flops": ("geomgan.generators.cost",),
    "geomgan.metric.linear": ("geomgan.metric.maps", "geomgan.metric.chunks", "geomgan.backend"),
    "geomgan.metric.memory": ("geomgan.backend",),
    "geomgan.metric.paths": ("geomgan.paths.path", "geomgan.paths.walks"),
    "geomgan.metric.plan": ("geomgan.fields.plan",),
    "geomgan.metric.provenance": ("geomgan.metric.fingerprint", "geomgan.runs.provenance"),
    "geomgan.metric.spmd": ("geomgan.fields.devices", "geomgan.fields.programs"),
    "geomgan.metric.store": ("geomgan.runs.store",),
    "geomgan.metric.threads": ("geomgan.eigen.threads",),
    "geomgan.metric.walks": ("geomgan.paths.walks",),
    "geomgan.model_folder": ("geomgan.models.folder",),
    "geomgan.plot.report": ("geomgan.report.page", "geomgan.report.section", "geomgan.plot.files"),
    "geomgan.plot.study_page": ("geomgan.study.page",),
    "geomgan.training.loop": ("geomgan.runs.loop",),
    "geomgan.zoo.families": ("geomgan.models.families", "geomgan.models.build"),
    "geomgan.zoo.parity": ("geomgan.models.measured", "geomgan.zoo.check"),
}
"""Modules that are gone, and those that have their names now."""

NAMES: dict[str, dict[str, str]] = {
    "geomgan.metric": {
        "Eigenpairs": "geomgan.eigen",
        "eigenpairs": "geomgan.eigen",
        "MetricField": "geomgan.fields",
        "metric_field": "geomgan.fields",
    },
    "geomgan.metric.tensor": {
        "MetricOperator": "geomgan.metric",
        "metric_operator": "geomgan.metric",
        "bind": "geomgan.metric.pair",
        "check_types": "geomgan.metric.pair",
    },
    "geomgan.study": {"make_study": "geomgan.cli.study"},
    "geomgan.plot": {"Section": "geomgan.report.section", "html_report": "geomgan.report.page"},
}
"""Names that left modules which are still there."""


def redirect() -> None:
    """Let the modules of ``MODULES`` be imported under their old names."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())  # first: an old folder with nothing but __pycache__ would be found otherwise


def module(old: str) -> ModuleType:
    """The module that was called ``old``, as an attribute of its package.

    Raises:
        AttributeError: there was none.
    """
    if old not in MODULES:
        package, _, name = old.rpartition(".")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return import_module(old)


def names(package: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module that names have left."""

    def get(name: str) -> Any:
        if name not in NAMES[package]:
            return module(f"{package}.{name}")
        new = NAMES[package][name]
        _warn(f"{package}.{name}", f"{new}.{name}")
        return getattr(import_module(new), name)

    return get


class _Finder:
    """Finds modules that moved."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname not in MODULES:
            return None
        return ModuleSpec(fullname, _Alias(), is_package=True)  # type: ignore[arg-type]  # importlib.abc is slow to load


class _Alias:
    """Makes a module that has no names of its own: they come from the new places."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Old(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        old = module.__name__
        _warn(old, " or ".join(MODULES[old]))

        def get(name: str) -> Any:
            for new in () if name.startswith("__") else MODULES[old]:
                if hasattr(import_module(new), name):
                    return getattr(import_module(new), name)
            raise AttributeError(f"module {old!r} moved to {' and '.join(MODULES[old])}, which have no {name!r}")

        module.__dict__["__getattr__"] = get


class _Old(ModuleType):
    """Its import hides the function of the same name in its package, so that it is called in its place."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)


def _warn(old: str, new: str) -> None:
    """Warn whoever uses an old name: the caller of the caller, without the frames of an import."""
    message = f"{old} moved to {new}; the old name works in this version only."
    warnings.warn(message, DeprecationWarning, stacklevel=3)
