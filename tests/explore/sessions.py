"""Sessions without a thread: what they say is in a list."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.explore.actions import answer
from geomgan.explore.messages import checked
from geomgan.explore.session import Session


class Heard:
    """A session that does what it is asked at once, and all that it has said."""

    def __init__(self, subject: Any):
        self.said: list[tuple[dict[str, Any], bytes]] = []
        self.session = Session(subject, lambda *message: self.said.append(message), lambda call: call()())
        self.session.begin()
        self.session.rest()

    def ask(self, do: str, body: bytes = b"", **fields: Any) -> None:
        answer(self.session, checked({"do": do, **fields}), body)
        self.session.draw_if_moved()

    def last(self, kind: str) -> tuple[dict[str, Any], bytes]:
        return next(message for message in reversed(self.said) if message[0]["is"] == kind)

    def rest(self) -> None:
        self.session.rest()
        while self.session.idle():
            pass

    def axis(self, i: int = 0) -> dict[str, Any]:
        self.session.tell_scene()
        return self.last("scene")[0]["axes"][i]

    def move(self, s: float, i: int = 0, gesture: str = "a") -> None:
        axis = self.axis(i)
        self.ask("move", axis=axis["number"], s=s, scale=axis["scale"], gesture=gesture)

    @property
    def place(self) -> Any:
        return self.session.scene.place


def spread(distances: np.ndarray) -> float:
    """Coefficient of variation."""
    return float(distances.std() / distances.mean())
