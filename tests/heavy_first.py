"""Files of tests that take long start first, so that no process is left alone with one at the end.

How long each test took is kept in pytest's cache and orders the next run. A fresh clone has no such record: it goes by
``heavy.json``, the tests of more than a few seconds, which ``python -m tests.heavy_first`` writes from the record.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

RECORD = "geomgan/seconds"  # in pytest's cache: test -> seconds
HEAVY = Path(__file__).with_name("heavy.json")
LEAST = 2.0  # seconds of a test in ``heavy.json``
_measured: dict[str, float] = defaultdict(float)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sorts files by the seconds of their tests that will run, longest first; the order within a file stays."""
    seconds, of_file = {**json.loads(HEAVY.read_text()), **_known(config)}, defaultdict(float)
    for item in items:
        of_file[item.path] += seconds.get(item.nodeid, 0.0)
    items.sort(key=lambda item: -of_file[item.path])


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """Every process sorts by what the first one read, or they would disagree on the order."""
    node.workerinput[RECORD] = _known(node.config)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds what preparing, running and clearing up took."""
    _measured[report.nodeid] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keeps what was measured, for the next run."""
    if not hasattr(session.config, "workerinput") and hasattr(session.config, "cache"):
        rounded = {test: round(seconds, 2) for test, seconds in _measured.items()}
        session.config.cache.set(RECORD, {**_known(session.config), **rounded})


def _known(config: pytest.Config) -> dict[str, float]:
    if hasattr(config, "workerinput"):
        return config.workerinput[RECORD]
    return config.cache.get(RECORD, {}) if hasattr(config, "cache") else {}  # -p no:cacheprovider


def main() -> None:
    """Writes ``heavy.json``."""
    record = json.loads((HEAVY.parents[1] / ".pytest_cache" / "v" / RECORD).read_text())
    heavy = {test: round(seconds) for test, seconds in record.items() if seconds >= LEAST}
    HEAVY.write_text(json.dumps(dict(sorted(heavy.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
