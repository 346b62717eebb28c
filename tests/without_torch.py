"""Where torch is not installed (``make test-newest``), what needs it skips and says so."""

from __future__ import annotations

from collections.abc import Generator

import pytest

REASON = "needs torch: pip install 'geomgan[test]' to run this"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that imports torch, itself or through its helpers, is skipped whole."""
    report = yield
    if report.failed and "No module named 'torch'" in str(report.longrepr):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, f"Skipped: {REASON}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """A test that imports torch when it runs is skipped."""
    try:
        return (yield)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        pytest.skip(REASON)
