"""What a program compiled for a GPU does, read in the compiler's own text: kernels, how often each runs, its bytes."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.kernels import kind_of

BITS = {"pred": 8, "s4": 4, "u4": 4}  # of types whose name does not end in them
FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "iota")
_SHAPE = re.compile(r"\b([a-z]+\d*[a-z0-9]*)\[([\d,]*)\]")
_LINE = re.compile(r"^\s*(ROOT )?%(\S+) = (\(.*?\)|\S+) ([a-z][\w-]*)\((.*)$")
_HEAD = re.compile(r"^(ENTRY )?%(\S+) \(.*\{$")


@dataclass(frozen=True)
class Operation:
    """A line of a program: its name, operation, bytes of its result, operands, and the line itself."""

    name: str
    kind: str
    bytes: int
    operands: tuple[str, ...]
    text: str
    root: bool

    def called(self, attribute: str) -> list[str]:
        """Names of the computations in an attribute."""
        found = re.search(rf"\b{attribute}=\{{?((?:%[\w.-]+(?:, (?=%))?)+)", self.text)
        return [name.lstrip("%") for name in found[1].split(", ")] if found else []

    @property
    def source(self) -> str:
        """The operation of JAX that it comes from."""
        found = re.search(r'op_name="([^"]*)"', self.text)
        return found[1] if found else ""


@dataclass(frozen=True)
class Kernel:
    """A kernel of a program.

    Attributes:
        name: as a profiler shows it.
        times: how often it runs.
        bytes: read and written in all runs, each array once.
        source: operation of JAX.
    """

    name: str
    times: int
    bytes: int
    source: str


@dataclass
class Program:
    """A compiled program: computations by name, and which of them is the entry."""

    computations: dict[str, list[Operation]] = field(default_factory=dict)
    entry: str = ""

    @classmethod
    def read(cls, text: str) -> Program:
        """From ``compiled.as_text()``."""
        program, current = cls(), ""
        for line in text.splitlines():
            if head := _HEAD.match(line):
                current = head[2]
                program.computations[current] = []
                program.entry = current if head[1] else program.entry
            elif current and (found := _LINE.match(line)):
                operands = re.findall(r"%([\w.-]+)", found[5].partition("), ")[0])
                size = _bytes(found[3])
                program.computations[current].append(
                    Operation(found[2], found[4], size, tuple(operands), line, bool(found[1]))
                )
        return program

    def kernels(self, computation: str | None = None, times: int = 1) -> Iterator[Kernel]:
        """All kernels of a run; of branches, those of the longest."""
        operations = self.computations[computation or self.entry]
        sizes = {operation.name: operation.bytes for operation in operations}
        for operation in operations:
            if operation.kind == "while":
                rounds = re.search(r'"known_trip_count":\{"n":"(\d+)"', operation.text)
                (body,) = operation.called("body")
                yield from self.kernels(body, times * (int(rounds[1]) if rounds else 1))
            elif operation.kind == "conditional":
                branches = operation.called("branch_computations") or [
                    *operation.called("true_computation"),
                    *operation.called("false_computation"),
                ]
                every = [list(self.kernels(branch, times)) for branch in branches]
                yield from max(every, key=lambda kernels: sum(kernel.bytes for kernel in kernels))
            elif operation.kind == "call":
                yield from self.kernels(operation.called("to_apply")[0], times)
            elif operation.kind not in FREE and not operation.kind.endswith("-done"):
                yield Kernel(operation.name, times, times * self._moved(operation, sizes), operation.source)

    def _moved(self, operation: Operation, sizes: dict[str, int]) -> int:
        """Bytes that a kernel reads and writes; of arrays that it cuts or overwrites, the part."""
        if operation.kind != "fusion":
            return operation.bytes + sum(sizes.get(name, 0) for name in operation.operands)
        inside = self.computations[operation.called("calls")[0]]
        written = operation.bytes
        roots = [each for each in inside if each.root]
        if roots and roots[0].kind == "dynamic-update-slice":
            written = next(each.bytes for each in inside if each.name == roots[0].operands[1])
        read = 0
        parameters = [each for each in inside if each.kind == "parameter"]
        for parameter in parameters:
            users = [each for each in inside if parameter.name in each.operands]
            if users and all(each.kind in ("dynamic-slice", "slice", "gather") for each in users):
                read += min(parameter.bytes, sum(each.bytes for each in users))
            elif not all(each.kind == "dynamic-update-slice" and each.operands[0] == parameter.name for each in users):
                read += parameter.bytes
        return written + read

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """Runs and bytes of all kernels of a kind, most bytes first."""
        runs: Counter[str] = Counter()
        moved: Counter[str] = Counter()
        for kernel in self.kernels():
            runs[kind_of(kernel.name)] += kernel.times
            moved[kind_of(kernel.name)] += kernel.bytes
        return {kind: (runs[kind], size) for kind, size in moved.most_common()}


def _bytes(shape: str) -> int:
    """Bytes of all arrays in the text of a type."""
    total = 0
    for kind, dims in _SHAPE.findall(shape):
        bits = BITS.get(kind) or int((re.search(r"\d+", kind) or [0])[0])
        total += math.prod(int(size) for size in dims.split(",") if size) * bits // 8
    return total
