"""How much memory a computation may take."""

from __future__ import annotations

import re
from pathlib import Path

import jax

SHARE_OF_HOST, SHARE_OF_DEVICE = 0.5, 0.8
LEAST = {str: 2**20, int: 2**10}  # bytes that a number without a unit can mean: of a text, otherwise
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def memory_budget(memory: int | str | None = None) -> int:
    """Bytes that one device may use.

    Args:
        memory: as asked: bytes, or a text such as ``"8GB"`` or ``"500 MiB"`` (powers of 1024). None takes a share of
            what is free: 80 % of an accelerator's, half of the host's for the CPU.

    Raises:
        ValueError: ``memory`` is not a positive size, or a number so small that its unit must be missing.
    """
    if memory is not None:
        return _parsed(memory)
    device = jax.local_devices()[0]
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return int(SHARE_OF_DEVICE * (statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)))
    return int(SHARE_OF_HOST * _free_on_host() / max(1, len(jax.local_devices())))


def readable(size: float) -> str:
    """A size as people write it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError


def _parsed(memory: int | str) -> int:
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)(?:i?B)?\s*", str(memory), re.IGNORECASE)
    try:
        size = int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    except ValueError:
        size = 0
    if size <= 0:
        raise ValueError(f"memory is {memory!r}; expected a positive number of bytes, or a text such as '8GB'.")
    least = LEAST[str if isinstance(memory, str) else int]
    if size < least and str(memory).strip()[-1].isdigit():
        meant = f"{size}GB" if size < 1024 else f"{size}MB"
        raise ValueError(f"memory is {size} bytes; expected at least {readable(least)}. Did you mean {meant!r}?")
    return size


def _free_on_host() -> float:
    """Bytes that this process can still take, within the limits of its container."""
    free = 8.0 * 2**30  # where the system does not say
    information = Path("/proc/meminfo")
    if information.exists():
        available = next(line for line in information.read_text().splitlines() if line.startswith("MemAvailable"))
        free = int(available.split()[1]) * 1024.0
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free = min(free, max(int(limit.read_text()) - int(used.read_text()), 0))
    return free
