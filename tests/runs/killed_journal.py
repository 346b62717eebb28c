"""A journal in a process that tests/runs/test_journal.py kills; run as a script it is killed at one line after another.

``python -m tests.runs.killed_journal FOLDER EVERY`` prints, as JSON, one list for each kill: the parts that were
finished, and those that the resumed run computed.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from geomgan.runs.files import is_partial
from geomgan.runs.journal import open_journal
from tests.runs.results import Outer, part, same

PARTS = 3


def run(folder, at=None):
    """Compute all parts, but kill this process in the computation of part ``at``; names of the parts computed."""

    def compute(i):
        if i == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return part(i)

    with open_journal(folder, {"parts": PARTS}) as journal:
        for i in range(PARTS):
            assert same(journal.part(f"part-{i}", Outer, lambda i=i: compute(i)), part(i))
        return list(journal.computed)


def killed_at_line(folder, line):
    """Run in a child that is killed before it executes so many lines of ``geomgan.runs``; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame, event, argument):
            nonlocal left
            if f"geomgan{os.sep}runs{os.sep}" not in frame.f_code.co_filename:
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            run(folder)
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def main(folder, every):
    """Kill at every ``every``-th line, resume each time."""
    line, told = 0, []
    while killed_at_line(folder, line):
        finished = sorted(p.stem for p in (Path(folder) / "parts").glob("*.npz") if not is_partial(p))
        told.append([finished, run(folder)])
        shutil.rmtree(folder, ignore_errors=True)
        line += every
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
