"""What the page asks for, as functions of a session: one for each name of ``messages.REQUESTS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from geomgan.directions import Direction, DirectionSet
from geomgan.errors import OptionError, said
from geomgan.explore import files
from geomgan.explore import scene as scenes
from geomgan.explore.axes import Axis, metric_axis
from geomgan.explore.project import projected
from geomgan.explore.scene import Kept
from geomgan.explore.session import Session

MOST = 32  # sliders of a file of directions


def answer(session: Session, request: dict[str, Any], body: bytes) -> None:
    """Do what a checked request asks; what cannot be done is said, and nothing is changed by it."""
    arguments = {name: x for name, x in request.items() if name != "do"}
    if not session.ready:
        return
    before = session.scene
    try:
        ACTIONS[request["do"]](session, **arguments, **({"body": body} if request["do"] in WITH_FILE else {}))
    except Exception as error:
        if session.scene is not before:
            session.changed(before)
        session.tell(said(error), bad=True)


def _hello(session: Session) -> None:
    session.greet()


def _move(session: Session, axis: int, s: float, scale: int, gesture: str) -> None:
    if scale not in session.told:
        raise OptionError("this scale is of another session; reload the page.")
    session.active, session.drawn = axis, False
    along = session.told[scale]
    if session.slow:  # to where pictures are made ahead
        positions = session.positions(along)
        s = float(positions[np.abs(positions - s).argmin()])
    session.scene = scenes.moved(session.scene, axis, along.step(s), gesture)


def _grab(session: Session, axis: int) -> None:
    session.grabbed = session.active = axis


def _pick(session: Session, rank: int) -> None:
    place = session.scene.place
    there = [axis.number for axis in place.axes if axis.rank == rank]
    if there:
        session.changed(scenes.removed(session.scene, there[0]))
    else:
        made = metric_axis(session.subject.G, place.spectrum, rank, session.next_number(), session.subject.radius)
        session.changed(scenes.added(session.scene, made))


def _drop(session: Session, axis: int) -> None:
    session.changed(scenes.removed(session.scene, axis))


def _rename(session: Session, axis: int, name: str) -> None:
    session.changed(scenes.renamed(session.scene, axis, name))


def _zero(session: Session) -> None:
    session.changed(scenes.zeroed(session.scene))


def _new(session: Session) -> None:
    session.draws += 1
    code = session.subject.G.sample_latent(jax.random.key(session.draws), 1)[0]
    _start(session, np.asarray(code, np.float64), f"new code {session.draws}")


def _here(session: Session, layers: list[int] | None) -> None:
    pair = None if layers is None else (layers[0], layers[-1])
    what = "axes from here" if pair is None else f"axes of style layers {pair[0]} to {pair[1] - 1}"
    place = session.scene.place
    _start(session, place.code, what, pair, place.target)


def _start(
    session: Session,
    code: np.ndarray,
    what: str,
    layers: tuple[int, int] | None = None,
    target: np.ndarray | None = None,
) -> None:
    session.restart(code, what, layers, target)
    session.tell_scene()
    session.tell("Sliders start from this code.")


def _pin(session: Session) -> None:
    session.changed(scenes.pinned(session.scene))


def _undo(session: Session) -> None:
    session.changed(scenes.jumped(session.scene, session.scene.at - 1))


def _redo(session: Session) -> None:
    session.changed(scenes.jumped(session.scene, session.scene.at + 1))


def _jump(session: Session, at: int) -> None:
    session.changed(scenes.jumped(session.scene, at))


def _keep(session: Session, name: str) -> None:
    session.scene = scenes.kept(session.scene, Kept(name, session.scene.place.code))
    session.thumb(session.scene.kept[-1])
    session.tell_scene()
    session.tell(f"Kept as {name}.")


def _forget(session: Session, name: str) -> None:
    session.scene = replace(session.scene, kept=tuple(one for one in session.scene.kept if one.name != name))
    session.tell_scene()


def _called(session: Session, name: str) -> Kept:
    for one in session.scene.kept:
        if one.name == name:
            return one
    raise OptionError(f"no code is kept as {name!r}.")


def _go(session: Session, name: str) -> None:
    _start(session, _called(session, name).code, f"to {name}")


def _towards(session: Session, name: str) -> None:
    place, target = session.scene.place, _called(session, name).code
    if not (target - place.code).any():
        raise OptionError(f"{name} is the code that is shown: there is no way to it. Move a slider first.")
    move = Direction(target - place.code, 1.0, None, f"towards {name}", session.subject.G.space, None, "interpolation")
    axis = Axis(session.next_number(), move.name, move, float("nan"), (-1.0, 1.0))
    session.changed(scenes.added(session.scene, axis))
    session.grabbed = axis.number


def _name(session: Session, name: str) -> None:
    place = session.scene.place
    change = place.code - place.start
    length = float(np.linalg.norm(change))
    if not length:
        raise OptionError("nothing has moved: there is no direction to name. Move a slider first.")
    move = Direction(change / length, length, None, name, session.subject.G.space, None, "explored")
    axes = (*place.axes, session.slider(move, place.start, place.spectrum))
    offsets = (*(0.0,) * len(place.axes), 1.0)
    named = replace(place, axes=axes, offsets=offsets, said=f"named {name}", gesture="")
    session.changed(scenes.went(session.scene, named))


def _save(session: Session, what: str, axis: int | None) -> None:
    G, place, kept = session.subject.G, session.scene.place, session.scene.kept
    if what == "directions":
        return _send(session, what, "npz", files.directions_file(G, place))
    if what == "codes":
        return _send(session, what, "npz", files.codes_file(G, place, kept))
    if not place.axes:
        raise OptionError(f"there is no slider for a {what}. Choose an axis in the spectrum.")
    here = [one.number for one in place.axes]
    chosen = next((number for number in (axis, session.active) if number in here), here[0])
    scale = session.scale(place.axes[here.index(chosen)])[1]
    session.tell(f"Drawing the {what} …")
    make, ending = (files.strip, "png") if what == "strip" else (files.film, "gif")

    def drawn() -> Callable[[], None]:
        content = make(G, place, chosen, scale)
        return lambda: _send(session, what, ending, content)

    return session.aside(drawn)


def _send(session: Session, what: str, ending: str, content: bytes) -> None:
    name = files.file_name(session.subject.G, what, ending)
    session.say({"is": "file", "name": name}, content)
    session.tell(f"Saved as {name}.")


def _open(session: Session, file: str, body: bytes) -> None:
    found = files.opened(session.subject.G, body)
    if isinstance(found, DirectionSet):
        place = session.scene.place
        new = tuple(session.slider(move, place.start, place.spectrum) for move in list(found)[:MOST])
        offsets = (*place.offsets, *(0.0,) * len(new))
        more = replace(place, axes=(*place.axes, *new), offsets=offsets, said=f"opened {file}", gesture="")
        session.changed(scenes.went(session.scene, more))
        session.tell(f"{len(new)} of {len(found)} directions have sliders now.")
        return
    for one in found[:MOST]:
        session.scene = scenes.kept(session.scene, one)
        session.thumb(one)
    _start(session, found[0].code, f"opened {file}")


def _project(session: Session, file: str, body: bytes) -> None:
    of = session.subject
    session.tell("Looking for the code of the image …")

    def found() -> Callable[[], None]:
        code, target, text = projected(of.G, of.D, body)

        def arrived() -> None:
            _start(session, code, f"projected {file}", target=target)
            session.tell(text)

        return arrived

    session.aside(found)


WITH_FILE = ("open", "project")
ACTIONS: dict[str, Callable[..., None]] = {
    **{"hello": _hello, "move": _move, "grab": _grab, "pick": _pick, "drop": _drop, "rename": _rename},
    **{"zero": _zero, "new": _new, "here": _here, "pin": _pin, "undo": _undo, "redo": _redo, "jump": _jump},
    **{"keep": _keep, "forget": _forget, "go": _go, "towards": _towards, "name": _name, "save": _save},
    **{"open": _open, "project": _project},
}
