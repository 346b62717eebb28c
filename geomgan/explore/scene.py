"""What is on the screen, as frozen data: every action makes a new one of it, and undo is going back to the last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from geomgan.brief import brief
from geomgan.explore.axes import Axis, Spectrum

HISTORY = 200  # places that are remembered


@brief
@dataclass(frozen=True, eq=False)
class Place:
    """A code, and how it was reached.

    Attributes:
        start: ``(d,)`` float64, the code at which all sliders are zero.
        reference: ``(d,)``, the code whose picture is beside.
        target: ``(H, W, C)``, the image that was projected, which is beside instead; None for none.
        spectrum: of the metric that the axes are of.
        axes: the sliders.
        offsets: of each the step ``t``.
        said: what was done, for the history.
        gesture: of the hand that moves a slider; moves of one gesture are one entry of the history.
    """

    start: np.ndarray
    reference: np.ndarray
    spectrum: Spectrum
    axes: tuple[Axis, ...]
    offsets: tuple[float, ...]
    said: str
    gesture: str = ""
    target: np.ndarray | None = None

    @property
    def beside(self) -> str:
        """What the picture beside is of: ``"start"``, ``"pinned"`` or ``"image"``."""
        if self.target is not None:
            return "image"
        return "start" if np.array_equal(self.reference, self.start) else "pinned"

    def index(self, number: int) -> int:
        """Where a slider is among them.

        Raises:
            ValueError: there is none of this number.
        """
        for i, axis in enumerate(self.axes):
            if axis.number == number:
                return i
        raise ValueError(f"there is no slider {number}.")

    def along(self, number: int, steps: np.ndarray) -> np.ndarray:
        """The codes ``(T, d)`` with one slider at the steps ``t (T,)`` and the others where they are."""
        i = self.index(number)
        before = _moved(self.start, self.axes[:i], self.offsets[:i])
        codes = np.asarray(self.axes[i].move.path(before)(np.asarray(steps, np.float64)), np.float64)
        return np.stack([_moved(z, self.axes[i + 1 :], self.offsets[i + 1 :]) for z in codes])

    @property
    def code(self) -> np.ndarray:
        """``(d,)`` float64, with every slider where it is."""
        return _moved(self.start, self.axes, self.offsets)

    def base(self, number: int) -> bytes:
        """What the scale of a slider depends on: the code with this slider at zero."""
        return self.along(number, np.zeros(1))[0].tobytes()


@brief
@dataclass(frozen=True, eq=False)
class Kept:
    """A code with a name."""

    name: str
    code: np.ndarray


@brief
@dataclass(frozen=True, eq=False)
class Scene:
    """The places in their order, the one that is shown, and the codes that were kept.

    Attributes:
        places: the history, the oldest first.
        at: which of them is shown.
        kept: codes with names.
    """

    places: tuple[Place, ...]
    at: int = 0
    kept: tuple[Kept, ...] = ()

    @property
    def place(self) -> Place:
        """The one that is shown."""
        return self.places[self.at]


def _moved(z: np.ndarray, axes: tuple[Axis, ...], offsets: tuple[float, ...]) -> np.ndarray:
    for axis, t in zip(axes, offsets, strict=True):
        if t:
            z = np.asarray(axis.move.path(z)(np.array([t])), np.float64)[0]
    return z


def went(scene: Scene, place: Place) -> Scene:
    """A new place; what was undone before is forgotten."""
    past = (*scene.places[: scene.at + 1], place)[-HISTORY:]
    return replace(scene, places=past, at=len(past) - 1)


def moved(scene: Scene, number: int, t: float, gesture: str) -> Scene:
    """One slider at ``t``; moves of the same gesture replace each other."""
    place, i = scene.place, scene.place.index(number)
    offsets = (*place.offsets[:i], float(t), *place.offsets[i + 1 :])
    said, gesture = f"moved {place.axes[i].name}", f"{number}:{gesture}" if gesture else ""
    new = replace(place, offsets=offsets, said=said, gesture=gesture)
    if gesture and place.gesture == gesture:
        return replace(scene, places=(*scene.places[: scene.at], new), at=scene.at)
    return went(scene, new)


def restarted(
    scene: Scene, start: np.ndarray, spectrum: Spectrum, said: str, target: np.ndarray | None = None
) -> Scene:
    """Another start, without sliders yet; beside is its picture, or that of the image that it was projected from."""
    return went(scene, Place(start, start, spectrum, (), (), said, target=target))


def added(scene: Scene, axis: Axis) -> Scene:
    """One more slider, at zero."""
    place = scene.place
    said = f"added {axis.name}"
    return went(scene, replace(place, axes=(*place.axes, axis), offsets=(*place.offsets, 0.0), said=said, gesture=""))


def removed(scene: Scene, number: int) -> Scene:
    """Without a slider: what it had moved goes back."""
    place, i = scene.place, scene.place.index(number)
    without = lambda x: (*x[:i], *x[i + 1 :])
    said = f"removed {place.axes[i].name}"
    return went(scene, replace(place, axes=without(place.axes), offsets=without(place.offsets), said=said, gesture=""))


def renamed(scene: Scene, number: int, name: str) -> Scene:
    """A slider with another name."""
    place, i = scene.place, scene.place.index(number)
    axes = (*place.axes[:i], replace(place.axes[i], name=name), *place.axes[i + 1 :])
    return went(scene, replace(place, axes=axes, said=f"{place.axes[i].name} is {name}", gesture=""))


def zeroed(scene: Scene) -> Scene:
    """All sliders at zero."""
    place = scene.place
    return went(scene, replace(place, offsets=(0.0,) * len(place.axes), said="all sliders to zero", gesture=""))


def pinned(scene: Scene) -> Scene:
    """The picture that is shown is the one beside, too."""
    return went(scene, replace(scene.place, reference=scene.place.code, target=None, said="pinned", gesture=""))


def jumped(scene: Scene, at: int) -> Scene:
    """To a place of the history; none of them is lost."""
    return replace(scene, at=int(np.clip(at, 0, len(scene.places) - 1)))


def kept(scene: Scene, one: Kept) -> Scene:
    """With a code that has a name; another one of that name is replaced."""
    others = tuple(other for other in scene.kept if other.name != one.name)
    return replace(scene, kept=(*others, one))
