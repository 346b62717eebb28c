"""Which part of a file of unknown layout makes samples: the generator beside a discriminator, the decoder of a VAE."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from geomgan.errors import CheckpointError, OptionError
from weights_convert.containers import OTHERS, Found, find
from weights_convert.modules import StateDict
from weights_convert.options import Options
from weights_convert.recognise.guess.pieces import LEFT
from weights_convert.torch_modules import Line, Traced, traced, with_input

KEYS = (  # what people call it
    *(f"{name}{suffix}" for suffix in ("_state_dict", "") for name in ("netG", "generator", "G", "gen", "decoder")),
    *("model_state_dict", "state_dict", "model"),
)
MAKES = re.compile(r"(net|model)?_?(g|gen|generator|dec|decoder)_?(net|model)?\d*", re.IGNORECASE)
MOST_SIDES = 4


def generator(state: Any, options: Options, accepts: Callable[[StateDict], bool]) -> Found:
    """The one network in a file that is named as a generator or decoder, or all of it.

    Args:
        state: what the file holds.
        options: ``network``, where there are several.
        accepts: which state dicts the family takes.
    """

    def fits(tensors: StateDict) -> Mapping[str, StateDict]:
        return {prefix: _behind(tensors, prefix) for prefix in named(tensors)} if accepts(tensors) else {}

    return find(state, KEYS, fits, options.get("network"))


def _behind(tensors: StateDict, prefix: str) -> StateDict:
    return tensors.renamed(lambda name: name.removeprefix(prefix) if name.startswith(prefix) else None)


def named(tensors: StateDict) -> Sequence[str]:
    """The prefixes of networks that are named as what makes samples; that of all where there is none.

    What lies beside them must be named as parts of an encoder or a discriminator: else the generator is more.
    """
    found: list[str] = []
    beside: set[str] = set()
    for name in tensors:
        parts = name.split(".")[:-1]
        makes = next((i for i, part in enumerate(parts) if MAKES.fullmatch(part)), None)
        if makes is None:
            beside.add(next(filter(_apart, parts), name))
        elif (prefix := ".".join(parts[: makes + 1]) + ".") not in found:
            found.append(prefix)
    return found if found and all(map(_apart, beside)) and (beside or len(found) > 1) else [""]


def _apart(part: str) -> bool:
    """Whether a part of a name is that of another network."""
    return bool(LEFT.fullmatch(part) or OTHERS.fullmatch(part))


def note(found: Found) -> dict[str, str]:
    """What the card says of where the network was."""
    return {"taken": str(found)} if str(found) else {}


def generated(lines: Sequence[Line], tensors: StateDict, options: Options) -> Traced:
    """The program of a network that makes samples of codes.

    Raises:
        CheckpointError: lines and tensors do not fit; or it makes fewer numbers than it takes, as an encoder or a
            discriminator, and nobody gave the shape of its input.
        OptionError: ``input`` is no shape, or is missing.
    """
    given = shape(options["input"]) if "input" in options else None
    network = traced(with_input(lines, tensors, given), tensors)
    code, sample = network.program.latent_dim, math.prod(network.shapes[-1])
    if sample < code and given is None and not any(line.kind == "Code" for line in lines):
        raise CheckpointError(
            f"it makes {sample} numbers of {code}: that is an encoder or a discriminator, and no generator. Get the "
            "file with the generator; where it is one, say so: --option input="
            f"{','.join(map(str, network.program.inputs[0].shape[1:]))}"
        )
    options.assumed |= network.assumed
    return network


def shape(text: str) -> tuple[int, ...]:
    """The shape of one code: ``100``, or ``3,64,64``."""
    parts = text.split(",")
    if not 1 <= len(parts) <= MOST_SIDES or not all(part.isdecimal() and 0 < len(part) < 8 for part in parts):
        raise OptionError(f"input={text[:40]!r}; expected the shape of one code: 100, or 3,64,64.")
    return tuple(map(int, parts))
