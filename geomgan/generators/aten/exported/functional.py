"""Operators that change a tensor in place, as operators that make a new one: arrays of JAX do not change.

What an operator in place has changed is from then on its result. Where the changed tensor is a view, the tensor that
it is a part of gets the result written into it, and every other view of that is taken again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from geomgan.errors import CheckpointError
from geomgan.generators.aten.exported.refusals import changed, named
from geomgan.generators.aten.exported.schema import shown
from geomgan.generators.aten.program import Argument, Node, Value, Weight, with_taken

MOST_NODES = 200_000  # that are written: of n views that are changed in place, each makes up to n
_ALWAYS = """alias broadcast_to detach diagonal expand expand_as mT moveaxis movedim narrow numpy_T permute select slice
squeeze swapaxes swapdims t transpose unfold unsqueeze view view_as"""
_PERHAPS = """_conj _reshape_alias adjoint as_strided broadcast_tensors chunk conj contiguous dropout dsplit
feature_dropout flatten hsplit imag lift_fresh mH matrix_H meshgrid positive ravel real reshape reshape_as resolve_conj
resolve_neg split split_with_sizes tensor_split to type_as unbind unflatten unsafe_chunk unsafe_split view_as_complex
view_as_real vsplit"""
VIEWS = frozenset(_ALWAYS.split())  # operators whose result always is a view of their first argument
PERHAPS = frozenset(_PERHAPS.split())  # those whose result is one in some cases, or has several parts
_SAME_NUMBERS = frozenset(  # in place, but what else shares the numbers does not change
    {"detach_", "squeeze_", "swapaxes_", "swapdims_", "t_", "transpose_", "unsqueeze_"}
)
_OUTSIDE = ""  # the name of no node
_FIX = "Export it as torch.export.export(...).run_decompositions({}), which does without changes in place."


@dataclass
class Functional:
    """Nodes without operators in place, written one after another.

    Attributes:
        nodes: those written so far; operators have no underscore at their ends.
        stale: node -> the tensor that it takes and that is not known: it was changed through another in a way that
            cannot be written.
    """

    nodes: list[Node] = field(default_factory=list)
    stale: dict[str, str] = field(default_factory=dict)
    _now: dict[Value | Weight, Value | Weight | None] = field(default_factory=dict)  # what a changed tensor is
    _same: dict[Value | Weight, Value | Weight] = field(default_factory=dict)  # result in place -> what it changed
    _views: dict[Value | Weight, tuple[Value | Weight, Node | None]] = field(default_factory=dict)  # of what, how

    def add(self, node: Node) -> None:
        """Write a node of the graph.

        Raises:
            CheckpointError: it changes a weight, or what it changes is not its first argument.
        """
        first = node.arguments[0] if node.arguments else None
        base, _, overload = node.operator.partition(".")
        writes = base.endswith("_") and not base.endswith("__")
        if overload.endswith("out") or (writes and not (node.name and isinstance(first, Value | Weight))):
            raise CheckpointError(
                f"{shown(node.operator)} at {shown(named(node))} writes into tensors that it is given. "
                f"Call net.eval() before the export. {_FIX}"
            )
        if not named(node):  # an assertion
            return
        plain = replace(node, operator=f"{base.removesuffix('_')}.{overload}") if writes else node
        self._write(with_taken(plain, lambda taken: self._current(taken, named(node))))
        if not isinstance(first, Value | Weight):
            return
        first = self._same.get(first, first)
        if writes:
            self._same[Value(node.name)] = first
            self._change(first, Value(node.name), base in _SAME_NUMBERS)
        elif base in VIEWS | PERHAPS:
            again = node if base in VIEWS and not node.parts else None
            self._views |= {Value(name): (first, again) for name in node.parts or (node.name,)}

    def value(self, tensor: Value | Weight) -> Value | Weight:
        """What a tensor of the graph is after all nodes that were written.

        Raises:
            CheckpointError: it is not known.
        """
        now = self._current(tensor, _OUTSIDE)
        if _OUTSIDE in self.stale:
            raise CheckpointError(_told("the network", "returns", tensor.name))
        return now

    def check(self, needed: Iterable[Node], places: Mapping[str, str]) -> None:
        """Raise ``CheckpointError`` if a node that is needed takes a tensor that is not known."""
        for node in needed:
            if tensor := self.stale.get(named(node)):
                raise CheckpointError(_told(f"{shown(node.operator)} {places.get(named(node), '')}", "takes", tensor))

    def _current(self, taken: Value | Weight, reader: str) -> Value | Weight:
        now = self._now.get(self._same.get(taken, taken), taken)
        if now is None:
            self.stale[reader] = taken.name
        return now or taken

    def _write(self, node: Node) -> Value:
        if len(self.nodes) >= MOST_NODES:
            raise CheckpointError(f"it has more than {MOST_NODES} nodes, with those of what it changes in place.")
        self.nodes.append(node)
        return Value(node.name)

    def _change(self, tensor: Value | Weight, result: Value, same_numbers: bool) -> None:
        """Note that ``tensor`` is ``result`` from now on, and what follows for all that share numbers with it."""
        self._now[tensor] = result
        if same_numbers:
            self._views |= {view: (of, None) for view, (of, _) in self._views.items() if tensor in (view, of)}
            return
        known = {tensor}
        while tensor in self._views:  # upwards: into the tensor that it is a part of
            part, (tensor, how) = self._now[tensor], self._views[tensor]
            written = _written(how, self._now.get(tensor, tensor), part, f"{tensor.name}.after.{result.name}")
            self._now[tensor] = self._write(written) if written else None
            known.add(tensor)
        if isinstance(tensor, Weight):
            raise CheckpointError(changed(tensor.name))
        for view, (of, how) in self._views.items():  # downwards, in the order in which they were taken
            if of in known and view not in known:
                base = self._now[of]
                if how and base:
                    again = replace(how, name=f"{view.name}.after.{result.name}", arguments=(base, *how.arguments[1:]))
                    self._now[view] = self._write(again)
                else:
                    self._now[view] = None
                known.add(view)


def functional(nodes: Iterable[Node]) -> Functional:
    """All ``nodes`` of a graph, written; errors as :meth:`Functional.add`."""
    written = Functional()
    for node in nodes:
        written.add(node)
    return written


def _written(how: Node | None, of: Argument, part: Argument, name: str) -> Node | None:
    """The node that makes ``of`` with ``part`` in the place that the view ``how`` shows; None where none does."""
    base = how.operator.partition(".")[0] if how and of and part else ""
    arguments, options = (how.arguments[1:], how.options) if how else ((), ())
    if base in ("slice", "select"):
        return Node(name, f"{base}_scatter", (of, part, *arguments), options)
    if base in ("alias", "detach", "squeeze", "unsqueeze", "view", "view_as"):
        return Node(name, "view_as", (part, of))
    return Node(name, "transpose", (part, *arguments), options) if base == "transpose" else None


def _told(who: str, does: str, tensor: str) -> str:
    return f"{who} {does} {shown(tensor)}, which is changed in place through another tensor of the same numbers. {_FIX}"
