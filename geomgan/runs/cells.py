"""Rows of values as comma-separated text that a spreadsheet shows, and does not run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a cell begins that spreadsheets evaluate


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV: None is an empty cell; a text that a spreadsheet would take for a formula has an apostrophe first.

    Numbers are left alone, negative ones too. Source: OWASP, "CSV Injection".
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").replace("\r", "\n")  # Python before 3.13 leaves a lone one unquoted
        return f"'{text}" if value.startswith(FORMULAS) else text
    return "" if value is None else value
