"""ImageNet's classes by number and by name."""

from __future__ import annotations

import numpy as np
import pytest

from geomgan.errors import OptionError
from geomgan.generators.class_names import class_number, imagenet_classes


def test_a_thousand_different_names():
    names = imagenet_classes()
    assert len({name.lower().replace("-", " ") for name in names}) == len(names) == 1000
    assert all(name == name.strip() and name.isascii() and name for name in names)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (np.int64(999), 999),
        ("12", 12),
        ("tench", 0),
        ("goldfish", 1),
        ("golden retriever", 207),
        ("Bernese Mountain Dog", 239),
        ("SIBERIAN_HUSKY", 250),
        ("tabby", 281),
        ("giant panda", 388),
        ("airliner", 404),
        ("church", 497),
        ("Windsor-tie", 906),
        ("cheeseburger", 933),
        ("volcano", 980),
        ("toilet tissue", 999),
    ],
)
def test_numbers_and_names(value, number):
    assert class_number(value, 1000) == number


@pytest.mark.parametrize(
    ("value", "count", "says"),
    [
        (1000, 1000, "class_index=1000 .* an integer from 0 to 999, or the ImageNet name"),
        (-1, 1000, "class_index=-1 is no class"),
        (7, 7, r"class_index=7 .* an integer from 0 to 6\.$"),
        ("7", 7, "an integer from 0 to 6"),
        (True, 1000, "class_index=True is no class"),
        (2.0, 1000, r"class_index=2\.0 \(float\)"),
        (np.arange(2), 1000, r"\(ndarray\)"),
        ("golden retreiver", 1000, "no name of an ImageNet class. Did you mean 'golden retriever'"),
        ("german shepard", 1000, "Did you mean 'german shepherd'"),
        ("retriever", 1000, r"part of 'flat-coated retriever' \(205\), .*'Labrador retriever' \(208\)"),
        ("crane", 1000, r"part of 'crane bird' \(134\), 'crane machine' \(517\): give one"),
        ("dog", 1000, "give one"),
        ("qqqq", 1000, "is no name of an ImageNet class. Give its number, 0 to 999"),
        ("", 1000, "is no name"),
        ("tench", 10, "this model has 10 classes of its own; expected an integer from 0 to 9"),
    ],
)
def test_what_is_no_class(value, count, says):
    with pytest.raises(OptionError, match=says):
        class_number(value, count)
