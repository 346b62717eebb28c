"""Layers in a sequence: names that end in places, ``main.0.weight``, ``gen.3.bias``, ``net.2.0.weight``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np

from weights_convert.containers import Fits, alone
from weights_convert.modules import StateDict

PLACE = re.compile(r"(?P<prefix>(?:[^.]+\.)*?)(?P<place>\d{1,6}(?:\.\d{1,6})*)\.(?P<part>\w+)")  # the shortest prefix
Place = tuple[int, ...]
Places = dict[Place, dict[str, str]]
"""Place in the sequence -> part, ``weight`` or ``bias`` -> name of the tensor."""


def sequence(tensors: Mapping[str, np.ndarray]) -> tuple[str, Places]:
    """The prefix that the layers have before their places, and what is at each place."""
    found, chained = _sequences(tensors), _chained(tensors)
    prefix = max(chained or found, key=lambda prefix: len(found[prefix]), default="main.")
    return prefix, found.get(prefix, {})


def kernels_of(places: Places) -> list[Place]:
    """The places with a weight that is no norm's."""
    return [place for place, parts in places.items() if "weight" in parts and "running_mean" not in parts]


def path_of(prefix: str, place: Place) -> str:
    """The path of a layer."""
    return prefix + ".".join(map(str, place))


def chains(_: Sequence[str]) -> Fits:
    """What fits a family of transposed convolutions that follow each other, whatever stands before their places.

    Of that the last part stays, ``main.``: it is the layers' own name.
    """

    def fits(tensors: StateDict) -> dict[str, StateDict]:
        prefixes = _chained(tensors)
        return {prefix: _with_last_part(alone(tensors, prefix, prefixes), prefix) for prefix in prefixes}

    return fits


def _with_last_part(tensors: StateDict, prefix: str) -> StateDict:
    before = re.sub(r"[^.]+\.$", "", prefix)
    return tensors.renamed(lambda name: name.removeprefix(before))


def _sequences(tensors: Mapping[str, np.ndarray]) -> dict[str, Places]:
    """Prefix -> what is at each place of the sequence of layers behind it, in order."""
    found: dict[str, Places] = {}
    for name in tensors:
        if match := PLACE.fullmatch(name):
            place = tuple(map(int, match["place"].split(".")))
            found.setdefault(match["prefix"], {}).setdefault(place, {})[match["part"]] = name
    return {prefix: dict(sorted(places.items())) for prefix, places in found.items()}


def _chained(tensors: Mapping[str, np.ndarray]) -> list[str]:
    """The prefixes behind which transposed convolutions follow each other."""
    found = []
    for prefix, places in _sequences(tensors).items():
        shapes = [np.shape(tensors[places[place]["weight"]]) for place in kernels_of(places)]
        if len(shapes) > 1 and all(len(shape) == 4 for shape in shapes):
            found += [prefix] if all(a[1] == b[0] for a, b in itertools.pairwise(shapes)) else []
    return found
