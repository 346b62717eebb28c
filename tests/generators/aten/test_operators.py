"""Every operator against torch: values, and the derivative in one direction."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from geomgan.generators.aten.operators import OPERATORS, RANDOM, key_of
from tests.generators.aten.cases import layers, maps, pointwise, reduction, signals
from tests.generators.aten.operator_cases import Case, compare

CASES = [
    case
    for table in (layers, pointwise, reduction, maps, signals)
    for cases in vars(table).values()
    if isinstance(cases, list)
    for case in cases
    if isinstance(case, Case)
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operator_is_that_of_torch(case):
    compare(case)


PLACEMENT = {"layout", "device", "pin_memory", "memory_format", "non_blocking", "copy", "implicit"}
OPEN = {"empty", "empty_like", "empty_permuted", "new_empty", "_assert_tensor_metadata"}  # without numbers of their own
ABSENT = {
    *("where.default", "repeat_interleave.Tensor", "mm.dtype", "bmm.dtype", "addmm.dtype", "baddbmm.dtype"),
    *("einsum.sublist", "sort.Tensor", "copy.Dict_Tensor", "stft.center", "view.dtype"),
}
"""Overloads that no exported network has, or whose shapes depend on values."""


def test_every_operator_has_a_case():
    assert set(OPERATORS) - OPEN == {case.key for case in CASES}
    for key, x in (("empty", [2, 3]), ("empty_like", np.zeros((2, 3))), ("new_empty", np.zeros(1))):
        assert OPERATORS[key](x, *([[2, 3]] if key == "new_empty" else []), dtype="float32").shape == (2, 3)


def overloads(key: str) -> list[torch.FunctionSchema]:
    """The schemas that an entry stands for."""
    base, _, overload = key.partition(".")
    packet = getattr(torch.ops.aten, base)
    others = {*OPERATORS, *ABSENT} - {key}
    names = [overload] if overload else [name for name in packet.overloads() if f"{base}.{name}" not in others]
    schemas = [getattr(packet, name)._schema for name in names]
    return [schema for schema in schemas if of_arrays(schema)]


def test_arguments_have_the_order_names_and_defaults_of_torch():
    """What has a default, and what goes by name alone, goes by torch's name; the rest by its place."""
    for key in OPERATORS:
        schemas = overloads(key)
        assert schemas, key
        for schema in schemas:
            compare_arguments(key, schema)


def compare_arguments(key: str, schema: torch.FunctionSchema) -> None:
    mine = list(inspect.signature(OPERATORS[key]).parameters.values())
    kinds = {p.kind for p in mine}
    places = [p for p in mine if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = {p.name: p for p in mine if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    positional = [a for a in schema.arguments if not a.kwarg_only]
    assert sum(p.default is p.empty for p in places) <= len(positional), schema
    assert len(positional) <= len(places) or inspect.Parameter.VAR_POSITIONAL in kinds, schema
    pairs = [(a, p) for a, p in zip(positional, places, strict=False) if a.has_default_value()]
    for argument in schema.arguments[len(positional) :]:
        if argument.name in PLACEMENT and argument.name not in by_name:
            assert inspect.Parameter.VAR_KEYWORD in kinds, schema
        else:
            assert argument.name in by_name, schema
            pairs.append((argument, by_name[argument.name]))
    for argument, parameter in pairs:
        assert parameter.name == argument.name, schema
        if argument.has_default_value() and argument.name != "dtype":
            assert same_default(parameter.default, argument.default_value), schema


def of_arrays(schema: torch.FunctionSchema) -> bool:
    """Of tensors or new ones, not of TorchScript's lists; neither into a given tensor nor by names of axes."""
    types = [str(a.type) for a in [*schema.arguments, *schema.returns]]
    by_name = "name" in schema.overload_name
    return any("Tensor" in kind for kind in types) and not by_name and not any(a.is_out for a in schema.arguments)


def same_default(mine: object, theirs: object) -> bool:
    """A number is a list of it for every axis; of dimensions none is an empty list."""
    mine = list(mine) if isinstance(mine, tuple) else mine
    if mine in (None, []):
        return theirs in (None, [])
    return theirs in [mine, [mine], [mine] * 2, [mine] * 3, *(["valid"] if mine == 0 else [])]


def test_names_as_programs_write_them():
    assert key_of("torch.ops.aten.relu_.default") == "relu"
    assert key_of("aten.max.dim") == "max.dim"
    assert key_of("max.other") == "max.other"
    assert key_of("max.default") == "max"
    assert key_of("conv1d.padding") == "conv1d"
    assert key_of("add_.Tensor") == "add"
    assert key_of("aten.clip.default") == "clamp"
    assert key_of("__and__.Tensor") == "bitwise_and"
    assert key_of("normal_.default") in RANDOM
    assert key_of("randn_like.default") in RANDOM
    assert key_of("nothing.default") not in OPERATORS


def test_what_draws_numbers_is_not_here():
    assert not RANDOM & set(OPERATORS)
    assert all(hasattr(torch.ops.aten, name) for name in RANDOM)


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        ("batch_norm", (np.ones((1, 2)), None, None, np.ones(2), np.ones(2), True, 0.1, 1e-5)),
        ("batch_norm", (np.ones((1, 2)), None, None, None, None, True, 0.1, 1e-5)),
        ("dropout", (np.ones(2), 0.5, True)),
        ("native_dropout", (np.ones(2), 0.5, True)),
        ("rrelu", (np.ones(2), 0.1, 0.2, True)),
        ("scaled_dot_product_attention", (np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)), None, 0.1)),
    ],
)
def test_networks_in_training_are_refused(key, arguments):
    with pytest.raises(ValueError, match=r"\.eval\(\)"):
        OPERATORS[key](*arguments)


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        ("max_pool2d", (np.ones((1, 1, 8, 8)), [1 << 16, 1 << 16], [1, 1], [1 << 15, 1 << 15])),
        ("adaptive_avg_pool2d", (np.ones((1, 1, 8, 8)), [1 << 20, 1 << 20])),
        ("_upsample_bilinear2d_aa", (np.ones((1, 1, 512, 4)), [1 << 20, 4], False, 1e-6, None)),
        ("tril_indices", (1 << 20, 1 << 20)),
        ("hann_window", (1 << 40,)),
    ],
)
def test_tables_are_bounded(key, arguments):
    with pytest.raises(ValueError, match="expected at most"):
        OPERATORS[key](*arguments)
