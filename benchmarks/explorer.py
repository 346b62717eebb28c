"""How fast the explorer answers: from its command to a moved slider, and from a slider to its picture.

python -m benchmarks.explorer [--models digits-dcgan faces64] [--moves 100] [--distance lpips-alex]

Each model is served by ``geomgan explore`` in a process of its own, once before to fill the cache of compiled programs.
``start``: seconds from the command to the first picture of a moved slider, as a page gets it over its socket.
``busy``, ``quiet``: milliseconds from a move that is sent to its picture that has arrived, one at a time, median and
90th percentile, while scales are measured and after. ``overtaken``: share of moves without a picture of their own where
a hand sends 60 in a second. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.rows import table_row
from geomgan.explore.messages import packed, unpacked

COLUMNS = ("model", "start, s", "busy, ms", "quiet, ms", "90 %, ms", "overtaken")
RATE = 60  # moves a second of a hand


class Page:
    """What a browser does with its socket."""

    def __init__(self, socket: Any):
        self._socket = socket
        self.axis: dict[str, Any] = {}
        self.gesture = 0

    def next(self, kind: str, seconds: float = 300) -> dict[str, Any]:
        """The next message of a kind."""
        while True:
            header, _ = unpacked(self._socket.recv(seconds))
            if header["is"] == "scene" and header["axes"]:
                self.axis = header["axes"][0]
            if header["is"] == kind and header.get("ready", True):
                return dict(header)

    def move(self, share: float) -> None:
        """The first slider to a share of its way."""
        self.gesture += 1
        low, high = self.axis["low"], self.axis["high"]
        request = {"do": "move", "axis": self.axis["number"], "scale": self.axis["scale"], "gesture": str(self.gesture)}
        self._socket.send(packed({**request, "s": low + share * (high - low)}))

    def latencies(self, moves: int) -> np.ndarray:
        """Seconds from each of so many moves to its picture."""
        found = np.empty(moves)
        for i, share in enumerate(np.random.default_rng(0).random(moves)):
            start = time.perf_counter()
            self.move(float(share))
            self.next("frame")
            found[i] = time.perf_counter() - start
        return found

    def overtaken(self) -> float:
        """The share of a second's moves without a picture."""
        for share in np.linspace(0, 1, RATE):
            self.move(float(share))
            time.sleep(1 / RATE)
        frames = 0
        while True:
            header, _ = unpacked(self._socket.recv(60))
            frames += header["is"] == "frame"
            if header["is"] == "numbers":
                return 1 - min(frames, RATE) / RATE


def measured(model: str, distance: str, moves: int) -> list[str]:
    """One row of the table."""
    from websockets.sync.client import connect

    resize = ["--resize", "64"] if distance.startswith("lpips") and model.startswith("digits") else []
    command = [sys.executable, "-m", "geomgan", "explore", model, "--distance", distance, *resize, "--port", "0"]
    for warm in (False, True):
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = process.stdout.readline().split()[1]
            origin, place = "/".join(address.split("/")[:3]), address.replace("http:", "ws:") + "socket?page=bench"
            with connect(place, origin=origin, max_size=None) as socket:
                page = Page(socket)
                page.next("scene")
                page.move(0.7)
                while not page.next("frame")["code"]:  # those of the start
                    pass
                seconds = time.perf_counter() - start
                if warm:
                    busy = page.latencies(moves)
                    time.sleep(30)
                    page.next("numbers")
                    quiet, overtaken = page.latencies(moves), page.overtaken()
            process.terminate()
    of = lambda x, q: f"{1e3 * np.percentile(x, q):.0f}"
    return [model, f"{seconds:.1f}", of(busy, 50), of(quiet, 50), of(quiet, 90), f"{overtaken:.0%}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["digits-dcgan", "faces64"])
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--distance", default="lpips-alex")
    arguments = parser.parse_args()
    print(table_row(*COLUMNS))
    for model in arguments.models:
        print(table_row(*measured(model, arguments.distance, arguments.moves)), flush=True)


if __name__ == "__main__":
    main()
