"""The best guess of a whole network: its layers by their tensors, and between them what usually stands there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from geomgan.errors import CheckpointError
from weights_convert.recognise.guess.chain import Link
from weights_convert.recognise.guess.pieces import LEFT, Piece, between, pieces_of
from weights_convert.recognise.guess.selection import WAYS, generator_of
from weights_convert.recognise.guess.sides import MOST_SIDE, Choice, Stage, Step, cheapest, plain, transposed, unusual
from weights_convert.torch_modules import Line
from weights_convert.torch_modules.linear import square

PYTORCH_GAN = 0.8  # its `BatchNorm2d(128, 0.8)` means a momentum and gives an epsilon
PYTORCH_GAN_WIDTHS = [128, 256, 512, 1024]  # of its dense generators


@dataclass(frozen=True)
class Said:
    """What is said besides: of hidden non-linearities, the last one, the sides; None or empty where nothing is.

    Attributes:
        decoder: whether the network lies where decoders do.
    """

    hidden: Line | None = None
    output: str | None = None
    epsilon: float | None = None
    size: int | None = None
    stages: Mapping[str, Sequence[int]] = field(default_factory=dict)  # stride, padding, output_padding by layer
    padding_mode: str = "zeros"
    decoder: bool = False


@dataclass(frozen=True)
class Guess:
    """A network, and the layers of the file that are no part of it."""

    lines: tuple[Line, ...]
    left: tuple[str, ...]


def guessed(tensors: Mapping[str, Any], said: Said) -> Guess:
    """The generator in a state dict.

    Raises:
        CheckpointError: tensors are of no layer that is known here, or the layers do not follow each other; or they are
            those of an encoder or a discriminator.
    """
    pieces = pieces_of(tensors)
    tables = [piece for piece in pieces if piece.embedding]
    layers = [piece for piece in pieces if not piece.embedding]
    links, decoder = generator_of(layers)
    used = {link.piece.path for link in links} | {piece.path for piece in tables}
    left = tuple(piece.path for piece in pieces if piece.path not in used)
    decoder = decoder or said.decoder or any(LEFT.fullmatch(path) for path in left)
    first = links[0]
    inputs = _inputs(first, tables, dense=_of_pytorch_gan(links))
    steps = list(_steps(links, said, decoder))
    start = 1 if first.takes.axes else 0
    channels = links[-1].makes.size
    way = cheapest(steps, start, lambda side: unusual(side, channels, said.size) if links[-1].makes.axes == 2 else 0.0)
    if way is None:
        raise CheckpointError(f"strides and paddings that fit its kernels are not found: {WAYS}")
    return Guess((*inputs, *way.lines), left)


# --- What goes in ---


def _inputs(first: Link, tables: Sequence[Piece], *, dense: bool) -> list[Line]:
    """The code, and a class whose row of a table is joined to it; nothing where the first layer says all."""
    if not tables:
        return []
    table, takes = tables[0], first.takes.size
    width = table.weight[1]
    if len(tables) > 1 or width > takes:
        raise CheckpointError(
            f"the tables {', '.join(piece.path for piece in tables)} are looked up by a class, and how they meet the "
            f"code of {first.piece.path} no shape tells: {WAYS}"
        )
    size = takes - width or takes
    shape: Any = (size, *(1,) * first.takes.axes) if first.takes.axes else (size,)
    joined = "Concat" if size < takes else "Multiply"
    view = [Line("View", "", {"shape": (width, *shape[1:])})] if first.takes.axes else []
    looked_up = [
        Line("Class", "", {}, "an integer: class_index of geomgan.load"),
        Line("Embedding", table.path, {}, f"{table.weight[0]} classes"),
        *view,
    ]
    coded = [Line("Code", "", {"shape": shape}, f"{first.piece.path} takes {takes}")]
    if dense and joined == "Concat":
        why = "guess: PyTorch-GAN's layers, whose code has the class first"
        return [*coded, Line("Keep", "code"), *looked_up, Line(joined, "code", {}, why)]
    why = "guess: whether code or class stands first, no shape tells"
    return [*looked_up, Line("Keep", "label"), *coded, Line(joined, "label", {}, why)]


# --- What stands between ---


def _steps(links: Sequence[Link], said: Said, decoder: bool) -> Iterator[Step]:
    """Slots and layers in turn, each as all the ways that are usual."""
    hidden = said.hidden or Line("ReLU", "", {}, "guess: the most usual")
    acted, convolutions = True, 0
    dense = _of_pytorch_gan(links)
    for i, link in enumerate(links):
        if i:
            before = links[i - 1]
            gap = between(before.piece, link.piece)
            choices, acted = _slot(before, link, gap, acted, hidden, first=i == 1, leading=_leading(links, i - 1))
            yield choices
        if "Conv" in link.kind:
            yield _convolution(link, said, convolutions)
            convolutions += 1
            acted = False
        elif link.kind == "Linear":
            yield _constant([Line("Linear", link.piece.path, {}, f"takes {link.takes.size}")], 0)
            acted = False
        else:
            yield _norm(link, said, dense)
            acted = acted or link.kind == "PReLU"
    output = said.output or ("Sigmoid" if decoder else "Tanh")
    why = "" if said.output else f"guess: of a {'VAE' if decoder else 'GAN'}"
    yield lambda side: [Choice((Line(output, "", {}, why),) if output != "Identity" else (), 0.0, side)]


def _of_pytorch_gan(links: Sequence[Link]) -> bool:
    """Whether the layers are those of its dense generators."""
    return [link.makes.size for link in links if link.kind == "Linear"][:-1] == PYTORCH_GAN_WIDTHS


def _slot(
    before: Link, after: Link, gap: int | None, acted: bool, hidden: Line, *, first: bool, leading: bool
) -> tuple[Step, bool]:
    """What can stand between two layers, ``gap`` modules without tensors; and whether one is a non-linearity."""
    weighted = after.piece.weighted
    silent = gap == 0 or (gap is None and not weighted)
    bare = first and gap is None and before.kind == "Linear" and before.piece.place is None and after.takes.axes > 1
    act = () if acted or silent or bare or after.kind == "PReLU" else (hidden,)
    more = max((gap or 0) - len(act), 0)
    doubles = weighted and after.kind.startswith("Conv") and not after.kind.startswith("ConvT")
    view = _view(before, after, ", and guess: nothing before the view" if bare else "")

    def choices(side: int) -> Iterator[Choice]:
        here = view[0] if view else side
        lines = (*act, *view[1]) if view else act
        flat = after.kind == "Linear" and before.makes.axes > 0
        if flat:
            yield Choice((*lines, Line("Flatten")), 0.0, 0)
            return
        dropout = tuple(Line("Dropout", "", {}, f"guess: one of {gap} modules without tensors") for _ in range(more))
        yield Choice((*lines, *dropout), 2.0 if doubles and more else 0.0, here)
        if doubles and not silent and here:
            up = Line("Upsample", "", {"scale_factor": 2}, f"guess: doubles the side of {here}")
            yield Choice((*lines, up, *dropout[1:]), 0.0 if more else 1.0 if gap is None else 4.0, 2 * here)
            if gap == 1:  # there is one module alone: the upsampling, or the non-linearity
                yield Choice((*(view[1] if view else ()), up), 1.0 if leading else 3.0, 2 * here)

    return choices, acted or bool(act)


def _leading(links: Sequence[Link], i: int) -> bool:
    """Whether a layer is a norm straight behind the view of a dense layer."""
    return i > 0 and not links[i].piece.weighted and links[i - 1].kind == "Linear" and links[i].takes.axes > 0


def _view(before: Link, after: Link, more: str) -> tuple[int, tuple[Line, ...]] | None:
    """The side of the maps that a dense layer's numbers become, and the view."""
    if before.makes.axes or not after.takes.axes:
        return None
    shape = square(before.makes.size, after.takes.size, after.takes.axes)
    assert shape is not None  # else the two were no links of a chain
    return shape[1], (Line("View", "", {"shape": shape}, f"the only square maps that fit{more}"),)


def _constant(lines: Sequence[Line], side: int) -> Step:
    return lambda _: [Choice(tuple(lines), 0.0, side)]


def _norm(link: Link, said: Said, dense: bool) -> Step:
    path, place = link.piece.path, link.piece.place
    if link.kind == "PReLU":
        line = Line("PReLU", path)
    elif said.epsilon is not None:
        line = Line(link.kind, path, {"eps": said.epsilon})
    elif dense or (path.startswith("conv_blocks.") and place and place[1]):
        line = Line(link.kind, path, {"eps": PYTORCH_GAN}, "guess: PyTorch-GAN's layers, whose code gives 0.8")
    else:
        line = Line(link.kind, path, {"eps": 1e-5}, "guess: torch's own")
    return lambda side: [Choice((line,), 0.0, side)]


def _convolution(link: Link, said: Said, place: int) -> Step:
    is_transposed = link.kind.startswith("ConvTranspose")
    kernel = link.piece.weight[-1]

    def fits(stage: Stage) -> bool:
        asked = (said.stages.get(name) for name in ("stride", "padding", "output_padding"))
        return all(
            values is None or values[min(place, len(values) - 1)] == n for values, n in zip(asked, stage, strict=True)
        )

    def choices(side: int) -> Iterator[Choice]:
        side = side or 1
        usual = list((transposed if is_transposed else plain)(kernel, side))
        stages = [row for row in usual if fits(row[0])] or [_asked(said, place, kernel, side, is_transposed)]
        for stage, cost, behind in stages:
            if 1 <= behind <= MOST_SIDE:
                names = ("stride", "padding", "output_padding") if is_transposed else ("stride", "padding")
                settings: dict[str, Any] = {n: v for n, v in zip(names, stage, strict=False) if v != (n == "stride")}
                if not is_transposed and said.padding_mode != "zeros" and settings.get("padding"):
                    settings["padding_mode"] = said.padding_mode
                why = "" if set(names) <= set(said.stages) else f"guess: usual for a kernel of {kernel}"
                yield Choice((Line(link.kind, link.piece.path, settings, why),), cost, behind)

    return choices


def _asked(said: Said, place: int, kernel: int, side: int, is_transposed: bool) -> tuple[Stage, float, int]:
    """The stage that the user says, with usual values for what is not said."""
    default = {"stride": 1, "padding": 0, "output_padding": 0}
    values = {name: said.stages.get(name, [default[name]]) for name in default}
    stride, padding, more = (chosen[min(place, len(chosen) - 1)] for chosen in values.values())
    if is_transposed:
        behind = (side - 1) * stride - 2 * padding + kernel + more
    else:
        behind = (side + 2 * padding - kernel) // max(stride, 1) + 1
    return (stride, padding, more), 0.0, behind
