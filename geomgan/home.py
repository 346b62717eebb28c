"""Where files lie that are fetched, converted or compiled once, for every project of a user."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

SWITCH = "GEOMGAN_COMPILED"
_DIR, _SECONDS = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
_DEFAULT_SECONDS = 1.0  # of JAX: quicker compilations are done again


def home() -> Path:
    """The folder of fetched models: ``GEOMGAN_HOME``, or ``geomgan`` in the user's cache folder."""
    if os.environ.get("GEOMGAN_HOME"):
        return Path(os.environ["GEOMGAN_HOME"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geomgan"


def compiled_programs() -> Path:
    """The folder of compiled programs for this kind of processor."""
    return home() / "compiled" / _processor()


def keep_compiled_programs() -> Path | None:
    """Let JAX keep what it compiles in :func:`home`, so that the next process finds it; small programs too.

    Called when the first part of geomgan is imported that compiles. A user's own settings win: where JAX has a
    compilation cache already (``jax_compilation_cache_dir`` or ``JAX_COMPILATION_CACHE_DIR``) nothing is changed, and
    one that is set after the import, before anything is compiled, is used. The environment variable
    ``GEOMGAN_COMPILED=off`` is the switch. Programs lie in ``compiled``, in a folder for each kind of processor: where
    machines share a home, those of one may stop at an instruction that another lacks. All may be deleted at any time.

    Returns:
        The folder; None if nothing was changed, also where it cannot be written.

    Raises:
        ValueError: ``GEOMGAN_COMPILED`` is neither ``on`` nor ``off``.
    """
    import jax

    switch = os.environ.get(SWITCH, "").lower() or "on"
    if switch not in ("on", "off"):
        raise ValueError(f"{SWITCH} is {os.environ[SWITCH]!r}; expected 'on' or 'off'.")
    if switch == "off" or getattr(jax.config, _DIR):
        return None
    folder = compiled_programs()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None  # JAX would warn once for each program
    jax.config.update(_DIR, str(folder))
    if getattr(jax.config, _SECONDS) == _DEFAULT_SECONDS and _SECONDS.upper() not in os.environ:
        jax.config.update(_SECONDS, 0.0)
    return folder


def _processor() -> str:
    """A short name for the instructions that this machine knows."""
    text = f"{platform.machine()} {platform.processor()}"
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        first = ""  # not Linux
    named = [line for line in first.splitlines() if line.startswith(("model name", "flags", "Features", "CPU "))]
    return f"{platform.machine()}-{hashlib.sha256('|'.join([text, *named]).encode()).hexdigest()[:8]}"
