"""Which part of a file of unknown layout makes samples: the generator beside a discriminator, the decoder of a VAE."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from geomgan.errors import CheckpointError, OptionError
from weights_convert.containers import Found, find
from weights_convert.modules import StateDict
from weights_convert.options import Options
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
    """The prefixes of networks that are named as what makes samples, beside others; that of all where none is."""
    found = []
    for name in tensors:
        parts = name.split(".")[:-1]
        for i, part in enumerate(parts):
            if MAKES.fullmatch(part):
                prefix = ".".join(parts[: i + 1]) + "."
                found += [prefix] if prefix not in found else []
                break
    whole = [prefix for prefix in found if all(name.startswith(prefix) for name in tensors)]
    return [""] if whole or not found else found


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
