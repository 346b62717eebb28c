"""Keras models of common layers, Sequential and functional, as programs of ATen operators.

``file`` reads an archive or HDF5 file as data; ``graph`` walks through its layers, each of which one function of
``linear``, ``norms``, ``activations``, ``maps`` or ``merging`` writes as operators into a growing ``network``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.keras_layers.graph import program_of
from weights_convert.options import Options
from weights_convert.programs import converted


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """The model of a file of Keras, whose first input of floating point is the code."""
    state = states[""]
    return converted(*program_of(state["model"], state["variables"], state["old"]), options)
