"""What ``geomgan.training`` offers."""

import pytest

from geomgan import training
from tests.child import python


@pytest.mark.parametrize("name", training.__all__)
def test_every_name_is_there(name):
    assert getattr(training, name).__name__ == name
    assert name in dir(training)


def test_the_import_brings_nothing_that_trains():
    heavy = ("jax", "flax", "optax")
    assert python(f"import geomgan.training, sys; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'geomgan\.training' has no attribute 'fit'"):
        _ = training.fit
