"""JSON against type hints: what is refused is what a library would stumble over later."""

from __future__ import annotations

import json
from typing import Any, TypedDict

import pytest

from geomgan.models.schema import MAX_DEPTH, misfit


class Point(TypedDict):
    x: float
    y: float


class Form(TypedDict, total=False):
    name: str
    size: int
    range: list[float]
    points: list[Point]
    counts: dict[str, int]
    reason: Point | str
    other: dict[str, Any]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"name": "", "size": -3, "range": [1, 2.5, -1e300], "unknown": [None, True, {"a": 1}]},
        {"points": [{"x": 0, "y": 1, "z": "more"}], "counts": {}, "reason": "none"},
        {"reason": {"x": 1, "y": 2}, "other": {"deep": [[[[1]]]], "flag": False}},
        {"size": 2**63 - 1},
    ],
)
def test_what_fits(value):
    assert misfit(value, Form) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "it is a list of 1; expected an object"),
        ("null", "it is None; expected an object"),
        ('{"name": 3}', "it['name'] is 3; expected text"),
        ('{"size": 3.0}', "it['size'] is 3.0; expected a whole number of 64 bits"),
        ('{"size": true}', "it['size'] is True; expected a whole number of 64 bits"),
        ('{"size": 1' + "0" * 40 + "}", "it['size'] is a number of 41 digits; expected a whole number of 64 bits"),
        ('{"range": [1, NaN]}', "it['range'][1] is nan; expected a finite number"),
        ('{"range": [1e999]}', "it['range'][0] is inf; expected a finite number"),
        ('{"range": {"0": 1}}', "it['range'] is an object of 1; expected a list"),
        ('{"points": [{"x": 1}]}', "it['points'][0] has no 'y'; expected it"),
        ('{"points": [{"x": 1, "y": "2"}]}', "it['points'][0]['y'] is '2'; expected a finite number"),
        ('{"counts": {"a": null}}', "it['counts']['a'] is None; expected a whole number of 64 bits"),
        ('{"reason": 5}', "it['reason'] is 5; expected an object"),
        ('{"other": {"n": 1' + "0" * 30 + "}}", "it['other']['n'] is a number of 31 digits; expected a whole number"),
        ('{"unknown": -Infinity}', "it['unknown'] is -inf; expected a finite number"),
        ('{"other": {"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}}", f"is nested more than {MAX_DEPTH} deep"),
    ],
)
def test_what_does_not(text, says):
    assert says in misfit(json.loads(text), Form)
