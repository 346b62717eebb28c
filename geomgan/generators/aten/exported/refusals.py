"""What no function of one code is made of, each told with its place in the user's program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from geomgan.errors import MOST_NAMES, CheckpointError
from geomgan.generators.aten.exported.schema import shown
from geomgan.generators.aten.operators import OPERATORS, RANDOM, key_of
from geomgan.generators.aten.program import Node, Tensor

ATEN = "torch.ops.aten."
TRAINING = {  # operator -> which of its arguments says that it trains
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout"), 2),
    **dict.fromkeys(("batch_norm", "cudnn_batch_norm", "native_batch_norm", "_native_batch_norm_legit"), 5),
    "rrelu": 3,
    **{"scaled_dot_product_attention": 4, "_scaled_dot_product_flash_attention_for_cpu": 3},  # how much is dropped
}
ALWAYS = ("_batch_norm_with_update", "_native_batch_norm_legit_functional")  # in training mode


def check_target(target: str, where: str) -> None:
    """Raise ``CheckpointError`` for what is no operator of torch."""
    if target.startswith("torch.ops.higher_order."):
        raise CheckpointError(
            f"{shown(target)} {where} is control flow inside the graph; expected operators of torch one after another. "
            "Write it without: both results and torch.where, or a loop that Python runs."
        )
    if not target.startswith(ATEN):
        raise CheckpointError(
            f"{shown(target)} {where} is a custom operator, which nothing in the file defines. Write it with operators "
            "of torch for the export."
        )


def check_training(nodes: Iterable[Node], places: Mapping[str, str]) -> None:
    """Raise ``CheckpointError`` for a norm or a dropout in training mode."""
    for node in nodes:
        base = node.operator.partition(".")[0].removesuffix("_")
        at = TRAINING.get(base, len(node.arguments))
        trains = any(node.arguments[at : at + 1]) or dict(node.options).get("dropout_p", 0)
        if base in ALWAYS or (trains and node.operator != _OF_INSTANCES):
            alone = base.endswith("batch_norm") and node.arguments[3] is None
            fix = "Give it running statistics" if alone else "Call net.eval() before the export"
            what = "takes the statistics of its batch" if alone else "is in training mode"
            raise CheckpointError(f"{base} {places[named(node)]} {what}; expected a function of one code. {fix}.")


_OF_INSTANCES = "_native_batch_norm_legit.no_stats"  # which an instance norm becomes


def check_mutation(specs: Iterable[Mapping[str, Any]]) -> None:
    """Raise ``CheckpointError`` for a signature that says that a call changes weights."""
    for spec in specs:
        for kind in ("buffer", "parameter"):
            if f"{kind}_mutation" in spec:
                name = spec[f"{kind}_mutation"][f"{kind}_name"]
                raise CheckpointError(changed(name))


def changed(name: str) -> str:
    """What is said of a weight that a call changes."""
    return (
        f"every call changes the weight {shown(name)}: a generator is a function of its code alone. Call net.eval() "
        "before the export, or take out the statement that changes it."
    )


def check_operators(nodes: Iterable[Node], places: Mapping[str, str]) -> None:
    """Raise ``CheckpointError`` for an operator that draws numbers; for those that are not known, all at once."""
    missing: dict[str, str] = {}
    for node in nodes:
        key, where = key_of(node.operator), places.get(named(node), "")
        if key in RANDOM:
            raise CheckpointError(
                f"{key} {where} draws random numbers: a generator is a function of its code. Make the noise an input "
                "of the network, after the code, or a buffer that it keeps."
            )
        if key not in OPERATORS:
            missing.setdefault(shown(node.operator), where)
    if missing:
        listed = [f"{operator} {where}" for operator, where in missing.items()]
        more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
        raise CheckpointError(
            f"it has operators that are not known here: {'; '.join(listed[:MOST_NAMES])}{more}. Export it as "
            "torch.export.export(...).run_decompositions(), which writes them as simpler ones, or write them otherwise."
        )


def check_code(code: Tensor) -> None:
    """Raise ``CheckpointError`` for a first input that is no batch of one code."""
    if code.dtype != "float32" or code.shape[:1] != (1,):
        raise CheckpointError(
            f"its first input {shown(code.name)} is {code.dtype} of shape {code.shape}; expected a batch of one code, "
            "(1, ...) of floating point. Export it with one code as its example; the code is the first input."
        )


def check_sample(sample: Tensor) -> None:
    """Raise ``CheckpointError`` for a result that is no sample."""
    if sample.dtype != "float32":
        raise CheckpointError(
            f"the network returns {sample.dtype} of shape {sample.shape}; expected a sample of real floating-point "
            "numbers. Export a module around it that returns one."
        )


def named(node: Node) -> str:
    """The first name that a node makes."""
    return next((name for name in (node.name, *node.parts) if name), "")
