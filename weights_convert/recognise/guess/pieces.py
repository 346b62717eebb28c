"""The tensors of a file, grouped by the layer that they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
PARTS = frozenset({"weight", "bias", "running_mean", "running_var"})
COUNTERS = ("num_batches_tracked",)
EMBEDS = re.compile(r"emb|label|class|cond", re.IGNORECASE)  # names of tables that a class looks up

LEFT = re.compile(r".*(enc|mu|mean|var|sigma|std|dis|critic|class).*|[eq]\d*", re.IGNORECASE)  # no part of a decoder


@dataclass(frozen=True)
class Piece:
    """The tensors of one layer: the start of their names, and the shape of each."""

    path: str
    shapes: Mapping[str, Shape]

    @property
    def weight(self) -> Shape:
        """The shape of its weight, or of its statistics where it has no weight."""
        return self.shapes.get("weight", self.shapes.get("running_mean", ()))

    @property
    def odd(self) -> bool:
        """Whether no layer of torch that a chain is made of has such tensors."""
        return not set(self.shapes) <= PARTS or not self.weight or not 1 <= len(self.weight) <= 5

    @property
    def embedding(self) -> bool:
        """Whether it is a table that a class looks up."""
        return set(self.shapes) == {"weight"} and len(self.weight) == 2 and bool(EMBEDS.search(self.path))

    @property
    def weighted(self) -> bool:
        """Whether it is a dense layer or a convolution."""
        return len(self.weight) > 1 and not self.embedding and self.shapes.get("bias") != self.weight

    @property
    def place(self) -> tuple[str, int] | None:
        """Its sequence and its place there; None where its name is no number."""
        sequence, _, last = self.path.rpartition(".")
        return (sequence, int(last)) if last.isdecimal() and len(last) < 6 else None


def pieces_of(tensors: Mapping[str, Any]) -> list[Piece]:
    """The layers of a state dict, in its order."""
    found: dict[str, dict[str, Shape]] = {}
    for name, array in tensors.items():
        path, _, part = name.rpartition(".")
        if part not in COUNTERS:
            found.setdefault(path, {})[part] = tuple(array.shape)
    return [Piece(path, shapes) for path, shapes in found.items()]


def between(before: Piece, after: Piece) -> int | None:
    """How many modules without tensors lie between two layers of one sequence; None where no name tells."""
    if before.place is None or after.place is None or before.place[0] != after.place[0]:
        return None
    return max(after.place[1] - before.place[1] - 1, 0)
