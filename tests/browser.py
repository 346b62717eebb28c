"""A headless Chromium for tests, driven over its DevTools pipe: no port, and nothing to install in Python."""

from __future__ import annotations

import base64
import fcntl
import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EXECUTABLE = next((path for path in map(shutil.which, NAMES) if path), None)
needs_chromium = pytest.mark.skipif(
    EXECUTABLE is None, reason="no Chromium here: `apt-get install chromium` brings one (as .ci/run does)"
)

# Chromium reads commands from descriptor 3 and writes to 4; a small process puts the pipes there.
LAUNCHER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
KEYS |= {"ArrowDown": 40}


def axe_core() -> str:
    """The source of axe-core, which finds what shuts people out of a page: that of GEOMGAN_AXE, or of a package."""
    if "GEOMGAN_AXE" in os.environ:
        return Path(os.environ["GEOMGAN_AXE"]).read_text()
    package = importlib.util.find_spec("axe_core_python")
    if package is None:
        pytest.skip("pip install 'geomgan[test]', or let GEOMGAN_AXE name an axe.min.js (npm pack axe-core)")
    return next(Path(package.origin).parent.glob("axe.min.js")).read_text()


class Browser:
    """One browser with one page; a context manager."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 900):
        command_read, self._to = _high(os.pipe())
        self._from, events_write = _high(os.pipe())
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += [
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},{height}",
            "--remote-debugging-pipe",
        ]
        options += ["--disable-background-networking", "--disable-component-update", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(command_read), str(events_write), EXECUTABLE, *options],
            pass_fds=(command_read, events_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(events_write)
        self._buffer, self._count, self._session = b"", 0, None
        self.events: list[dict] = []
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_) -> None:
        try:
            self._session = None
            self.call("Browser.close")
            self._process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **params):
        """One command of the DevTools protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def event(self, method: str) -> dict:
        """The next event of a kind that has not been asked for yet."""
        deadline = time.monotonic() + 30
        while True:
            for i, event in enumerate(self.events):
                if event.get("method") == method:
                    return self.events.pop(i)["params"]
            self.events.append(self._next(deadline))

    def _next(self, deadline: float) -> dict:
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("Chromium does not answer")
            part = os.read(self._from, 2**20)
            if not part:
                raise OSError("Chromium ended")
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def run(self, script: str):
        """The value of a JavaScript expression, as a user's gesture."""
        result = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def reload(self) -> None:
        self.run("window.stale = true")
        self.call("Page.reload")
        self.until("document.readyState === 'complete' && !window.stale")

    def until(self, condition: str, seconds: float = 30) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < deadline, f"never true: {condition}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """A real click on the middle of an element."""
        x, y = self.run(
            f"(() => {{const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def press(self, key: str, shift: bool = False) -> None:
        """A real key, by its name or its letter."""
        code = {"key": key, "windowsVirtualKeyCode": KEYS.get(key) or ord(key.upper()), "modifiers": 8 * shift}
        code["code"] = "Space" if key == " " else key
        text = "\r" if key == "Enter" else key if len(key) == 1 else None
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def downloaded(self) -> Path:
        """The finished download."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            files = [path for path in self.downloads.iterdir() if path.suffix == ".json"]
            if files and files[0].stat().st_size:
                return files[0]
            time.sleep(0.05)
        raise TimeoutError("nothing was downloaded")


def _high(descriptors: tuple[int, int]) -> tuple[int, int]:
    """The same pipe with descriptors out of the way of 3 and 4."""
    moved = tuple(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10) for descriptor in descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return moved
