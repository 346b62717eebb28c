"""What shares numbers with what: programs without changes in place, against torch's own schemas."""

from __future__ import annotations

import pytest

from geomgan.generators.aten.exported.functional import PERHAPS, VIEWS
from geomgan.generators.aten.exported.refusals import ALWAYS, TRAINING
from geomgan.generators.aten.operators import OPERATORS, key_of

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch to run this")


def test_every_operator_that_shares_numbers_is_known_as_such():
    """Otherwise a change in place would be lost."""
    sharing = {
        schema.name.removeprefix("aten::")
        for schema in torch._C._jit_get_all_schemas()
        if any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
    }
    assert not {name for name in sharing if key_of(name) in OPERATORS} - VIEWS - PERHAPS


def test_every_operator_that_draws_numbers_is_known_as_such():
    names = {schema.name.removeprefix("aten::") for schema in torch._C._jit_get_all_schemas()}
    drawing = {
        key_of(name)
        for name in names
        for overload in getattr(getattr(torch.ops.aten, name, None), "overloads", list)()
        if torch.Tag.nondeterministic_seeded in getattr(getattr(torch.ops.aten, name), overload).tags
    }
    assert {"randn", "uniform", "dropout"} <= drawing
    assert not (drawing & OPERATORS.keys()) - TRAINING.keys() - {*ALWAYS}
