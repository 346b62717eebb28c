"""How fast the explorer answers in a browser: from its command to a moved slider, and from a slider to its picture.

python -m benchmarks.explorer [--models digits-dcgan faces64] [--moves 100] [--distance lpips-alex]

Each model is served by ``geomgan explore`` in a process of its own, once before to fill the cache of compiled programs,
and opened in a headless Chromium that is there already. ``start``: seconds from the command to the painted picture of a
moved slider. The others are milliseconds from a slider's input event to its painted picture (decoded, drawn, and the
task after the next animation frame), one at a time and at random moments, median and 95th percentile: ``busy`` while
scales are measured, ``small`` and ``sharp`` after; models of at most 128 pixels have one picture for both.
``overtaken``: share of moves without a picture where a hand sends 60 in a second. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.rows import table_row
from tests.browser import EXECUTABLE, Browser

COLUMNS = ("model", "start, s", "busy, ms", "95 %", "small, ms", "95 %", "sharp, ms", "95 %", "overtaken")
READY = "document.querySelector('.gx')?.dataset.ready === 'true' && document.querySelectorAll('.gx-sliders li').length"
MEASURED = f"{READY} && !document.querySelector('.gx-guess')"
# Moves the first slider to a share of its way: milliseconds until the number of pictures has grown and is painted.
MOVE = """
const root = document.querySelector('.gx'), count = (kind) => Number(root.dataset[kind] ?? 0);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const painted = () => new Promise((done) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done(performance.now());
  channel.port2.postMessage(0);
}));
const grown = (kind, from) => new Promise((done) => {
  if (count(kind) > from) return done();
  const watch = new MutationObserver(() => { if (count(kind) > from) { watch.disconnect(); done(); } });
  watch.observe(root, { attributes: true });
});
const put = (share) => {
  const range = document.querySelector('.gx-sliders input');
  range.value = Number(range.min) + share * (range.max - range.min);
  range.dispatchEvent(new Event('input', { bubbles: true }));
};
const latency = async (share, kind) => {
  const from = count(kind), start = performance.now();
  put(share);
  await grown(kind, from);
  return await painted() - start;
};
"""


def latencies(browser: Browser, kind: str, moves: int, until: str = "false") -> np.ndarray:
    """Milliseconds from each move to its picture, ``"frames"`` or ``"sharp"``; no more moves once ``until`` is true."""
    found: list[float] = []
    for share in np.random.default_rng(0).random(moves):
        found.append(browser.run(f"(async () => {{{MOVE} return await latency({share}, '{kind}'); }})()"))
        time.sleep(0.4 + 0.04 * share)
        if browser.run(until):
            break
    return np.array(found)


def overtaken(browser: Browser) -> float:
    """The share of a second's moves without a picture."""
    each = "put(i / 59); await pause(1000 / 60);"
    frames = browser.run(
        f"(async () => {{{MOVE} const from = count('frames'); for (let i = 0; i < 60; i++) {{{each}}}"
        "await pause(2000); return count('frames') - from; })()"
    )
    return 1 - min(frames, 60) / 60


def measured(model: str, distance: str, moves: int) -> list[str]:
    """One row of the table."""
    command = [sys.executable, "-m", "geomgan", "explore", model, "--distance", distance, "--port", "0"]
    for warm in (False, True):
        with tempfile.TemporaryDirectory() as folder, Browser(Path(folder)) as browser:
            start = time.perf_counter()
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                browser.open(process.stdout.readline().split()[1])
                browser.until(READY, 600)
                browser.run(f"(async () => {{{MOVE} await latency(0.7, 'frames'); }})()")
                seconds = time.perf_counter() - start
                if warm:
                    found = [latencies(browser, "frames", moves, MEASURED)]
                    browser.until(MEASURED, 600)
                    found += [latencies(browser, kind, moves) for kind in ("frames", "sharp")]
                    share = overtaken(browser)
                process.terminate()
    numbers = [f"{np.percentile(x, q):.0f}" for x in found for q in (50, 95)]
    return [model, f"{seconds:.1f}", *numbers, f"{share:.0%}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["digits-dcgan", "faces64"])
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--distance", default="lpips-alex")
    arguments = parser.parse_args()
    if EXECUTABLE is None:
        parser.error("there is no Chromium here: `apt-get install chromium` brings one.")
    print(table_row(*COLUMNS))
    for model in arguments.models:
        print(table_row(*measured(model, arguments.distance, arguments.moves)), flush=True)


if __name__ == "__main__":
    main()
