"""What an attribute of a picture is, and attributes of many pictures.

A plug-in is any function ``attribute(images) -> values``: images ``(n, H, W, 3)`` in ``[0, 1]`` as they are shown, and
a number for each, or several ``(n, k)``; NaN where a picture has none. :class:`Attribute` adds what the numbers are
called, their range and their period.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.errors import as_array
from geomgan.pictures import is_image, shared_range

TOGETHER = 256  # images
Measure = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Attribute:
    """A function of pictures, and what its numbers are.

    Attributes:
        measure: ``images (n, H, W, 3) -> (n,)`` or ``(n, k)``.
        columns: names of the ``k`` numbers.
        ranges: of each number, lowest and highest; the published correlation cuts and scales by it.
        periods: of each number that turns, such as a hue; None for others.
        relative: the numbers are an embedding, and the value is its cosine with that of the walk's own code.
    """

    measure: Measure
    columns: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]
    periods: tuple[float | None, ...] = ()
    relative: bool = False


@brief
@dataclass(frozen=True)
class AttributeValues:
    """Attributes of pictures.

    Attributes:
        values: ``(..., A)``; NaN where a picture has none.
        names: of the ``A`` numbers.
        ranges: ``(A, 2)``, of each; infinite where none is known.
        periods: ``(A,)``; infinite for numbers that do not turn.
        relative: ``(A,)``, whether the number says how far the picture is from that of the walk's own code.
    """

    values: np.ndarray
    names: tuple[str, ...]
    ranges: np.ndarray
    periods: np.ndarray
    relative: np.ndarray

    @property
    def missing(self) -> dict[str, int]:
        """How many pictures have no such number, for each."""
        counts = np.isnan(self.values).reshape(-1, len(self.names)).sum(axis=0)
        return dict(zip(self.names, counts.tolist(), strict=True))


def measure_attributes(
    samples: Any,
    attributes: Mapping[str, Attribute | Measure],
    output_range: tuple[float, float] | None = (-1, 1),
    *,
    centre: int = 0,
    progress: bool = False,
) -> AttributeValues:
    """Attributes of pictures, of walks for example.

    Args:
        samples: ``(..., H, W, C)``; the axis before the last three is the walk, for attributes that are relative.
        attributes: name -> an attribute, or a function of one's own.
        output_range: of the samples; None takes the range of all of them together.
        centre: the place of the code itself on a walk.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: samples are no images, there is no attribute, two numbers have one name, or a function returns
            another number of values than it gets pictures.
    """
    samples = as_array(samples, "samples")
    shape = np.shape(samples)
    if len(shape) < 4 or not is_image(shape[-3:]):
        raise ValueError(f"samples have shape {shape}; expected images (..., H, W, 1) or (..., H, W, 3).")
    if not attributes:
        raise ValueError("there is no attribute; expected some, by name: {'brightness': function}.")
    bounds = shared_range(samples, output_range)
    flat = samples.reshape(-1, *shape[-3:])
    parts = range(0, len(flat), TOGETHER)
    found: dict[str, list[np.ndarray]] = {name: [] for name in attributes}
    for first in tqdm(parts, "attributes", unit="block", disable=not progress):
        images = shown(flat[first : first + TOGETHER], bounds)
        for name, one in attributes.items():
            found[name].append(_values(name, one, images))
    columns = [_columns(name, one, np.concatenate(found[name]), shape[:-3], centre) for name, one in attributes.items()]
    names = tuple(name for part in columns for name in part.names)
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two attributes are called {min(twice)!r}; expected a name for each. Rename one.")
    joined = [np.concatenate([getattr(part, field) for part in columns]) for field in ("ranges", "periods", "relative")]
    return AttributeValues(np.concatenate([part.values for part in columns], axis=-1), names, *joined)


def shown(samples: Any, bounds: tuple[float, float]) -> np.ndarray:
    """Samples ``(n, H, W, C)`` as pictures ``(n, H, W, 3)`` in ``[0, 1]``."""
    low, high = bounds
    images = np.clip((np.asarray(samples, np.float32) - low) / np.float32(high - low or 1.0), 0.0, 1.0)
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def _values(name: str, one: Attribute | Measure, images: np.ndarray) -> np.ndarray:
    measure = one.measure if isinstance(one, Attribute) else one
    values = np.asarray(measure(images), np.float64)
    if values.ndim not in (1, 2) or len(values) != len(images):
        raise ValueError(
            f"the attribute {name!r} returned shape {values.shape} for {len(images)} pictures; expected "
            f"({len(images)},), or ({len(images)}, k): a number for each, NaN where there is none."
        )
    return values.reshape(len(images), -1)


def _columns(
    name: str, one: Attribute | Measure, values: np.ndarray, walks: tuple[int, ...], centre: int
) -> AttributeValues:
    k = values.shape[1]
    values = values.reshape(*walks, k)
    if not isinstance(one, Attribute):
        names = (name,) if k == 1 else tuple(f"{name} {i}" for i in range(k))
        return AttributeValues(values, names, np.tile([-np.inf, np.inf], (k, 1)), np.full(k, np.inf), np.zeros(k, bool))
    if one.relative:
        unit = values / np.linalg.norm(values, axis=-1, keepdims=True)
        values = (unit * unit[..., centre : centre + 1, :]).sum(axis=-1, keepdims=True)
    periods = [period or np.inf for period in one.periods or [None] * len(one.columns)]
    relative = np.full(len(one.columns), one.relative)
    return AttributeValues(values, one.columns, np.array(one.ranges, float), np.array(periods, float), relative)
