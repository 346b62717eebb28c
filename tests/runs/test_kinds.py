"""What files say of themselves is of its kind, or the place that is not is named."""

from types import MappingProxyType

import numpy as np
import pytest

from geomgan.runs.kinds import COUNT, check_json, check_kind

NONE = type(None)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3, COUNT),
        (3, int),
        ("a", frozenset({"a", "b"})),
        ([1, 2], [COUNT]),
        ([], [COUNT]),
        ({"a": 1, "more": "x"}, {"a": COUNT}),
        ({}, {"a": (COUNT, NONE)}),
        ({"x": 1, "y": 2}, {...: COUNT}),
        ([None, [0, 1]], [(NONE, [range(2)])]),
        ({"a": {"b": [{"c": "d"}]}}, {"a": {"b": [{...: str}]}}),
    ],
)
def test_what_fits_passes(value, kind):
    check_kind(value, kind, "it")


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (0, COUNT, r"it is 0; expected an integer from 1 to 9007199254740991"),
        (True, COUNT, r"it is True; expected an integer"),
        (1.0, COUNT, r"it is 1\.0; expected an integer"),
        (10**400, COUNT, r"it is 10000.*…; expected an integer"),
        ("c", frozenset({"b", "a"}), r"it is 'c'; expected one of a, b"),
        (["a"], frozenset({"b", "a"}), r"it is \['a'\]; expected one of"),
        ({}, [COUNT], r"it is {}; expected a list"),
        ([], {"a": COUNT}, r"it is \[\]; expected a mapping"),
        ([1, "x"], [COUNT], r"it\[1\] is 'x'; expected an integer"),
        ({}, {"a": str}, r"it\.a is None; expected str"),
        ({"x": 1, "y": "z"}, {...: COUNT}, r"it\.y is 'z'; expected an integer"),
        ({"a": {"b": [{"c": 3}]}}, {"a": {"b": [{...: str}]}}, r"it\.a\.b\[0\]\.c is 3; expected str"),
        ([[2]], [(NONE, [range(2)])], r"it\[0\]\[0\] is 2; expected an integer from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(value, kind, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        check_kind(value, kind, "it")


def test_what_json_can_hold():
    check_json(MappingProxyType({"a": [1, (2.5, None)], "b": {"c": True}}), "notes")
    with pytest.raises(TypeError, match=r"notes\['b'\] is .*, a float32; expected what JSON can hold .*\. Convert it"):
        check_json({"a": 1, "b": np.float32(2)}, "notes")
