"""One explorer: what is on the screen, what was measured, and what each request makes of them.

Only the thread of :mod:`geomgan.explore.worker` calls a session; what it says goes to those who listen.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from geomgan.directions import Moves
from geomgan.directions.fit import driven_rows
from geomgan.errors import NotFiniteError, said
from geomgan.explore import scene as scenes
from geomgan.explore.axes import Axis, Spectrum, axis_of, metric_axis, spectrum_at
from geomgan.explore.frames import Frame, frame, picture
from geomgan.explore.messages import number
from geomgan.explore.scene import Kept, Place, Scene
from geomgan.explore.subject import Subject
from geomgan.explore.travel import CELLS, COARSE, PIECE, Travel, measuring, predicted
from geomgan.paths.measure import measure

SLOW = 0.25  # seconds of a frame from which nothing is computed that nobody has asked for
STEPS = 200  # of the widest slider
PICTURES = 64  # that are remembered
Say = Callable[[dict[str, Any], bytes], None]


class Session:
    """The scene of one page, and the scales of its sliders.

    Attributes:
        subject: what is explored.
        scene: what is on the screen.
    """

    def __init__(self, of: Subject, say: Say, aside: Callable[[Callable[[], Callable[[], None]]], None]):
        """``aside`` runs a function in another thread, and what that returns in this one."""
        self.subject, self.say, self.aside = of, say, aside
        self._numbers, self.ready = 0, False
        self._scales: dict[int, tuple[bytes, int, Travel]] = {}  # slider -> what it depends on, number, scale
        self.told: dict[int, Travel] = {}  # scales by number, as the page knows them
        self.grabbed: int | None = None
        self.active: int | None = None
        self._piece: tuple[int, bytes, Iterator[Travel | None]] | None = None
        self._pictures = OrderedDict[tuple[bytes, int], Frame]()
        self._beside = b""  # the code of the reference picture that listeners have
        self.draws, self._seconds, self.drawn = 0, 0.0, True
        nothing = Spectrum(of.code, np.zeros(0), np.zeros((of.G.latent_dim, 0)), 0.0)
        self.scene = Scene((Place(of.code, of.code, nothing, (), (), "start"),))

    # What is shown

    def begin(self) -> None:
        """Compile, show the first picture, find the axes."""
        of = self.subject
        self.tell_scene()
        self.tell("Compiling the model …")
        self.show(sharp=False)
        start = time.perf_counter()
        frame(of.G, of.code, of.bounds, of.stride, of.rate)  # compiled now
        self._seconds = time.perf_counter() - start
        if of.stride > 1:
            self.show(sharp=True)
        work = f", about the work of {of.G.latent_dim} pictures of {self._seconds:.2g} s" if self.slow else ""
        self.tell(f"Finding the axes of the metric{work} …")
        self._find_axes(None)
        self.ready = True
        self.greet()
        if self.slow:
            self.tell(
                f"One picture takes {self._seconds:.2g} s here: sliders go in {2 * COARSE} strides, whose pictures are "
                "made ahead along the slider that is taken. A smaller resolution of the model is faster."
            )
        else:
            self.tell("Ready.")

    @property
    def slow(self) -> bool:
        """Whether a frame takes longer than a hand waits for."""
        return self._seconds > SLOW

    def greet(self) -> None:
        """All that a page needs that has just opened."""
        self._beside = b""
        self.tell_scene()
        for one in self.scene.kept:
            self.thumb(one)
        self.show(sharp=True)

    def tell(self, text: str, bad: bool = False) -> None:
        """A line for the user."""
        self.say({"is": "said", "text": text, "bad": bad}, b"")

    def show(self, sharp: bool) -> None:
        """The picture of the code that is shown; where it is not finite the scene goes back."""
        place, full = self.scene.place, min(self.subject.stride, 1)
        stride = full if sharp or self.slow else self.subject.stride  # of a slow model a picture is made once
        drawn = self._frame(place.code, stride)
        if not drawn.finite:
            if self.scene.at == 0:
                raise NotFiniteError("the picture of the first code holds NaN or infinite values. Pass another code.")
            self.scene = replace(self.scene, places=self.scene.places[: self.scene.at], at=self.scene.at - 1)
            self.tell("The picture there holds NaN or infinite values: went back to the last that does not.", bad=True)
            self.tell_scene()
            self.show(sharp)
            return
        self.drawn = True
        self.say({"is": "frame", "sharp": drawn.sharp, "code": self.scene.at}, drawn.png)
        if drawn.sound and sharp:
            self.say({"is": "sound"}, drawn.sound)
        reference = (place.reference if place.target is None else place.target).tobytes()
        if reference != self._beside:
            self._beside = reference
            if place.target is None:
                self.say({"is": "reference"}, self._frame(place.reference, min(self.subject.stride, 1)).png)
            else:
                self.say({"is": "reference"}, picture(place.target, self.subject.bounds))

    def rest(self) -> None:
        """The hand rests: a sharp picture, and the numbers that go with it."""
        if self.subject.stride != 1 or not self._beside:
            self.show(sharp=True)
        place, of = self.scene.place, self.subject
        code, references = place.code, np.stack([place.start, place.reference])
        far = measure(of.G, of.D, references, np.stack([code, code])[:, None], batch=4).distances[:, 0]
        far = np.where((references == code).all(axis=1), 0.0, far)  # without rounding
        if place.target is not None:
            far[1] = max(float(of.D(place.target, of.G(code.astype(of.G.dtype)))), 0.0) ** 0.5
        numbers: dict[str, Any] = {"start": number(far[0]), "reference": number(far[1]), "distance": of.D.name}
        numbers["beside"] = place.beside
        numbers["prior"] = number(of.prior.distance(jnp.asarray(code, of.G.dtype)))
        self.say({"is": "numbers", **numbers}, b"")
        self.tell_scene()

    def tell_scene(self) -> None:
        """Everything but pictures."""
        of, place = self.subject, self.scene.place
        rows = driven_rows(of.G) if of.G.space == "w+" else None
        spectrum = {
            "values": [max(float(x), 0.0) for x in place.spectrum.values],
            "floor": number(place.spectrum.noise_floor),
            "layers": place.spectrum.layers,
        }
        scene = {"model": of.G.name, "distance": of.D.name, "space": of.G.space, "kind": of.kind, "ready": self.ready}
        scene |= {"rows": rows[1] if rows else None, "spectrum": spectrum, "at": self.scene.at}
        scene["beside"] = place.beside
        scene |= {"history": [one.said for one in self.scene.places], "kept": [one.name for one in self.scene.kept]}
        scene["axes"] = [self._axis(axis, t) for axis, t in zip(place.axes, place.offsets, strict=True)]
        self.say({"is": "scene", **scene}, b"")

    def _axis(self, axis: Axis, t: float) -> dict[str, Any]:
        version, scale = self.scale(axis)
        (low, high), (near, far) = scale.ends, scale.trust
        said = {"low": low, "high": high, "trust": [number(near), number(far)], "step": self.step}
        told = {"number": axis.number, "name": axis.name, "rank": axis.rank, "value": number(axis.value)}
        told["method"] = axis.move.method
        return told | {"scale": version, "s": scale.arc(t), "measured": scale.measured} | said

    def _frame(self, code: np.ndarray, stride: int) -> Frame:
        of, key = self.subject, (code.tobytes(), stride)
        if key not in self._pictures:
            self._pictures[key] = frame(of.G, code, of.bounds, stride, of.rate)
            if len(self._pictures) > PICTURES:
                self._pictures.popitem(last=False)
        self._pictures.move_to_end(key)
        return self._pictures[key]

    def thumb(self, one: Kept) -> None:
        self.say({"is": "thumb", "name": one.name}, self._frame(one.code, self.subject.stride).png)

    # Axes and their scales

    def scale(self, axis: Axis) -> tuple[int, Travel]:
        """The scale of a slider and its number: as measured, if it was, else as the metric predicts."""
        if axis.number not in self._scales:
            self._keep(axis.number, b"", predicted(axis.speed, axis.ends))
        return self._scales[axis.number][1:]

    def _keep(self, slider: int, base: bytes, scale: Travel) -> None:
        self._numbers += 1
        self._scales[slider] = (base, self._numbers, scale)
        self.told[self._numbers] = scale

    @property
    def step(self) -> float:
        """The distance between neighbouring positions of all sliders: few strides of a slow model."""
        ends = [self.scale(axis)[1].ends for axis in self.scene.place.axes]
        return max([high - low for low, high in ends], default=1.0) / (2 * COARSE if self.slow else STEPS)

    def positions(self, scale: Travel) -> np.ndarray:
        """All positions of a slider, ascending, with zero."""
        low, high = (end / self.step for end in scale.ends)
        return self.step * np.arange(np.ceil(low), np.floor(high) + 1)

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _find_axes(self, layers: tuple[int, int] | None) -> None:
        """The axes at the start of this place, in it: no entry of the history."""
        of, place = self.subject, self.scene.place
        spectrum = spectrum_at(of.G, of.D, place.start.astype(of.G.dtype), layers)
        spectrum = replace(spectrum, code=place.start)
        past = self.scene.places[self.scene.at - 1].axes if self.scene.at else None
        if past is None:
            first = min(of.sliders, len(spectrum.values))
            axes = [metric_axis(of.G, spectrum, rank, self.next_number(), of.radius) for rank in range(1, first + 1)]
            axes += [self.slider(move, place.start, spectrum) for move in of.moves]
        else:
            axes = []
            for old in past:
                if old.rank is None:
                    axes.append(replace(self.slider(old.move, place.start, spectrum, old.ends), name=old.name))
                elif old.rank <= len(spectrum.values):
                    axes.append(metric_axis(of.G, spectrum, old.rank, self.next_number(), of.radius))
        found = replace(place, spectrum=spectrum, axes=tuple(axes), offsets=(0.0,) * len(axes))
        self.scene = replace(self.scene, places=(*self.scene.places[: self.scene.at], found))

    def slider(self, move: Moves, z: np.ndarray, spectrum: Spectrum, ends: tuple[float, float] | None = None) -> Axis:
        of = self.subject
        return axis_of(of.G, of.D, z, spectrum, move, self.next_number(), of.radius, ends)

    def restart(
        self,
        code: np.ndarray,
        text: str,
        layers: tuple[int, int] | None = None,
        target: np.ndarray | None = None,
    ) -> None:
        """Another start: its picture at once, then its axes."""
        spectrum = self.scene.place.spectrum
        nothing = replace(spectrum, code=code, values=spectrum.values[:0], vectors=spectrum.vectors[:, :0])
        before = self.scene
        self.scene = scenes.restarted(before, code, nothing, text, target)
        self.show(sharp=False)
        if self.scene.place.said != text:
            return  # it was not finite
        try:
            self._find_axes(layers)
        except BaseException:
            self.scene = before
            self.show(sharp=False)
            raise

    def idle(self) -> bool:
        """A piece of what is worth measuring while nothing is asked; false where nothing is."""
        if not self.ready:
            return False
        place = self.scene.place
        if self._piece is None:
            slider = self._wanted(place)
            if slider is None:
                return self._ahead(place)
            axis, base = place.axes[place.index(slider)], place.base(slider)
            along = lambda t: place.along(slider, t)
            of, fine = self.subject, (COARSE, 2) if self.slow else (CELLS, PIECE)
            speed = axis.speed if base == place.start.tobytes() else np.nan  # known at the start alone
            self._piece = slider, base, measuring(of.G, of.D, along, axis.ends, speed, *fine)
        slider, base, pieces = self._piece
        if self.grabbed not in (None, slider) or slider not in [axis.number for axis in place.axes]:
            self._piece = None
            return True
        try:
            found = next(pieces)
        except Exception as error:
            name = next(axis.name for axis in place.axes if axis.number == slider)
            self.tell(f"The scale of {name} is the metric's prediction: {said(error)}", bad=True)
            found = self.scale(place.axes[place.index(slider)])[1]
        if found is not None:
            self._keep(slider, base, found)
            self._piece = None
            self.grabbed = None if self.grabbed == slider else self.grabbed
            i = place.index(slider)
            self.say({"is": "axis", **self._axis(place.axes[i], place.offsets[i])}, b"")
        return True

    def _ahead(self, place: Place) -> bool:
        """Of a slow model the next picture along the slider that was taken last; false where all are there."""
        slider = self.active
        if not self.slow or slider is None or slider not in [axis.number for axis in place.axes]:
            return False
        i = place.index(slider)
        scale = self.scale(place.axes[i])[1]
        here = scale.arc(place.offsets[i])
        for s in sorted(self.positions(scale), key=lambda s: abs(s - here)):
            code = scenes.moved(self.scene, slider, scale.step(s), "").place.code
            if (code.tobytes(), min(self.subject.stride, 1)) not in self._pictures:
                self._frame(code, min(self.subject.stride, 1))
                return True
        return False

    def _wanted(self, place: Place) -> int | None:
        """The slider to be measured next: the one in the hand if others have moved since, else one that never was."""
        here = [axis.number for axis in place.axes]
        if self.grabbed in here:
            if self._scales.get(self.grabbed, (b"",))[0] != place.base(self.grabbed):
                return self.grabbed
            self.grabbed = None
        if self.slow:
            return None
        return next((n for n in here if not self._scales.get(n, (b"",))[0]), None)

    # What actions are made of

    def draw_if_moved(self) -> None:
        """The picture after moves, once for all of them."""
        if not self.drawn:
            self.show(sharp=False)

    def changed(self, scene: Scene) -> None:
        self.scene = scene
        self.show(sharp=False)
        self.tell_scene()
