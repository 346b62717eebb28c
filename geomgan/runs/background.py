"""Work for a thread of its own: results are written while the next are computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

WAITING = 2  # calls handed over and not done: what a kill can lose beside the batch at hand, and what memory they hold


class Background:
    """Calls that another thread makes one after the other, in the order in which they were handed over.

    After one that fails none is made any more; its error is raised by the next :meth:`later`, or by :meth:`wait`.
    Leaving the ``with`` block by an error or by Ctrl-C makes the calls that were handed over before: they are of
    finished work.
    """

    def __enter__(self) -> Background:
        self._pool = ThreadPoolExecutor(1, "geomgan-background")
        self._handed: deque[Future[None]] = deque()
        self._failed = False
        return self

    def later(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Hand a call over; waits while ``WAITING`` others are not done."""
        while self._handed and (len(self._handed) >= WAITING or self._handed[0].done()):
            self._handed.popleft().result()
        self._handed.append(self._pool.submit(self._made, call, *arguments))

    def wait(self) -> None:
        """Until all calls are made."""
        while self._handed:
            self._handed.popleft().result()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def _made(self, call: Callable[..., Any], *arguments: Any) -> None:
        if self._failed:
            return
        try:
            call(*arguments)
        except BaseException:
            self._failed = True
            raise
