"""Any generator of which there is a state dict and nothing else: names and shapes tell most, the rest is asked for.

Of a whole module whose forward is not known, what its parts say of themselves is taken.

What no tensor says is guessed and said, and changed by options, or in a file with a line for each layer that is written
where it is not there yet (:mod:`weights_convert.recognise.layer_text`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from geomgan.errors import CheckpointError, GeomganError, OptionError
from geomgan.generators.activations import HIDDEN, OUTPUT_RANGES, SLOPE
from geomgan.models.families import Family
from weights_convert.containers import Found
from weights_convert.convert import Converted
from weights_convert.modules import Part, StateDict
from weights_convert.options import Options, choice, number, positive, whole
from weights_convert.programs import converted
from weights_convert.recognise import layer_text
from weights_convert.recognise.generators import generated, generator, note
from weights_convert.recognise.guess import Said, guessed, listed
from weights_convert.torch_modules import LAYERS, Line
from weights_convert.torch_modules.activations import LAYERS as ACTIVATIONS
from weights_convert.torch_modules.linear import PADDING_MODES
from weights_convert.torch_modules.weight_norms import folded

DECODER = re.compile(r"dec", re.IGNORECASE)
KINDS = {kind.lower(): kind for kind in (*ACTIVATIONS, "Identity")} | {"leaky_relu": "LeakyReLU", "linear": "Identity"}
STAGE = {"stride": (1, 16, 1), "padding": (0, 1024, 0), "output_padding": (0, 15, 0)}  # lowest, highest, torch's own
GUESSED = (
    "activation",
    "slope",
    "output",
    "epsilon",
    "size",
    "padding_mode",
    *STAGE,
)  # what a file of layers says itself


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """The layers of a file of theirs, or the best guess with what options say."""
    found = generator(states[""], options, bool)
    tensors, file = found.tensors, Path(options["layers"]).expanduser() if "layers" in options else None
    there = file is not None and file.exists()
    if there and (twice := [name for name in GUESSED if name in options]):
        raise OptionError(f"{twice[0]}={options[twice[0]]}, and {file} has the layers: say it there.")
    lines = layer_text.read(file) if file and there else _guess(found, options, file)
    if file and not there:
        raise _written(file, lines, tensors, options)
    tensors = _folded(tensors, lines)
    network = generated(lines, tensors, options)
    made = converted(network.program, tensors, options)
    text = [layer_text.text_of(line) for line in network.lines]
    return replace(made, card={**made.card, **note(found), "layers": text}, show=file is None)


def _folded(tensors: StateDict, lines: Sequence[Line]) -> StateDict:
    return folded(tensors, [line.path for line in lines if line.kind.startswith("ConvTranspose")])


def _guess(found: Found, options: Options, file: Path | None) -> Sequence[Line]:
    """The best guess; where there is none and a file of layers is wanted, each layer by itself."""
    shapes, parts = folded(found.tensors), found.tensors.parts
    said = _said(options, any(map(DECODER.match, (*found.prefix.split("."), *map(str, found.path)))))
    try:
        guess = guessed(shapes, said)
        if (held := _with_parts(said, guess.lines, parts)) != said:
            guess = guessed(shapes, held)
    except OptionError:
        raise
    except CheckpointError as error:
        if file is None:
            raise
        return [Line("Code", "", {}, f"its shape=... is missing: {error}"), *listed(shapes)]
    lines = [_as_said(line, parts.get(line.path)) for line in guess.lines]
    for name, value in _assumed(lines).items():
        options.assumed.setdefault(name, value)
    if guess.left:
        options.assumed["left"] = list(guess.left)
    return lines


def _with_parts(said: Said, lines: Sequence[Line], parts: Mapping[str, Part]) -> Said:
    """With the one hidden non-linearity that a whole module has beside these layers, and the one of its output."""
    beside = {line.path.rpartition(".")[0] for line in lines if line.path in parts}
    there = [
        replace(_as_said(Line(part.kind, path, {}), part), path="", why="guess: the module has it, and no other")
        for path, part in parts.items()
        if part.own and part.kind in KINDS.values() and path.rpartition(".")[0] in beside
    ]
    last = {KINDS[name] for name in OUTPUT_RANGES}
    hidden = [line for line in there if line.kind not in last]
    if not hidden or any(line != hidden[0] for line in hidden):
        return said
    outputs = {line.kind for line in there if line.kind in last}
    output = outputs.pop() if len(outputs) == 1 else None
    return replace(said, hidden=said.hidden or hidden[0], output=said.output or output)


def _as_said(line: Line, part: Part | None) -> Line:
    """The line with what a whole module says of itself there: its forward alone is to be guessed then."""
    if part is None or not part.own or part.kind not in LAYERS or not line.path:
        return line
    usual = {name: argument.default for name, argument in LAYERS[part.kind].arguments.items()}
    said = {name: part.attributes[name] for name in usual if part.attributes.get(name, usual[name]) != usual[name]}
    return Line(part.kind, line.path, said, "as the module says")


def _written(file: Path, lines: Sequence[Line], tensors: StateDict, options: Options) -> OptionError:
    """The error that says to look at the layers that were written to ``file``, with shapes where they fit."""
    try:
        network = generated(lines, _folded(tensors, lines), options)
        lines, shapes, reason = network.lines, network.shapes, ""
    except GeomganError as error:
        shapes, reason = (), f" They do not fit yet: {error}"
    file.write_text(layer_text.written(lines, shapes), encoding="utf-8")
    return OptionError(
        f"{file} was not there, and now has the {len(lines)} layers.{reason} Look at them, change what is not as in "
        f"the network's own code, then convert with --option layers={file}."
    )


def _said(options: Options, decodes: bool) -> Said:
    """What options say of the guess."""
    hidden, output, slope = options.get("activation"), options.get("output"), options.get("slope")
    if hidden is not None:
        choice(*KINDS)("activation", hidden)
    elif slope is not None:
        hidden = "leaky_relu"
    if output is not None:
        choice(*KINDS)("output", output)
    if slope is not None and hidden != "leaky_relu":
        raise OptionError(f"slope={slope}, but the activation is {hidden}. Leave one of them out.")
    settings = {"negative_slope": number(0, 1)("slope", slope) if slope else SLOPE} if hidden == "leaky_relu" else {}
    return Said(
        Line(KINDS[hidden], "", settings) if hidden else None,
        KINDS[output] if output else None,
        positive("epsilon", options["epsilon"]) if "epsilon" in options else None,
        whole(1, 4096, 1)("size", options["size"])[0] if "size" in options else None,
        {name: _each(name, options[name], low, high) for name, (low, high, _) in STAGE.items() if name in options},
        choice(*PADDING_MODES)("padding_mode", options.get("padding_mode", "zeros")),
        decodes,
    )


def _each(name: str, text: str, low: int, high: int) -> list[int]:
    return whole(low, high, max(text.count(",") + 1, 1))(name, text)


def _assumed(lines: Sequence[Line]) -> dict[str, Any]:
    """What is guessed in these lines, in the words of the options."""
    guesses = [line for line in lines if line.why.startswith("guess")]
    kernels = [line for line in lines if line.kind.startswith("Conv")]
    found: dict[str, Any] = {}
    if any(line in guesses for line in kernels):
        for name, (_, _, usual) in STAGE.items():
            values = [line.settings.get(name, usual) for line in kernels]
            found |= {name: values} if name != "output_padding" or any(values) else {}
    end = max((i for i, line in enumerate(lines) if line.path), default=0)  # behind it stands the output
    hidden = next((line.kind for line in lines[:end] if line in guesses and line.kind in ACTIVATIONS), "")
    output = next((line.kind for line in lines[end:] if line in guesses and line.kind in ACTIVATIONS), "")
    epsilons = {line.settings["eps"] for line in guesses if "eps" in line.settings}
    ups = [lines[i + 1].path for i, line in enumerate(lines) if line.kind == "Upsample"]
    words = {kind: word for word, kind in KINDS.items() if word in (*HIDDEN, *OUTPUT_RANGES)}
    found |= {"activation": words[hidden]} if hidden in words else {}
    found |= {"output": words[output]} if output in words else {}
    found |= {"epsilon": epsilons.pop() if len(epsilons) == 1 else sorted(epsilons)} if epsilons else {}
    found |= {"upsampling before": ups} if ups else {}
    order = ["before" if line.path == "code" else "behind" for line in guesses if line.kind == "Concat"]
    return found | ({"class": f"{order[0]} the code"} if order else {})
