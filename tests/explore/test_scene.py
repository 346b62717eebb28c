"""What is on the screen as data, and requests on their way to it."""

import numpy as np
import pytest

from geomgan.directions import Direction
from geomgan.errors import OptionError
from geomgan.explore import scene as scenes
from geomgan.explore.axes import Axis, Spectrum
from geomgan.explore.mailbox import Mailbox
from geomgan.explore.messages import REQUESTS, checked, packed, unpacked
from geomgan.explore.scene import Place, Scene


@pytest.fixture
def scene(rng):
    start = rng.standard_normal(4)
    moves = [Direction(v, name=f"d{i}") for i, v in enumerate(rng.standard_normal((2, 4)))]
    axes = tuple(Axis(10 + i, move.name, move, 1.0, (-3, 3)) for i, move in enumerate(moves))
    nothing = Spectrum(start, np.zeros(0), np.zeros((4, 0)), 0.0)
    return Scene((Place(start, start, nothing, axes, (0.0, 0.0), "start"),))


def test_codes_add_up_and_undo_is_exact(scene):
    first, second = scene.place.axes
    one = scenes.moved(scene, 10, 0.5, "a")
    two = scenes.moved(one, 11, -2.0, "b")
    start = scene.place.start
    np.testing.assert_allclose(two.place.code, start + 0.5 * first.move.vector - 2.0 * second.move.vector)
    back = scenes.jumped(two, two.at - 1)
    assert back.place is one.place
    assert back.place.code.tobytes() == one.place.code.tobytes()
    assert scenes.jumped(back, 2).place is two.place
    assert scenes.jumped(back, -5).place is scene.place
    np.testing.assert_allclose(two.place.along(10, np.zeros(1))[0], start - 2.0 * second.move.vector)


def test_moves_of_one_gesture_are_one_entry(scene):
    for t in (0.1, 0.2, 0.3):
        scene = scenes.moved(scene, 10, t, "a")
    assert [one.said for one in scene.places] == ["start", "moved d0"]
    scene = scenes.moved(scenes.moved(scene, 11, 0.3, "a"), 11, 0.4, "b")
    assert len(scene.places) == 4
    assert scene.place.offsets == (0.3, 0.4)
    after = scenes.moved(scenes.jumped(scene, 1), 10, 0.5, "c")
    assert [one.offsets for one in after.places] == [(0, 0), (0.3, 0), (0.5, 0)]


def test_sliders_come_and_go(scene):
    scene = scenes.removed(scenes.moved(scene, 10, 1.0, "a"), 10)
    assert scene.place.code.tobytes() == scene.place.start.tobytes()
    scene = scenes.renamed(scene, 11, "<b>smile</b>")
    assert scene.place.axes[0].name == "<b>smile</b>"
    assert scenes.pinned(scenes.moved(scene, 11, 1.0, "")).place.reference.any()
    with pytest.raises(ValueError, match="no slider 10"):
        scenes.moved(scene, 10, 1.0, "a")


def test_history_has_an_end(scene):
    for i in range(scenes.HISTORY + 20):
        scene = scenes.moved(scene, 10, float(i), str(i))
    assert len(scene.places) == scenes.HISTORY
    assert scene.place.offsets[0] == scenes.HISTORY + 19


def test_messages_arrive_as_they_were_sent():
    header, body = {"do": "open", "file": "a <b> ü"}, bytes(range(256))
    assert unpacked(packed(header, body)) == (header, body)
    for damaged in (b"", b"\0\0", b"\0\0\0\5{", packed({"a": 1})[:7], b"\0\0\0\2[["):
        with pytest.raises(OptionError, match="cannot be read"):
            unpacked(damaged)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (None, "nothing to do"),
        ([], "nothing to do"),
        ({"do": "mve"}, "Did you mean 'move'"),
        ({"do": "move", "axis": "1", "s": 0.0, "scale": 1, "gesture": ""}, r"move.axis is '1'"),
        ({"do": "move", "axis": 1, "s": float("nan"), "scale": 1, "gesture": ""}, "expected a finite distance"),
        ({"do": "keep", "name": " \n"}, "the name is empty"),
        ({"do": "save", "what": "../../etc/passwd"}, "save.what is"),
        ({"do": "__class__"}, "not known"),
    ],
)
def test_what_no_page_says_is_refused(request_, says):
    with pytest.raises(OptionError, match=says):
        checked(request_)


def test_names_are_short_and_of_one_line():
    assert checked({"do": "keep", "name": "  a\n<b>\t"})["name"] == "a <b>"
    assert len(checked({"do": "keep", "name": "x" * 1000})["name"]) == 80
    assert checked({"do": "undo", "more": 1}) == {"do": "undo"}
    assert set(REQUESTS) >= {"move", "undo", "save", "open", "project"}


def test_moves_that_are_overtaken_are_dropped():
    box, move = Mailbox(), {"do": "move", "axis": 1, "scale": 1, "gesture": "a"}
    for s in (0.1, 0.2, 0.3):
        box.put({**move, "s": s})
    box.put({**move, "axis": 2, "s": 0.4})
    box.put({"do": "undo"})
    box.put({**move, "s": 0.5})
    taken = [letter[0] for letter in box.take(None)]
    assert [(one["do"], one.get("s")) for one in taken] == [("move", 0.3), ("move", 0.4), ("undo", None), ("move", 0.5)]
    assert box.dropped == 2
    assert box.take(0) == []
    box.close()
    assert box.take(None) is None
