"""Small LAPACK calls between programs of JAX, on one thread.

OpenBLAS's threads go on spinning for about 30 ms after each call, on cores that the next program needs: for a DCGAN of
64 pixels that was a seventh of the time. Below :data:`MANY` rows a second thread saves less than that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

MANY = 512
_lock, _limits = threading.Lock(), ExitStack()
_users = 0


@contextmanager
def one_blas_thread(rows: int) -> Iterator[None]:
    """Keep numpy's BLAS to one thread for matrices of so many rows; it is a setting of the whole process.

    Any number of threads may be inside at a time: the last to leave restores what the first one found.
    """
    global _users
    if rows > MANY:
        yield
        return
    with _lock:
        if not _users:
            _limits.enter_context(_blas().limit(limits=1))
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _limits.close()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
