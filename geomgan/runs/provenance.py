"""What a stored result says about its making: versions, devices, time."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jax

from geomgan.backend import device_name
from geomgan.home import version


def environment(devices: int) -> dict[str, Any]:
    """When, with which versions, and on what a computation runs."""
    return {
        "started": now(),
        "versions": dict(_versions()),
        "device": device_name(),
        "devices": devices,
        "processes": jax.process_count(),
    }


def now() -> str:
    """The time, as results keep it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def _versions() -> dict[str, str]:
    packages = ("geomgan", "jax", "flax", "numpy")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}
