"""Child processes of the tests; what conftest puts into the environment lets all share one compilation cache."""

import os
import subprocess
import sys


def python(code: str, **environment: str) -> str:
    """What a program prints, without the line's end; its failure is an error that shows its messages."""
    command = [sys.executable, "-c", code]
    child = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert child.returncode == 0, child.stderr
    return child.stdout.rstrip("\n")
