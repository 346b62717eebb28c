"""Strides, paddings and upsampling: of all usual ones those that give images a usual side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from weights_convert.torch_modules.layer import Line
from weights_convert.torch_modules.linear import side_after

MOST_SIDE = 4096
GREY = {28: 0, 32: 3, 64: 3, 128: 3, 256: 4, 16: 6}  # side of an image of one channel -> how unusual it is
COLOUR = {64: 0, 32: 0, 128: 0, 256: 1, 512: 2, 96: 2, 28: 3, 1024: 3, 48: 4, 16: 6}
UNUSUAL = 8
Stage = tuple[int, int, int]  # stride, padding, output padding

TRANSPOSED: dict[int, tuple[Stage, ...]] = {  # side of the kernel -> the most usual first
    1: ((1, 0, 0),),
    2: ((2, 0, 0), (1, 0, 0)),
    3: ((2, 1, 1), (1, 1, 0), (2, 1, 0), (2, 0, 0), (1, 0, 0), (2, 0, 1)),
    4: ((2, 1, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0)),
    5: ((2, 2, 1), (1, 2, 0), (2, 2, 0), (2, 1, 0), (1, 0, 0), (2, 0, 0), (3, 1, 0)),
    6: ((2, 2, 0), (1, 0, 0), (2, 0, 0)),
    7: ((1, 0, 0), (1, 3, 0), (2, 3, 1), (2, 0, 0)),
    8: ((4, 2, 0), (1, 0, 0), (2, 3, 0)),
    25: ((4, 11, 1), (2, 12, 1)),  # of sound
}


@dataclass(frozen=True)
class Choice:
    """One way to go on: lines, how unusual they are, and the side of the map behind them (0: no map)."""

    lines: tuple[Line, ...]
    cost: float
    side: int


Step = Callable[[int], Iterable[Choice]]
"""From the side of the map so far to every way to go on."""


def cheapest(steps: Sequence[Step], start: int, cost: Callable[[int], float]) -> Choice | None:
    """The least unusual way through all steps, with ``cost`` of the last side; None where there is none at all."""
    ways = {start: Choice((), 0.0, start)}
    for step in steps:
        after: dict[int, Choice] = {}
        for way in ways.values():
            for choice in step(way.side):
                longer = Choice((*way.lines, *choice.lines), way.cost + choice.cost, choice.side)
                if choice.side not in after or longer.cost < after[choice.side].cost:
                    after[choice.side] = longer
        ways = after
    return min(ways.values(), key=lambda way: way.cost + cost(way.side), default=None)


def transposed(kernel: int, side: int) -> Iterator[tuple[Stage, float, int]]:
    """Stages of a transposed convolution, how unusual each is, and the side behind it; a first one does not double."""
    usual = TRANSPOSED.get(kernel, ((2, (kernel - 1) // 2, kernel % 2), (1, 0, 0), (1, kernel // 2, 0)))
    ordered = sorted(usual, key=lambda stage: stage != (1, 0, 0)) if side == 1 else usual
    for rank, (stride, padding, more) in enumerate(ordered):
        yield (stride, padding, more), float(rank), side_after(side, kernel, stride, padding, more)


def plain(kernel: int, side: int) -> Iterator[tuple[Stage, float, int]]:
    """Stages of a convolution: mostly such that the side stays."""
    for padding, cost in {kernel // 2: 0.0, 0: 4.0}.items():
        yield (1, padding, 0), cost, side + 2 * padding - kernel + 1


def unusual(side: int, channels: int, wanted: int | None) -> float:
    """How unusual an image of this side is; beside the side that is ``wanted`` all others are out of the question."""
    if wanted is not None:
        return 0.0 if side == wanted else 1e6
    return float((GREY if channels == 1 else COLOUR).get(side, UNUSUAL))
