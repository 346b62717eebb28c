"""Where files lie that are fetched, converted or compiled once, for every project of a user; what is installed."""

from __future__ import annotations

import hashlib
import os
import platform
import tomllib
from importlib import metadata
from pathlib import Path

SWITCH = "GEOMGAN_COMPILED"
_DIR, _SECONDS = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
_DEFAULT_SECONDS = 1.0  # of JAX: quicker compilations are done again


def version(package: str) -> str:
    """The version of a package as it is installed; that of a source tree of geomgan where it was never installed.

    ``"unknown"`` where nothing says it: results are then kept without it, and nothing stops.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        tree = Path(__file__).parents[1] / "pyproject.toml"
        if package != "geomgan" or not tree.is_file():
            return "unknown"
        return str(tomllib.loads(tree.read_text(encoding="utf-8"))["project"]["version"])


def home() -> Path:
    """The folder of fetched models: ``GEOMGAN_HOME``, or ``geomgan`` in the user's cache folder.

    Raises:
        OptionError: it can be no folder: something else is there or above it, or the system does not know the user's.
    """
    from geomgan.errors import OptionError  # imports JAX, which must not come with this module

    try:
        if os.environ.get("GEOMGAN_HOME"):
            folder, said = Path(os.environ["GEOMGAN_HOME"]).expanduser(), "GEOMGAN_HOME"
        else:
            folder, said = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geomgan", "the cache"
    except RuntimeError as error:
        raise OptionError(f"there is no folder for models: {error} Set GEOMGAN_HOME to one.") from error
    if not (first := _first_there(folder)).is_dir():
        raise OptionError(
            f"{said} is {folder}, but {first} is not a folder; expected one, or a free name. Set GEOMGAN_HOME to a "
            "folder, or move what is there."
        )
    return folder


def check_writable() -> None:
    """Raise ``StoreError`` if nothing can be written into :func:`home`; asked before what takes long."""
    from geomgan.errors import StoreError

    folder = home()
    if not os.access(first := _first_there(folder), os.W_OK | os.X_OK):
        raise StoreError(
            f"models are kept in {folder}, and {first} cannot be written; expected a folder of your own. Set "
            "GEOMGAN_HOME to one, and repeat."
        )


def _first_there(path: Path) -> Path:
    """``path``, or the nearest of the folders that it should lie in which is there."""
    return next((one for one in (path, *path.parents) if os.path.lexists(one)), Path())


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

    from geomgan.errors import OptionError

    switch = os.environ.get(SWITCH, "").lower() or "on"
    if switch not in ("on", "off"):
        raise ValueError(f"{SWITCH} is {os.environ[SWITCH]!r}; expected 'on' or 'off'.")
    if switch == "off" or getattr(jax.config, _DIR):
        return None
    try:
        folder = compiled_programs()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, OptionError):
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
