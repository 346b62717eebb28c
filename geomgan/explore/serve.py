"""The page of the explorer, served on loopback."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Iterator

from geomgan.errors import OptionError
from geomgan.explore.subject import Subject

PORT, TRIED = 8250, 20
MISSING = (
    "serving the explorer needs starlette, uvicorn and websockets, which are not installed: "
    "pip install 'geomgan[explore]'."
)


def check_installed() -> None:
    """Raise ``ImportError`` that says how to install what a server needs."""
    try:
        import starlette
        import uvicorn
        import websockets
    except ImportError as error:
        raise ImportError(MISSING) from error
    del starlette, uvicorn, websockets


def bound_socket(host: str = "127.0.0.1", port: int | None = None) -> socket.socket:
    """A socket that listens on loopback.

    Args:
        host: ``127.0.0.1``, ``localhost`` or ``::1``.
        port: None takes ``PORT`` or the next that is free; 0 any that is.

    Raises:
        OptionError: the host is no loopback address, or the port is in use or out of range.
    """
    check_loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port is not None and not 0 <= port < 2**16:
        raise OptionError(f"port is {port}; expected 0 to 65535, 0 for any that is free.")
    for one in range(PORT, PORT + TRIED) if port is None else [port]:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, one))
            made.listen()
        except OSError as error:
            made.close()
            if port is not None:
                raise OptionError(
                    f"port {port} of {host} cannot be used ({error.strerror or error}). Leave port= out to take the "
                    "next that is free, or name another."
                ) from error
        else:
            return made
    raise OptionError(f"ports {PORT} to {PORT + TRIED - 1} are all in use. Pass port=0 for any that is free.")


def check_loopback(host: str) -> None:
    """Raise ``OptionError`` for an address that other machines reach."""
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    if not here:
        raise OptionError(
            f"host is {host!r}; the explorer is served on loopback only, 127.0.0.1, localhost or ::1: who reaches it "
            "can read files that you open and use this machine. From another machine take a tunnel: "
            "ssh -L 8250:127.0.0.1:8250 THIS-MACHINE."
        )


@contextlib.contextmanager
def serving(of: Subject, host: str = "127.0.0.1", port: int | None = None) -> Iterator[str]:
    """Serve the explorer while the block runs, in a thread; gives the address.

    Raises:
        ImportError: ``geomgan[explore]`` is not installed.
        OptionError: as :func:`bound_socket`.
    """
    check_installed()
    import uvicorn

    from geomgan.explore.app import Workers, app

    listening = bound_socket(host, port)
    token, workers = secrets.token_urlsafe(18), Workers(of)
    config = uvicorn.Config(
        app(of, token, workers), log_level="warning", access_log=False, lifespan="off", ws_max_size=2**27,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="geomgan-server", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listening.getsockname()[1]}/{token}/"
    finally:
        server.should_exit = True
        thread.join(5)
        workers.close()
        listening.close()
