"""Distances by name, as the command line and stored runs know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from geomgan.distances.audio import spectrogram
from geomgan.distances.basic import euclidean, mse
from geomgan.distances.classifiers import classifier_features
from geomgan.distances.distance import Distance
from geomgan.distances.lpips import lpips
from geomgan.distances.probabilistic import gaussian
from geomgan.distances.ssim import ms_ssim, ssim
from geomgan.errors import OptionError, check_choice


@dataclass(frozen=True)
class Named:
    """How a distance of this name is made.

    Attributes:
        make: from its options.
        takes: options that may be given.
        needs: options that must be given, and an example of each.
        side: the only one that its network takes, where ``resize`` is free for others.
    """

    make: Callable[..., Distance]
    takes: tuple[str, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    side: int | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """All options of this distance."""
        return (*self.takes, *(name for name, _ in self.needs))


DISTANCES: dict[str, Named] = {
    "mse": Named(mse),
    "euclidean": Named(euclidean),
    "gaussian": Named(gaussian),
    "lpips-alex": Named(partial(lpips, "alex"), ("resize",)),
    "lpips-vgg": Named(partial(lpips, "vgg"), ("resize",)),
    "lpips-squeeze": Named(partial(lpips, "squeeze"), ("resize",)),
    "ssim": Named(ssim),
    "ms-ssim": Named(ms_ssim),
    "digit-features": Named(partial(classifier_features, "digits", "conv3"), ("resize",), side=32),
    "spectrogram": Named(spectrogram, needs=(("sample_rate", "16000 (hertz), that of the published WaveGANs"),)),
}


def named_distance(name: str, resize: int | None = None, *, sample_rate: float | None = None) -> Distance:
    """A distance by its name; see :func:`named_distances`."""
    return named_distances((name,), resize, sample_rate=sample_rate)[0]


def named_distances(
    names: Sequence[str], resize: int | None = None, *, sample_rate: float | None = None
) -> tuple[Distance, ...]:
    """Distances by their names, that are used together: each gets those of the options that it takes.

    Args:
        names: of ``DISTANCES``.
        resize: interpolate samples to this side before a network; for the distances that have one.
        sample_rate: of the samples, in hertz; ``spectrogram`` needs it, because no value is right for all.

    Raises:
        OptionError: an unknown name, the nearest are given; an option that none of them takes, or a missing one.
    """
    given = {name: x for name, x in (("resize", resize), ("sample_rate", sample_rate)) if x is not None}
    for name in names:
        check_choice(name, DISTANCES, "distance")
        for needed, example in DISTANCES[name].needs:
            if needed not in given:
                raise OptionError(f"distance={name!r} needs {needed}, such as {example}.")
    for option in given:
        if not any(option in DISTANCES[name].options for name in names):
            takers = ", ".join(known for known, entry in DISTANCES.items() if option in entry.options)
            raise OptionError(f"{' and '.join(names)} cannot take {option}; it is for {takers}. Leave it out.")
    return tuple(_made(DISTANCES[name], given, first=name == names[0]) for name in names)


def _made(entry: Named, given: Mapping[str, Any], first: bool) -> Distance:
    """A distance with what it takes; a side that is meant for the first is left out where it cannot be."""
    taken = {option: x for option, x in given.items() if option in entry.options}
    if not first and entry.side and taken.get("resize") != entry.side:
        taken.pop("resize", None)
    return entry.make(**taken)
