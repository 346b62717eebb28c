"""From the graph of an exported network to a program.

The signature says which inputs of the graph are weights, by their names in the state dict, and which the user gives;
the first of those is the code. Blocks of ``torch.no_grad`` and ``torch.autocast`` are graphs within: their nodes become
nodes of the program, so that derivatives go through (as in torch's forward mode) and all numbers have 32 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from geomgan.errors import CheckpointError, reading
from geomgan.generators.aten.exported import refusals, schema
from geomgan.generators.aten.exported.functional import functional
from geomgan.generators.aten.exported.schema import Scope, argument, results, shown, tensor
from geomgan.generators.aten.operators import key_of
from geomgan.generators.aten.program import Node, Program, Tensor, Value, Weight, check, references

MOST_NODES = 100_000
BLOCKS = {  # graphs within -> how many arguments come before their inputs
    "torch.ops.higher_order.wrap_with_set_grad_enabled": 2,
    "torch.ops.higher_order.wrap_with_autocast": 5,
}
WEIGHTS = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}


def program_of(exported: Mapping[str, Any], output: str | None = None) -> Program:
    """The program of an exported network.

    Args:
        exported: ``models/model.json`` of an archive.
        output: which of several results is the sample: its place from 0, or its name.

    Raises:
        CheckpointError: it is no generator of one code, of a newer schema, or damaged. Operators are named with their
            places: what draws random numbers or trains, custom ones, control flow, those that are not known.
    """
    with reading("the graph of the network", "Export it again.", error=CheckpointError, found="is damaged"):
        schema.check_version(exported["schema_version"])
        graph, signature = (exported["graph_module"][key] for key in ("graph", "signature"))
        scope, inputs, weights = _inputs(signature["input_specs"], graph["tensor_values"])
        places: dict[str, str] = {}
        nodes = []
        for node, where in _nodes(graph, scope, ""):
            nodes.append(node)
            places |= dict.fromkeys((node.name, *node.parts), where)
            if len(nodes) > MOST_NODES:
                raise CheckpointError(f"it has more than {MOST_NODES} nodes.")
        refusals.check_training(nodes, places)
        refusals.check_mutation(signature["output_specs"])
        written = functional(nodes)
        sample = written.value(scope[_chosen(signature["output_specs"], graph["tensor_values"], output)])
        needed = _needed(written.nodes, sample)
        written.check(needed, places)
        refusals.check_operators(needed, places)
        return _program(needed, inputs, weights, sample)


def inputs_of(exported: Mapping[str, Any]) -> list[str]:
    """The names of all tensors that the user gives, in their order; the program has those that it takes."""
    specs = exported["graph_module"]["signature"]["input_specs"]
    return [name for spec in specs if "user_input" in spec for name in results([spec["user_input"]["arg"]]) if name]


def _inputs(
    specs: list[Mapping[str, Any]], tensors: Mapping[str, Any]
) -> tuple[Scope, list[Tensor], dict[str, Tensor]]:
    """What the names of the graph's inputs stand for, what the user gives, and the weights by their names."""
    scope: Scope = {}
    inputs, weights = [], {}
    for spec in specs:
        ((kind, said),) = spec.items()
        if kind in WEIGHTS:
            name, weight = said["arg"]["name"], str(said[WEIGHTS[kind]])
            scope[name], weights[weight] = Weight(weight), tensor(weight, tensors[name])
        elif kind == "user_input":
            scope |= {name: Value(name) for name in results([said["arg"]]) if name}
            inputs += [tensor(name, tensors[name]) for name in results([said["arg"]]) if name]
        elif kind != "constant_input":  # which is written where it is taken
            raise CheckpointError(f"the network takes a {shown(kind)}; expected tensors alone.")
    if not inputs:
        raise CheckpointError("the network takes no tensor; expected a code. Export it with a code as its example.")
    refusals.check_code(inputs[0])
    return scope, inputs, weights


def _nodes(graph: Mapping[str, Any], scope: Scope, prefix: str) -> Iterator[tuple[Node, str]]:
    """The nodes of a graph in order, each with its place; ``scope`` learns what the names of their results are."""
    for data in graph["nodes"]:
        target, where = str(data["target"]), schema.place(data)
        if target in BLOCKS:
            yield from _within(data, BLOCKS[target], scope, prefix)
            continue
        refusals.check_target(target, where)
        operator = target.removeprefix(refusals.ATEN)
        inputs, numbers = _without_complex(data, prefix, scope)
        yield from ((node, where) for node in numbers)
        try:
            names = [name and prefix + name for name in results(data["outputs"])]
            arguments, options = schema.arguments(inputs, scope)
        except CheckpointError as error:
            raise CheckpointError(f"{shown(operator)} {where} {error}") from None
        scope |= {old: Value(new) for old, new in zip(results(data["outputs"]), names, strict=True) if new}
        alone = len(names) == 1 and "as_tensor" in data["outputs"][0]
        yield Node(names[0] if alone else "", operator, arguments, options, () if alone else tuple(names)), where


def _without_complex(data: Mapping[str, Any], prefix: str, scope: Scope) -> tuple[list[Mapping[str, Any]], list[Node]]:
    """The inputs of a node with values for complex numbers, which no argument is, and the nodes that make those."""
    inputs, nodes = [], []
    for entry in data["inputs"]:
        if said := entry["arg"].get("as_complex"):
            name = f"{prefix}{data['name']}.{entry['name']}"
            parts = [Node(f"{name}.{part}", "scalar_tensor", (float(said[part]),)) for part in ("real", "imag")]
            nodes += [*parts, Node(name, "complex", tuple(Value(part.name) for part in parts))]
            scope[name], entry = Value(name), {**entry, "arg": {"as_tensor": {"name": name}}}
        inputs.append(entry)
    return inputs, nodes


def _within(data: Mapping[str, Any], skip: int, scope: Scope, prefix: str) -> Iterator[tuple[Node, str]]:
    """The nodes of the graph within a node, their names behind that of the node."""
    inputs = [entry["arg"] for entry in data["inputs"]]
    (graph,) = (entry["as_graph"]["graph"] for entry in inputs[:skip] if "as_graph" in entry)
    given = [cast("Value | Weight", argument(entry, scope)) for entry in inputs[skip:]]
    within: Scope = dict(zip(results(graph["inputs"]), given, strict=True))
    yield from _nodes(graph, within, f"{prefix}{data['name']}.")
    for name, inner in zip(results(data["outputs"]), results(graph["outputs"]), strict=True):
        scope |= {name: within[inner]} if name else {}


def _chosen(specs: list[Mapping[str, Any]], tensors: Mapping[str, Any], output: str | None) -> str:
    """The name of the result that is the sample."""
    names = [name for spec in specs if "user_output" in spec for name in _tensor_name(spec["user_output"]["arg"])]
    made = [tensor(name, tensors[name]) for name in names]
    listed = ", ".join(f"{k}: {shown(t.name)}, {t.dtype} {t.shape}" for k, t in enumerate(made[:8]))
    chosen = [t for k, t in enumerate(made) if output in (None, str(k), t.name)]
    if not names:
        raise CheckpointError("the network returns no tensor; expected one sample.")
    if output is not None and not chosen:
        raise CheckpointError(f"output={output!r} is no result of the network; it returns {listed}.")
    if len(chosen) > 1:
        raise CheckpointError(
            f"the network returns {len(made)} tensors ({listed}); expected one sample. Say which it is with --option "
            "output=0, or export a module around it that returns one."
        )
    refusals.check_sample(chosen[0])
    return chosen[0].name


def _tensor_name(said: Mapping[str, Any]) -> list[str]:
    return [str(said["as_tensor"]["name"])] if "as_tensor" in said else []


def _needed(nodes: list[Node], sample: Value | Weight) -> list[Node]:
    """The nodes that the sample depends on; results that nobody takes have no name."""
    needed, kept = {sample}, []
    for node in reversed(nodes):
        if needed & {Value(name) for name in node.parts or (node.name,)}:
            kept.append(replace(node, parts=tuple(name if Value(name) in needed else "" for name in node.parts)))
            needed |= set(_taken(node))
    return kept[::-1]


def _program(nodes: list[Node], inputs: list[Tensor], weights: Mapping[str, Tensor], sample: Value | Weight) -> Program:
    """The nodes as a program of what they take."""
    taken = {one for node in nodes for one in _taken(node)} | {sample}
    if Value(inputs[0].name) not in taken or not isinstance(sample, Value):
        raise CheckpointError(f"its sample does not depend on the code, its first input {shown(inputs[0].name)}.")
    program = Program(
        tuple(t for t in inputs if Value(t.name) in taken),
        tuple(t for t in weights.values() if Weight(t.name) in taken),
        tuple(replace(node, operator=key_of(node.operator)) for node in nodes),
        sample,
    )
    check(program)
    return program


def _taken(node: Node) -> list[Value | Weight]:
    return references((node.arguments, tuple(value for _, value in node.options)))
