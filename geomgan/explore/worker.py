"""The thread that computes for one explorer: requests first, then what the hand's rest leaves time for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from geomgan.errors import said
from geomgan.explore.actions import answer
from geomgan.explore.mailbox import Mailbox
from geomgan.explore.messages import checked
from geomgan.explore.session import Session
from geomgan.explore.subject import Subject

REST = 0.15  # seconds without a move after which the hand rests
Listener = Callable[[dict[str, Any], bytes], None]


class Worker:
    """A session with a thread and those who listen to it; leaves nothing behind once it is closed.

    Whatever threads of pages and notebooks call is safe: they put letters into the mailbox.
    """

    def __init__(self, of: Subject):
        self.mailbox = Mailbox()
        self._listeners: tuple[Listener, ...] = ()
        self._others = ThreadPoolExecutor(1, "geomgan-explore-aside")
        self.session = Session(of, self._say, self._aside)
        self._thread = threading.Thread(target=self._run, name="geomgan-explore", daemon=True)
        self._thread.start()

    def listen(self, listener: Listener) -> None:
        """Hear what the session says from now on."""
        self._listeners = (*self._listeners, listener)

    def leave(self, listener: Listener) -> None:
        """Hear no more."""
        self._listeners = tuple(one for one in self._listeners if one is not listener)

    def ask(self, request: Any, body: bytes = b"") -> None:
        """A request of a page; one that is none is answered, and not done."""
        try:
            self.mailbox.put(checked(request), body)
        except Exception as error:
            self._say({"is": "said", "text": said(error), "bad": True}, b"")

    def close(self) -> None:
        """End the thread after what it is at."""
        self.mailbox.close()
        self._others.shutdown(wait=False, cancel_futures=True)

    def _say(self, header: dict[str, Any], body: bytes) -> None:
        for listener in self._listeners:
            listener(header, body)

    def _aside(self, call: Callable[[], Callable[[], None]]) -> None:
        def arrived(done: Future[Callable[[], None]]) -> None:
            if done.cancelled():
                return
            error = done.exception()
            if error is None:
                self.mailbox.call(done.result())
            else:
                text = said(error) if isinstance(error, Exception) else "it was stopped"
                self.mailbox.call(lambda: self.session.tell(text, bad=True))

        self._others.submit(call).add_done_callback(arrived)

    def _run(self) -> None:
        try:
            self.session.begin()
        except Exception as error:
            self._say({"is": "said", "text": said(error), "bad": True}, b"")
            return
        settled, more = False, True  # the numbers of the start come when the hand lets them
        while True:
            busy = more and bool(self._listeners)
            letters = self.mailbox.take(REST if not settled else 0.0 if busy else None)
            if letters is None:
                return
            try:
                if letters:
                    self._do(letters)
                    settled, more = False, True
                elif not settled:
                    self.session.rest()
                    settled = True
                else:
                    more = self.session.idle()
            except Exception as error:
                settled, more = True, False
                self.session.tell(said(error), bad=True)

    def _do(self, letters: list[Any]) -> None:
        for letter in letters:
            if isinstance(letter, tuple):
                answer(self.session, *letter)
            else:
                letter()
        self.session.draw_if_moved()
