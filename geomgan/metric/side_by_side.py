"""Programs of one code on several of the host's threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from geomgan.backend import backend


def threads_of(parts: int) -> int:
    """How many of ``parts`` programs run at a time: on a CPU, one that loops leaves the other cores free."""
    here = backend()
    return max(1, min(here.steps, parts)) if here.host_threads else 1


def side_by_side(fn: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """``[fn(part) for part in parts]``, :func:`threads_of` at a time, each waited for; not inside ``jit``."""
    threads = threads_of(len(parts))
    if threads == 1:
        return [fn(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda part: jax.block_until_ready(fn(part)), parts))
