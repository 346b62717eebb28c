"""Small LAPACK calls between programs of JAX, on one thread; see ``blas_rows`` of :mod:`geomgan.backend`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

from geomgan.backend import CPU

_lock, _limits = threading.Lock(), ExitStack()
_users = 0


@contextmanager
def one_blas_thread(rows: int) -> Iterator[None]:
    """Keep numpy's BLAS to one thread for matrices of so many rows; it is a setting of the whole process.

    Any number of threads may be inside at a time: the last to leave restores what the first one found.
    """
    global _users
    if rows > CPU.blas_rows:
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
