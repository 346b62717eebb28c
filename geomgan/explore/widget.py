"""The explorer as a widget of a notebook: the same module of the page, the same messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geomgan.explore.subject import Subject
from geomgan.explore.worker import Worker

MISSING = "the widget needs anywidget, which is not installed: pip install 'geomgan[explore]'."


def widget(of: Subject) -> Any:
    """The widget of a subject.

    Raises:
        ImportError: anywidget is not installed.
    """
    try:
        import anywidget
    except ImportError as error:
        raise ImportError(MISSING) from error
    here = Path(__file__)
    sources = {"_esm": "explore.js", "_css": "explore.css"}
    kind = type(
        "ExplorerWidget",
        (anywidget.AnyWidget,),
        {name: here.with_name(file).read_text(encoding="utf-8") for name, file in sources.items()},
    )
    made: Any = kind()
    workers: list[Worker] = []  # one, from when the widget is first shown

    def asked(_: Any, content: Any, buffers: Any) -> None:
        if not workers:
            workers.append(Worker(of))
            workers[0].listen(lambda header, body: made.send(header, [body] if body else None))
        workers[0].ask(content, bytes(buffers[0]) if buffers else b"")

    made.on_msg(asked)
    return made
