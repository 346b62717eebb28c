"""What is written for spreadsheets is never run by one."""

import csv
import io

import pytest

from geomgan.report.section import csv_of
from geomgan.runs.cells import csv_text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+2", "'=1+2"),
        ("+axis", "'+axis"),
        ("-axis", "'-axis"),
        ("@name", "'@name"),
        ("\tname", "'\tname"),
        ("\rname", "'\nname"),
        ("a=b", "a=b"),
        ('say "no", please\n', 'say "no", please\n'),
        ("", ""),
        (None, ""),
        (-1.5, "-1.5"),
        (-3, "-3"),
    ],
)
def test_a_text_that_begins_a_formula_is_quoted_and_a_number_is_not(value, shown):
    assert list(csv.reader(io.StringIO(csv_text([["first", value]]), newline=""))) == [["first", shown]]


def test_columns_of_a_report_and_their_names_as_well():
    rows = list(csv.reader(io.StringIO(csv_of({"=model": ["-x", "y"], "loss": [-1.0]}))))
    assert rows == [["'=model", "loss"], ["'-x", "-1.0"], ["y", ""]]
