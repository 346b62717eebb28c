"""Files of tests that take long start first, so that no process is left alone with one at the end.

How long each test took is kept in pytest's cache and orders the next run. A fresh clone has no such record: it goes by
``heavy.json``, which holds the seconds of the long files, not slow and slow tests apart.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

RECORD = "geomgan/seconds"  # in pytest's cache: test -> seconds
HEAVY = Path(__file__).with_name("heavy.json")
_measured: dict[str, float] = defaultdict(float)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sorts files by their seconds, longest first; the order within a file stays."""
    seconds = _known(config)
    known: dict[str, float] = {}
    for item in items:
        known[_file(item.nodeid)] = known.get(_file(item.nodeid), 0.0) + seconds.get(item.nodeid, 0.0)
    usual = json.loads(HEAVY.read_text())
    lane = "slow" if config.option.markexpr == "slow" else "fast"
    items.sort(key=lambda item: -(known[_file(item.nodeid)] or usual[lane].get(_file(item.nodeid), 0.0)))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """Every process sorts by what the first one read, or they would disagree on the order."""
    node.workerinput[RECORD] = _known(node.config)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds what preparing, running and clearing up took."""
    _measured[report.nodeid] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keeps what was measured, for the next run."""
    if not hasattr(session.config, "workerinput") and _measured:
        rounded = {test: round(seconds, 2) for test, seconds in _measured.items()}
        session.config.cache.set(RECORD, {**_known(session.config), **rounded})


def _known(config: pytest.Config) -> dict[str, float]:
    if hasattr(config, "workerinput"):
        return config.workerinput[RECORD]
    return config.cache.get(RECORD, {})


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
