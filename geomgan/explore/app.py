"""The explorer as a page: an ASGI application for loopback, whose address holds a token that no other page knows."""

from __future__ import annotations

import asyncio
import html
import secrets
from collections import OrderedDict, deque
from pathlib import Path
from string import Template
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from geomgan.errors import OptionError
from geomgan.explore.messages import LARGEST, packed, unpacked
from geomgan.explore.subject import Subject
from geomgan.explore.worker import Worker

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SESSIONS = 8  # pages whose scenes are kept; the one that was used least recently goes first
FILES = {
    "": ("page.html", "text/html"),
    "start.js": ("start.js", "text/javascript"),
    "explore.js": ("explore.js", "text/javascript"),
    "explore.css": ("explore.css", "text/css"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Outbox:
    """What a page is to get: of pictures that it has not got yet only the last is left."""

    def __init__(self) -> None:
        self._messages: deque[tuple[dict[str, Any], bytes]] = deque()
        self._loop, self._there = asyncio.get_running_loop(), asyncio.Event()

    def put(self, header: dict[str, Any], body: bytes) -> None:
        """From any thread."""
        try:
            self._loop.call_soon_threadsafe(self._put, header, body)
        except RuntimeError:  # the loop is closed: nobody is there
            return

    def _put(self, header: dict[str, Any], body: bytes) -> None:
        if self._messages and self._messages[-1][0]["is"] == header["is"] == "frame":
            self._messages.pop()
        self._messages.append((header, body))
        self._there.set()

    async def take(self) -> tuple[dict[str, Any], bytes]:
        """The next one."""
        while not self._messages:
            self._there.clear()
            await self._there.wait()
        return self._messages.popleft()


class Workers:
    """A worker for each page, by the name that the page has for itself."""

    def __init__(self, of: Subject):
        self._subject, self._workers = of, OrderedDict[str, Worker]()

    def of(self, name: str) -> Worker:
        """The worker of a page, a new one for a new page."""
        if name not in self._workers:
            self._workers[name] = Worker(self._subject)
            if len(self._workers) > SESSIONS:
                self._workers.popitem(last=False)[1].close()
        self._workers.move_to_end(name)
        return self._workers[name]

    def close(self) -> None:
        """End all of them."""
        for worker in self._workers.values():
            worker.close()


def app(of: Subject, token: str, workers: Workers) -> Starlette:
    """The application: everything lies under ``/TOKEN/``, and whatever else is asked for is not there.

    Hosts other than loopback are refused (a name of a stranger's that leads here, too), and sockets of pages of other
    origins.
    """

    def known(given: str) -> bool:
        return secrets.compare_digest(given.encode(), token.encode())

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "")
        if not known(request.path_params["token"]) or name not in FILES:
            return PlainTextResponse("Not here. Copy the whole address that geomgan explore printed.", 404)
        file, kind = FILES[name]
        text = Path(__file__).with_name(file).read_text(encoding="utf-8")
        if not name:
            text = Template(text).substitute(title=html.escape(of.G.name))
        return Response(text, media_type=kind, headers=HEADERS)

    async def lost(_: Request) -> Response:
        return PlainTextResponse("Not here. Copy the whole address that geomgan explore printed.", 404)

    async def socket(connection: WebSocket) -> None:
        host, origin = connection.headers.get("host", ""), connection.headers.get("origin", "")
        if not known(connection.path_params["token"]) or origin != f"http://{host}":
            await connection.close(1008)
            return
        await connection.accept()
        worker, outbox = workers.of(connection.query_params.get("page", "")[:64]), Outbox()
        worker.listen(outbox.put)

        async def sends() -> None:
            while True:
                await connection.send_bytes(packed(*await outbox.take()))

        sending = asyncio.create_task(sends())
        try:
            while True:
                message = await connection.receive_bytes()
                try:
                    if len(message) > LARGEST:
                        raise OptionError(f"a file has {len(message):,} bytes; expected at most {LARGEST:,}.")
                    worker.ask(*unpacked(message))
                except ValueError as error:
                    outbox.put({"is": "said", "text": str(error), "bad": True}, b"")
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass
        finally:
            worker.leave(outbox.put)
            sending.cancel()

    routes = [
        Route("/{token}/", page),
        Route("/{token}/{name}", page),
        WebSocketRoute("/{token}/socket", socket),
        Route("/{rest:path}", lost),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "::1"])
    return Starlette(routes=routes, middleware=[hosts])
