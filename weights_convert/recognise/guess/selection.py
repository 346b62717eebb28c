"""Which layers of a file are the generator's: what follows an encoder's heads, or all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geomgan.errors import CheckpointError
from weights_convert.recognise.guess.chain import Link, State, chains
from weights_convert.recognise.guess.pieces import LEFT, Piece, pieces_of
from weights_convert.torch_modules import Line

WAYS = "say what runs with --option layers=FILE, which is written with what is known where there is none"


def listed(tensors: Mapping[str, Any]) -> list[Line]:
    """Every layer of a file by itself, in its order: what is known where no guess fits."""
    return [Line(link.kind, link.piece.path) for chain in chains(pieces_of(tensors)) for link in chain.links]


def generator_of(pieces: Sequence[Piece]) -> tuple[list[Link], bool]:
    """The layers of the generator or decoder, and whether an encoder's heads come before them.

    Raises:
        CheckpointError: a tensor is of no layer that is known here, or the layers do not follow each other; or they
            are those of an encoder or a discriminator.
    """
    runs = chains(pieces)
    if not runs:
        raise _unknown([piece for piece in pieces if piece.odd])
    heads, found = False, next((i for i, chain in enumerate(runs) if not _left(chain.links[0])), 0)
    for i, chain in enumerate(runs):
        if i and _twins(runs[i - 1].links[-1], chain.links[0]) and len(chain.links) > 1:
            heads, found = True, i
    chosen = runs[found].links[1:] if heads else runs[found].links
    start = next(i for i, piece in enumerate(pieces) if piece.path == chosen[0].piece.path)
    if odd := [piece for piece in pieces[start:] if piece.odd]:
        raise _unknown(odd)
    apart = [chain.links[0] for chain in runs[found + 1 :]]
    if parting := [link for link in apart if not _left(link)]:
        last = chosen[-1]
        raise CheckpointError(
            f"{parting[0].piece.path} takes {_words(parting[0].takes)}, and {last.piece.path} before it makes "
            f"{_words(last.makes)}: they do not follow each other, so that its forward does more than one layer after "
            f"the other. {WAYS[0].upper()}{WAYS[1:]}"
        )
    if not _expands(chosen):
        raise CheckpointError(
            f"its layers make {_words(chosen[-1].makes)} of {_words(chosen[0].takes)}: that is an encoder or a "
            f"discriminator, and no generator. Get the file with the generator; where it is one, {WAYS}"
        )
    return list(chosen), heads


def _left(link: Link) -> bool:
    """Whether a layer is named as one of another network."""
    return bool(LEFT.fullmatch(link.piece.path.partition(".")[0]))


def _twins(a: Link, b: Link) -> bool:
    """Whether two layers are the heads of an encoder, mean and log variance."""
    return a.kind == b.kind and a.piece.shapes == b.piece.shapes and len(a.piece.weight) > 1


def _expands(links: Sequence[Link]) -> bool:
    first, last = links[0].takes, links[-1].makes
    if not last.axes:
        return not first.axes and last.size > first.size
    return not first.axes or any(link.kind.startswith("ConvTranspose") for link in links)


def _unknown(odd: Sequence[Piece]) -> CheckpointError:
    names = [f"{piece.path}.{part}" if piece.path else part for piece in odd for part in piece.shapes]
    shown = ", ".join([*names[:6], *(["..."] if len(names) > 6 else [])])
    return CheckpointError(
        f"{f'the tensors {shown} are' if names else 'the file has no tensors that are'} those of a layer whose work no "
        "name and shape tells. Export the network: `geomgan export-recipe` prints the lines"
    )


def _words(state: State) -> str:
    return f"maps of {state.size} channels" if state.axes else f"{state.size} numbers"
