"""Which layers follow each other: each takes as many channels, or numbers, as the one before it makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weights_convert.recognise.guess.pieces import Piece
from weights_convert.torch_modules.linear import square

WIDE = 9  # wider kernels, of sound, are mostly transposed too


@dataclass(frozen=True)
class State:
    """What a layer makes: so many numbers (``axes`` 0), or maps of so many channels."""

    size: int
    axes: int


@dataclass(frozen=True)
class Link:
    """One layer of a chain: its tensors, what it is, what it takes and makes."""

    piece: Piece
    kind: str
    takes: State
    makes: State


@dataclass(frozen=True)
class Chain:
    """Layers that follow each other, and how usual the choices are that shapes alone leave open."""

    links: tuple[Link, ...] = ()
    score: float = 0.0


def chains(pieces: Sequence[Piece]) -> list[Chain]:
    """The pieces as few chains, each as long as it goes: where none continues, the next one starts.

    Whether a convolution is transposed is told by its channels and its bias, and where these are equal by its kernel:
    even kernels are mostly transposed, and those of one size are alike. The most usual way through is taken.
    """
    done: list[Chain] = []
    open_: dict[State | None, Chain] = {None: Chain()}
    for piece in pieces:
        after: dict[State | None, Chain] = {}
        for state, chain in open_.items():
            for link, score in _links(piece, state, chain.links):
                longer = Chain((*chain.links, link), chain.score + score)
                if link.makes not in after or after[link.makes].score < longer.score:
                    after[link.makes] = longer
        if not after:
            done += _best(open_)
            after = {}
            for link, score in _links(piece, None, ()):
                after.setdefault(link.makes, Chain((link,), score))
        open_ = after or {None: Chain()}
    return done + _best(open_)


def _best(open_: dict[State | None, Chain]) -> list[Chain]:
    chain = max(open_.values(), key=lambda chain: chain.score)
    return [chain] if chain.links else []


def _links(piece: Piece, state: State | None, before: Sequence[Link]) -> Iterator[tuple[Link, float]]:
    """Every way in which a piece can follow what makes ``state``; None where nothing comes before it."""
    if piece.odd:
        return
    weight, bias = piece.weight, piece.shapes.get("bias")
    if len(weight) > 1 and bias == weight:  # a norm of whole maps
        maps = State(weight[0], len(weight) - 1)
        if state in (None, maps):
            yield Link(piece, "LayerNorm", maps, maps), 0.0
    elif len(weight) == 1:
        yield from ((link, 0.0) for link in _norms(piece, state))
    elif len(weight) == 2:
        takes, makes = State(weight[1], 0), State(weight[0], 0)
        flattens = state is not None and state.axes > 0 and weight[1] % state.size == 0
        if (state in (None, takes) or flattens) and bias in (None, (weight[0],)):
            yield Link(piece, "Linear", takes, makes), 0.0
    else:
        axes, grows = len(weight) - 2, all(side % 2 == 0 or side > WIDE for side in weight[2:])
        for kind, size, out in (("Conv", weight[1], weight[0]), ("ConvTranspose", weight[0], weight[1])):
            fits = state is None or (state == State(size, axes) if state.axes else bool(square(state.size, size, axes)))
            if fits and bias in (None, (out,)):
                link = Link(piece, f"{kind}{axes}d", State(size, axes), State(out, axes))
                alike = [b.kind == link.kind for b in before if b.piece.weight[2:] == weight[2:]][-1:]
                yield link, float(grows == (kind == "ConvTranspose")) + 2 * sum(alike)


def _norms(piece: Piece, state: State | None) -> Iterator[Link]:
    """A norm, or a leaky ReLU with learned slopes: both leave what passes as it is, but for a view before a norm."""
    (size,) = piece.weight
    if state is None:
        state = State(size, 0)
    if "bias" not in piece.shapes and "running_mean" not in piece.shapes:
        yield from [Link(piece, "PReLU", state, state)] if size in (1, state.size) else []
        return
    statistics = "running_mean" in piece.shapes
    if size == state.size:
        kind = "BatchNorm" if statistics else "InstanceNorm" if state.axes else "LayerNorm"
        yield Link(piece, kind + (f"{max(state.axes, 1)}d" if kind != "LayerNorm" else ""), state, state)
    elif not state.axes and square(state.size, size, 2):
        maps = State(size, 2)
        yield Link(piece, "BatchNorm2d" if statistics else "InstanceNorm2d", maps, maps)
