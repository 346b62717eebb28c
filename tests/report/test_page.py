"""The report: one page without a network, whose tables sort and whose numbers download."""

import base64
import re

import numpy as np
import pytest

from geomgan.plot.files import png
from geomgan.plot.style import figure
from geomgan.report.page import html_report
from geomgan.report.section import Section, as_json, csv_of, matrix_columns
from tests.browser import Browser, needs_chromium


@pytest.fixture(scope="module")
def page():
    fig, _ = figure(2, 1)
    table = {"rank": [1, 2, 3], "value": np.array([30.5, 4.0, np.inf]), "name": ["b", "<a>", "c"]}
    parts = [
        Section(
            "first",
            "One & two",
            "Look <here>: {x:.1f}.",
            {"x": 0.52},
            {"t": [0.5, 1], "x": np.arange(3)},
            picture=png(fig),
            width=2.0,
        ),
        Section("second", "A table", table=table, code={"With JAX": "if 1 < 2:\n    print('<b>')"}),
        Section("third", "It moves", film=b"GIF89a"),
    ]
    return html_report("<Title>", "Found & done", parts)


def test_report_is_one_file_without_a_network(page):
    assert "<h1>&lt;Title&gt;</h1>" in page
    assert "Found &amp; done" in page
    assert "Look &lt;here&gt;: 0.5." in page
    assert set(re.findall(r"(?:src|href)=\"(.)", page)) == {"d", "#"}  # data, and places on the page
    assert "://" not in re.sub(r"base64,[^\"]*", "", page)
    assert [re.findall(rf'id="{name}"', page) for name in ("first", "second", "third")] == [['id="first"'], [
        'id="second"'], ['id="third"']]  # fmt: skip
    assert f"data:image/gif;base64,{base64.b64encode(b'GIF89a').decode()}" in page


def test_numbers_behind_a_figure_are_in_the_page(page):
    data = re.search(r'download="first.csv" href="data:text/csv;base64,([^"]*)"', page)[1]
    assert base64.b64decode(data).decode() == "t,x\n0.5,0\n1.0,1\n,2\n"


def test_columns_of_unequal_length_and_matrices_become_text():
    columns = {"a, b": [1.0, 2.0]} | matrix_columns(np.array([[1, 2], [3, 4]]), ["p", "q"])
    assert csv_of(columns) == '"a, b",p,q\n1.0,1,2\n2.0,3,4\n'
    assert csv_of({}) == "\n"


def test_ranges_in_tables_and_numbers_as_json_has_them():
    section = Section("a", "A", table={"mean": [1.5], "interval": [(1.0, 2.25)], "none": [(np.nan, np.nan)]})
    page = html_report("T", "F", [section])
    assert '<td data-value="1.0">1 to 2.25</td><td></td>' in page
    values = as_json({"a": np.array([1.0, np.nan, np.inf]), "b": (np.int64(2), -np.inf), 3: None})
    assert values == {"a": [1.0, None, "Infinity"], "b": [2, "-Infinity"], "3": None}


@needs_chromium
def test_tables_sort_by_number_and_by_name(page, tmp_path):
    (tmp_path / "report.html").write_text(page)
    column = "[...document.querySelectorAll('tbody tr')].map(row => row.children[0].textContent).join('')"
    with Browser(tmp_path) as browser:
        browser.open(f"file://{tmp_path / 'report.html'}")
        assert browser.run(column) == "123"
        browser.click("thead th:nth-child(2) button")
        assert browser.run(column) == "213"  # 4 < 30.5 < infinity
        browser.click("thead th:nth-child(2) button")
        assert browser.run(column) == "312"
        browser.click("thead th:nth-child(3) button")
        assert browser.run(column) == "213"
        assert browser.run("document.querySelectorAll('th[aria-sort]').length") == 1
