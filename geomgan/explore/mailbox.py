"""Requests on their way to the thread that computes: moves that are overtaken are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Letter = tuple[dict[str, Any], bytes]


class Mailbox:
    """Letters in their order; of moves of one slider in a row only the last is left. Any thread may put."""

    def __init__(self) -> None:
        self._letters: list[Letter | Callable[[], None]] = []
        self._there = threading.Condition()
        self._closed = False
        self.dropped = 0

    def put(self, request: dict[str, Any], body: bytes = b"") -> None:
        """A request of the page, checked."""
        with self._there:
            last = self._letters[-1] if self._letters else None
            if isinstance(last, tuple) and _overtakes(request, last[0]):
                self._letters.pop()
                self.dropped += 1
            self._letters.append((request, body))
            self._there.notify()

    def call(self, arrived: Callable[[], None]) -> None:
        """What another thread has found, to be taken over between two requests."""
        with self._there:
            self._letters.append(arrived)
            self._there.notify()

    def close(self) -> None:
        """No more letters: who waits gets None."""
        with self._there:
            self._closed = True
            self._there.notify_all()

    def take(self, seconds: float | None) -> list[Letter | Callable[[], None]] | None:
        """All letters, waiting for one as long as that; an empty list where none came, None at the end."""
        with self._there:
            self._there.wait_for(lambda: self._letters or self._closed, seconds)
            letters, self._letters = self._letters, []
            return None if self._closed else letters


def _overtakes(request: dict[str, Any], other: dict[str, Any]) -> bool:
    same = ("do", "axis", "gesture")
    return request["do"] == "move" and all(request.get(key) == other.get(key) for key in same)
