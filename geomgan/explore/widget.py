"""The explorer as a widget of a notebook: the same module of the page, the same messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geomgan.explore.session import Subject
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

    class ExplorerWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """Its worker starts when it is first shown."""

        _esm = here.with_name("explore.js").read_text(encoding="utf-8")
        _css = here.with_name("explore.css").read_text(encoding="utf-8")
        _worker: Worker | None = None

        def __init__(self) -> None:
            super().__init__()
            self.on_msg(self._asked)

        def _asked(self, _: Any, content: Any, buffers: Any) -> None:
            if self._worker is None:
                self._worker = Worker(of)
                self._worker.listen(lambda header, body: self.send(header, [body] if body else None))
            self._worker.ask(content, bytes(buffers[0]) if buffers else b"")

        def close(self) -> None:
            """End its worker, too."""
            if self._worker is not None:
                self._worker.close()
            super().close()

    return ExplorerWidget()
